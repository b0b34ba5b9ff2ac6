//! Manifests: which files a model has, and the digest of each.
//!
//! Pure: a [`Manifest`] is made by hashing (`model::hash`) or by reading a signature ([`crate::statement`]), and compared
//! with another one ([`Manifest::compare`]).

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::hash::{Algorithm, Digest};
use crate::json::excerpt;

mod difference;
mod name;

pub use difference::{Changed, Differences};
pub use name::NameError;
pub(crate) use name::check as check_name;

/// Most resources (files, or shards of files) of one manifest: what the memory of a machine that hashes models holds
/// with ease, 1 GiB, and four times the largest model seen in the wild.
pub const MAX_RESOURCES: usize = 1 << 22;

/// The name of the file in a model that is a single file: its path relative to itself.
pub const SINGLE_FILE: &str = ".";

/// Shard size of the reference implementation, in bytes.
pub const DEFAULT_SHARD_BYTES: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("not 0");

/// Largest shard, in bytes: JSON numbers are exact up to here, and the format records it as one.
pub const MAX_SHARD_BYTES: u64 = 1 << 53;

/// How the files of a model become resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method {
    algorithm: Algorithm,
    shard_bytes: Option<NonZeroU64>,
}

/// Why no such method exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodError {
    /// BLAKE3 is parallel within a file, so the format has no shards for it.
    #[error("the format has no shards for blake3, which hashes one file on all cores without them")]
    Blake3Shards,
    /// A shard size that JSON numbers cannot say exactly.
    #[error("a shard of {bytes} bytes is larger than the {MAX_SHARD_BYTES} that can be recorded")]
    ShardSize {
        /// The size that was asked for.
        bytes: NonZeroU64,
    },
}

impl Method {
    /// One resource for each file: what the reference's command line always does, with SHA-256.
    pub const fn files(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            shard_bytes: None,
        }
    }

    /// One resource for each `shard_bytes` of a file, so that one large file keeps several cores busy. Empty files have
    /// none: the format does not protect them.
    ///
    /// # Errors
    ///
    /// [`MethodError`]: BLAKE3, or a size that cannot be recorded.
    pub fn shards(algorithm: Algorithm, shard_bytes: NonZeroU64) -> Result<Self, MethodError> {
        if algorithm == Algorithm::Blake3 {
            return Err(MethodError::Blake3Shards);
        }
        if shard_bytes.get() > MAX_SHARD_BYTES {
            return Err(MethodError::ShardSize { bytes: shard_bytes });
        }
        Ok(Self {
            algorithm,
            shard_bytes: Some(shard_bytes),
        })
    }

    /// The hash function.
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The size of a shard in bytes, if there are shards.
    pub fn shard_bytes(self) -> Option<NonZeroU64> {
        self.shard_bytes
    }
}

/// As signatures record it for each resource: `sha256`, `sha256-sharded-1000000000`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.algorithm)?;
        match self.shard_bytes {
            Some(bytes) => write!(f, "-sharded-{bytes}"),
            None => Ok(()),
        }
    }
}

/// A part of a file, in bytes: from `start` up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    /// The first byte.
    pub start: u64,
    /// The byte after the last one.
    pub end: u64,
}

/// A file or a shard of one, with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Relative to the model, components joined by `/`; [`SINGLE_FILE`] if the model is this file. Shared by all shards
    /// of the file.
    pub path: Arc<str>,
    /// Which part of the file; `None`: all of it.
    pub shard: Option<Shard>,
    /// Of these bytes.
    pub digest: Digest,
}

impl Resource {
    /// The name in a signature: the path, and for a shard `:start:end` after it.
    pub fn name(&self) -> ResourceName<'_> {
        ResourceName(self)
    }

    /// The order of the format: paths component by component, each by code points; then by position, as numbers.
    fn order(&self, other: &Self) -> Ordering {
        name::order(&self.path, &other.path).then_with(|| self.shard.cmp(&other.shard))
    }
}

/// Shows the name of a [`Resource`] as a signature holds it.
#[derive(Debug, Clone, Copy)]
pub struct ResourceName<'r>(&'r Resource);

impl fmt::Display for ResourceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.path)?;
        match self.0.shard {
            Some(Shard { start, end }) => write!(f, ":{start}:{end}"),
            None => Ok(()),
        }
    }
}

/// Two resources of one name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is listed twice")]
pub struct DuplicateName {
    /// The name, shortened.
    pub name: String,
}

