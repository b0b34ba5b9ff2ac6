//! Reading statements of other writers.
//!
//! The holder of a key decides what is signed with it, and a signature is no proof that its statement makes sense. So this is strict where the specification is (its JSON schemas), and wherever two readers could understand one
//! statement differently: names given twice, other spellings of a name, digits in upper case. Older forms are read:
//! those of the reference, which differ in the order of resources, in the algorithm of shards and in `shard_size`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer as _, MapAccess, Visitor,
};

use super::{
    MAX_IGNORED_PATHS, MAX_STATEMENT_BYTES, PREDICATE_TYPE, PREDICATE_TYPE_V0_2, STATEMENT_TYPE,
    Statement, StatementError, Version,
};
use crate::hash::{Algorithm, Digest};
use crate::json::excerpt;
use crate::manifest::{MAX_RESOURCES, Manifest, Method, Resource, Shard, check_name, root};

impl Statement {
    /// Reads what was signed: version 1.0 of the format, later minor versions, and 0.2.
    ///
    /// Fields that the format does not have are ignored in the statement and in resources, and refused in the predicate
    /// of version 1.0. Later minor versions may have more of them.
    ///
    /// # Errors
    ///
    /// [`StatementError`], which names the field or the resource.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        if payload.len() > MAX_STATEMENT_BYTES {
            return Err(StatementError::TooLong {
                bytes: payload.len(),
                limit: MAX_STATEMENT_BYTES,
            });
        }
        let Object(raw): Object<RawStatement> = serde_json::from_slice(payload)
            .map_err(|error| StatementError::Json(excerpt(&error.to_string())))?;
        if raw.of_type != STATEMENT_TYPE {
            return Err(StatementError::Type {
                found: excerpt(&raw.of_type),
            });
        }
        if let Some(minor) = minor_version(&raw.predicate_type) {
            v1(raw, minor)
        } else if raw.predicate_type == PREDICATE_TYPE_V0_2 {
            v0_2(raw)
        } else {
            Err(StatementError::PredicateType {
                found: excerpt(&raw.predicate_type),
            })
        }
    }
}

/// The number after `v1.`, written in one way only.
fn minor_version(predicate_type: &str) -> Option<u32> {
    let prefix = PREDICATE_TYPE.strip_suffix('0')?;
    let number = decimal(predicate_type.strip_prefix(prefix)?)?;
    u32::try_from(number).ok()
}

fn v1(raw: RawStatement<'_>, minor: u32) -> Result<Statement, StatementError> {
    let [Object(subject)] = raw.subject.as_slice() else {
        return Err(StatementError::Subjects {
            found: raw.subject.len(),
        });
    };
    let missing = |field| StatementError::Missing { field };
    if subject.name.is_empty() {
        return Err(StatementError::Empty {
            field: "subject[0].name",
        });
    }
    let predicate = raw.predicate.ok_or(missing("predicate"))?;
    let known = |within, unknown: Option<String>| match unknown {
        Some(name) if minor == 0 => Err(StatementError::UnknownField {
            within,
            name: excerpt(&name),
        }),
        _ => Ok(()),
    };
    known("predicate", predicate.unknown)?;
    let serialization = predicate
        .fields
        .serialization
        .ok_or(missing("predicate.serialization"))?;
    known("predicate.serialization", serialization.unknown)?;
    let serialization = serialization.fields;
    let resources = predicate
        .fields
        .resources
        .ok_or(missing("predicate.resources"))?;
    let method = method(&serialization)?;
    let ignored_paths = serialization.ignore_paths.unwrap_or_default();
    if resources.is_empty() {
        return Err(StatementError::Empty {
            field: "predicate.resources",
        });
    }
    if ignored_paths.iter().any(String::is_empty) {
        return Err(StatementError::Empty {
            field: "an entry of predicate.serialization.ignore_paths",
        });
    }
    limit("predicate.resources", resources.len(), MAX_RESOURCES)?;
    limit("ignored paths", ignored_paths.len(), MAX_IGNORED_PATHS)?;

    let mut reader = ResourceReader::new(method);
    let resources = resources
        .into_iter()
        .map(|Object(raw)| reader.read(&raw))
        .collect::<Result<Vec<_>, _>>()?;
    // In the order of the statement, which may be that of the reference.
    let computed = root(resources.iter().map(|resource| &resource.digest));
    if Digest::from_hex(Algorithm::Sha256, &subject.digest.0.sha256) != Some(computed) {
        return Err(StatementError::Root {
            found: excerpt(&subject.digest.0.sha256),
            computed,
        });
    }
    Ok(Statement {
        name: Some(subject.name.clone().into_owned()),
        manifest: Manifest::new(method, resources)?,
        allow_symlinks: serialization.allow_symlinks,
        ignored_paths,
        version: Version::V1 { minor },
        root: computed,
    })
}

