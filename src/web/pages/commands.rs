//! Commands to copy.

use maud::{Markup, html};

use super::text::shown;
use crate::escape;

/// Commands, each in a block of its own. The script of the pages adds a button that copies it.
pub(super) fn commands(commands: &[String]) -> Markup {
    html! {
        @for command in commands {
            pre.command tabindex="0" { code { (shown(command)) } }
        }
    }
}

/// A word of a command for a POSIX shell; `None` if it has a character that a shell or a terminal might interpret even
/// within quotes, or that a reader cannot see: the values of an address may be an attacker's.
pub(super) fn word(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+=,%*?~# ".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return None;
    }
    Some(escape::shell_word(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_an_address_becomes_a_command() {
        for (text, expected) in [
            ("falcon", Some("falcon")),
            (
                "https://github.com/o/r@refs/tags/v1",
                Some("https://github.com/o/r@refs/tags/v1"),
            ),
            ("https://github.com/o/*", Some("'https://github.com/o/*'")),
            ("two words", Some("'two words'")),
            ("", None),
            ("a'; rm -rf ~; '", None),
            ("$(id)", None),
            ("`id`", None),
            ("a\nb", None),
            ("a\u{202e}b", None),
            ("a\\b", None),
            ("a!b", None),
        ] {
            assert_eq!(word(text).as_deref(), expected, "{text:?}");
        }
    }
}
