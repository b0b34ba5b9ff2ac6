//! The two tables of `docs/architecture.md`: which module may import which, and where external crates are used.

use std::collections::{BTreeMap, BTreeSet};

const MODULES: &str = "| module | may import |";
const EXTERNAL: &str = "| external | only in |";

/// The names in the first two cells of a row.
type Row = (Vec<String>, Vec<String>);

/// The allowed dependencies.
pub struct Dependencies {
    /// Module → what it may import: `module`, `module::Item`, `*::Settings` or `*`. Module `*` stands for every module.
    modules: BTreeMap<String, BTreeSet<String>>,
    /// An external path (`reqwest`, `Timestamp::now`) → the modules that may mention it.
    external: Vec<Row>,
}

impl Dependencies {
    /// Reads both tables from the text of the document. In a cell, only names in backticks count.
    pub fn parse(markdown: &str) -> Result<Self, String> {
        let mut modules = BTreeMap::new();
        for (names, imports) in table(markdown, MODULES)? {
            for name in names {
                let imports: BTreeSet<String> = imports.iter().cloned().collect();
                if modules.insert(name.clone(), imports).is_some() {
                    return Err(format!("module `{name}` has two rows"));
                }
            }
        }
        let dependencies = Self {
            external: external(markdown)?,
            modules,
        };
        dependencies.check_names()?;
        Ok(dependencies)
    }

    /// Every module that a row imports must have a row itself. Without this check, a misspelt name would never match.
    fn check_names(&self) -> Result<(), String> {
        let unknown = self.modules.iter().flat_map(|(module, imports)| {
            imports
                .iter()
                .map(|import| import.split("::").next().unwrap_or(import))
                .filter(|first| *first != "*" && !self.modules.contains_key(*first))
                .map(move |first| format!("`{module}` may import `{first}`, which has no row"))
        });
        unknown.into_iter().next().map_or(Ok(()), Err)
    }

    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules
            .keys()
            .map(String::as_str)
            .filter(|module| *module != "*")
    }

    pub fn is_module(&self, name: &str) -> bool {
        name != "*" && self.modules.contains_key(name)
    }

    /// Whether `module` may mention `path`, which begins with the name of a module.
    pub fn allows(&self, module: &str, path: &[String]) -> bool {
        path.first().is_some_and(|first| first == module)
            || [module, "*"]
                .iter()
                .filter_map(|name| self.modules.get(*name))
                .flatten()
                .any(|rule| rule_allows(rule, path))
    }

    /// The modules that may mention this external path, if there is a rule for it.
    pub fn places(&self, path: &[String]) -> Option<(String, &[String])> {
        self.external
            .iter()
            .find(|(name, _)| match name.as_slice() {
                [name] => path.first() == Some(name),
                // A type may be imported in one line and called in another: compare the path as written.
                names => path.windows(names.len()).any(|part| part == names),
            })
            .map(|(name, places)| (name.join("::"), places.as_slice()))
    }

    /// A dependency cycle, if there is one. A dependency on a single item counts like one on the whole module.
    pub fn cycle(&self) -> Option<Vec<String>> {
        let mut done = BTreeSet::new();
        self.modules()
            .find_map(|module| self.cycle_from(module, &mut Vec::new(), &mut done))
    }

    fn cycle_from<'a>(
        &'a self,
        module: &'a str,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|passed| *passed == module) {
            let cycle = path.iter().skip(start).chain([&module]);
            return Some(cycle.map(|name| (*name).to_owned()).collect());
        }
        if !done.insert(module) {
            return None;
        }
        path.push(module);
        let imports = self.modules.get(module).into_iter().flatten();
        let cycle = imports
            .filter_map(|import| import.split("::").next())
            .filter(|import| *import != "*")
            .find_map(|import| self.cycle_from(import, path, done));
        path.pop();
        cycle
    }
}

/// Whether one name of the second column covers `path`.
fn rule_allows(rule: &str, path: &[String]) -> bool {
    match rule.split_once("::") {
        None if rule == "*" => true,
        None => path.first().is_some_and(|first| first == rule),
        Some(("*", ending)) => {
            path.len() > 1 && path.last().is_some_and(|last| last.ends_with(ending))
        }
        Some(_) => rule
            .split("::")
            .eq(path.iter().take(rule.split("::").count())),
    }
}

