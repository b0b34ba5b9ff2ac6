//! A keyless signature on its way: signed, but not yet timestamped or logged everywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificate::Certificate;
use super::entry::{self, AnswerError, LogRequest};
use super::key::{EphemeralKey, KeyFailure};
use crate::bundle::{Bundle, Content, TlogEntry};
use crate::dsse::{self, IN_TOTO_PAYLOAD_TYPE};
use crate::keyless_error::{Check, KeylessError};
use crate::sigstore::policy::{IdentityPattern, Policy};
use crate::sigstore::trust::Trust;
use crate::sigstore::verified::Verified;
use crate::verify::{MAX_SIGNATURE_BYTES, MEDIA_TYPE, Method, SignatureFile, VerifyError};

/// Why a draft cannot be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The cryptographic library failed.
    #[error(transparent)]
    Key(#[from] KeyFailure),
    /// A statement so long that no verifier would read the signature file.
    #[error("a statement of {bytes} bytes is too long for a signature file")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The file is no signature file.
    #[error(transparent)]
    File(#[from] VerifyError),
    /// The file is a signature of another kind.
    #[error("it is signed with {found}, not by an identity of Sigstore")]
    Method {
        /// What it is signed with.
        found: Method,
    },
    /// The certificate in the file cannot be read.
    #[error(transparent)]
    Certificate(#[from] KeylessError),
}

/// A keyless signature that may still lack timestamps and log entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    certificate: Certificate,
    payload: Vec<u8>,
    signature: Vec<u8>,
    timestamps: Vec<Vec<u8>>,
    entries: Vec<TlogEntry>,
}

/// A keyless signature that was verified as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// The signature file.
    pub file: Vec<u8>,
    /// What was verified: by whom, when, and where it is logged.
    pub verified: Verified,
}

impl Draft {
    /// Signs `payload`, an in-toto statement, with the key that the certificate is for.
    ///
    /// # Errors
    ///
    /// [`DraftError::Key`] and [`DraftError::TooLong`].
    pub fn sign(
        payload: Vec<u8>,
        key: &EphemeralKey,
        certificate: Certificate,
    ) -> Result<Self, DraftError> {
        if payload.len().div_ceil(3).saturating_mul(4) > MAX_SIGNATURE_BYTES / 2 {
            return Err(DraftError::TooLong {
                bytes: payload.len(),
            });
        }
        let signature = key.sign(&dsse::pae(IN_TOTO_PAYLOAD_TYPE, &payload))?;
        Ok(Self {
            certificate,
            payload,
            signature,
            timestamps: Vec::new(),
            entries: Vec::new(),
        })
    }

    /// Reads what [`to_json`](Self::to_json) has written. Nothing is verified: [`finish`](Self::finish) does that.
    ///
    /// # Errors
    ///
    /// [`DraftError`].
    pub fn parse(json: &[u8]) -> Result<Self, DraftError> {
        let file = SignatureFile::parse(json)?;
        let found = file.method();
        let bundle = file.bundle();
        let (Some(certificate), true, Content::Dsse(envelope)) = (
            bundle.leaf_certificate(),
            bundle.has_single_certificate(),
            bundle.content(),
        ) else {
            return Err(DraftError::Method { found });
        };
        Ok(Self {
            certificate: Certificate::of(certificate.to_vec())?,
            payload: envelope.payload.clone(),
            signature: file.signature().to_vec(),
            timestamps: bundle.timestamps().to_vec(),
            entries: bundle.tlog_entries().to_vec(),
        })
    }

    /// By whom it is signed.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature, which timestamps are over.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// How many timestamps it has.
    pub fn timestamps(&self) -> usize {
        self.timestamps.len()
    }

    /// How many log entries it has.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Adds a timestamp (TimeStampResp in DER).
    pub fn add_timestamp(&mut self, response: Vec<u8>) {
        self.timestamps.push(response);
    }

    /// What a log with this version of Rekor's interface is to be asked for, 1 or 2.
    pub fn log_request(&self, version: u32) -> LogRequest {
        if version == 1 {
            entry::request_v1(&self.payload, &self.signature, &self.certificate.der)
        } else {
            entry::request_v2(&self.payload, &self.signature, &self.certificate.der)
        }
    }

