//! The two tables of the plan: which room may import which, and where the outside world is reached.

use std::collections::{BTreeMap, BTreeSet};

const DOORS: &str = "| room | may import |";
const OUTSIDE: &str = "| from outside | only in |";

/// What the first two cells of a row name.
type Row = (Vec<String>, Vec<String>);

/// The plan, as far as a machine can hold the source to it.
pub struct Doors {
    /// Room → what it may import: `room`, `room::Item`, `*::Settings` or `*`. Room `*` stands for every room.
    rooms: BTreeMap<String, BTreeSet<String>>,
    /// A path from outside (`reqwest`, `Timestamp::now`) → the places that may mention it.
    outside: Vec<Row>,
}

impl Doors {
    /// Reads both tables from the text of the plan. In a cell only what stands in backticks counts.
    pub fn parse(markdown: &str) -> Result<Self, String> {
        let mut rooms = BTreeMap::new();
        for (names, imports) in table(markdown, DOORS)? {
            for name in names {
                let imports: BTreeSet<String> = imports.iter().cloned().collect();
                if rooms.insert(name.clone(), imports).is_some() {
                    return Err(format!("room `{name}` has two rows"));
                }
            }
        }
        let doors = Self {
            outside: outside(markdown)?,
            rooms,
        };
        doors.known()?;
        Ok(doors)
    }

    /// Every name that a row gives to import must be a room itself: a misspelt door would stay shut unnoticed.
    fn known(&self) -> Result<(), String> {
        let unknown = self.rooms.iter().flat_map(|(room, imports)| {
            imports
                .iter()
                .map(|import| import.split("::").next().unwrap_or(import))
                .filter(|first| *first != "*" && !self.rooms.contains_key(*first))
                .map(move |first| format!("`{room}` may import `{first}`, which is no room"))
        });
        unknown.into_iter().next().map_or(Ok(()), Err)
    }

    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms
            .keys()
            .map(String::as_str)
            .filter(|room| *room != "*")
    }

    pub fn is_room(&self, name: &str) -> bool {
        name != "*" && self.rooms.contains_key(name)
    }

    /// Whether `room` may mention `path`, which begins with the name of a room.
    pub fn may(&self, room: &str, path: &[String]) -> bool {
        path.first().is_some_and(|first| first == room)
            || [room, "*"]
                .iter()
                .filter_map(|name| self.rooms.get(*name))
                .flatten()
                .any(|open| opens(open, path))
    }

    /// The places that may mention this path from outside, if there is a rule for it.
    pub fn homes(&self, path: &[String]) -> Option<(String, &[String])> {
        self.outside
            .iter()
            .find(|(what, _)| match what.as_slice() {
                [name] => path.first() == Some(name),
                // A type may be imported first and asked later: compare what is written.
                names => path.windows(names.len()).any(|part| part == names),
            })
            .map(|(what, homes)| (what.join("::"), homes.as_slice()))
    }

    /// A circle of doors, if there is one. Doors that open only settings or to everyone count like the others.
    pub fn circle(&self) -> Option<Vec<String>> {
        let mut done = BTreeSet::new();
        self.rooms()
            .find_map(|room| self.circle_from(room, &mut Vec::new(), &mut done))
    }

    fn circle_from<'a>(
        &'a self,
        room: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|passed| *passed == room) {
            let circle = way.iter().skip(start).chain([&room]);
            return Some(circle.map(|name| (*name).to_owned()).collect());
        }
        if !done.insert(room) {
            return None;
        }
        way.push(room);
        let imports = self.rooms.get(room).into_iter().flatten();
        let circle = imports
            .filter_map(|import| import.split("::").next())
            .filter(|import| *import != "*")
            .find_map(|import| self.circle_from(import, way, done));
        way.pop();
        circle
    }
}

fn opens(open: &str, path: &[String]) -> bool {
    match open.split_once("::") {
        None if open == "*" => true,
        None => path.first().is_some_and(|first| first == open),
        Some(("*", ending)) => {
            path.len() > 1 && path.last().is_some_and(|last| last.ends_with(ending))
        }
        Some(_) => open
            .split("::")
            .eq(path.iter().take(open.split("::").count())),
    }
}

fn outside(markdown: &str) -> Result<Vec<Row>, String> {
    let rows = table(markdown, OUTSIDE)?.into_iter();
    Ok(rows
        .flat_map(|(names, homes)| {
            names.into_iter().map(move |name| {
                let path = name.split("::").map(str::to_owned).collect();
                (path, homes.clone())
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

    fn plan(rooms: &str) -> String {
        format!(
            "# Plan\n\n| room | may import | why |\n| --- | --- | --- |\n{rooms}\n\n\
             | from outside | only in |\n| --- | --- |\n| `reqwest` | `http` |\n| `Timestamp::now` | `clock` |\n"
        )
    }

    fn path(text: &str) -> Vec<String> {
        text.split("::").map(str::to_owned).collect()
    }

    fn parse(rooms: &str) -> Doors {
        Doors::parse(&plan(rooms)).unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn a_door_opens_what_its_row_says_and_nothing_else() {
        let doors = parse(
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
        for (room, import, open) in cases {
            assert_eq!(doors.may(room, &path(import)), open, "{room} → {import}");
        }
    }

    #[test]
    fn the_outside_world_has_one_address_each() {
        let doors = parse("| `http`, `clock` | nothing |");
        let home = |text| doors.homes(&path(text)).map(|(_, homes)| homes.to_vec());
        assert_eq!(home("reqwest::Client"), Some(vec!["http".to_owned()]));
        assert_eq!(home("jiff::Timestamp::now"), Some(vec!["clock".to_owned()]));
        assert_eq!(home("Timestamp::now"), Some(vec!["clock".to_owned()]));
        assert_eq!(home("Timestamp::from_second"), None);
        assert_eq!(home("my::reqwest"), None);
    }

    #[test]
    fn a_circle_of_doors_is_found_and_shown() {
        let straight =
            parse("| `c` | nothing |\n| `b` | `c` |\n| `a` | `b`, `c` |\n| `cli` | `*` |");
        assert_eq!(straight.circle(), None);
        let round = parse("| `c` | `a` |\n| `b` | `c` |\n| `a` | `b` |");
        assert_eq!(
            round.circle(),
            Some(vec!["a".into(), "b".into(), "c".into(), "a".into()])
        );
    }

    #[test]
    fn a_plan_that_cannot_be_read_is_an_error_not_an_open_house() {
        assert!(Doors::parse("# no table").is_err());
        assert!(
            Doors::parse(&plan("| `a` | `b` |")).is_err(),
            "an unknown room"
        );
        assert!(
            Doors::parse(&plan("| `a` | nothing |\n| `a` | nothing |")).is_err(),
            "two rows"
        );
        assert!(
            Doors::parse(&plan("| a | nothing |")).is_err(),
            "no backticks"
        );
    }
}
