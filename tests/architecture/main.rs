//! The doors between the rooms of the house, held to the tables of `docs/architecture.md`.
//!
//! The tables are read from the document itself, so that the plan and the check cannot drift apart.
//! What is compiled only for tests may reach further, and is left out. That each rule can fail is
//! shown on made-up sources in `rules` and `scan`.

mod doors;
mod rules;
mod scan;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use doors::Doors;
use rules::{Place, check_file};

const PLAN: &str = "docs/architecture.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn plan() -> Doors {
    Doors::parse(&read(&root().join(PLAN))).unwrap_or_else(|problem| panic!("{PLAN}: {problem}"))
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

/// The files of `folder` that are part of the program, with what they mention.
fn program(folder: &Path) -> Vec<(Place, scan::Scan)> {
    let files: Vec<_> = rust_files(folder)
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(folder).expect("a file below its folder");
            let place = Place::of(inside);
            let scan = scan::scan(&read(&path), &place.module)
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
                .any(|module| place.module.starts_with(module))
        })
        .collect()
}

fn complain(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "\n{}\n\nThe plan is in {PLAN}.",
        problems.join("\n")
    );
}

#[test]
fn every_import_goes_through_a_door_of_the_plan() {
    let plan = plan();
    let problems: Vec<_> = program(&root().join("src"))
        .iter()
        .flat_map(|(place, scan)| check_file(&plan, place, scan))
        .collect();
    complain(&problems);
}

#[test]
fn the_plan_and_the_source_name_the_same_rooms() {
    let built: BTreeSet<String> = fs::read_dir(root().join("src"))
        .expect("src")
        .map(|entry| entry.expect("an entry of src").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "lib")
        .collect();
    complain(&rules::check_rooms(&plan(), &built));
}

#[test]
fn data_flows_one_way() {
    if let Some(circle) = plan().circle() {
        panic!(
            "the doors of {PLAN} lead in a circle: {}",
            circle.join(" → ")
        );
    }
}

#[test]
fn no_file_outgrows_a_reader() {
    let folders = ["src", "crates/tlog/src", "crates/model-signing/src"];
    let problems: Vec<_> = folders
        .iter()
        .flat_map(|folder| {
            program(&root().join(folder))
                .into_iter()
                .filter_map(move |(place, scan)| rules::check_length(folder, &place, &scan))
        })
        .collect();
    complain(&problems);
}

/// `no_std` is what makes the compiler refuse a clock, a socket or a file in this crate.
#[test]
fn tlog_stays_without_std() {
    let problems: Vec<_> = program(&root().join("crates/tlog/src"))
        .iter()
        .flat_map(|(place, scan)| rules::check_no_std(place, scan))
        .collect();
    complain(&problems);
}
