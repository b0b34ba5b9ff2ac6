//! A list in JSON that ends where it may, and not where the answer does.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// At most `N` elements. The next one is refused before it is parsed: a response within its byte limit can contain
/// millions of empty elements, which need ten times as much memory as in the response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AtMost<T, const N: usize>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for AtMost<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

struct Elements<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Elements<T, N> {
    type Value = AtMost<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {N}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == N {
                return Err(A::Error::custom(format_args!("more than {N} in a list")));
            }
            list.push(element);
        }
        Ok(AtMost(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_long_as_it_may_be_and_no_longer() {
        let read = |json: &str| serde_json::from_str::<AtMost<u8, 3>>(json);
        assert_eq!(read("[]").ok(), Some(AtMost(vec![])));
        assert_eq!(read("[1,2,3]").ok(), Some(AtMost(vec![1, 2, 3])));
        for (json, message) in [
            ("[1,2,3,4]", "more than 3 in a list"),
            // The rest is not parsed.
            ("[1,2,3,4, and so on", "more than 3 in a list"),
            ("7", "expected a list of at most 3"),
            ("[1,2", "EOF"),
        ] {
            let error = read(json).expect_err("it is none").to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
