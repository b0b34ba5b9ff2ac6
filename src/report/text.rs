//! A page as plain text.

use crate::escape::{terminal, truncate};

use super::page::{Block, Page};

/// Longest value that is shown, in characters. A name may fill a whole certificate.
pub(super) const VALUE_CHARS: usize = 300;

/// Width of the labels of facts; the longest has 7 letters.
const LABEL_WIDTH: usize = 9;

/// The page as plain text; all of it is escaped.
pub fn write(page: &Page) -> String {
    let mut out = String::new();
    line(&mut out, &shown(&page.title));
    for block in &page.blocks {
        out.push('\n');
        match block {
            Block::Heading(text) => {
                line(&mut out, text);
                line(&mut out, &"-".repeat(text.chars().count()));
            }
            Block::Paragraph(text) => line(&mut out, &shown_whole(text)),
            Block::Facts(facts) => {
                for (label, value) in facts {
                    line(&mut out, &format!("{label:LABEL_WIDTH$}{}", shown(value)));
                }
            }
            Block::Items(items) => {
                for item in items {
                    line(&mut out, &format!("* {}", shown(item)));
                }
            }
            Block::Commands(commands) => {
                for command in commands {
                    line(&mut out, &format!("    {command}"));
                }
            }
        }
    }
    out
}

fn shown(text: &str) -> String {
    terminal(&truncate(text, VALUE_CHARS)).into_owned()
}

/// Constant sentences are shown in full.
fn shown_whole(text: &str) -> String {
    terminal(text).into_owned()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
