//! Reads JSON from other programs: bounded, and every error names its field.
//!
//! serde's derive would lose information that this reader needs: which of two equal keys a value came from, and where
//! in the document a value was found. So the text becomes a small tree of [`Node`]s first, and [`Object`] and [`Field`]
//! are cursors over it which store their path.
//!
//! Names are given in camelCase. A file may spell them in snake_case as well, as protobuf's JSON
//! mapping allows; both spellings at once are the same name given twice.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

mod error;
mod members;
mod node;
mod spelling;
#[cfg(feature = "sigstore")]
mod value;

pub(crate) use error::excerpt;
pub use error::{JsonError, Kind, Problem};
pub(crate) use members::Members;
use node::Node;
use spelling::spells;

/// A parsed document. Strings without escapes are borrowed from its text: a payload is not copied twice.
pub(crate) struct Document<'a>(Node<'a>);

impl<'a> Document<'a> {
    /// Parses one JSON document that is the whole of `json`, at most `limit` bytes.
    pub(crate) fn parse(json: &'a [u8], limit: usize) -> Result<Self, JsonError> {
        if json.len() > limit {
            return Err(JsonError::TooLong {
                bytes: json.len(),
                limit,
            });
        }
        Node::parse(json).map(Self)
    }

    /// Parses one JSON document that holds many others. The caller bounds its bytes.
    pub(crate) fn parse_many(json: &'a [u8]) -> Result<Self, JsonError> {
        Node::parse_many(json).map(Self)
    }

    /// That no object of the document has a name that `known` does not have at that place, and none has one twice.
    pub(crate) fn check_names(&self, known: &Names) -> Result<(), JsonError> {
        check_names(&self.0, known, &Path::Document)
    }

    /// The document for a reader that takes the last of two members, and ignores those that it does not know. Its members
    /// of `known` names are in camelCase.
    ///
    /// # Errors
    ///
    /// An object has a name twice, or a known name in another spelling than camelCase and snake_case.
    #[cfg(feature = "sigstore")]
    pub(crate) fn to_value(
        &self,
        known: &'static [&'static str],
    ) -> Result<serde_json::Value, JsonError> {
        value::value(&self.0, known, "")
    }

    /// The value that the document is.
    pub(crate) fn value(&self) -> Field<'_> {
        Field {
            path: String::new(),
            node: &self.0,
        }
    }

    /// The object that the document is.
    pub(crate) fn object(&self) -> Result<Object<'_>, JsonError> {
        match &self.0 {
            Node::Object(members) => Ok(Object {
                path: String::new(),
                members,
            }),
            other => Err(JsonError::Field {
                path: "the document".to_owned(),
                problem: Problem::Kind {
                    found: other.kind(),
                    needed: "an object",
                },
            }),
        }
    }
}

/// An object of the document, and where it is.
pub(crate) struct Object<'n> {
    path: String,
    members: &'n [(Cow<'n, str>, Node<'n>)],
}

impl<'n> Object<'n> {
    /// The member of that name; `None` if it is absent or null, which protobuf's JSON mapping holds for the same.
    pub(crate) fn optional(&self, name: &'static str) -> Result<Option<Field<'n>>, JsonError> {
        let mut named = self.members.iter().filter(|(key, _)| spells(key, name));
        let Some((_, node)) = named.next() else {
            return Ok(None);
        };
        let field = Field {
            path: self.path_of(name),
            node,
        };
        if named.next().is_some() {
            return Err(field.error(Problem::Repeated));
        }
        Ok((!matches!(node, Node::Null)).then_some(field))
    }

    /// The member of that name.
    pub(crate) fn required(&self, name: &'static str) -> Result<Field<'n>, JsonError> {
        self.optional(name)?.ok_or_else(|| JsonError::Field {
            path: self.path_of(name),
            problem: Problem::Missing,
        })
    }

    /// The one member that the object has of `choices`, with its name.
    pub(crate) fn one_of(
        &self,
        choices: &'static [&'static str],
    ) -> Result<(&'static str, Field<'n>), JsonError> {
        let mut chosen = Vec::new();
        for &name in choices {
            if let Some(field) = self.optional(name)? {
                chosen.push((name, field));
            }
        }
        if chosen.len() == 1
            && let Some(only) = chosen.pop()
        {
            return Ok(only);
        }
        let path = if self.path.is_empty() {
            "the document".to_owned()
        } else {
            self.path.clone()
        };
        let found = chosen.into_iter().map(|(name, _)| name).collect();
        Err(JsonError::Field {
            path,
            problem: Problem::OneOf { found, choices },
        })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

/// A value of the document, and where it is. Never null when it came from an [`Object`].
pub(crate) struct Field<'n> {
    path: String,
    node: &'n Node<'n>,
}

impl<'n> Field<'n> {
    pub(crate) fn object(self) -> Result<Object<'n>, JsonError> {
        match self.node {
            Node::Object(members) => Ok(Object {
                path: self.path,
                members,
            }),
            _ => Err(self.not("an object")),
        }
    }

    /// The items of an array with the number of items that `needed` allows.
    pub(crate) fn items(
        self,
        needed: RangeInclusive<usize>,
    ) -> Result<impl Iterator<Item = Field<'n>>, JsonError> {
        let Node::Array(nodes) = self.node else {
            return Err(self.not("an array"));
        };
        if !needed.contains(&nodes.len()) {
            return Err(self.error(Problem::Items {
                found: nodes.len(),
                needed,
            }));
        }
        let path = self.path;
        let item = move |(index, node)| Field {
            path: format!("{path}[{index}]"),
            node,
        };
        Ok(nodes.iter().enumerate().map(item))
    }

