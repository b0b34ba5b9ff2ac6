//! The settings of a log.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tlog::Origin;
use url::Url;

use super::mode::Mode;
use crate::log::{Protocol, Start};
use crate::source::Location;

/// Default of `silence_after`.
const DEFAULT_SILENCE: Duration = Duration::from_hours(24);

/// The public-good logs publish every few minutes and grow all the time.
const PUBLIC_GOOD_SILENCE: Duration = Duration::from_hours(1);

/// Replicas behind a load balancer or a cache lag by minutes; checkpoints of a log that was rolled back stay small.
pub(super) const DEFAULT_ROLLBACK: Duration = Duration::from_mins(10);

/// One `[[log]]`.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Its name in findings and on the command line.
    pub name: String,
    /// The first line of its checkpoints; `None` for a Rekor v1 log, each of whose trees has its own, and for a log of
    /// RFC 6962, which is identified by its key.
    pub origin: Option<Origin>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Whether it is read in full.
    pub mode: Mode,
    /// Its address; `None` for the address in the trusted root.
    pub location: Option<Location>,
    /// Its keys; without any, the trusted root gives them.
    pub public_keys: Vec<LogKeySource>,
    /// Most requests a minute; `None` for the default of such a log.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Where reading begins without a stored position.
    pub start: Start,
    /// How long it may show no growth; `None` for ever.
    pub silence_after: Option<Duration>,
    /// How long it must serve smaller checkpoints than before, in passes in a row, before that is a rollback.
    pub rollback_after: Duration,
    /// How many of the witnesses must have cosigned its newest checkpoint.
    pub require_witnesses: usize,
}

/// Where a key of a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogKeySource {
    /// Written out, as a C2SP verifier key: its SubjectPublicKeyInfo in DER.
    Written(Vec<u8>),
    /// A PEM file, or a file with a verifier key.
    File(PathBuf),
}

impl LogSettings {
    /// A Rekor v2 log that trust has found, with every default; it is named by its origin.
    pub fn found(origin: Origin, url: Url, start: Start) -> Self {
        Self {
            name: origin.as_str().to_owned(),
            protocol: Protocol::RekorV2,
            start,
            silence_after: Some(usual_silence(Some(&origin), None)),
            rollback_after: DEFAULT_ROLLBACK,
            location: Some(Location::Server(url)),
            mode: Mode::Tail,
            public_keys: Vec::new(),
            requests_per_minute: None,
            require_witnesses: 0,
            origin: Some(origin),
        }
    }
}

/// The default of `silence_after` for a log.
pub(super) fn usual_silence(origin: Option<&Origin>, location: Option<&Location>) -> Duration {
    let public_good = match origin {
        Some(origin) => origin.as_str().ends_with(".rekor.sigstore.dev"),
        None => location.and_then(Location::host) == Some("rekor.sigstore.dev"),
    };
    if public_good {
        PUBLIC_GOOD_SILENCE
    } else {
        DEFAULT_SILENCE
    }
}
