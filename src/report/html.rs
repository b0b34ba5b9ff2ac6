//! A page as HTML: styles inline, because mail programs require it; no images, no links, no scripts.

use crate::escape::{html, truncate};

use super::page::{Block, Page};
use super::text::VALUE_CHARS;

/// The page in HTML; all of it is escaped.
pub fn write(page: &Page) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"font-family: sans-serif; max-width: 60em\">\n",
    );
    element(&mut out, "h2", "", &shown(&page.title));
    for block in &page.blocks {
        match block {
            Block::Heading(text) => element(&mut out, "h3", "", &html(text)),
            Block::Paragraph(text) => element(&mut out, "p", "", &html(text)),
            Block::Facts(facts) => {
                out.push_str("<table>\n");
                for (label, value) in facts {
                    out.push_str("<tr>");
                    let head =
                        " style=\"text-align: left; vertical-align: top; padding-right: 1em\"";
                    element(&mut out, "th", head, &html(label));
                    let cell = " style=\"word-break: break-all\"";
                    element(&mut out, "td", cell, &shown(value));
                    out.push_str("</tr>\n");
                }
                out.push_str("</table>\n");
            }
            Block::Items(items) => {
                out.push_str("<ul>\n");
                for item in items {
                    element(&mut out, "li", "", &shown(item));
                }
                out.push_str("</ul>\n");
            }
            Block::Commands(commands) => {
                element(&mut out, "pre", "", &html_lines(commands));
            }
        }
    }
    out.push_str("</body></html>\n");
    out
}

fn element(out: &mut String, tag: &str, attributes: &str, escaped: &str) {
    for part in ["<", tag, attributes, ">", escaped, "</", tag, ">\n"] {
        out.push_str(part);
    }
}

fn shown(text: &str) -> String {
    html(&truncate(text, VALUE_CHARS)).into_owned()
}

fn html_lines(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| html(line)).collect();
    lines.join("\n")
}
