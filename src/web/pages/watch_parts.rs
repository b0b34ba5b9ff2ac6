//! Parts of the page of a watch: what it selects, in words, and what is registered for it.

use maud::{Markup, html};

use super::text::{moment, shown};
use crate::store::Registration;
use crate::watch::{Conditions, Watch};

/// Most values of one condition that are shown.
const VALUES: usize = 20;

/// Most registrations that are shown.
const REGISTRATIONS: usize = 50;

/// What a watch selects, what is normal, and what happens then.
pub(super) fn selection(watch: &Watch) -> Markup {
    html! {
        section aria-labelledby="selects" {
            h2 #selects { "What it selects" }
            @if !watch.conditions.is_empty() {
                p {
                    "A signing of which " strong { "all" } " of this holds"
                    @if !watch.any.is_empty() { ", and one of the alternatives below" }
                    ":"
                }
                (conditions(&watch.conditions, false))
            }
            @if !watch.any.is_empty() {
                @if watch.conditions.is_empty() { p { "A signing of which " strong { "one" } " of these alternatives holds in full:" } }
                @for (place, set) in watch.any.iter().enumerate() {
                    h3 { "Alternative " (place + 1) " of " (watch.any.len()) }
                    (conditions(set, false))
                }
            }
        }
        section aria-labelledby="normal" {
            h2 #normal { "What is normal" }
            @match &watch.shape {
                Some(shape) => {
                    p { "A signing is in shape if all of this holds; case counts here. Any other one is critical." }
                    (conditions(shape, true))
                },
                None => p { "It has no shape: every signing that is not registered counts alike." },
            }
            dl {
                dt { "Severity" }
                dd { "of an unregistered signing" @if watch.shape.is_some() { " in shape" } ": " (watch.severity.as_str()) }
                dt { "Waits" }
                dd {
                    @match watch.hold {
                        Some(hold) => { "up to " (duration(hold.as_secs())) " for its registration, if it is in shape, before it alerts" },
                        None => "not at all: it alerts at once",
                    }
                }
                dt { "Alerts go to" }
                dd {
                    @match &watch.notify {
                        Some(channels) => { @for (place, channel) in channels.iter().enumerate() { @if place > 0 { ", " } (shown(channel)) } },
                        None => "every channel",
                    }
                }
            }
        }
    }
}

fn conditions(conditions: &Conditions, is_shape: bool) -> Markup {
    html! {
        ul.conditions {
            @for described in conditions.described(is_shape) {
                li {
                    (shown(&described.what)) " "
                    @if described.values.len() > 1 { "one of " }
                    @for (place, value) in described.values.iter().take(VALUES).enumerate() {
                        @if place > 0 { ", " }
                        code { (shown(value)) }
                    }
                    @if described.values.len() > VALUES { " and " (described.values.len() - VALUES) " more" }
                }
            }
        }
    }
}

/// In the largest unit that divides it.
fn duration(seconds: u64) -> String {
    for (unit, name) in [(86_400, "days"), (3_600, "hours"), (60, "minutes")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            let count = seconds / unit;
            let name = if count == 1 {
                name.trim_end_matches('s')
            } else {
                name
            };
            return format!("{count} {name}");
        }
    }
    format!("{seconds} seconds")
}

/// The registrations that count for a watch. `looked_at`: the last ones of all; `has_more`: there are older ones.
pub(super) fn registrations(watch: &str, looked_at: &[Registration], has_more: bool) -> Markup {
    let counts = |registration: &&Registration| {
        let watches = registration.by.watches.as_ref();
        watches.is_none_or(|watches| watches.iter().any(|name| name == watch))
    };
    let all: Vec<&Registration> = looked_at.iter().filter(counts).collect();
    html! {
        section aria-labelledby="registrations" {
            h2 #registrations { "Registrations that count for it" }
            @if all.is_empty() {
                p {
                    @if has_more { "None of the last " (looked_at.len()) " registrations counts for this watch." }
                    @else { "No signing is registered: every one that it selects is unexpected." }
                }
            } @else {
                p.facts { "The newest first. Operator and repository make a signing expected; a signer alone does not." }
                div.scroll role="region" aria-labelledby="registrations-table" tabindex="0" {
                    table {
                        caption #registrations-table { "Registered signings, and who registered them" }
                        thead { tr {
                            th scope="col" { "Signer" } th scope="col" { "Authority" } th scope="col" { "From" }
                            th scope="col" { "Registered" } th.number scope="col" { "Findings" }
                        } }
                        tbody {
                            @for registration in all.iter().take(REGISTRATIONS) { (row(registration)) }
                        }
                    }
                }
            }
            @if has_more || all.len() > REGISTRATIONS {
                p { "There are more registrations than are shown here." }
            }
        }
    }
}

fn row(registration: &Registration) -> Markup {
    let by = &registration.by;
    html! {
        tr {
            th scope="row" { (shown(&registration.expectation.who)) }
            td {
                strong { (by.authority.as_str()) }
                @if let Some(author) = &by.author { br; (shown(author)) }
            }
            td {
                (shown(&registration.file))
                @if let Some(source) = &by.source { br; "source " (shown(source)) }
                @if let Some(commit) = &by.commit { br; "commit " code { (shown(commit)) } }
            }
            td { (moment(registration.at)) }
            td.number { (registration.findings) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_duration_has_the_largest_unit_that_divides_it() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (3_600, "1 hour"),
            (5_400, "90 minutes"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
