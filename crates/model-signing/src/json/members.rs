//! An object whose members are all strings, in its order.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::excerpt;

/// Most members of one object: more than there are names of hash functions or annotations in use.
const MAX_MEMBERS: usize = 256;

/// Names and values, each name once: two readers of a name that is there twice could take two values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members(pub(crate) Vec<(String, String)>);

impl Members {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;

        impl<'de> Visitor<'de> for Strings {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if members.get(&name).is_some() {
                        let name = excerpt(&name);
                        return Err(A::Error::custom(format_args!("{name:?} is there twice")));
                    }
                    if members.0.len() == MAX_MEMBERS {
                        return Err(A::Error::custom(format_args!(
                            "an object has more than {MAX_MEMBERS} members"
                        )));
                    }
                    members.0.push((name, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Strings)
    }
}
