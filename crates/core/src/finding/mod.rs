//! Findings: a signing under a watched identity, a fault of a log, or a failure of the monitoring.

mod drill;
mod example;
mod fault_word;
mod id;
mod judged;
mod quiet;
mod routes;
mod selection;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::watch::Severity;
pub use drill::DRILL;
pub use id::{FindingId, FindingIdError};
pub use judged::Judged;
pub use quiet::{Quiet, QuietHours};
pub use routes::{ChannelRoute, Routes};
pub use selection::Selection;
pub use tlog::FaultKind;
pub use verdict::{AlertPolicy, Class, State, Verdict};

use crate::expect::SignedAs;
use crate::identity::{Chain, San};

/// One finding, as scripts see it: its JSON form is part of the contract.
///
/// `watch` is null for findings about a log, `index` if there is no entry, `in_shape` without a `shape`, `proven` for
/// findings about a log; `log` and `origin` if there is no log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Stable over repeats, restarts and changes of the verdict.
    pub id: FindingId,
    /// Its kind.
    pub verdict: Verdict,
    /// How urgent it is.
    pub severity: Severity,
    /// The watch that selected it.
    pub watch: Option<String>,
    /// Whether the signing meets the watch's `shape`.
    pub in_shape: Option<bool>,
    /// The log's name in the configuration at the time.
    pub log: Option<String>,
    /// The log's identity.
    pub origin: Option<String>,
    /// The entry's index in the log.
    pub index: Option<u64>,
    /// RFC 6962 leaf hash of the entry, lower-case hex.
    pub leaf_hash: Option<String>,
    /// Whether a signed checkpoint covers the entry.
    pub proven: Option<bool>,
    /// Kind and version of the entry, such as `hashedrekord 0.0.2`.
    pub kind: Option<String>,
    /// The hash that the entry holds, `algorithm:hex`.
    pub digest: Option<String>,
    /// Every subject alternative name of the certificate; or every name that a key calls itself.
    pub san: Vec<San>,
    /// The OIDC issuer that the certificate names.
    pub issuer: Option<String>,
    /// Fulcio's other extensions by name.
    pub extensions: BTreeMap<String, String>,
    /// SHA-256 of the DER certificate, lower-case hex.
    pub certificate_sha256: Option<String>,
    /// SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex; for an OpenPGP or SSH key see
    /// [`Key::key_sha256`](crate::identity::Key::key_sha256).
    pub key_sha256: Option<String>,
    /// The fingerprint of an OpenPGP or SSH key, as `gpg` and `ssh-keygen` print it.
    pub key_fingerprint: Option<String>,
    /// Whether its signatures lead to a CA of the trusted root; null without a signer.
    pub chain: Option<Chain>,
    /// Start of the certificate's validity.
    pub not_before: Option<Timestamp>,
    /// When modelwatch first saw it.
    pub first_seen: Timestamp,
    /// Its state.
    pub state: State,
    /// For `log-fault`: which promise the log broke.
    #[serde(with = "fault_word", default)]
    #[cfg_attr(feature = "web", schema(value_type = Option<String>))]
    pub fault: Option<FaultKind>,
    /// One sentence for a person. It may contain text from the log: escape it where it is shown.
    pub summary: String,
    /// Anomalies of the signing, each a phrase that the summary contains too; empty for other findings.
    #[serde(default)]
    pub anomalies: Vec<String>,
}

/// The anomaly of a registered signing in an entry that is not the registered one.
pub const LOGGED_AGAIN: &str = "logged again";

impl Finding {
    /// A finding without a signing: open, with all fields of an entry or a signer empty.
    pub fn new(
        id: FindingId,
        verdict: Verdict,
        severity: Severity,
        summary: String,
        first_seen: Timestamp,
    ) -> Self {
        Self {
            id,
            verdict,
            severity,
            watch: None,
            in_shape: None,
            log: None,
            origin: None,
            index: None,
            leaf_hash: None,
            proven: None,
            kind: None,
            digest: None,
            san: Vec::new(),
            issuer: None,
            extensions: BTreeMap::new(),
            certificate_sha256: None,
            key_sha256: None,
            key_fingerprint: None,
            chain: None,
            not_before: None,
            first_seen,
            state: State::Open,
            fault: None,
            summary,
            anomalies: Vec::new(),
        }
    }

