//! Errors of a JSON document, in words with which its author can correct it.

use std::fmt;
use std::ops::RangeInclusive;

/// Why bytes are not the JSON document that was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More bytes than are read at all; nothing was parsed.
    #[error("{bytes} bytes, more than the {limit} that are read")]
    TooLong {
        /// How many bytes there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Not JSON, or JSON with something after it, or nested too deeply.
    #[error("not JSON: {0}")]
    Syntax(serde_json::Error),
    /// More values than any such document needs.
    #[error("more than {limit} JSON values")]
    TooManyValues {
        /// How many there may be.
        limit: usize,
    },
    /// One field breaks a rule.
    #[error("{path} {problem}")]
    Field {
        /// Where: `verificationMaterial.tlogEntries[0].logIndex`, always in camelCase, whatever the spelling in the file.
        path: String,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong with one field. Its text continues a sentence that begins with the path of the field.
///
/// Excerpts of what was found are shortened and escaped: they are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The field is absent or null.
    Missing,
    /// The format has no field of that name there.
    NotOfTheFormat,
    /// A name of the format in a spelling that some readers take for it, and others ignore.
    Misspelt {
        /// The name in camelCase.
        meant: &'static str,
    },
    /// The name occurs twice in its object, maybe in two spellings: two readers might each take another one.
    Repeated,
    /// A value of the wrong JSON type.
    Kind {
        /// What it is.
        found: Kind,
        /// What it has to be.
        needed: &'static str,
    },
    /// Not an integer that protobuf's int64 could hold, negative, or with a sign or leading zeros.
    Integer {
        /// Excerpt of the value.
        found: String,
    },
    /// Not canonical base64.
    Base64,
    /// Bytes of a wrong length.
    Length {
        /// How many bytes there are.
        found: usize,
        /// How many there have to be.
        needed: RangeInclusive<usize>,
    },
    /// A list with too few or too many items.
    Items {
        /// How many there are.
        found: usize,
        /// How many there have to be.
        needed: RangeInclusive<usize>,
    },
    /// A text that is none of those with a meaning.
    Unknown {
        /// Excerpt of the text.
        found: String,
        /// The texts with a meaning.
        known: &'static [&'static str],
    },
    /// An object that must have exactly one of some members has none of them or several.
    OneOf {
        /// Those it has.
        found: Vec<&'static str>,
        /// Those of which it must have one.
        choices: &'static [&'static str],
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::NotOfTheFormat => f.write_str("is not a field of this format"),
            Self::Misspelt { meant } => write!(f, "is written {meant:?} in this format"),
            Self::Repeated => f.write_str("is given more than once"),
            Self::Kind { found, needed } => write!(f, "is {found}, not {needed}"),
            Self::Integer { found } => {
                write!(f, "is {found:?}, not an integer from 0 to 2^63 - 1 in plain decimal")
            }
            Self::Base64 => f.write_str("is not canonical base64 (RFC 4648 section 4: standard alphabet, padded, no spaces)"),
            Self::Length { found, needed } => write!(f, "has {found} bytes, not {}", Span(needed)),
            Self::Items { found, needed } => write!(f, "has {found} items, not {}", Span(needed)),
            Self::Unknown { found, known } => write!(f, "is {found:?}, not {}", known.join(" or ")),
            Self::OneOf { found, choices } if found.is_empty() => {
                write!(f, "has none of {}", choices.join(", "))
            }
            Self::OneOf { found, choices } => {
                write!(f, "has {}, not one of {}", found.join(" and "), choices.join(", "))
            }
        }
    }
}

struct Span<'a>(&'a RangeInclusive<usize>);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self.0.start(), *self.0.end()) {
            (least, most) if least == most => write!(f, "{least}"),
            (least, usize::MAX) => write!(f, "{least} or more"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}

/// The JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "RFC 8259 defines these words")]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// Longest excerpt of a foreign value in a message, in characters.
const EXCERPT_CHARS: usize = 80;

/// The beginning of a foreign text. Debug formatting escapes it.
pub(crate) fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let mut excerpt: String = chars.by_ref().take(EXCERPT_CHARS).collect();
    if chars.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}