    /// Adds the entry that a log has answered with to [`log_request`](Self::log_request). It is verified when the draft is
    /// finished.
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub fn add_entry(&mut self, version: u32, answer: &[u8]) -> Result<(), AnswerError> {
        self.entries.push(if version == 1 {
            entry::of_v1(answer)?
        } else {
            entry::of_v2(answer)?
        });
        Ok(())
    }

    /// Adds the entry of a Rekor v2 log that has it already and returns only its index: with the log's `checkpoint`, a tree
    /// that has it, and the way from the entry to the root of that tree.
    ///
    /// # Errors
    ///
    /// [`AnswerError`], if the checkpoint cannot be read.
    pub fn add_logged_entry(
        &mut self,
        index: u64,
        checkpoint: &str,
        hashes: Vec<[u8; 32]>,
        trust: &Trust,
    ) -> Result<(), AnswerError> {
        let body = entry::body_v2(&self.payload, &self.signature, &self.certificate.der);
        let entry = entry::of_tree(body, index, checkpoint, hashes, trust)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Takes all entries away: they are not what they should be.
    pub fn remove_entries(&mut self) {
        self.entries.clear();
    }

    /// Takes all timestamps away, as [`remove_entries`](Self::remove_entries) does with entries.
    pub fn remove_timestamps(&mut self) {
        self.timestamps.clear();
    }

    /// The latest time at which a log has integrated an entry, in seconds of Unix time. It has not been verified.
    pub fn latest_time(&self) -> Option<i64> {
        let times = self
            .entries
            .iter()
            .filter_map(|entry| entry.integrated_time);
        times.max()
    }

    /// The bundle, as verifiers read it; without entries of a log, none will accept it. It has no private key in it.
    pub fn to_json(&self) -> Vec<u8> {
        let base64_bytes = self.payload.len().div_ceil(3).saturating_mul(4);
        // Base64 and constants need no escapes; checkpoints are written by serde_json.
        let mut file = String::with_capacity(base64_bytes + (64 << 10));
        file.push_str("{\"mediaType\":\"");
        file.push_str(MEDIA_TYPE);
        file.push_str("\",\"verificationMaterial\":{\"certificate\":{\"rawBytes\":\"");
        STANDARD.encode_string(&self.certificate.der, &mut file);
        file.push_str("\"},\"tlogEntries\":[");
        for (index, logged) in self.entries.iter().enumerate() {
            file.push_str(if index == 0 { "" } else { "," });
            file.push_str(&entry::to_json(logged));
        }
        file.push_str("],\"timestampVerificationData\":{\"rfc3161Timestamps\":[");
        for (index, response) in self.timestamps.iter().enumerate() {
            file.push_str(if index == 0 { "" } else { "," });
            file.push_str("{\"signedTimestamp\":\"");
            STANDARD.encode_string(response, &mut file);
            file.push_str("\"}");
        }
        file.push_str("]}},\"dsseEnvelope\":");
        file.push_str(&entry::envelope(&self.payload, &self.signature));
        file.push('}');
        file.into_bytes()
    }

    /// Verifies the whole signature as every verifier will, for the identity of its certificate. `now` is the present, in
    /// seconds of Unix time.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Keyless`], which names the check that failed.
    pub fn finish(&self, trust: &Trust, now: i64) -> Result<Finished, VerifyError> {
        let identity = &self.certificate.identity;
        let name = identity.names.first().map(|name| name.text.as_str());
        let policy = Policy {
            identity: IdentityPattern::exact(name.unwrap_or_default()),
            issuer: identity.issuer.clone(),
            require: Vec::new(),
        };
        let file = self.to_json();
        let opened = SignatureFile::parse(&file)?.verify_keyless(&policy, trust, now)?;
        Ok(Finished {
            file,
            verified: opened.verified,
        })
    }

    pub(super) fn bundle(&self) -> Result<Bundle, KeylessError> {
        Bundle::parse(&self.to_json())
            .map_err(|error| KeylessError::new(Check::Bundle, error.to_string()))
    }
}
