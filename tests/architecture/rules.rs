//! The rules for a file of the program. The tests show that each rule can fail.

use std::{collections::BTreeSet, path::Path};

use crate::{
    dependencies::Dependencies,
    scan::{Scan, Target},
};

/// Longest file, in lines without tests (CONTRIBUTING.md, "Files").
const MAX_FILE_LINES: usize = 600;

/// Where a source file is.
pub struct Place {
    /// Its path in the repository, for messages.
    pub file: String,
    /// The module of the table that it belongs to. `main` and `lib` count as modules.
    pub module: String,
    /// Its module path, from the root of its crate.
    pub path: Vec<String>,
    /// The same with slashes, as in the table of external paths: `notify/email`.
    location: String,
}

impl Place {
    /// From a folder of sources, such as `src`, and a path below it.
    pub fn of(folder: &str, file: &Path) -> Self {
        let mut parts: Vec<String> = file
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        if parts.len() > 1 && parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        let module = parts.first().cloned().unwrap_or_default();
        let location = parts.join("/");
        let at_the_root = parts.len() == 1 && (module == "main" || module == "lib");
        let path = if at_the_root { Vec::new() } else { parts };
        Self {
            file: format!("{folder}/{}", file.display()),
            module,
            path,
            location,
        }
    }

    fn is_in(&self, place: &str) -> bool {
        self.location
            .strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every import of the file that the tables do not allow. `core` are the modules that another package has.
pub fn check_file(
    allowed: &Dependencies,
    core: &BTreeSet<String>,
    place: &Place,
    scan: &Scan,
) -> Vec<String> {
    scan.mentions
        .iter()
        .filter_map(|mention| {
            let problem = match &mention.target {
                Target::Crate(path) => internal(allowed, core, place, path),
                Target::External(path) => external(allowed, place, path),
            };
            problem.map(|problem| format!("{}:{}: {problem}", place.file, mention.line))
        })
        .collect()
}

fn internal(
    allowed: &Dependencies,
    core: &BTreeSet<String>,
    place: &Place,
    path: &[String],
) -> Option<String> {
    let Some(target) = path.first() else {
        // `super` alone, from a module to the root: it names no other module.
        return None;
    };
    let written = path.join("::");
    if place.module == "lib" {
        let is_whole_module = path.len() == 1 && core.contains(target);
        (!is_whole_module).then(|| {
            format!("lib.rs only declares modules and re-exports those of the bottom layer (`{written}`)")
        })
    } else if target == "*" {
        Some("`crate::*` imports every module at once".to_owned())
    } else if !allowed.is_module(target) {
        Some(format!("`{written}`: the table has no module `{target}`"))
    } else if !allowed.allows(&place.module, path) {
        Some(format!("`{}` may not import `{written}`", place.module))
    } else {
        None
    }
}

fn external(allowed: &Dependencies, place: &Place, path: &[String]) -> Option<String> {
    let (name, places) = allowed.places(path)?;
    if places.iter().any(|allowed| place.is_in(allowed)) {
        return None;
    }
    Some(format!(
        "`{name}` belongs in {}, not in `{}`",
        places.join(" or "),
        place.location
    ))
}

/// Every module must have a row, and every row a module.
pub fn check_modules(allowed: &Dependencies, built: &BTreeSet<String>) -> Vec<String> {
    let listed: BTreeSet<String> = allowed.modules().map(str::to_owned).collect();
    let unlisted = built
        .difference(&listed)
        .map(|module| format!("the module {module} has no row in the table"));
    let missing = listed
        .difference(built)
        .map(|module| format!("the table has a row for `{module}`, but there is no such module"));
    unlisted.chain(missing).collect()
}

/// A file longer than the limit.
pub fn check_length(place: &Place, scan: &Scan) -> Option<String> {
    (scan.lines > MAX_FILE_LINES).then(|| {
        format!(
            "{}: {} lines without tests, at most {MAX_FILE_LINES}: split it",
            place.file, scan.lines
        )
    })
}

/// The root of the crate has `#![no_std]`, and no file uses `std`.
pub fn check_no_std(place: &Place, scan: &Scan) -> Vec<String> {
    let mut problems = Vec::new();
    if place.module == "lib" && !scan.attributes.iter().any(|word| word == "no_std") {
        problems.push(format!("{}: without #![no_std]", place.file));
    }
    problems.extend(
        scan.mentions
            .iter()
            .filter_map(|mention| match &mention.target {
                Target::External(path) if path.first().is_some_and(|first| first == "std") => Some(
                    format!("{}:{}: `{}`", place.file, mention.line, path.join("::")),
                ),
                _ => None,
            }),
    );
    problems
}

/// What the standard library has of clocks, files, networks, programs and threads. The types of addresses are also in
/// `core::net`.
const IMPURE: [[&str; 2]; 11] = [
    ["io", "stderr"],
    ["io", "stdin"],
    ["io", "stdout"],
    ["std", "env"],
    ["std", "fs"],
    ["std", "net"],
    ["std", "os"],
    ["std", "process"],
    ["std", "thread"],
    ["time", "Instant"],
    ["time", "SystemTime"],
];

/// The file uses nothing of the standard library whose result depends on anything but its arguments.
pub fn check_pure(place: &Place, scan: &Scan) -> Vec<String> {
    let mentions = scan.mentions.iter();
    mentions
        .filter_map(|mention| {
            let Target::External(path) = &mention.target else {
                return None;
            };
            // A module may be imported in one line and used in another: compare the path as written.
            let mut parts = path.windows(2);
            let is_impure = parts.any(|part| IMPURE.iter().any(|impure| part == impure));
            let (file, line, path) = (&place.file, mention.line, path.join("::"));
            is_impure.then(|| format!("{file}:{line}: `{path}` in the bottom layer"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    const TABLES: &str = "\
| module | may import |
| --- | --- |
| `*` | `escape` |
| `escape`, `clock`, `http`, `finding` | nothing |
| `store` | `finding` |
| `monitor` | `store`, `finding`, `clock` |
| `notify` | `store`, `finding`, `http`, `clock` |
| `config` | `*::Settings` |
| `cli`, `main` | `*` |

| external | only in |
| --- | --- |
| `reqwest` | `http` |
| `sqlx` | `store` |
| `lettre` | `notify/email` |
| `axum` | nowhere yet |
| `clap`, `anyhow` | `cli`, `main` |
| `Timestamp::now`, `SystemTime::now` | `clock` |
";

    fn problems(file: &str, text: &str) -> Vec<String> {
        let allowed = Dependencies::parse(TABLES).unwrap_or_else(|problem| panic!("{problem}"));
        let core = ["escape", "finding"].map(str::to_owned).into();
        let place = Place::of("src", Path::new(file));
        let scan = scan(text, &place.path).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        check_file(&allowed, &core, &place, &scan)
    }

    #[test]
    fn an_allowed_import_passes() {
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
            ("lib.rs", "pub use modelwatch_core::{escape, finding};"),
            (
                "store/mod.rs",
                "fn f(x: modelwatch_core::finding::Finding) {}",
            ),
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
    fn a_forbidden_import_fails() {
        let forbidden = [
            (
                "monitor/mod.rs",
                "use crate::notify::Outbox;",
                "may not import",
            ),
            (
                "monitor/mod.rs",
                "use crate::config::Config;",
                "may not import",
            ),
            (
                "monitor/pass.rs",
                "use super::super::notify::Outbox;",
                "may not import",
            ),
            (
                "monitor/pass.rs",
                "fn f() { tokio::spawn(async { crate::notify::drain().await }); }",
                "may not import",
            ),
            (
                "store/sqlite.rs",
                "use crate::{finding::Finding, monitor};",
                "may not import",
            ),
            (
                "finding.rs",
                "fn f(x: &super::store::Row) {}",
                "may not import",
            ),
            ("config.rs", "use crate::notify::Outbox;", "may not import"),
            ("notify/mod.rs", "use crate::*;", "every module at once"),
            ("finding.rs", "use super::*;", "every module at once"),
            ("notify/mod.rs", "use crate::Store;", "no module"),
            (
                "lib.rs",
                "pub use crate::store::Store;",
                "only declares modules",
            ),
            (
                "lib.rs",
                "pub use crate::store as other;",
                "only declares modules",
            ),
            (
                "lib.rs",
                "pub use modelwatch_core::finding::Finding;",
                "only declares modules",
            ),
            (
                "monitor/mod.rs",
                "use modelwatch_core::notify::Outbox;",
                "may not import",
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
    fn a_problem_names_file_and_line() {
        let text =
            "//! A module.\n\nuse crate::{\n    finding::Finding,\n    notify::Outbox,\n};\n";
        assert_eq!(
            problems("monitor/pass.rs", text),
            ["src/monitor/pass.rs:5: `monitor` may not import `notify::Outbox`"]
        );
    }

    #[test]
    fn a_module_without_a_row_and_a_row_without_a_module_are_both_reported() {
        let allowed = Dependencies::parse(TABLES).unwrap_or_else(|problem| panic!("{problem}"));
        let mut built: BTreeSet<String> = allowed.modules().map(str::to_owned).collect();
        assert_eq!(check_modules(&allowed, &built), Vec::<String>::new());
        built.remove("clock");
        built.insert("helpers".to_owned());
        assert_eq!(check_modules(&allowed, &built).len(), 2);
    }

    #[test]
    fn a_long_file_fails_and_its_tests_do_not_count() {
        let place = Place::of("src", Path::new("store/sqlite.rs"));
        let lines = |count: usize| "fn f() {}\n".repeat(count);
        let check = |text: &str| {
            let scan = scan(text, &place.path).unwrap_or_else(|problem| panic!("{problem}"));
            check_length(&place, &scan)
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
    fn input_and_output_in_the_bottom_layer_are_reported() {
        let check = |text: &str| {
            let place = Place::of("crates/core/src", Path::new("entry/pem.rs"));
            let scan = scan(text, &place.path).unwrap_or_else(|problem| panic!("{problem}"));
            check_pure(&place, &scan)
        };
        assert_eq!(
            check("use std::{fmt, time::Duration};\nfn f() { std::fs::read(x) }"),
            ["crates/core/src/entry/pem.rs:2: `std::fs::read` in the bottom layer"]
        );
        for impure in [
            "use std::{fmt, net};",
            "use std::net::TcpStream;",
            "use ::std::env;",
            "use std::time::{Duration, SystemTime};",
            "fn f() { std::time::Instant::now(); }",
            "use std::io::{self, stdin};",
            "use std::io; fn f() { io::stdin() }",
        ] {
            assert_eq!(check(impure).len(), 1, "{impure}");
        }
        for pure in [
            "use std::{collections::BTreeMap, io::Read, time::Duration};",
            "use crate::std::fs;",
            "#[cfg(test)] mod tests { use std::fs; }",
        ] {
            assert_eq!(check(pure), Vec::<String>::new(), "{pure}");
        }
    }

    #[test]
    fn a_use_of_std_in_tlog_is_reported() {
        let check = |file: &str, text: &str| {
            let place = Place::of("crates/tlog/src", Path::new(file));
            let scan = scan(text, &place.path).unwrap_or_else(|problem| panic!("{problem}"));
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
