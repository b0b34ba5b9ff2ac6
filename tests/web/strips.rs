//! The strips of logs over time, and what a page says of when entries were logged.

use crate::database;
use crate::pages::{attributes, html_of};
use crate::site::{FREE_PORT, Site};

/// The classes of the parts of the first strip of a page.
fn drawn(page: &str) -> Vec<&str> {
    let (_, strip) = page.split_once("<svg class=\"strip\"").unwrap();
    let (strip, _) = strip.split_once("</svg>").unwrap();
    attributes(strip, "<rect class=\"").collect()
}

/// The demo, whose log had these sizes at these times; the last one is that of the demo itself.
fn with_checkpoints(more: &str, checkpoints: &[(&str, &str)]) -> Site {
    let site = Site::new(more);
    for (size, at) in checkpoints {
        database::execute(
            &site,
            "INSERT INTO checkpoint (origin, size, root, note, at)
             SELECT origin, CAST($1 AS INTEGER), root, note, unixepoch($2) * 1000000 FROM checkpoint WHERE size = 161",
            &[size, at],
        );
    }
    site
}

const CHECKPOINTS: [(&str, &str); 3] = [
    ("50", "2026-01-10T00:00:00Z"),
    ("100", "2026-01-20T00:00:00Z"),
    ("140", "2026-02-01T00:00:00Z"),
];

#[test]
fn what_was_logged_before_the_first_checkpoint_has_no_place_in_time() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/", &[]);
    let page = html_of(&answer);
    // Earlier, then from the first checkpoint to the last pass, then until now.
    assert!(
        matches!(drawn(page).as_slice(), ["proven", rest @ ..] if rest.last() == Some(&"since")),
        "{page}"
    );
    assert!(page.contains("<span class=\"earlier\">earlier</span>"));
    assert!(
        page.contains("entries 0 to 161 proven; proven at "),
        "{page}"
    );
}

#[test]
fn a_part_that_was_not_followed_ends_when_the_log_reached_the_first_position() {
    let site = with_checkpoints("", &CHECKPOINTS);
    database::execute(&site, "UPDATE tree SET first = 100", &[]);
    let server = site.serve(&FREE_PORT);
    for address in ["/", "/logs/recorded"] {
        let answer = server.get(address, &[]);
        let page = html_of(&answer);
        let expected = ["not-followed", "not-followed", "proven", "since"];
        assert_eq!(drawn(page), expected, "{address}");
        for part in [
            "entries 0 to 100 before the first position: not followed, logged before 2026-01-20 00:00:00Z; entries 100 to 161 proven",
            "<time datetime=\"2026-01-10T00:00:00Z\">",
        ] {
            assert!(page.contains(part), "{address}: {part}: {page}");
        }
    }
    // The watch covers what was logged since then.
    let watch = server.get("/watches/falcon-release", &[]);
    let since = "<td class=\"number\">100</td><td><time datetime=\"2026-01-20T00:00:00Z\">";
    assert!(html_of(&watch).contains(since), "{watch:?}");
}

#[test]
fn a_gap_is_drawn_over_all_of_the_time_in_which_its_entries_may_have_been_logged() {
    let site = with_checkpoints("", &CHECKPOINTS);
    // The watch was compared with all but the entries from 60 to 90.
    for sql in [
        "INSERT INTO coverage (origin, watch, conditions, start, until)
         SELECT t.origin, m.watch, m.conditions, 0, 60 FROM tree_watch_set t JOIN watch_set_member m ON m.watch_set = t.watch_set",
        "INSERT INTO coverage (origin, watch, conditions, start, until)
         SELECT t.origin, m.watch, m.conditions, 90, NULL FROM tree_watch_set t JOIN watch_set_member m ON m.watch_set = t.watch_set",
    ] {
        database::execute(&site, sql, &[]);
    }
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/", &[]);
    let page = html_of(&answer);
    let expected = ["proven", "not-compared", "proven", "since"];
    assert_eq!(drawn(page), expected);
    assert!(
        page.contains(
            "entries 60 to 90 read, but not compared with every watch, logged between 2026-01-10 00:00:00Z and 2026-01-20 00:00:00Z"
        ),
        "{page}"
    );
    let watch = server.get("/watches/falcon-release", &[]);
    let watch = html_of(&watch);
    assert!(watch.contains("60 to 90"), "{watch}");
    assert!(
        watch.contains("<td class=\"number\">90</td><td><time datetime=\"2026-01-20T00:00:00Z\">")
    );
}

#[test]
fn a_log_whose_last_pass_failed_is_unread_since_the_pass_before() {
    let site = Site::new("");
    database::execute(
        &site,
        "UPDATE tree SET error_kind = 'unavailable', error_message = 'it does not answer'",
        &[],
    );
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/logs/recorded", &[]);
    let page = html_of(&answer);
    assert_eq!(drawn(page).last(), Some(&"unread"), "{page}");
    for part in ["it does not answer", "no pass has proven the log since "] {
        assert!(page.contains(part), "{part}: {page}");
    }
}
