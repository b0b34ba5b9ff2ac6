//! Globs over SANs: `*` matches any characters, `/` too; no other character is special.

use std::fmt;

/// A pattern with `*` for any characters (none and `/` included); every other character matches itself.
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

    /// The glob as written, except for repeated `*`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `san` fits, case included.
    pub fn matches(&self, san: &str) -> bool {
        fits(&self.text, san)
    }

    /// Whether the whole of `value` matches in a shape: case counts, and a `*` before a later `@` of the pattern does
    /// not match `@`.
    ///
    /// In the URI of a workflow, the file is before the `@` and the ref after it. A branch may be called
    /// `x.yml@refs/tags/v1` (git check-ref-format), and a file may be in a directory `x@refs`: without this rule
    /// `*.yml@refs/tags/*` would accept a branch as a tag. For the same reason no second `@refs/` may follow.
    pub fn fits_shape(&self, value: &str) -> bool {
        let pieces: Vec<&str> = self.text.split('@').collect();
        let parts: Vec<&str> = value.splitn(pieces.len(), '@').collect();
        if pieces.len() != parts.len() {
            return false;
        }
        let leads_to_another_ref =
            pieces.len() > 1 && parts.last().is_some_and(|last| last.contains("@refs/"));
        !leads_to_another_ref
            && pieces
                .iter()
                .zip(&parts)
                .all(|(piece, part)| fits(piece, part))
    }

    /// Whether a `*` precedes a later `@`: then it matches less in a shape than in a selection.
    pub(super) fn has_star_before_at(&self) -> bool {
        self.text
            .rsplit_once('@')
            .is_some_and(|(before, _)| before.contains('*'))
    }

    /// Whether it consists only of `*`: it matches everything.
    pub fn matches_everything(&self) -> bool {
        self.text == "*"
    }

    /// The glob in ASCII lower case.
    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether the whole of a SAN matches that is already in ASCII lower case.
    pub(super) fn matches_folded(&self, folded_san: &str) -> bool {
        fits(&self.folded, folded_san)
    }

    /// The text before the first `*`, in ASCII lower case: each SAN that fits begins with it. `None` if it is empty.
    pub(super) fn beginning(&self) -> Option<&str> {
        let beginning = self.folded.split('*').next();
        beginning.filter(|text| !text.is_empty())
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

/// Matches each piece at its first position, without backtracking, which is sufficient if `*` is the only wildcard: the
/// time is linear in the length of the text, for every pattern and every SAN.
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
    fn in_a_shape_a_star_before_an_at_sign_does_not_match_one() {
        let workflow = "https://h/o/r/.github/workflows/";
        for (glob, value, expected) in [
            ("*.yml@refs/tags/*", "release.yml@refs/tags/v1", true),
            ("*.yml@refs/tags/*", "release.yml@refs/tags/v1@2", true),
            (
                "*.yml@refs/tags/*",
                "release.yml@refs/tags/@scope/p@1.0",
                true,
            ),
            (
                "*.yml@refs/tags/*",
                "evil.yml@refs/heads/x.yml@refs/tags/v1",
                false,
            ),
            ("*@refs/tags/*", "evil.yml@refs/heads/x@refs/tags/v1", false),
            ("release.yml@*", "release.yml@refs/heads/main", true),
            (
                "release.yml@refs/tags/*",
                "release.yml@refs/tags/x.yml@refs/heads/evil",
                false,
            ),
            (
                "release.yml@refs/heads/main",
                "release.yml@refs/heads/main",
                true,
            ),
            (
                "release.yml@refs/heads/main",
                "release.yml@refs/heads/main@x",
                false,
            ),
            ("*", "evil.yml@refs/heads/main", true),
            ("*.yml", "evil.yml@refs/heads/x.yml", true),
            ("R*@refs/tags/*", "release.yml@refs/tags/v1", false),
        ] {
            let (glob, value) = (format!("{workflow}{glob}"), format!("{workflow}{value}"));
            assert_eq!(
                Glob::new(&glob).fits_shape(&value),
                expected,
                "{glob} on {value}"
            );
        }
        for (glob, value, expected) in [
            ("*@example.com", "jane@example.com", true),
            ("*@example.com", "jane@evil@example.com", false),
            ("a@*@b", "a@x@b", true),
            ("a@*@b", "a@x@y@b", false),
            ("a@b", "a", false),
            ("", "", true),
        ] {
            assert_eq!(
                Glob::new(glob).fits_shape(value),
                expected,
                "{glob} on {value}"
            );
        }
        for (glob, expected) in [
            ("*@*", true),
            ("a@*", false),
            ("*", false),
            ("a*b@c@d", true),
        ] {
            assert_eq!(Glob::new(glob).has_star_before_at(), expected, "{glob}");
        }
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
