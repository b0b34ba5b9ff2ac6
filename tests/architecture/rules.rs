//! What a file of the program may not do, each rule shown to fail on a made-up source.

use std::{collections::BTreeSet, path::Path};

use crate::{
    doors::Doors,
    scan::{Scan, Target},
};

/// Longest file, in lines without tests: past that nobody reads it in one sitting (CONTRIBUTING.md, "Files").
const MAX_FILE_LINES: usize = 600;

/// Where a source file is.
pub struct Place {
    /// Its path below `src/`, to be shown.
    pub file: String,
    /// The room it belongs to; `main` and `lib` are their own.
    pub room: String,
    /// The module it holds, from the root of its crate.
    pub module: Vec<String>,
    /// The same with slashes, as the plan writes addresses: `notify/email`.
    address: String,
}

impl Place {
    /// From a path below `src/`.
    pub fn of(file: &Path) -> Self {
        let mut parts: Vec<String> = file
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        if parts.len() > 1 && parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        let room = parts.first().cloned().unwrap_or_default();
        let address = parts.join("/");
        let at_the_root = parts.len() == 1 && (room == "main" || room == "lib");
        let module = if at_the_root { Vec::new() } else { parts };
        Self {
            file: file.display().to_string(),
            room,
            module,
            address,
        }
    }

