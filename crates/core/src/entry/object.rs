//! JSON objects that detect unknown members.
//!
//! Parsers differ on the names of members. Go's `encoding/json` accepts a name in any case, also `ſ` for `s` and `K`
//! (the Kelvin sign) for `k`, and uses the last of several; Protobuf's accepts `raw_bytes` for `rawBytes`. A parser
//! that ignores unknown members would miss a signer that others see. So each object lists every member that a server
//! writes, used here or not, and records any other one: in the same pass, at no cost for an entry without such members.

use std::borrow::Cow;

use serde::Deserialize;

/// Whether an object, or one inside of it, has a member that no server writes.
pub(super) trait Object {
    fn has_more(&self) -> bool;
}

impl Object for Text<'_> {
    fn has_more(&self) -> bool {
        false
    }
}

impl<T: Object> Object for Option<T> {
    fn has_more(&self) -> bool {
        self.as_ref().is_some_and(T::has_more)
    }
}

impl<T: Object> Object for Vec<T> {
    fn has_more(&self) -> bool {
        self.iter().any(T::has_more)
    }
}

/// A required member that is read elsewhere.
#[derive(Deserialize)]
pub(super) struct Known(serde::de::IgnoredAny);

impl Object for Known {
    fn has_more(&self) -> bool {
        false
    }
}

/// Declares an object: the members that are read, by `required` or `optional` and under each of their names, then the
/// known members that are ignored. A repeated name is an error, because two parsers could each use another value. An
/// ignored member may be repeated.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $name:ident $([$inner:ident])? {
            $($presence:ident $field:ident: $type:ty = $($key:literal)|+,)*
            $(.. $($skipped:literal),+)?
        }
    ) => {
        $(#[$meta])*
        struct $name<'a $(, $inner)?> {
            $($field: object!(@type $presence $type),)*
            has_more: bool,
            borrowed: std::marker::PhantomData<&'a ()>,
        }

        impl<$($inner: $crate::entry::object::Object)?> $crate::entry::object::Object for $name<'_ $(, $inner)?> {
            fn has_more(&self) -> bool {
                self.has_more $(|| self.$field.has_more())*
            }
        }

        impl<'de: 'a, 'a $(, $inner: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $name<'a $(, $inner)?> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor<'a $(, $inner)?>(std::marker::PhantomData<$name<'a $(, $inner)?>>);

                impl<'de: 'a, 'a $(, $inner: serde::Deserialize<'de>)?> serde::de::Visitor<'de> for Visitor<'a $(, $inner)?> {
                    type Value = $name<'a $(, $inner)?>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("struct ", stringify!($name)))
                    }

                    fn visit_map<M: serde::de::MapAccess<'de>>(
                        self,
                        mut map: M,
                    ) -> Result<Self::Value, M::Error> {
                        use serde::de::Error as _;
                        $(let mut $field = None;)*
                        let mut has_more = false;
                        while let Some($crate::entry::object::Text(name)) = map.next_key()? {
                            match &*name {
                                $($($key)|+ => {
                                    if $field.is_some() {
                                        return Err(M::Error::duplicate_field(object!(@first $($key)|+)));
                                    }
                                    $field = Some(map.next_value::<object!(@type $presence $type)>()?);
                                })*
                                $($($skipped)|+ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                })?
                                _ => {
                                    has_more = true;
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name {
                            $($field: object!(@absent $presence $field M $($key)|+),)*
                            has_more,
                            borrowed: std::marker::PhantomData,
                        })
                    }
                }

                deserializer.deserialize_map(Visitor(std::marker::PhantomData))
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@first $first:literal $(| $other:literal)*) => { $first };
    (@absent required $field:ident $map:ident $first:literal $(| $other:literal)*) => {
        match $field {
            Some(value) => value,
            None => return Err($map::Error::missing_field($first)),
        }
    };
    (@absent optional $field:ident $map:ident $($key:literal)|+) => { $field.flatten() };
}

pub(super) use object;

/// Text that is borrowed from the leaf if it has no escapes, inside options and lists too.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        Inner {
            optional text: Text<'a> = "text" | "old",
            .. "unread"
        }
    }

    object! {
        Outer {
            required inner: Inner<'a> = "inner",
            optional list: Vec<Inner<'a>> = "list",
        }
    }

    fn read(json: &str) -> Result<(bool, Option<String>), String> {
        let outer: Outer<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let text = outer.inner.text.as_ref().map(|text| text.0.to_string());
        Ok((outer.has_more(), text))
    }

    #[test]
    fn excess_members_of_an_object_are_detected() {
        for (json, has_more) in [
            (r#"{"inner":{"text":"x"}}"#, false),
            (r#"{"inner":{"old":"x","unread":[{"a":1}]}}"#, false),
            (r#"{"list":[{},{"text":null}],"inner":{"text":"x"}}"#, false),
            (r#"{"inner":{"t\u0065xt":"x"}}"#, false),
            (r#"{"inner":{"text":"x"},"Inner":{}}"#, true),
            (r#"{"inner":{"text":"x","new":1}}"#, true),
            (r#"{"inner":{"text":"x","Unread":1}}"#, true),
            (r#"{"inner":{"text":"x"},"list":[{},{"lost":1}]}"#, true),
            (r#"{"liſt":0,"inner":{"text":"x"}}"#, true),
        ] {
            assert_eq!(read(json), Ok((has_more, Some("x".to_owned()))), "{json}");
        }
    }

    #[test]
    fn what_is_missing_or_there_twice_or_of_another_type_is_an_error() {
        for (json, message) in [
            ("{}", "missing field `inner`"),
            (r#"{"inner":{},"inner":{}}"#, "duplicate field `inner`"),
            (
                r#"{"inner":{"text":"a","old":"b"}}"#,
                "duplicate field `text`",
            ),
            (
                r#"{"inner":{"text":null,"text":"b"}}"#,
                "duplicate field `text`",
            ),
            (
                r#"{"inner":null}"#,
                "invalid type: null, expected struct Inner",
            ),
            (
                r#"{"inner":[]}"#,
                "invalid type: sequence, expected struct Inner",
            ),
            (r"[{}]", "invalid type: sequence, expected struct Outer"),
        ] {
            let error = read(json).expect_err("not in its shape");
            assert!(error.starts_with(message), "{json}: {error}");
        }
    }
}
