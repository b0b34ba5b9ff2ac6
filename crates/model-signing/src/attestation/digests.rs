//! The digests of a subject, as JSON has them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::json::excerpt;

/// Most digests of one subject: more than there are names for in the in-toto specification.
const MAX_DIGESTS: usize = 64;

/// Members of an object in its order. None is there twice: two readers could take two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Digests(pub(crate) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Digests;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of digests")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Digests, A::Error> {
                use serde::de::Error as _;
                let mut members: Vec<(String, String)> = Vec::new();
                while let Some((name, digest)) = map.next_entry::<String, String>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        let name = excerpt(&name);
                        return Err(A::Error::custom(format_args!(
                            "digest {name:?} is there twice"
                        )));
                    }
                    if members.len() == MAX_DIGESTS {
                        return Err(A::Error::custom(format_args!(
                            "a subject has more than {MAX_DIGESTS} digests"
                        )));
                    }
                    members.push((name, digest));
                }
                Ok(Digests(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
