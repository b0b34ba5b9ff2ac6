//! A finding that nothing caused, which shows what findings look like.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Finding, FindingId, Severity, Verdict};
use crate::identity::{Chain, San, SanType};

/// Not the origin of a log: names below `.invalid` are never assigned (RFC 2606).
const ORIGIN: &str = "example.modelwatch.invalid";

impl Finding {
    /// A signing with every field that a signing can have.
    pub fn example(now: Timestamp) -> Self {
        let repository = "https://example.invalid/org/model";
        Self {
            watch: Some("example".to_owned()),
            in_shape: Some(false),
            log: Some("example".to_owned()),
            origin: Some(ORIGIN.to_owned()),
            index: Some(1),
            leaf_hash: Some("00".repeat(32)),
            proven: Some(false),
            kind: Some("hashedrekord 0.0.2".to_owned()),
            digest: Some(format!("sha256:{}", "00".repeat(32))),
            san: vec![San {
                kind: SanType::Uri,
                value: format!("{repository}/.github/workflows/release.yml@refs/tags/v1"),
            }],
            issuer: Some("https://issuer.invalid".to_owned()),
            extensions: BTreeMap::from([(
                "run_invocation_uri".to_owned(),
                format!("{repository}/actions/runs/1/attempts/1"),
            )]),
            certificate_sha256: Some("00".repeat(32)),
            key_sha256: Some("00".repeat(32)),
            chain: Some(Chain::Trusted),
            not_before: Some(now),
            ..Self::new(
                FindingId::of_signing("example", ORIGIN, 1, &[0; 32], 0),
                Verdict::IdentityUnexpected,
                Severity::Info,
                "an example: there was no signing".to_owned(),
                now,
            )
        }
    }

    /// A finding about the monitoring, with few fields.
    pub fn health_example(now: Timestamp) -> Self {
        Self::new(
            FindingId::of_episode(Verdict::Silence, ORIGIN, now),
            Verdict::Silence,
            Severity::Info,
            "an example: there is no such log".to_owned(),
            now,
        )
    }
}
