//! Regular expressions over SANs, and the texts that must occur where they match.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use regex_syntax::parse;

/// Memory limit of one compiled expression, in bytes: a hundred of them still fit into the monitor's 100 MiB, and an
/// expression for a SAN takes some tens of kilobytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Most alternatives (`a|b|c`) that are searched for as texts; beyond that the expression is tried as it is.
const MAX_ALTERNATIVES: usize = 64;

/// A regular expression that must match the whole SAN, case as written.
#[derive(Debug, Clone)]
pub struct SanRegex {
    text: String,
    regex: Regex,
    required: Vec<Vec<String>>,
}

/// Why a text is not a usable regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not follow the syntax of the `regex` crate.
    #[error("not a regular expression: {reason}")]
    Syntax {
        /// The reason, on one line.
        reason: String,
    },
    /// It would take too much memory.
    #[error("the regular expression compiles to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
}

impl SanRegex {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// If it is not one, or too large.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        // Parsed alone first: as text between `\A(?:` and `)\z`, `a)|(b` would be an expression too, and a comment
        // under `(?x)` would include the end.
        let parsed = parse(text).map_err(|error| PatternError::Syntax {
            reason: one_line(&error),
        })?;
        let required = required(&parsed);
        let whole = Hir::concat(vec![
            Hir::look(Look::Start),
            Hir::capture(regex_syntax::hir::Capture {
                index: 1,
                name: None,
                sub: Box::new(parsed),
            }),
            Hir::look(Look::End),
        ]);
        let regex = RegexBuilder::new(&whole.to_string())
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(limit_bytes) => PatternError::TooLarge { limit_bytes },
                other => PatternError::Syntax {
                    reason: other.to_string(),
                },
            })?;
        Ok(Self {
            text: text.to_owned(),
            regex,
            required,
        })
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression as it is compiled: anchored at both ends.
    pub(super) fn whole(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether the whole of `san` matches.
    pub fn matches(&self, san: &str) -> bool {
        self.regex.is_match(san)
    }

    /// The common beginning of all matches, as far as it is easy to find; empty if it is not.
    pub(super) fn beginning(&self) -> String {
        let Ok(parsed) = parse(&self.text) else {
            return String::new();
        };
        let mut text = String::new();
        begin(&parsed, &mut text);
        text
    }

    /// Whether it would match without regard to case; for explanations.
    pub(super) fn matches_if_case_did_not_count(&self, san: &str) -> bool {
        RegexBuilder::new(self.regex.as_str())
            .case_insensitive(true)
            .build()
            .is_ok_and(|regex| regex.is_match(san))
    }

    /// Whether it matches somewhere within; for explanations.
    pub(super) fn matches_a_part(&self, san: &str) -> bool {
        Regex::new(&self.text).is_ok_and(|regex| regex.is_match(san))
    }

    /// Sets of texts: of each set, at least one occurs in the ASCII lower case of every SAN that matches.
    pub(super) fn required(&self) -> &[Vec<String>] {
        &self.required
    }
}

/// The parser's message has several lines; the last one is the reason.
fn one_line(error: &regex_syntax::Error) -> String {
    let drawing = error.to_string();
    drawing
        .lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}

/// The recursion is bounded by the parser's nesting limit.
fn required(hir: &Hir) -> Vec<Vec<String>> {
    if let Some(text) = fixed(hir) {
        return if text.is_empty() {
            Vec::new()
        } else {
            vec![vec![text]]
        };
    }
    match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Concat(parts) => {
            let mut sets = Vec::new();
            let mut run = String::new();
            for part in parts {
                if let Some(text) = fixed(part) {
                    run.push_str(&text);
                } else {
                    if !run.is_empty() {
                        sets.push(vec![std::mem::take(&mut run)]);
                    }
                    sets.extend(required(part));
                }
            }
            if !run.is_empty() {
                sets.push(vec![run]);
            }
            sets
        }
        HirKind::Alternation(branches) => {
            let mut union = Vec::new();
            for branch in branches {
                let longest = required(branch)
                    .into_iter()
                    .max_by_key(|set| set.iter().map(String::len).min());
                let Some(set) = longest else {
                    return Vec::new();
                };
                union.extend(set);
                if union.len() > MAX_ALTERNATIVES {
                    return Vec::new();
                }
            }
            vec![union]
        }
        _ => Vec::new(),
    }
}