/// Each subject is a file. There is no root digest, and no record of how the files were found.
fn v0_2(raw: RawStatement<'_>) -> Result<Statement, StatementError> {
    limit("subjects", raw.subject.len(), MAX_RESOURCES)?;
    if raw.subject.is_empty() {
        return Err(StatementError::Empty { field: "subject" });
    }
    let method = Method::files(Algorithm::Sha256);
    let mut reader = ResourceReader::new(method);
    let resources = raw
        .subject
        .into_iter()
        .map(|Object(subject)| {
            reader.read(&RawResource {
                name: subject.name,
                algorithm: Algorithm::Sha256.as_str().into(),
                digest: subject.digest.0.sha256,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest::new(method, resources)?;
    Ok(Statement {
        name: None,
        root: manifest.root(),
        manifest,
        allow_symlinks: false,
        ignored_paths: Vec::new(),
        version: Version::V0_2,
    })
}

fn method(raw: &RawSerialization<'_>) -> Result<Method, StatementError> {
    const FIELD: &str = "predicate.serialization.shard_size";
    let unknown = |field, found: &str| StatementError::Unknown {
        field,
        found: excerpt(found),
    };
    let algorithm = Algorithm::from_name(&raw.hash_type)
        .ok_or_else(|| unknown("predicate.serialization.hash_type", &raw.hash_type))?;
    match (&*raw.method, &raw.shard_size) {
        ("files", None) => Ok(Method::files(algorithm)),
        ("files", Some(_)) => Err(StatementError::ShardSizeOfFiles),
        ("shards", _) => {
            let size = raw
                .shard_size
                .as_ref()
                .ok_or(StatementError::Missing { field: FIELD })?;
            let bytes = whole(size)
                .and_then(NonZeroU64::new)
                .ok_or_else(|| unknown(FIELD, &size.to_string()))?;
            Ok(Method::shards(algorithm, bytes)?)
        }
        (other, _) => Err(unknown("predicate.serialization.method", other)),
    }
}

/// A whole number, which protobuf writes as a double: `1000.0`, `1e+16`.
fn whole(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let double = number.as_f64()?;
        // 2^63: the next smaller double fits u64, and all above are larger than any shard.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was just checked to be whole and in range"
        )]
        (double.fract() == 0.0 && (0.0..9_223_372_036_854_775_808.0).contains(&double))
            .then_some(double as u64)
    })
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), StatementError> {
    if found > limit {
        return Err(StatementError::TooMany { what, found, limit });
    }
    Ok(())
}

/// Reads the resources of one statement, in their order.
struct ResourceReader {
    method: Method,
    /// What the reference implementation gives as the algorithm of a shard.
    sharded: String,
    /// The shards of a file are adjacent: they share one copy of its path.
    last_path: Option<Arc<str>>,
}

impl ResourceReader {
    fn new(method: Method) -> Self {
        Self {
            method,
            sharded: method.to_string(),
            last_path: None,
        }
    }

    fn read(&mut self, raw: &RawResource<'_>) -> Result<Resource, StatementError> {
        let name = || excerpt(&raw.name);
        if raw.algorithm != self.method.algorithm().as_str() && raw.algorithm != self.sharded {
            return Err(StatementError::Algorithm {
                name: name(),
                found: excerpt(&raw.algorithm),
                needed: self.method,
            });
        }
        let algorithm = self.method.algorithm();
        let digest =
            Digest::from_hex(algorithm, &raw.digest).ok_or_else(|| StatementError::Digest {
                name: name(),
                found: excerpt(&raw.digest),
                algorithm,
            })?;
        let (path, shard) = match self.method.shard_bytes() {
            None => (&*raw.name, None),
            Some(size) => {
                let (path, shard) =
                    place(&raw.name, size).ok_or_else(|| StatementError::Shard { name: name() })?;
                (path, Some(shard))
            }
        };
        check_name(path).map_err(|why| StatementError::Name { name: name(), why })?;
        Ok(Resource {
            path: self.shared(path),
            shard,
            digest,
        })
    }

