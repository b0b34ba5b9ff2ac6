//! Reads logs: fetches a log's checkpoint, its leaves and its tree's hashes, and returns bytes. Nothing is verified or
//! interpreted here: the caller proves the bytes with a checkpoint whose signature it has verified.

mod at_most;
mod budget;
mod buffers;
pub mod ct;
mod ct_rfc6962;
mod ct_static;
mod directory;
mod error;
mod leaves;
mod location;
mod log_source;
#[cfg(test)]
mod memory;
mod prefetch;
pub mod rekor_v1;
mod rekor_v2;
mod tiles;
mod transport;
mod transport_error;

use std::sync::Arc;

pub use crate::http::ServerDate;
use crate::log::Protocol;
pub use budget::Budget;
pub use ct_rfc6962::CtRfc6962;
pub use ct_static::CtStatic;
pub use directory::Files;
pub use error::{Cause, SourceError, SourceErrorKind};
pub use leaves::{Leaves, LeavesError};
pub use location::{Location, LocationError};
pub use log_source::{LogSource, Prefetch};
#[cfg(test)]
pub(crate) use memory::Memory;
pub use prefetch::leaves;
pub use rekor_v2::RekorV2;
pub use transport::Transport;

/// The constructors of logs with one tree, a row for each type. The second argument is the id of the log's key (RFC
/// 6962 section 3.2), from which logs without an origin get one.
#[expect(
    clippy::type_complexity,
    reason = "a row is read in one glance; a name for the function would hide its arguments"
)]
const ONE_TREE: [(Protocol, fn(Transport, [u8; 32]) -> Arc<dyn LogSource>); 3] = [
    (Protocol::RekorV2, |transport, _| {
        Arc::new(RekorV2::new(transport))
    }),
    (Protocol::CtStatic, |transport, _| {
        Arc::new(CtStatic::new(transport))
    }),
    (Protocol::CtRfc6962, |transport, key_id| {
        Arc::new(CtRfc6962::new(transport, key_id))
    }),
];

/// A log with one tree; no request is sent yet. `None` for a type of log that has several: its server must list them
/// first.
pub fn of_one_tree(
    protocol: Protocol,
    transport: Transport,
    key_id: [u8; 32],
) -> Option<Arc<dyn LogSource>> {
    let (_, open) = ONE_TREE.iter().find(|(of, _)| *of == protocol)?;
    Some(open(transport, key_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Client;

    #[test]
    fn every_type_of_log_with_one_tree_can_be_read() {
        for protocol in Protocol::ALL {
            let location = "https://log.example".parse().expect("a URL");
            let transport = Transport::new(location, Client::default(), &Files::default());
            let source = of_one_tree(protocol, transport, [0; 32]);
            assert_eq!(
                source.is_none(),
                protocol.has_several_trees(),
                "{protocol:?}"
            );
        }
    }
}
