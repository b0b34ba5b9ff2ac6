//! Signed notes of logs, as they were received.

use maud::{Markup, html};

use super::text::shown;

/// The text of a signed note.
pub(super) fn note(note: &[u8]) -> Markup {
    html! {
        pre.note tabindex="0" {
            @for line in String::from_utf8_lossy(note).lines() { (shown(line)) "\n" }
        }
    }
}

/// The notes that are the evidence of a fault: two that contradict each other, or one that contradicts the entries.
pub(super) fn notes(notes: &[Vec<u8>]) -> Markup {
    html! {
        div.notes {
            @for (place, text) in notes.iter().enumerate() {
                figure {
                    figcaption { "Signed note " (place + 1) " of " (notes.len()) }
                    (note(text))
                }
            }
        }
    }
}