    /// Where it is: `attestations[0].bundle`; empty if it is the document itself.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its JSON type.
    pub(crate) fn kind(&self) -> Kind {
        self.node.kind()
    }

    /// The same value as if it were a document of its own: errors in it name fields from here on.
    pub(crate) fn detached(&self) -> Self {
        Self {
            path: String::new(),
            node: self.node,
        }
    }

    pub(crate) fn text(&self) -> Result<&'n str, JsonError> {
        match self.node {
            Node::String(text) => Ok(text),
            _ => Err(self.not("a string")),
        }
    }

    /// A number that protobuf calls int64, which may be written as a string, and which is never negative in this format.
    pub(crate) fn integer(&self) -> Result<i64, JsonError> {
        let (value, found) = match self.node {
            Node::Number(number) => (
                number.as_i64().filter(|value| *value >= 0),
                number.to_string(),
            ),
            Node::String(text) => (decimal(text), excerpt(text)),
            _ => return Err(self.not("an integer")),
        };
        value.ok_or_else(|| self.error(Problem::Integer { found }))
    }

    /// Base64 of the number of bytes that `needed` allows.
    ///
    /// Only the canonical form: what two readers could decode differently, or what decodes to the same bytes as another
    /// text, has no place in something that is signed and compared. Every known writer of bundles writes it.
    pub(crate) fn bytes(&self, needed: RangeInclusive<usize>) -> Result<Vec<u8>, JsonError> {
        let bytes = STANDARD
            .decode(self.text()?)
            .map_err(|_| self.error(Problem::Base64))?;
        if needed.contains(&bytes.len()) {
            Ok(bytes)
        } else {
            Err(self.error(Problem::Length {
                found: bytes.len(),
                needed,
            }))
        }
    }

    /// Base64 of exactly `N` bytes.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], JsonError> {
        let found = self.bytes(0..=usize::MAX)?;
        found.try_into().map_err(|found: Vec<u8>| {
            self.error(Problem::Length {
                found: found.len(),
                needed: N..=N,
            })
        })
    }

    /// The error that the text of this field is none of `known`.
    pub(crate) fn unknown(&self, text: &str, known: &'static [&'static str]) -> JsonError {
        self.error(Problem::Unknown {
            found: excerpt(text),
            known,
        })
    }

    fn not(&self, needed: &'static str) -> JsonError {
        self.error(Problem::Kind {
            found: self.node.kind(),
            needed,
        })
    }

    fn error(&self, problem: Problem) -> JsonError {
        JsonError::Field {
            path: self.path.clone(),
            problem,
        }
    }
}

/// The names that a part of a document may have.
pub(crate) enum Names {
    /// A value in which nothing is looked up.
    Value,
    /// An object, with what its members may have.
    Object(&'static [(&'static str, Names)]),
    /// A list, with what its items may have.
    List(&'static Names),
}

/// Where a value is, written only for an error: a document has many values.
enum Path<'p> {
    Document,
    Member(&'p Self, &'p str),
    Item(&'p Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => Ok(()),
            Self::Member(Self::Document, name) => f.write_str(name),
            Self::Member(path, name) => write!(f, "{path}.{name}"),
            Self::Item(path, index) => write!(f, "{path}[{index}]"),
        }
    }
}

fn check_names(node: &Node<'_>, known: &Names, path: &Path<'_>) -> Result<(), JsonError> {
    match (node, known) {
        (Node::Object(members), Names::Object(known)) => {
            let mut seen = Vec::with_capacity(members.len());
            for (key, member) in members {
                let Some((name, below)) = known.iter().find(|(name, _)| spells(key, name)) else {
                    let name = excerpt(key).escape_debug().to_string();
                    return Err(JsonError::Field {
                        path: Path::Member(path, &name).to_string(),
                        problem: Problem::NotOfTheFormat,
                    });
                };
                let here = Path::Member(path, name);
                if seen.contains(name) {
                    return Err(JsonError::Field {
                        path: here.to_string(),
                        problem: Problem::Repeated,
                    });
                }
                seen.push(*name);
                check_names(member, below, &here)?;
            }
            Ok(())
        }
        (Node::Array(items), Names::List(known)) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, item)| check_names(item, known, &Path::Item(path, index)))
        }
        // The caller that reads the field reports the type that it expected.
        _ => Ok(()),
    }
}

fn decimal(text: &str) -> Option<i64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_one_spelling() {
        for (text, value) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("", None),
            ("-0", None),
            ("-1", None),
            ("+1", None),
            ("00", None),
            ("01", None),
            ("1.0", None),
            ("1e3", None),
            (" 1", None),
            ("0x1", None),
            ("١", None),
        ] {
            assert_eq!(decimal(text), value, "{text:?}");
        }
    }

    #[test]
    fn an_excerpt_is_short_and_harmless_when_printed() {
        let problem = Problem::Unknown {
            found: excerpt(&"\u{1b}[2J\u{202e}".repeat(1000)),
            known: &["x"],
        };
        let shown = problem.to_string();
        assert!(shown.len() < 1000, "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    }
}
