//! The filters of the list of findings: from the address, as a form, as a title, and as a command.

use maud::{Markup, html};
use url::form_urlencoded;

use super::commands;
use crate::finding::{Severity, State, Verdict};

/// The filters of an address, as they were written.
pub(super) struct Filters(Vec<(String, String)>);

impl Filters {
    /// Those of the part of an address after `?`. A form sends its empty fields too: they are left out.
    pub(super) fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The part of the address after `?`, without empty fields.
    pub(super) fn address(&self) -> String {
        let mut address = form_urlencoded::Serializer::new(String::new());
        address.extend_pairs(&self.0).finish()
    }

    /// The same with another value.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(key, _)| key != name);
        let mut address = form_urlencoded::Serializer::new(String::new());
        let address = address.extend_pairs(others);
        address.append_pair(name, value).finish()
    }

    /// Whether it is the list of what is open, without any filter.
    pub(super) fn is_default(&self) -> bool {
        self.filters().next().is_none()
    }

    /// Those that select findings.
    fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self
            .0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        pairs.filter(|(key, _)| !matches!(*key, "limit" | "cursor"))
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.filters()
            .filter_map(move |(key, value)| (key == name).then_some(value))
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.values(name).any(|written| written == value)
    }

    fn one<'a>(&'a self, name: &'a str) -> &'a str {
        self.values(name).next().unwrap_or_default()
    }

    /// The heading of the list, raw.
    pub(super) fn title(&self) -> String {
        let what = if self.has("all", "true") {
            "All findings".to_owned()
        } else if self.values("state").next().is_some() {
            let states: Vec<&str> = self.values("state").collect();
            format!("Findings that are {}", states.join(" or "))
        } else {
            "Open findings".to_owned()
        };
        let mut parts = vec![what];
        for (name, before) in [
            ("severity", "at least "),
            ("verdict", ""),
            ("watch", "watch "),
            ("since", "since "),
            ("digest", "digest "),
            ("san", "name "),
            ("identity", "name "),
        ] {
            let values: Vec<&str> = self.values(name).collect();
            if !values.is_empty() {
                parts.push(format!("{before}{}", values.join(" or ")));
            }
        }
        parts.join(", ")
    }

    /// The command that lists the same, if every value can be written in one.
    pub(super) fn command(&self) -> Option<String> {
        let mut words = vec!["modelwatch findings list".to_owned()];
        for (name, value) in self.filters() {
            match (name, value) {
                ("all", "true") => words.push("--all".to_owned()),
                ("all", _) => {}
                _ => words.push(format!("--{name} {}", commands::word(value)?)),
            }
        }
        Some(words.join(" "))
    }
}

/// The form. It works without a script: it asks for the address with the filters.
pub(super) fn form(filters: &Filters) -> Markup {
    let watches = filters.values("watch");
    let watches: Vec<&str> = watches.chain([""]).collect();
    let name = match filters.one("san") {
        "" => filters.one("identity"),
        san => san,
    };
    html! {
        details #filter open[!filters.is_default()] {
            summary { "Filter" }
            form method="get" action="/findings" {
                fieldset {
                    legend { "State (none: open and disputed)" }
                    @for state in State::ALL {
                        label { input type="checkbox" name="state" value=(state.as_str()) checked[filters.has("state", state.as_str())]; " " (state.as_str()) }
                    }
                }
                p {
                    label for="severity" { "At least this severe" }
                    select #severity name="severity" {
                        option value="" { "any" }
                        @for severity in Severity::ALL {
                            option value=(severity.as_str()) selected[filters.has("severity", severity.as_str())] { (severity.as_str()) }
                        }
                    }
                }
                p {
                    label for="verdict" { "Verdicts (none: any)" }
                    select #verdict name="verdict" multiple size="5" {
                        @for verdict in Verdict::ALL {
                            option value=(verdict.as_str()) selected[filters.has("verdict", verdict.as_str())] { (verdict.as_str()) }
                        }
                    }
                }
                @for (place, watch) in watches.into_iter().enumerate() {
                    p {
                        label for=(format!("watch-{place}")) { (if place == 0 { "Watch" } else { "Or watch" }) }
                        input id=(format!("watch-{place}")) name="watch" value=(shown_whole(watch)) autocomplete="off";
                    }
                }
                p {
                    label for="san" { "Name of the signer, * for any characters" }
                    input #san name="san" value=(shown_whole(name)) autocomplete="off";
                }
                p {
                    label for="digest" { "Digest" }
                    input #digest name="digest" value=(shown_whole(filters.one("digest"))) autocomplete="off";
                }
                p {
                    label for="since" { "First seen since (2026-01-01, 24h)" }
                    input #since name="since" value=(shown_whole(filters.one("since"))) autocomplete="off";
                }
                p { button type="submit" { "Show" } " " a href="/findings" { "Without filters" } }
            }
        }
    }
}

/// The value of a field. A browser shows it as text and sends it back, so that it is not changed: a filter with a control
/// character is left out of the form.
fn shown_whole(text: &str) -> &str {
    if text.contains(char::is_control) {
        ""
    } else {
        text
    }
}
