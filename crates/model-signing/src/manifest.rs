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
pub(crate) use name::check as check_name;
pub use name::{NameError, SINGLE_FILE};

/// Most resources (files, or shards of files) of one manifest: what the memory of a machine that hashes models holds
/// with ease, 1 GiB, and four times the largest model seen in the wild.
pub const MAX_RESOURCES: usize = 1 << 22;

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
    /// A shard size that JSON numbers cannot say exactly.
    #[error("a shard of {bytes} bytes is larger than the {MAX_SHARD_BYTES} that can be recorded")]
    ShardSize {
        /// The requested size.
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
    /// [`MethodError`]: a size that cannot be recorded.
    pub fn shards(algorithm: Algorithm, shard_bytes: NonZeroU64) -> Result<Self, MethodError> {
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

    /// How many resources a file of this size has.
    pub(crate) fn resources_of(self, size: u64) -> u64 {
        match self.shard_bytes {
            None => 1,
            Some(bytes) => size.div_ceil(bytes.get()),
        }
    }
}

/// For messages: `sha256`, `sha256-sharded-1000000000`. The second form is also what the reference implementation records
/// for each shard; the specification has the name of the hash function alone.
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
    /// Relative to the model, components joined by `/`; the name of the file if the model is this file, or
    /// [`SINGLE_FILE`] in older signatures. Shared by all shards of the file.
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

    /// The order of the specification: the names by their code points (section 6.4). UTF-8 sorts as its code points do.
    fn order(&self, other: &Self) -> Ordering {
        match (self.shard, other.shard) {
            (None, None) => self.path.as_bytes().cmp(other.path.as_bytes()),
            (one, another) => {
                let (one, another) = (Suffix::of(one), Suffix::of(another));
                let one = self.path.bytes().chain(one.bytes());
                one.cmp(other.path.bytes().chain(another.bytes()))
            }
        }
    }

    /// The order of the reference implementation: paths component by component, each by code points; then by position,
    /// as numbers.
    fn path_order(&self, other: &Self) -> Ordering {
        name::path_order(&self.path, &other.path).then_with(|| self.shard.cmp(&other.shard))
    }
}

/// What the name of a shard has after the path, on the stack: names are compared millions of times.
struct Suffix {
    /// Two colons and two numbers of at most 20 digits.
    text: [u8; 42],
    len: usize,
}

impl Suffix {
    fn of(shard: Option<Shard>) -> Self {
        let mut suffix = Self {
            text: [0; 42],
            len: 0,
        };
        if let Some(Shard { start, end }) = shard {
            suffix.push(start);
            suffix.push(end);
        }
        suffix
    }

