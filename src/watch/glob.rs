//! Globs over SANs: `*` is any characters, `/` too, and nothing else is special.

use std::fmt;

/// A pattern with `*` for any characters (none and `/` included); every other character stands for itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    text: String,
    folded: String,
}

impl Glob {
    /// Reads a glob; every text is one. Several `*` in a row count as one.
    pub fn new(text: &str) -> Self {
        let mut single = String::with_capacity(text.len());
        for character in text.chars() {
            if !(character == '*' && single.ends_with('*')) {
                single.push(character);
            }
        }
        let folded = single.to_ascii_lowercase();
        Self {
            text: single,
            folded,
        }
    }

    /// The glob as written, but for repeated `*`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `san` fits, case included.
    pub fn matches(&self, san: &str) -> bool {
        fits(&self.text, san)
    }

    /// Whether nothing but `*` is left: it fits everything.
    pub fn matches_everything(&self) -> bool {
        self.text == "*"
    }

    /// The glob in ASCII lower case.
    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether the whole of a SAN fits that is in ASCII lower case already.
    pub(super) fn matches_folded(&self, folded_san: &str) -> bool {
        fits(&self.folded, folded_san)
    }

    /// The texts between the `*`, in ASCII lower case: each occurs in every SAN that fits.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.folded.split('*').filter(|piece| !piece.is_empty())
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes each piece at its first place and never goes back, which is enough where `*` is the only wildcard: time
/// grows with the length of the text, whatever the pattern and whoever wrote the SAN.
fn fits(glob: &str, text: &str) -> bool {
    let mut pieces = glob.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    let Some(middle) = rest.strip_suffix(last) else {
        return false;
    };
    rest = middle;
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_nothing_else_is_special() {
        for (glob, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b@c", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*", "a/b/c", true),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**b", "ab", true),
            ("a?c", "abc", false),
            ("a?c", "a?c", true),
            ("a[b]c", "abc", false),
            ("a.c", "abc", false),
            ("a\\*", "a\\x", true),
            ("é*", "éa", true),
            ("https://h/o/*", "https://h/o", false),
            ("https://h/o/*", "https://h/other/x", false),
            ("A*", "a", false),
        ] {
            assert_eq!(Glob::new(glob).matches(text), expected, "{glob} on {text}");
        }
    }

    #[test]
    fn selecting_ignores_ascii_case_only() {
        let glob = Glob::new("Release@*.Example");
        assert!(glob.matches_folded("release@models.example"));
        assert!(!glob.matches("release@models.example"));
        assert!(!Glob::new("É").matches_folded("é"));
    }

    #[test]
    fn the_pieces_between_stars_are_the_literals() {
        let glob = Glob::new("*Ab**c*");
        assert_eq!(glob.literals().collect::<Vec<_>>(), ["ab", "c"]);
        assert_eq!(glob.as_str(), "*Ab*c*");
        assert!(Glob::new("***").matches_everything());
    }

    #[test]
    fn a_hostile_san_costs_no_more_than_its_length() {
        let text = "a".repeat(60_000);
        assert!(!Glob::new(&"a*".repeat(200)).matches(&format!("b{text}")));
        assert!(!Glob::new(&format!("{}b", "*aab".repeat(50))).matches(&text));
    }
}
