//! The page of health is held to the list of the documentation.

use std::fs;
use std::path::Path;

use crate::database;
use crate::pages::html_of;
use crate::site::{FREE_PORT, Site};

/// The ways of going blind that the documentation lists: the words in the first column of its table.
fn documented() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, list) = text.split_once("\n## Every way of going blind\n").unwrap();
    let (list, _) = list.split_once("\n## ").unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| [`"));
    rows.filter_map(|row| Some(row.split_once("`]")?.0.to_owned()))
        .collect()
}

/// The rows of the table of ways: the way, and its state without tags.
fn ways(page: &str) -> Vec<(&str, String)> {
    let (_, table) = page.split_once("<table class=\"ways\">").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let rows = table.split("<th scope=\"row\">").skip(1);
    rows.map(|row| {
        let (way, row) = row.split_once("</th><td>").unwrap();
        let (state, _) = row.split_once("</td>").unwrap();
        let texts = state
            .split('<')
            .filter_map(|text| text.split('>').next_back());
        (way, texts.collect())
    })
    .collect()
}

#[test]
fn health_has_every_way_of_going_blind_that_is_documented_with_its_present_state() {
    let documented = documented();
    assert!(documented.len() > 20, "{documented:?}");
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/health", &[]);
    let states = ways(html_of(&answer));
    for way in &documented {
        let state = states.iter().find(|(name, _)| name == way);
        assert_eq!(
            state.map(|(_, state)| state.as_str()),
            Some("none open"),
            "{way}"
        );
    }
    // What no finding reports comes after them.
    let more: Vec<&str> = states.iter().map(|(way, _)| *way).collect();
    assert_eq!(
        more.get(documented.len()..).unwrap(),
        [
            "a log that its operator ended",
            "a second monitor",
            "the machine is off"
        ]
    );

    // Each of them, open as often as its place in the list.
    let mut number = 0;
    for (place, way) in documented.iter().enumerate() {
        let end = number + place + 1;
        database::copy_findings(&site, number.try_into().unwrap()..end.try_into().unwrap());
        database::execute(
            &site,
            "UPDATE finding SET verdict = $1, health = 1 WHERE entry_index >= 1000000 + CAST($2 AS INTEGER)",
            &[way, &number.to_string()],
        );
        number = end;
    }
    let answer = server.get("/health", &[]);
    let page = html_of(&answer);
    let states = ways(page);
    for (place, way) in documented.iter().enumerate() {
        let state = states.iter().find(|(name, _)| name == way).unwrap();
        assert_eq!(state.1, format!("{} open", place + 1), "{way}");
    }
    assert!(page.contains("A log that does not grow: "), "{page}");
}