    /// Groups findings in one alert: signings and certificates of one run or one certificate of a trusted CA;
    /// unreadable entries of one log that name one watch; otherwise all watches of one entry; otherwise the finding
    /// alone.
    ///
    /// `run_invocation_uri` and the certificate's key group entries only if a trusted CA issued the certificate: in an
    /// untrusted certificate they are free text with which an attacker could add an alert to a group.
    pub fn group_key(&self) -> String {
        if self.chain == Some(Chain::Trusted) {
            if let (Some(issuer), Some(run)) =
                (&self.issuer, self.extensions.get("run_invocation_uri"))
            {
                // The length separates issuer and run, whatever they contain.
                return format!("run {} {issuer} {run}", issuer.len());
            }
            // Fulcio's keys are used for one certificate; a CT log's entry has no other common value.
            if let Some(key) = &self.key_sha256 {
                return format!("key {key}");
            }
        }
        if let (AlertPolicy::OncePerWatch, Some(watch), Some(origin)) =
            (self.alert_policy(), &self.watch, &self.origin)
        {
            // The length separates watch and log, whatever they contain.
            return format!("unreadable {} {watch} {origin}", watch.len());
        }
        match (&self.origin, self.index, self.verdict.class()) {
            (Some(origin), Some(index), Class::Security) => format!("entry {index} {origin}"),
            _ => format!("finding {}", self.id),
        }
    }

    /// When this finding is alerted. Findings that anyone can cause in large numbers are alerted once a day: a flood of
    /// forged certificates, or of the owner's public certificate in entries that only some parsers understand, must not
    /// hide an alert. The first of the latter is alerted at once, because it may be the thief's.
    pub fn alert_policy(&self) -> AlertPolicy {
        match (self.state, self.verdict, self.severity) {
            (State::Held | State::Resolved | State::Acked, _, _) | (_, Verdict::Expected, _) => {
                AlertPolicy::Never
            }
            (_, Verdict::UntrustedChain | Verdict::Unreadable, Severity::Low | Severity::Info) => {
                AlertPolicy::Daily
            }
            (_, Verdict::Unreadable, _) if self.watch.is_some() => AlertPolicy::OncePerWatch,
            _ => AlertPolicy::AtOnce,
        }
    }
}

/// Stored beside a finding, so that the finding can be judged again or shown to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The DER certificate.
    pub certificate: Option<Vec<u8>>,
    /// Signed notes of the log, as they were received.
    pub notes: Vec<Vec<u8>>,
    /// The leaf itself where it could not be understood, and that of a CT log with a certificate by an unknown CA.
    pub leaf: Option<Vec<u8>>,
    /// The leaf as it is kept for a third party, without its certificate; `None` if `leaf` has it, or it is too long. Written with
    /// the finding, and read with its proof.
    pub entry: Option<Arc<[u8]>>,
    /// For a certificate in a CT log: the hash by which it is registered, see
    /// [`logged_sha256`](crate::identity::Certificate::logged_sha256). Written with the finding, never read.
    pub logged_sha256: Option<[u8; 32]>,
    /// For a signing: the values that it shares with its other entries. Written with the finding, never read.
    pub signed_as: Option<SignedAs>,
    /// Every hash that the owner of the signer's key may have; a lookup finds the signer by each. Written with the finding,
    /// never read.
    pub key_hashes: Vec<[u8; 32]>,
    /// When a CT log logged the entry, as it states in the leaf; when a Rekor v1 log accepted it, if its signature over that
    /// verifies.
    pub logged_at: Option<Timestamp>,
}

/// A finding that is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFinding {
    /// What will be recorded; `state` is `Held` if it waits for its registration, else `Open`.
    pub finding: Finding,
    /// The watch's selecting part and shape at the time: a held finding is released when it changes.
    pub rule: Option<[u8; 32]>,
    /// Its evidence.
    pub evidence: Evidence,
}