    fn push(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        while first == digits.len() || number > 0 {
            first -= 1;
            if let Some(digit) = digits.get_mut(first) {
                *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            }
            number /= 10;
        }
        for byte in std::iter::once(&b':').chain(digits.iter().skip(first)) {
            if let Some(place) = self.text.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.text.iter().take(self.len).copied()
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

/// Every resource of a model, in the order of the specification, each name once.
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

    /// In the order of the specification: by the code points of their names.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The digest of the whole model: SHA-256 over the resources' digests in the order of the specification (section
    /// 6.5.1).
    ///
    /// It covers neither names nor where one digest ends, and does not say which algorithm made them: two models with
    /// the same contents under other names have the same root. Compare manifests, not roots.
    pub fn root(&self) -> Digest {
        root(self.resources.iter().map(|resource| &resource.digest))
    }

    /// The root digest in the order of the reference implementation. Where a directory and a file beside it begin with
    /// the same characters (`sub/a`, `sub-x`), or a file has more than ten shards, it differs from
    /// [`root`](Self::root): such a model has two digests.
    pub fn root_path_order(&self) -> Digest {
        let mut sorted: Vec<_> = self.resources.iter().collect();
        sorted.sort_unstable_by(|one, other| one.path_order(other));
        root(sorted.iter().map(|resource| &resource.digest))
    }

    /// The path of each file that has a resource, once, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let mut paths: Vec<_> = self.resources.iter().map(|it| &it.path).collect();
        // The shards of `a` and those of a file `a:10` are mixed in the order.
        if self.method.shard_bytes.is_some() {
            paths.sort_unstable();
            paths.dedup();
        }
        paths.into_iter()
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

    fn names(manifest: &Manifest) -> Vec<String> {
        let names = manifest.resources().iter();
        names.map(|resource| resource.name().to_string()).collect()
    }

    #[test]
    fn names_are_in_the_order_of_their_code_points() {
        let sorted = [
            "-",
            "a",
            "a b",
            "a!b",
            "a-b",
            "a.b",
            "a/b",
            "a/b c",
            "a/b/c",
            "a0",
            "ab",
            "\u{e9}",
            "\u{ffee}",
            "\u{10000}",
        ];
        let resources = sorted.iter().rev().map(|path| resource(path, path));
        let manifest =
            Manifest::new(Method::files(Algorithm::Sha256), resources.collect()).unwrap();
        assert_eq!(names(&manifest), sorted);
    }

    #[test]
    fn shards_are_in_the_order_of_their_names_too() {
        let method = Method::shards(Algorithm::Sha256, NonZeroU64::new(2).unwrap()).unwrap();
        let other = |path: &str, start, end| Resource {
            path: path.into(),
            ..shard(start, end)
        };
        let resources = vec![
            shard(10, 12),
            shard(2, 4),
            shard(0, 2),
            other("a:0", 0, 2),
            other("a-", 0, 2),
            other("b", 0, u64::MAX),
        ];
        let manifest = Manifest::new(method, resources).unwrap();
        let mut sorted = names(&manifest);
        sorted.sort_unstable();
        assert_eq!(names(&manifest), sorted);
        assert_eq!(
            sorted,
            [
                "a-:0:2",
                "a:0:0:2",
                "a:0:2",
                "a:10:12",
                "a:2:4",
                "b:0:18446744073709551615"
            ]
        );
        let paths: Vec<_> = manifest.paths().map(|path| &**path).collect();
        assert_eq!(paths, ["a", "a-", "a:0", "b"]);
        assert_eq!(method.to_string(), "sha256-sharded-2");
    }

    #[test]
    fn a_model_has_two_root_digests_where_the_orders_differ() {
        let manifest = |paths: &[&str]| {
            let resources = paths.iter().map(|path| resource(path, path));
            Manifest::new(Method::files(Algorithm::Sha256), resources.collect()).unwrap()
        };
        let root_of = |paths: &[&str]| {
            let digests: Vec<_> = paths
                .iter()
                .map(|path| Algorithm::Sha256.digest(path.as_bytes()))
                .collect();
            root(digests.iter())
        };
        let both = manifest(&["sub/a", "sub-x", "sub.json"]);
        assert_eq!(both.root(), root_of(&["sub-x", "sub.json", "sub/a"]));
        assert_eq!(
            both.root_path_order(),
            root_of(&["sub/a", "sub-x", "sub.json"])
        );
        let one = manifest(&["sub/a", "sub/b", "tub"]);
        assert_eq!(one.root(), one.root_path_order());

        let method = Method::shards(Algorithm::Sha256, NonZeroU64::new(2).unwrap()).unwrap();
        let shards = Manifest::new(method, vec![shard(2, 4), shard(10, 12)]).unwrap();
        let digest = |_| Algorithm::Sha256.digest(b"");
        assert_eq!(shards.root(), root([0, 1].map(digest).iter()));
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
    fn a_shard_size_that_cannot_be_recorded_is_refused() {
        let size = NonZeroU64::new(MAX_SHARD_BYTES).unwrap();
        for algorithm in Algorithm::ALL {
            assert!(Method::shards(algorithm, size).is_ok());
        }
        let bytes = NonZeroU64::new(MAX_SHARD_BYTES + 1).unwrap();
        assert_eq!(
            Method::shards(Algorithm::Sha256, bytes),
            Err(MethodError::ShardSize { bytes })
        );
    }
}
