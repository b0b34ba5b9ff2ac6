//! Text in pages. Everything that may come from a log, a signer or a request passes through [`shown`].

use jiff::Timestamp;
use maud::{Markup, Render, html};

use crate::escape;
use crate::report;

/// Most characters of one value: a name may fill a whole certificate.
const VALUE_CHARS: usize = 1_000;

/// The same in a list, which may have a thousand rows.
const SHORT_CHARS: usize = 200;

/// A text that is escaped where it is written.
pub(super) struct Shown<'a> {
    text: &'a str,
    max_chars: usize,
}

/// The text, escaped for HTML, with control characters and bidirectional controls as `\u{…}`.
pub(super) fn shown(text: &str) -> Shown<'_> {
    Shown {
        text,
        max_chars: VALUE_CHARS,
    }
}

/// The same, cut for a list.
pub(super) fn short(text: &str) -> Shown<'_> {
    Shown {
        text,
        max_chars: SHORT_CHARS,
    }
}

impl Render for Shown<'_> {
    fn render_to(&self, out: &mut String) {
        out.push_str(&escape::html(&escape::truncate(self.text, self.max_chars)));
    }
}

/// A time in UTC. The script of the pages adds the reader's zone.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (report::time(at)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_log_is_visible_and_without_markup() {
        let hostile = "<script>alert('x')</script>\u{202e}\u{7}\"&";
        let page = html! { p title=(shown(hostile)) { (shown(hostile)) } };
        let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{202e}\\u{7}&quot;&amp;";
        assert_eq!(
            page.into_string(),
            format!("<p title=\"{escaped}\">{escaped}</p>")
        );
        let long = html! { (shown(&"<".repeat(1_001))) }.into_string();
        assert_eq!(long, "&lt;".repeat(999) + "…");
    }
}
