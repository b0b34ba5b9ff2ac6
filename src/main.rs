//! The `modelwatch` program: see `modelwatch::cli`.

use std::process::ExitCode;

/// musl's own allocator has one lock for all threads. This one is also that of the libraries in C.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    modelwatch::cli::main(limit_arenas)
}

/// Limits the number of parts in which glibc keeps memory to one for each processor.
///
/// By default there are up to eight for each, and memory that is freed in one part is not used by threads of another: in a flood
/// of findings on two processors 20 MiB are lost so. With a single part, threads wait for each other: a third more time.
/// `MALLOC_ARENA_MAX` in the environment counts instead, if it is set.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "apart from the environment of the process, which is fixed at its start, glibc has no other way"
)]
fn limit_arenas() {
    if std::env::var_os("MALLOC_ARENA_MAX").is_some() {
        return;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let arenas = i32::try_from(processors).unwrap_or(i32::MAX);
    // SAFETY: `mallopt` takes two numbers and no pointer. It may be called at any time.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn limit_arenas() {}
