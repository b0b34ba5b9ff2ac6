//! The `modelwatch` program: see `modelwatch::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    modelwatch::cli::main()
}
