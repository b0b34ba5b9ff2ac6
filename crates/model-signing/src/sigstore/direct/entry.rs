//! The log entry of a bundle of the usual form: what it says, that it is in the tree, and the promise to include it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sigstore_merkle::{hash_leaf, verify_inclusion_proof};
use sigstore_verify::crypto::{Checkpoint, VerificationKey, sha256};
use sigstore_verify::trust_root::TransparencyLog;
use sigstore_verify::types::{Sha256Hash, SignatureBytes};

use super::super::entries::is_named;
use super::super::trust::Trust;
use crate::bundle::TlogEntry;
use crate::dsse::Envelope;
use crate::pem;

/// Greatest index that the canonical JSON of a promise (RFC 8785 §3.2.2.3) has as it is written here: 2^53 - 1.
const MAX_INDEX: u64 = (1 << 53) - 1;

/// An entry, and what it must be about.
pub(super) struct Logged<'b> {
    pub(super) entry: &'b TlogEntry,
    pub(super) certificate: &'b [u8],
    pub(super) signature: &'b [u8],
    pub(super) envelope: &'b Envelope,
}

impl Logged<'_> {
    /// That the entry is about this signing and in the tree of the log that it names: Rekor v1, which has promised to include
    /// it, or v2. `pae` is what was signed. Answers the times that the log has signed, in seconds of Unix time.
    pub(super) fn verify(&self, pae: &[u8], trust: &Trust, now: i64) -> Option<Vec<i64>> {
        let entry = self.entry;
        let body = entry.canonicalized_body.as_deref()?;
        let mut named = (0..)
            .zip(&trust.root.tlogs)
            .filter(|(_, log)| is_named(log, entry));
        let (Some((place, log)), None) = (named.next(), named.next()) else {
            return None;
        };
        let key = trust.known.log(place)?;
        // Of a log that has ended, checkpoints still count.
        let present = Timestamp::from_second(now).ok()?;
        let window = log.public_key.valid_for;
        if window.is_some_and(|window| !window.has_started_by(present)) {
            return None;
        }
        match (entry.kind.as_str(), entry.version.as_str()) {
            ("dsse", "0.0.1") => {
                if !self.is_dsse(body) {
                    return None;
                }
                let index = entry.inclusion_proof.as_ref()?.log_index;
                verify_inclusion(entry, body, index, log, key)?;
                Some(vec![self.verify_promise(body, log, key, now)?])
            }
            // An entry of Rekor v2 has neither a promise nor a time.
            ("hashedrekord", "0.0.2")
                if entry.inclusion_promise.is_none() && entry.integrated_time.is_none() =>
            {
                if body != self.hashedrekord(pae) {
                    return None;
                }
                verify_inclusion(entry, body, entry.log_index, log, key)?;
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// The one entry of Rekor v2 about this signing with a key of P-256. Its members are in the order of RFC 8785, and no value
    /// has a character that JSON escapes.
    fn hashedrekord(&self, pae: &[u8]) -> Vec<u8> {
        format!(
            concat!(
                r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"#,
                r#""data":{{"algorithm":"SHA2_256","digest":"{}"}},"signature":{{"content":"{}","verifier":{{"#,
                r#""keyDetails":"PKIX_ECDSA_P256_SHA_256","x509Certificate":{{"rawBytes":"{}"}}}}}}}}}}}}"#
            ),
            STANDARD.encode(sha256(pae).as_bytes()),
            STANDARD.encode(self.signature),
            STANDARD.encode(self.certificate),
        )
        .into_bytes()
    }

    /// Whether a body is that of the one entry of Rekor v1 about this payload, signature and certificate: as for v2, with any
    /// hash of the whole envelope, which is checked for each bundle, also by whom it was verified. Rekor v1 writes the
    /// certificate as PEM, in lines of 64 characters.
    fn is_dsse(&self, body: &[u8]) -> bool {
        let before = concat!(
            r#"{"apiVersion":"0.0.1","kind":"dsse","spec":{"#,
            r#""envelopeHash":{"algorithm":"sha256","value":""#
        );
        let after = format!(
            concat!(
                r#""}},"payloadHash":{{"algorithm":"sha256","value":"{}"}},"#,
                r#""signatures":[{{"signature":"{}","verifier":"{}"}}]}}}}"#
            ),
            sha256(&self.envelope.payload).to_hex(),
            STANDARD.encode(self.signature),
            STANDARD.encode(pem::encode("CERTIFICATE", self.certificate)),
        );
        let hash = body
            .strip_prefix(before.as_bytes())
            .and_then(|rest| rest.strip_suffix(after.as_bytes()));
        hash.is_some_and(|hash| hash.iter().all(u8::is_ascii_hexdigit))
    }

    /// The promise of a log of Rekor v1 to include the entry: the time that it has signed, at which its key was trusted.
    fn verify_promise(
        &self,
        body: &[u8],
        log: &TransparencyLog,
        key: &VerificationKey,
        now: i64,
    ) -> Option<i64> {
        let (promise, time) = (
            self.entry.inclusion_promise.as_deref()?,
            self.entry.integrated_time?,
        );
        let at = Timestamp::from_second(time).ok()?;
        let window = log.public_key.valid_for;
        let id = Sha256Hash::try_from(self.entry.log_id.as_slice()).ok()?;
        // A log's own time may not lie ahead at all.
        if time > now
            || self.entry.log_index > MAX_INDEX
            || window.is_some_and(|window| !window.contains(at))
        {
            return None;
        }
        // As the log writes it: RFC 8785.
        let message = format!(
            r#"{{"body":"{}","integratedTime":{time},"logID":"{}","logIndex":{}}}"#,
            STANDARD.encode(body),
            id.to_hex(),
            self.entry.log_index,
        );
        key.verify(message, &SignatureBytes::from_bytes(promise))
            .ok()?;
        Some(time)
    }
}

/// That the log has signed the tree of the proof, and that the entry is in it at this index.
fn verify_inclusion(
    entry: &TlogEntry,
    body: &[u8],
    index: u64,
    log: &TransparencyLog,
    key: &VerificationKey,
) -> Option<()> {
    let proof = entry.inclusion_proof.as_ref()?;
    let checkpoint = Checkpoint::from_text(proof.checkpoint.as_deref()?).ok()?;
    let root = Sha256Hash::new(proof.root_hash);
    if checkpoint.tree_size() != proof.tree_size || *checkpoint.root_hash() != root {
        return None;
    }
    let hashes = proof.hashes.iter().copied();
    let hashes: Vec<Sha256Hash> = hashes.map(Sha256Hash::new).collect();
    let leaf = hash_leaf(body);
    verify_inclusion_proof(&leaf, index, proof.tree_size, &hashes, &root).ok()?;
    // The first bytes of the log's id say which signature of the checkpoint is its own (C2SP signed-note).
    let hint = log.log_id.key_id.as_bytes().get(..4)?;
    let mut signatures = checkpoint.signatures().iter();
    signatures
        .any(|signature| {
            signature.key_id.as_bytes() == hint
                && key
                    .verify(checkpoint.signed_data(), &signature.signature)
                    .is_ok()
        })
        .then_some(())
}