/// Every resource of a model, in the order of the format, each name once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    method: Method,
    resources: Vec<Resource>,
}

impl Manifest {
    /// A manifest of these resources, in whatever order they are given.
    ///
    /// # Errors
    ///
    /// Two have the same name. Which of them would count is a matter on which two readers can disagree.
    pub fn new(method: Method, mut resources: Vec<Resource>) -> Result<Self, DuplicateName> {
        resources.sort_unstable_by(Resource::order);
        let twice = resources
            .windows(2)
            .find_map(|pair| match pair {
                [one, next] if one.order(next).is_eq() => Some(next),
                _ => None,
            })
            .map(|twice| excerpt(&twice.name().to_string()));
        match twice {
            Some(name) => Err(DuplicateName { name }),
            None => Ok(Self { method, resources }),
        }
    }

    /// How the files were hashed.
    pub fn method(&self) -> Method {
        self.method
    }

    /// In the order of the format.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The one digest that stands for the model: SHA-256 over the resources' digests in their order.
    ///
    /// It covers neither names nor where one digest ends, and does not say which algorithm made them: two models with
    /// the same contents under other names have the same root. Compare manifests, not roots.
    pub fn root(&self) -> Digest {
        root(self.resources.iter().map(|resource| &resource.digest))
    }

    /// The path of each file that has a resource, once, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let mut last: Option<&Arc<str>> = None;
        self.resources
            .iter()
            .map(|resource| &resource.path)
            .filter(move |path| last.replace(path) != Some(*path))
    }
}

/// The root over digests in a given order.
pub(crate) fn root<'d>(digests: impl Iterator<Item = &'d Digest>) -> Digest {
    let mut hasher = crate::hash::Hasher::new(Algorithm::Sha256);
    for digest in digests {
        hasher.update(digest.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing value is a failed test")]

    use super::*;

    pub(super) fn resource(path: &str, content: &str) -> Resource {
        Resource {
            path: path.into(),
            shard: None,
            digest: Algorithm::Sha256.digest(content.as_bytes()),
        }
    }

    fn shard(start: u64, end: u64) -> Resource {
        Resource {
            shard: Some(Shard { start, end }),
            ..resource("a", "")
        }
    }

    #[test]
    fn shards_stand_in_the_order_of_their_positions_and_not_of_their_digits() {
        let method = Method::shards(Algorithm::Sha256, NonZeroU64::new(2).unwrap()).unwrap();
        let manifest = Manifest::new(method, vec![shard(10, 12), shard(2, 4), shard(0, 2)]);
        let manifest = manifest.unwrap();
        let names: Vec<_> = manifest
            .resources()
            .iter()
            .map(|r| r.name().to_string())
            .collect();
        assert_eq!(names, ["a:0:2", "a:2:4", "a:10:12"]);
        assert_eq!(manifest.paths().count(), 1);
        assert_eq!(method.to_string(), "sha256-sharded-2");
    }

    #[test]
    fn a_name_that_is_listed_twice_is_refused_even_with_the_same_digest() {
        let method = Method::files(Algorithm::Sha256);
        let twice = vec![resource("a", "x"), resource("b", ""), resource("a", "x")];
        assert_eq!(Manifest::new(method, twice).unwrap_err().name, "a");
    }

    #[test]
    fn the_root_is_over_the_digests_alone() {
        let method = Method::files(Algorithm::Sha256);
        let empty = Manifest::new(method, Vec::new()).unwrap();
        assert_eq!(empty.root(), Algorithm::Sha256.digest(b""));
        let one = Manifest::new(method, vec![resource("a", "x"), resource("b", "y")]).unwrap();
        let other = Manifest::new(method, vec![resource("c", "x"), resource("d", "y")]).unwrap();
        assert_eq!(one.root(), other.root());
        assert_ne!(one, other);
    }

    #[test]
    fn a_method_that_the_format_does_not_have_is_refused() {
        let size = NonZeroU64::new(1000).unwrap();
        assert_eq!(
            Method::shards(Algorithm::Blake3, size),
            Err(MethodError::Blake3Shards)
        );
        let bytes = NonZeroU64::new(MAX_SHARD_BYTES + 1).unwrap();
        assert_eq!(
            Method::shards(Algorithm::Sha256, bytes),
            Err(MethodError::ShardSize { bytes })
        );
    }
}
