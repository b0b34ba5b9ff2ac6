//! Lists the migrations for `src/store/sqlite/migrations.rs`.

use std::path::Path;
use std::{env, fs, io};

const DIRECTORY: &str = "migrations/sqlite";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DIRECTORY}");
    let mut files = Vec::new();
    for entry in fs::read_dir(DIRECTORY)? {
        let file = entry?.file_name();
        let file = file.to_string_lossy();
        let Some((number, name)) = file
            .strip_suffix(".sql")
            .and_then(|stem| stem.split_once('_'))
        else {
            return Err(io::Error::other(format!(
                "{DIRECTORY}/{file}: migrations are named NUMBER_NAME.sql"
            )));
        };
        let number: i64 = number.parse().map_err(|error| {
            io::Error::other(format!(
                "{DIRECTORY}/{file}: {number:?} is no number: {error}"
            ))
        })?;
        files.push((number, name.replace('_', " "), file.into_owned()));
    }
    files.sort();
    let rows: Vec<String> = files
        .iter()
        .map(|(number, name, file)| {
            format!(
                "    ({number}, {name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{DIRECTORY}/{file}\"))),\n"
            )
        })
        .collect();
    let out = env::var_os("OUT_DIR")
        .ok_or_else(|| io::Error::other("OUT_DIR is set by cargo, which runs this script"))?;
    fs::write(
        Path::new(&out).join("migrations.rs"),
        format!(
            "const FILES: &[(i64, &str, &str)] = &[\n{}];\n",
            rows.concat()
        ),
    )
}