    fn shared(&mut self, path: &str) -> Arc<str> {
        match &self.last_path {
            Some(last) if **last == *path => Arc::clone(last),
            _ => Arc::clone(self.last_path.insert(path.into())),
        }
    }
}

/// Path and place of a shard: from the end, since the path may have colons of its own (section 6.3.2).
fn place(name: &str, size: NonZeroU64) -> Option<(&str, Shard)> {
    let (rest, end) = name.rsplit_once(':')?;
    let (path, start) = rest.rsplit_once(':')?;
    let (start, end) = (decimal(start)?, decimal(end)?);
    let is_shard = start % size == 0 && start < end && end - start <= size.get();
    is_shard.then_some((path, Shard { start, end }))
}

fn decimal(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_canonical && is_digits).then(|| text.parse().ok())?
}

// serde refuses a known field that is given twice, in whatever escapes its name is written.

#[derive(Deserialize)]
struct RawStatement<'a> {
    #[serde(rename = "_type", borrow)]
    of_type: Cow<'a, str>,
    #[serde(rename = "predicateType", borrow)]
    predicate_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Vec<Object<RawSubject<'a>>>,
    #[serde(borrow)]
    predicate: Option<Fields<RawPredicate<'a>>>,
}

#[derive(Deserialize)]
struct RawSubject<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    digest: Object<RawDigest<'a>>,
}

#[derive(Deserialize)]
struct RawDigest<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

/// Nothing is required here: the old format has something else in its place.
#[derive(Deserialize)]
struct RawPredicate<'a> {
    #[serde(borrow)]
    serialization: Option<Fields<RawSerialization<'a>>>,
    #[serde(borrow)]
    resources: Option<Vec<Object<RawResource<'a>>>>,
}

#[derive(Deserialize)]
struct RawSerialization<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    hash_type: Cow<'a, str>,
    allow_symlinks: bool,
    #[serde(default, deserialize_with = "not_null")]
    shard_size: Option<serde_json::Number>,
    #[serde(default, deserialize_with = "not_null")]
    ignore_paths: Option<Vec<String>>,
}

/// A field that may be absent, but not null.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct RawResource<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

/// A type that names its fields.
trait Named {
    const FIELDS: &'static [&'static str];
}

impl Named for RawPredicate<'_> {
    const FIELDS: &'static [&'static str] = &["serialization", "resources"];
}

impl Named for RawSerialization<'_> {
    const FIELDS: &'static [&'static str] = &[
        "method",
        "hash_type",
        "allow_symlinks",
        "shard_size",
        "ignore_paths",
    ];
}

/// A JSON object, and the first of its fields that the type does not have.
struct Fields<T> {
    fields: T,
    unknown: Option<String>,
}

impl<'de, T: Deserialize<'de> + Named> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Named> Visitor<'de> for Map<T> {
            type Value = Fields<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fields<T>, A::Error> {
                let mut unknown = None;
                let known = Known {
                    map,
                    names: T::FIELDS,
                    unknown: &mut unknown,
                };
                let fields = T::deserialize(MapAccessDeserializer::new(known))?;
                Ok(Fields { fields, unknown })
            }
        }

        deserializer.deserialize_map(Map(PhantomData))
    }
}

/// The fields of an object with one of these names; the first other one is kept.
struct Known<'u, A> {
    map: A,
    names: &'static [&'static str],
    unknown: &'u mut Option<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Known<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key::<String>()? {
            if let Some(known) = self.names.iter().find(|known| **known == name) {
                return seed.deserialize(known.into_deserializer()).map(Some);
            }
            self.map.next_value::<IgnoredAny>()?;
            self.unknown.get_or_insert(name);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A JSON object, and nothing else: serde's derive would take an array of the fields' values as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Map(PhantomData))
    }
}

#[cfg(test)]
mod tests;