    fn is_in(&self, home: &str) -> bool {
        self.address
            .strip_prefix(home)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every import of the file that has no door.
pub fn check_file(plan: &Doors, place: &Place, scan: &Scan) -> Vec<String> {
    scan.mentions
        .iter()
        .filter_map(|mention| {
            let problem = match &mention.target {
                Target::House(path) => house(plan, place, path),
                Target::Outside(path) => outside(plan, place, path),
            };
            problem.map(|problem| format!("src/{}:{}: {problem}", place.file, mention.line))
        })
        .collect()
}

fn house(plan: &Doors, place: &Place, path: &[String]) -> Option<String> {
    let Some(target) = path.first() else {
        // `super` alone, from a room to the root: nothing is reached by it.
        return None;
    };
    let written = path.join("::");
    if place.room == "lib" {
        Some(format!(
            "lib.rs declares the rooms and opens no way around their doors (`{written}`)"
        ))
    } else if target == "*" {
        Some("`crate::*` opens every room at once".to_owned())
    } else if !plan.is_room(target) {
        Some(format!("`{written}`: the plan has no room `{target}`"))
    } else if !plan.may(&place.room, path) {
        Some(format!("`{}` has no door to `{written}`", place.room))
    } else {
        None
    }
}

fn outside(plan: &Doors, place: &Place, path: &[String]) -> Option<String> {
    let (what, homes) = plan.homes(path)?;
    if homes.iter().any(|home| place.is_in(home)) {
        return None;
    }
    Some(format!(
        "`{what}` belongs in {}, not in `{}`",
        homes.join(" or "),
        place.address
    ))
}

/// A room without a row has no doors at all; a row without a room is a plan of something else.
pub fn check_rooms(plan: &Doors, built: &BTreeSet<String>) -> Vec<String> {
    let planned: BTreeSet<String> = plan.rooms().map(str::to_owned).collect();
    let unplanned = built
        .difference(&planned)
        .map(|room| format!("src/{room} has no row in the plan"));
    let unbuilt = planned
        .difference(built)
        .map(|room| format!("the plan has a row for `{room}`, src has not"));
    unplanned.chain(unbuilt).collect()
}

/// The file is longer than a reader's patience.
pub fn check_length(folder: &str, place: &Place, scan: &Scan) -> Option<String> {
    (scan.lines > MAX_FILE_LINES).then(|| {
        format!(
            "{folder}/{}: {} lines without tests, at most {MAX_FILE_LINES}: make a room of it",
            place.file, scan.lines
        )
    })
}

/// The crate's root says `no_std`, and nothing takes `std` back in.
pub fn check_no_std(place: &Place, scan: &Scan) -> Vec<String> {
    let mut problems = Vec::new();
    if place.room == "lib" && !scan.attributes.iter().any(|word| word == "no_std") {
        problems.push(format!("{}: without #![no_std]", place.file));
    }
    problems.extend(
        scan.mentions
            .iter()
            .filter_map(|mention| match &mention.target {
                Target::Outside(path) if path.first().is_some_and(|first| first == "std") => Some(
                    format!("{}:{}: `{}`", place.file, mention.line, path.join("::")),
                ),
                _ => None,
            }),
    );
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    const PLAN: &str = "\
| room | may import |
| --- | --- |
| `*` | `escape` |
| `escape`, `clock`, `http`, `finding` | nothing |
| `store` | `finding` |
| `monitor` | `store`, `finding`, `clock` |
| `notify` | `store`, `finding`, `http`, `clock` |
| `config` | `*::Settings` |
| `cli`, `main` | `*` |

| from outside | only in |
| --- | --- |
| `reqwest` | `http` |
| `sqlx` | `store` |
| `lettre` | `notify/email` |
| `axum` | nowhere yet |
| `clap`, `anyhow` | `cli`, `main` |
| `Timestamp::now`, `SystemTime::now` | `clock` |
";

    fn problems(file: &str, text: &str) -> Vec<String> {
        let plan = Doors::parse(PLAN).unwrap_or_else(|problem| panic!("{problem}"));
        let place = Place::of(Path::new(file));
        let scan = scan(text, &place.module).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        check_file(&plan, &place, &scan)
    }

    #[test]
    fn what_the_plan_allows_passes() {
        let allowed = [
            (
                "store/sqlite.rs",
                "use crate::finding::Finding; use super::Store; use sqlx::Row;",
            ),
            (
                "store/mod.rs",
                "use self::sqlite::Sqlite; use crate::escape::terminal;",
            ),
            (
                "notify/email.rs",
                "use lettre::Message; use crate::http::Client;",
            ),
            ("notify/email/html.rs", "use lettre::message::Body;"),
            (
                "config/valid.rs",
                "use crate::notify::email::EmailSettings; use super::raw::Raw;",
            ),
            (
                "cli/mod.rs",
                "use anyhow::Context; use clap::Parser; use crate::config::Config;",
            ),
            (
                "main.rs",
                "use modelwatch::cli; fn main() -> anyhow::Result<()> { cli::run() }",
            ),
            ("lib.rs", "pub mod store; pub mod monitor;"),
            ("clock.rs", "fn now() { jiff::Timestamp::now() }"),
            (
                "monitor.rs",
                "#[cfg(test)] mod tests { use crate::notify::Memory; }",
            ),
        ];
        for (file, text) in allowed {
            assert_eq!(problems(file, text), Vec::<String>::new(), "{file}: {text}");
        }
    }

    #[test]
    fn what_the_plan_forbids_fails() {
        let forbidden = [
            ("monitor/mod.rs", "use crate::notify::Outbox;", "no door"),
            ("monitor/mod.rs", "use crate::config::Config;", "no door"),
            (
                "monitor/pass.rs",
                "use super::super::notify::Outbox;",
                "no door",
            ),
            (
                "monitor/pass.rs",
                "fn f() { tokio::spawn(async { crate::notify::drain().await }); }",
                "no door",
            ),
            (
                "store/sqlite.rs",
                "use crate::{finding::Finding, monitor};",
                "no door",
            ),
            ("finding.rs", "fn f(x: &super::store::Row) {}", "no door"),
            ("config.rs", "use crate::notify::Outbox;", "no door"),
            ("notify/mod.rs", "use crate::*;", "every room at once"),
            ("finding.rs", "use super::*;", "every room at once"),
            ("notify/mod.rs", "use crate::Store;", "no room"),
            (
                "lib.rs",
                "pub use crate::store::Store;",
                "declares the rooms",
            ),
            ("source.rs", "use reqwest::Client;", "belongs in http"),
            (
                "notify/webhook.rs",
                "fn f(c: ::reqwest::Client) {}",
                "belongs in http",
            ),
            (
                "finding.rs",
                "#[derive(sqlx::Type)] struct A;",
                "belongs in store",
            ),
            (
                "notify/webhook.rs",
                "use lettre::Message;",
                "belongs in notify/email",
            ),
            (
                "notify/emailish.rs",
                "use lettre::Message;",
                "belongs in notify/email",
            ),
            (
                "store/mod.rs",
                "use anyhow::Result;",
                "belongs in cli or main",
            ),
            (
                "config.rs",
                "#[derive(clap::Args)] struct A;",
                "belongs in cli or main",
            ),
            (
                "monitor/mod.rs",
                "use jiff::Timestamp; fn f() { Timestamp::now() }",
                "belongs in clock",
            ),
            (
                "finding.rs",
                "fn f() { std::time::SystemTime::now() }",
                "belongs in clock",
            ),
        ];
        for (file, text, reason) in forbidden {
            let found = problems(file, text);
            assert!(
                found.len() == 1 && found.iter().all(|problem| problem.contains(reason)),
                "{file}: {text}: {found:?}"
            );
        }
    }

    #[test]
    fn a_problem_says_where_it_is() {
        let text = "//! A room.\n\nuse crate::{\n    finding::Finding,\n    notify::Outbox,\n};\n";
        assert_eq!(
            problems("monitor/pass.rs", text),
            ["src/monitor/pass.rs:5: `monitor` has no door to `notify::Outbox`"]
        );
    }

    #[test]
    fn an_unplanned_room_and_an_unbuilt_one_are_both_said() {
        let plan = Doors::parse(PLAN).unwrap_or_else(|problem| panic!("{problem}"));
        let mut built: BTreeSet<String> = plan.rooms().map(str::to_owned).collect();
        assert_eq!(check_rooms(&plan, &built), Vec::<String>::new());
        built.remove("clock");
        built.insert("helpers".to_owned());
        assert_eq!(check_rooms(&plan, &built).len(), 2);
    }

    #[test]
    fn a_long_file_fails_and_its_tests_do_not_count() {
        let place = Place::of(Path::new("store/sqlite.rs"));
        let lines = |count: usize| "fn f() {}\n".repeat(count);
        let check = |text: &str| {
            let scan = scan(text, &place.module).unwrap_or_else(|problem| panic!("{problem}"));
            check_length("src", &place, &scan)
        };
        assert_eq!(check(&lines(MAX_FILE_LINES)), None);
        assert!(check(&lines(MAX_FILE_LINES + 1)).is_some());
        let tests = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            lines(MAX_FILE_LINES),
            lines(300)
        );
        assert_eq!(check(&tests), None);
    }

    #[test]
    fn std_does_not_come_back_into_tlog() {
        let check = |file: &str, text: &str| {
            let place = Place::of(Path::new(file));
            let scan = scan(text, &place.module).unwrap_or_else(|problem| panic!("{problem}"));
            check_no_std(&place, &scan).len()
        };
        assert_eq!(
            check(
                "lib.rs",
                "#![no_std]\nextern crate alloc;\nuse alloc::vec::Vec;"
            ),
            0
        );
        assert_eq!(check("lib.rs", "//! Logs."), 1);
        assert_eq!(check("tile.rs", "use std::fs::File;"), 1);
        assert_eq!(
            check("tile.rs", "#[cfg(test)]\nmod tests { use std::vec::Vec; }"),
            0
        );
    }
}
