//! Why nothing could be compared.

use super::files::NoSuchPath;
use crate::store::StoreError;

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A path of the command line.
    #[error(transparent)]
    Path(#[from] NoSuchPath),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