fn external(markdown: &str) -> Result<Vec<Row>, String> {
    let rows = table(markdown, EXTERNAL)?.into_iter();
    Ok(rows
        .flat_map(|(names, places)| {
            names.into_iter().map(move |name| {
                let path = name.split("::").map(str::to_owned).collect();
                (path, places.clone())
            })
        })
        .collect())
}

/// The rows below the header that begins with `header`: the names in backticks of the first two cells.
fn table(markdown: &str, header: &str) -> Result<Vec<Row>, String> {
    let mut lines = markdown
        .lines()
        .skip_while(|line| !line.starts_with(header));
    lines.next().ok_or_else(|| format!("no table `{header}`"))?;
    let rows: Vec<Row> = lines
        .take_while(|line| line.starts_with('|'))
        .filter(|line| !line.starts_with("| ---") && !line.starts_with("|---"))
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(quoted);
            (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            )
        })
        .collect();
    match rows.iter().find(|(names, _)| names.is_empty()) {
        Some(_) => Err(format!("table `{header}` has a row that names nothing")),
        None if rows.is_empty() => Err(format!("table `{header}` is empty")),
        None => Ok(rows),
    }
}

fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(modules: &str) -> String {
        format!(
            "# Modules\n\n| module | may import | why |\n| --- | --- | --- |\n{modules}\n\n\
             | external | only in |\n| --- | --- |\n| `reqwest` | `http` |\n| `Timestamp::now` | `clock` |\n"
        )
    }

    fn path(text: &str) -> Vec<String> {
        text.split("::").map(str::to_owned).collect()
    }

    fn parse(modules: &str) -> Dependencies {
        Dependencies::parse(&document(modules)).unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn a_module_may_import_what_its_row_names_and_nothing_else() {
        let dependencies = parse(
            "| `*` | `escape` |\n| `escape`, `http` | nothing |\n| `source` | `http` | reads |\n\
             | `config` | `*::Settings`, `http::Limit` |\n| `cli` | `*` |",
        );
        let cases = [
            ("source", "http::Client", true),
            ("source", "source::rekor_v2", true),
            ("source", "config::Config", false),
            ("http", "source::LogSource", false),
            ("http", "escape::terminal", true),
            ("config", "source::Settings", true),
            ("config", "source::prefetch::PrefetchSettings", true),
            ("config", "source::RekorV2", false),
            ("config", "http::Limit", true),
            ("config", "http::Limit::new", true),
            ("config", "http::Client", false),
            ("cli", "config::Config", true),
        ];
        for (module, import, allowed) in cases {
            assert_eq!(
                dependencies.allows(module, &path(import)),
                allowed,
                "{module} → {import}"
            );
        }
    }

    #[test]
    fn each_external_path_has_its_place() {
        let dependencies = parse("| `http`, `clock` | nothing |");
        let places = |text| {
            let found = dependencies.places(&path(text));
            found.map(|(_, places)| places.to_vec())
        };
        assert_eq!(places("reqwest::Client"), Some(vec!["http".to_owned()]));
        assert_eq!(
            places("jiff::Timestamp::now"),
            Some(vec!["clock".to_owned()])
        );
        assert_eq!(places("Timestamp::now"), Some(vec!["clock".to_owned()]));
        assert_eq!(places("Timestamp::from_second"), None);
        assert_eq!(places("my::reqwest"), None);
    }

    #[test]
    fn a_dependency_cycle_is_found_and_shown() {
        let acyclic =
            parse("| `c` | nothing |\n| `b` | `c` |\n| `a` | `b`, `c` |\n| `cli` | `*` |");
        assert_eq!(acyclic.cycle(), None);
        let cyclic = parse("| `c` | `a` |\n| `b` | `c` |\n| `a` | `b` |");
        assert_eq!(
            cyclic.cycle(),
            Some(vec!["a".into(), "b".into(), "c".into(), "a".into()])
        );
    }

    #[test]
    fn a_document_that_cannot_be_read_is_an_error() {
        assert!(Dependencies::parse("# no table").is_err());
        assert!(
            Dependencies::parse(&document("| `a` | `b` |")).is_err(),
            "an unknown module"
        );
        assert!(
            Dependencies::parse(&document("| `a` | nothing |\n| `a` | nothing |")).is_err(),
            "two rows"
        );
        assert!(
            Dependencies::parse(&document("| a | nothing |")).is_err(),
            "no backticks"
        );
    }
}
