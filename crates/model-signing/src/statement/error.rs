//! Why bytes are not a statement.

use super::STATEMENT_TYPE;
use crate::hash::{Algorithm, Digest};
use crate::manifest::{DuplicateName, Method, MethodError, NameError};

/// Why bytes are not a statement about a model. What is quoted is shortened and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// More bytes than are read at all.
    #[error("{bytes} bytes, more than the {limit} that are read")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Not JSON, a field is missing, has the wrong type, or is given twice.
    #[error("not a statement: {0}")]
    Json(String),
    /// Not an in-toto statement of version 1.
    #[error("_type is {found:?}, not \"{STATEMENT_TYPE}\"")]
    Type {
        /// Its type.
        found: String,
    },
    /// A statement about something else than a model.
    #[error("predicateType is {found:?}, not that of a model signature")]
    PredicateType {
        /// Its type.
        found: String,
    },
    /// Not the one subject that there has to be.
    #[error("{found} subjects, not one")]
    Subjects {
        /// How many there are.
        found: usize,
    },
    /// More items than any signer lists.
    #[error("{found} {what}, more than the {limit} that are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A field that has to have something in it.
    #[error("{field} is empty")]
    Empty {
        /// Where it is.
        field: &'static str,
    },
    /// A field that version 1.0 of the format does not have.
    #[error("{within} has the field {name:?}, which version 1.0 of the format does not have")]
    UnknownField {
        /// Where it is.
        within: &'static str,
        /// Its name, shortened.
        name: String,
    },
    /// A shard size without shards.
    #[error(
        "predicate.serialization has a shard_size, and its method is \"files\", which has no shards"
    )]
    ShardSizeOfFiles,
    /// A required field is absent.
    #[error("{field} is missing")]
    Missing {
        /// Where it belongs.
        field: &'static str,
    },
    /// A field with a value that has no meaning here.
    #[error("{field} is {found:?}")]
    Unknown {
        /// Where it is.
        field: &'static str,
        /// Its value.
        found: String,
    },
    /// Hash function and shards that do not go together.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A name that no file in a model can have, or only under another spelling.
    #[error("the resource name {name:?} {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: NameError,
    },
    /// A resource whose name does not end with a place that a shard can have.
    #[error("the resource name {name:?} does not end in the start and end of a shard")]
    Shard {
        /// The name.
        name: String,
    },
    /// A resource with another algorithm than the statement's method.
    #[error("the resource {name:?} has the algorithm {found:?}, not {}", needed.algorithm())]
    Algorithm {
        /// The name.
        name: String,
        /// Its algorithm.
        found: String,
        /// What the method calls for.
        needed: Method,
    },
    /// A digest that is not lower-case hexadecimal of the right length.
    #[error(
        "the digest of {name:?} is {found:?}, not a {algorithm} digest in lower-case hexadecimal"
    )]
    Digest {
        /// Of what.
        name: String,
        /// The digest.
        found: String,
        /// What it should be a digest of.
        algorithm: Algorithm,
    },
    /// Two resources of one name.
    #[error(transparent)]
    Duplicate(#[from] DuplicateName),
    /// The resources do not have the root digest that the statement gives: it contradicts itself.
    #[error("the subject's digest is {found:?}, but that of the resources is {computed}")]
    Root {
        /// What the statement gives.
        found: String,
        /// What its resources give.
        computed: Digest,
    },
}