/// Appends the common beginning of this part; returns whether it is the only possible text.
fn begin(hir: &Hir, text: &mut String) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Capture(capture) => begin(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().all(|part| begin(part, text)),
        // A letter in every case that it has: `(?i)s` matches the long s too.
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = class.iter().flat_map(|range| range.start()..=range.end());
            let first = letters.next().filter(char::is_ascii_alphabetic);
            let is_case = |letter: char| {
                let lower = match letter {
                    '\u{17f}' => 's',
                    '\u{212a}' => 'k',
                    other => other.to_ascii_lowercase(),
                };
                first.is_some_and(|first| first.to_ascii_lowercase() == lower)
            };
            let is_one = first.is_some() && letters.all(is_case);
            if is_one {
                text.extend(first.map(|first| first.to_ascii_lowercase()));
            }
            is_one
        }
        _ => fixed(hir).is_some_and(|fixed| {
            text.push_str(&fixed);
            true
        }),
    }
}

/// The one text, in ASCII lower case, that this part matches (a letter in both cases counts as one text).
fn fixed(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0)
            .ok()
            .map(str::to_ascii_lowercase),
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = class.iter().flat_map(|range| range.start()..=range.end());
            let (first, second) = (letters.next()?, letters.next()?);
            let both_cases = letters.next().is_none() && first.to_ascii_lowercase() == second;
            both_cases.then(|| second.to_string())
        }
        HirKind::Capture(capture) => fixed(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(fixed).collect(),
        HirKind::Empty => Some(String::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(text: &str) -> SanRegex {
        SanRegex::new(text).expect("a valid expression")
    }

    #[test]
    fn the_whole_san_must_match() {
        assert!(regex("a|ab").matches("ab"));
        assert!(!regex("a").matches("ab"));
        assert!(!regex("b").matches("ab"));
        assert!(!regex("a").matches("a\n"));
        assert!(!regex("(?m)^a$").matches("b\na"));
        assert!(regex("(?x) a # the letter").matches("a"));
        assert!(!regex("A").matches("a"));
        assert!(regex("(?i)A").matches("a"));
        assert!(regex(r"\.").matches("."));
    }

    #[test]
    fn what_is_no_expression_alone_is_none_in_brackets_either() {
        for text in ["a)|(b", "(", "a{2", "[", "a)"] {
            assert!(SanRegex::new(text).is_err(), "{text}");
        }
        assert!(matches!(
            SanRegex::new(r"\w{1000}{100}"),
            Err(PatternError::TooLarge { .. })
        ));
        let PatternError::Syntax { reason } = SanRegex::new("(").expect_err("unclosed") else {
            panic!("a syntax error");
        };
        assert_eq!(reason, "unclosed group");
    }

    #[test]
    fn the_common_prefix_of_all_names_is_found() {
        for (text, expected) in [
            (r"https://github\.com/(red|blue)/.*", "https://github.com/"),
            (r"^https://github\.com/o/r$", "https://github.com/o/r"),
            (r"(https://(h))/x?y", "https://h/"),
            ("(?i)https://H/.*", "https://h/"),
            (".*@example", ""),
            ("a|b", ""),
        ] {
            assert_eq!(regex(text).beginning(), expected, "{text}");
        }
    }

    #[test]
    fn the_texts_that_must_occur_are_found() {
        let cases: [(&str, &[&[&str]]); 12] = [
            ("abc", &[&["abc"]]),
            ("aBc", &[&["abc"]]),
            ("(?i)ab", &[&["ab"]]),
            // The Kelvin sign is a third case of k.
            ("(?i)aka", &[&["a"], &["a"]]),
            ("ab.*cd", &[&["ab"], &["cd"]]),
            ("ab(cd)?ef", &[&["ab"], &["ef"]]),
            ("(ab)+x", &[&["ab"], &["x"]]),
            ("x(blue|red)y", &[&["x"], &["blue", "red"], &["y"]]),
            ("(blue|.*)", &[]),
            (".+", &[]),
            ("(a|b)", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(regex(text).required(), expected, "{text}");
        }
    }
}
