//! A bundle as this library has read it, in the types of `sigstore-verify`. Nothing is read twice, so that no two readers
//! can differ on it.

use sigstore_verify::types::bundle::{
    CertificateContent, CheckpointData, InclusionPromise, InclusionProof, MessageDigest,
    MessageSignature, Rfc3161Timestamp, TimestampVerificationData, VerificationMaterialContent,
    X509Certificate,
};
use sigstore_verify::types::{
    Bundle, CanonicalizedBody, DerCertificate, DigestBytes, DsseEnvelope, DsseSignature,
    HashAlgorithm, KeyId, KindVersion, LogId, LogIndex, LogKeyId, MediaType, PayloadBytes,
    PublicKeyIdentifier, Sha256Hash, SignatureBytes, SignatureContent, SignedTimestamp,
    TimestampToken, TransparencyLogEntry, VerificationMaterial,
};

use crate::bundle::{self, Content, DigestAlgorithm, TlogEntry};
use crate::keyless_error::{Check, KeylessError};

/// The bundle with these log entries and timestamps in place of its own.
pub(super) fn bundle(
    read: &bundle::Bundle,
    entries: &[TlogEntry],
    timestamps: &[Vec<u8>],
) -> Result<Bundle, KeylessError> {
    let media_type: MediaType = read
        .media_type()
        .parse()
        .map_err(|_| malformed("the media type is unknown"))?;
    let entries = entries.iter().map(entry);
    let stamps = timestamps
        .iter()
        .map(|der| Rfc3161Timestamp::new(TimestampToken::from_bytes(der)));
    let material = VerificationMaterial::new(signer(read))
        .with_tlog_entries(entries.collect::<Result<_, _>>()?)
        .with_timestamp_verification_data(TimestampVerificationData::new(stamps.collect()));
    Ok(Bundle::new(media_type, material, content(read)?))
}

fn signer(read: &bundle::Bundle) -> VerificationMaterialContent {
    match read.certificates() {
        [] => VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new(
            read.public_key_hint().unwrap_or_default(),
        )),
        [leaf, ..] if read.has_single_certificate() => VerificationMaterialContent::Certificate(
            CertificateContent::new(DerCertificate::from_bytes(leaf)),
        ),
        chain => VerificationMaterialContent::X509CertificateChain {
            certificates: chain
                .iter()
                .map(|der| X509Certificate::new(DerCertificate::from_bytes(der)))
                .collect(),
        },
    }
}

fn content(read: &bundle::Bundle) -> Result<SignatureContent, KeylessError> {
    Ok(match read.content() {
        Content::Dsse(envelope) => {
            let [signature] = envelope.signatures.as_slice() else {
                let found = envelope.signatures.len();
                return Err(malformed(format!(
                    "the envelope has {found} signatures, not one"
                )));
            };
            let keyid = KeyId::new(signature.keyid.as_deref().unwrap_or_default());
            SignatureContent::DsseEnvelope(DsseEnvelope::new(
                envelope.payload_type.clone(),
                PayloadBytes::from_bytes(&envelope.payload),
                DsseSignature::new(SignatureBytes::from_bytes(&signature.sig), keyid),
            ))
        }
        Content::Message {
            digest_algorithm,
            digest,
            signature,
        } => {
            let algorithm = match digest_algorithm {
                DigestAlgorithm::Sha2_256 => HashAlgorithm::Sha2256,
                DigestAlgorithm::Sha2_384 => HashAlgorithm::Sha2384,
                DigestAlgorithm::Sha2_512 => HashAlgorithm::Sha2512,
                DigestAlgorithm::Sha3_256 | DigestAlgorithm::Sha3_384 => {
                    return Err(malformed("a digest by SHA-3 is not verified here"));
                }
            };
            let digest = MessageDigest::new(algorithm, DigestBytes::new(digest.to_vec()));
            SignatureContent::MessageSignature(
                MessageSignature::new(SignatureBytes::from_bytes(signature))
                    .with_message_digest(digest),
            )
        }
    })
}

fn entry(read: &TlogEntry) -> Result<TransparencyLogEntry, KeylessError> {
    let kind = match (read.kind.as_str(), read.version.as_str()) {
        ("hashedrekord", "0.0.1") => KindVersion::HashedRekordV001,
        ("hashedrekord", "0.0.2") => KindVersion::HashedRekordV002,
        ("dsse", "0.0.1") => KindVersion::DsseV001,
        ("intoto", "0.0.2") => KindVersion::IntotoV002,
        (kind, version) => {
            return Err(KeylessError::new(
                Check::LogEntry,
                format!("a log entry of the kind {kind:?} {version:?} is not verified here"),
            ));
        }
    };
    let body = read
        .canonicalized_body
        .as_deref()
        .ok_or_else(|| malformed("a log entry has no canonicalizedBody"))?;
    let mut entry = TransparencyLogEntry::new(
        index(read.log_index)?,
        LogId::new(LogKeyId::from_bytes(&read.log_id)),
        kind,
        CanonicalizedBody::from_bytes(body),
    );
    if let Some(seconds) = read.integrated_time {
        let time = jiff::Timestamp::from_second(seconds)
            .map_err(|_| malformed("a log entry's integratedTime is out of range"))?;
        entry = entry.with_integrated_time(time);
    }
    if let Some(promise) = &read.inclusion_promise {
        let promise = SignedTimestamp::from_bytes(promise);
        entry = entry.with_inclusion_promise(InclusionPromise::new(promise));
    }
    if let Some(proof) = &read.inclusion_proof {
        let checkpoint = proof.checkpoint.clone().unwrap_or_default();
        let checkpoint = CheckpointData::new(checkpoint)
            .map_err(|error| KeylessError::new(Check::Checkpoint, error.to_string()))?;
        let hashes = proof.hashes.iter().copied().map(Sha256Hash::new).collect();
        entry = entry.with_inclusion_proof(InclusionProof::new(
            index(proof.log_index)?,
            Sha256Hash::new(proof.root_hash),
            proof.tree_size,
            hashes,
            checkpoint,
        ));
    }
    Ok(entry)
}

fn index(index: u64) -> Result<LogIndex, KeylessError> {
    LogIndex::new(index).map_err(|_| malformed("the index of a log entry is out of range"))
}

fn malformed(reason: impl Into<String>) -> KeylessError {
    KeylessError::new(Check::Bundle, reason)
}
