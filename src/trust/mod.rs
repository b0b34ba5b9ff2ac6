//! The trusted root: certificate authorities, and keys of logs.
//!
//! The documents are parsed here: `sigstore-trust-root` refuses a whole trusted root because of one item that it does
//! not support, and its look-ups use the log id alone and leave out keys and CAs by the machine's clock. Here a log is
//! identified by its origin and key id, time never removes a CA (see [`Authorities::judge`](crate::identity::Authorities::judge)), and an item that cannot
//! be used is reported ([`Remark`]) and left out alone.
//!
//! A [`TrustUpdater`] holds the current trusted root and updates it: from a file, or from a TUF repository.

mod document;
mod error;
mod fit;
mod listed;
mod material;
mod place;
mod problem;
mod published;
mod refresh_requests;
mod root;
mod settings;
mod tuf;
mod updater;

pub use document::Remark;
pub use error::TrustError;
pub use listed::{FollowedLog, ListedKey, ListedKind, ListedLog};
pub use material::{Trust, Update};
pub use problem::{Problem, Refusal};
pub use published::Publisher;
pub use refresh_requests::RefreshReason;
pub use root::TrustedRoot;
pub use settings::{RepositorySettings, Settings, SourceSettings};
pub use tuf::Published;
pub use updater::{TrustState, TrustUpdater};
