//! A JSON text as a tree: bounded in values and depth, in the order of the text, repetitions kept.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{JsonError, Kind};

/// Most JSON values (members, items, and what they hold) that one document may have.
///
/// A tree of values takes some 30 times the bytes of its text when that text is `[0,0,0…`, so the limit on bytes alone
/// does not bound memory. The largest legitimate document has 32 log entries with 63 hashes each, about 3,000 values;
/// the rest is for fields that this reader ignores.
const MAX_VALUES: usize = 65_536;

/// The same for a file with many documents in one value: some 100 MB of memory, enough for thousands of bundles.
const MAX_VALUES_OF_MANY: usize = 1 << 20;

pub(super) enum Node<'a> {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    /// In the order of the file, with every repetition.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// Parses one JSON document that is the whole of `json`.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, JsonError> {
        Self::parse_up_to(json, MAX_VALUES)
    }

    /// As [`Self::parse`], for a document that holds many others.
    pub(super) fn parse_many(json: &'a [u8]) -> Result<Self, JsonError> {
        Self::parse_up_to(json, MAX_VALUES_OF_MANY)
    }

    fn parse_up_to(json: &'a [u8], limit: usize) -> Result<Self, JsonError> {
        let left = Cell::new(Some(limit));
        // serde_json refuses more than 128 levels: recursion, here and in dropping the tree, is bounded.
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let node = Nodes { left: &left }
            .deserialize(&mut deserializer)
            .and_then(|node| deserializer.end().map(|()| node));
        match (node, left.get()) {
            (Ok(node), _) => Ok(node),
            (Err(_), None) => Err(JsonError::TooManyValues { limit }),
            (Err(error), Some(_)) => Err(JsonError::Syntax(error)),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Boolean(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::Object(_) => Kind::Object,
        }
    }
}

/// Builds nodes while any are `left`; `None` means that the document had more.
#[derive(Clone, Copy)]
struct Nodes<'l> {
    left: &'l Cell<Option<usize>>,
}

impl<'a> DeserializeSeed<'a> for Nodes<'_> {
    type Value = Node<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Node<'a>, D::Error> {
        self.left
            .set(self.left.get().and_then(|left| left.checked_sub(1)));
        if self.left.get().is_none() {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Nodes<'_> {
    type Value = Node<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'a>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'a>, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'a>, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'a>, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node<'a>, E> {
        // JSON text has no infinities, and serde_json refuses numbers beyond f64 itself.
        serde_json::Number::from_f64(value)
            .map(Node::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Node<'a>, E> {
        Ok(Node::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'a>, E> {
        Ok(Node::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Node<'a>, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::Array(nodes))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut entries: A) -> Result<Node<'a>, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(key)) = entries.next_key()? {
            members.push((key, entries.next_value_seed(self)?));
        }
        Ok(Node::Object(members))
    }
}

/// A string that borrows if it can; a bare `Cow` never does.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
