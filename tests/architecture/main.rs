//! The imports of the source, checked against the tables of `docs/architecture.md`.
//!
//! The tables are read from the document itself, so that document and check cannot differ. Code that
//! is compiled only for tests may import more, and is not checked. The unit tests of `rules` and
//! `scan` show that each rule can fail.

mod cycles;
mod dependencies;
mod profiles;
mod rules;
mod scan;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use dependencies::Dependencies;
use rules::{Place, check_file};

const DOCUMENT: &str = "docs/architecture.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dependencies() -> Dependencies {
    Dependencies::parse(&read(&root().join(DOCUMENT)))
        .unwrap_or_else(|problem| panic!("{DOCUMENT}: {problem}"))
}

/// Every Rust file below `folder`, in a stable order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| {
                entry
                    .expect("an entry of a folder of the repository")
                    .path()
            });
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The files below `folder` that are part of the program, with the paths that they mention.
fn program(folder: &str) -> Vec<(Place, scan::Scan)> {
    let below = root().join(folder);
    let files: Vec<_> = rust_files(&below)
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&below).expect("a file below its folder");
            let place = Place::of(folder, inside);
            let scan = scan::scan(&read(&path), &place.path)
                .unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
            (place, scan)
        })
        .collect();
    let only_tests: BTreeSet<Vec<String>> = files
        .iter()
        .flat_map(|(_, scan)| scan.test_modules.iter().cloned())
        .collect();
    files
        .into_iter()
        .filter(|(place, _)| {
            !only_tests
                .iter()
                .any(|module| place.path.starts_with(module))
        })
        .collect()
}

fn assert_none(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "\n{}\n\nThe rules are in {DOCUMENT}.",
        problems.join("\n")
    );
}

/// The package of the bottom layer.
const CORE: &str = "crates/core/src";

/// The packages with the modules of the table. `src` re-exports those of the other as its own. Its root comes last, and
/// stands for both.
const PROGRAM: [&str; 2] = [CORE, "src"];

/// The modules in a folder.
fn modules(folder: &str) -> BTreeSet<String> {
    fs::read_dir(root().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "lib")
        .collect()
}

#[test]
fn every_import_is_an_allowed_dependency() {
    let (allowed, core) = (dependencies(), modules(CORE));
    let problems: Vec<_> = PROGRAM
        .iter()
        .flat_map(|folder| program(folder))
        .flat_map(|(place, scan)| check_file(&allowed, &core, &place, &scan))
        .collect();
    assert_none(&problems);
}

#[test]
fn the_document_and_the_source_name_the_same_modules() {
    let built = PROGRAM.iter().flat_map(|folder| modules(folder)).collect();
    assert_none(&rules::check_modules(&dependencies(), &built));
}

#[test]
fn the_modules_have_no_dependency_cycle() {
    if let Some(cycle) = dependencies().cycle() {
        panic!(
            "the dependencies in {DOCUMENT} form a cycle: {}",
            cycle.join(" → ")
        );
    }
}

/// What is checked as one crate: the folders of its sources.
const CRATES: [&[&str]; 3] = [
    &PROGRAM,
    &["crates/tlog/src"],
    &["crates/model-signing/src"],
];

#[test]
fn no_file_depends_on_itself_through_others() {
    let mut problems = Vec::new();
    for folders in CRATES {
        let files: BTreeMap<_, _> = folders
            .iter()
            .flat_map(|folder| program(folder))
            // `main` is a crate of its own, which depends on the library.
            .filter(|(place, _)| place.module != "main")
            .map(|(place, scan)| (place.path, scan))
            .collect();
        let found = cycles::check(&files).into_iter();
        problems.extend(found.map(|found| format!("{}: {found}", folders.join(" and "))));
    }
    assert_none(&problems);
}

#[test]
fn no_file_is_longer_than_the_limit() {
    let problems: Vec<_> = CRATES
        .into_iter()
        .flatten()
        .flat_map(|folder| program(folder))
        .filter_map(|(place, scan)| rules::check_length(&place, &scan))
        .collect();
    assert_none(&problems);
}

/// Without `std` the compiler refuses a clock, a socket or a file in this crate.
#[test]
fn tlog_stays_without_std() {
    let problems: Vec<_> = program("crates/tlog/src")
        .iter()
        .flat_map(|(place, scan)| rules::check_no_std(place, scan))
        .collect();
    assert_none(&problems);
}

/// The compiler refuses crates that are no dependencies of this one. The standard library always is one.
#[test]
fn the_bottom_layer_does_no_input_or_output() {
    let problems: Vec<_> = program(CORE)
        .iter()
        .flat_map(|(place, scan)| rules::check_pure(place, scan))
        .collect();
    assert_none(&problems);
}

#[test]
fn dist_optimizes_in_full_what_release_optimizes_apart() {
    let problems = profiles::check(&read(&root().join("Cargo.toml")))
        .unwrap_or_else(|problem| panic!("Cargo.toml: {problem}"));
    assert_none(&problems);
}
