//! Verifies a directory: every file, and what the files prove together.
//!
//! The result depends on the files and the anchor alone, and not on the present time: a certificate is judged at the beginning
//! of its own validity.

use std::collections::BTreeMap;

use model_signing::bundle::{Bundle, Content};
use model_signing::key::PublicKey;
use model_signing::statement::Statement;
use model_signing::verify::SignatureFile;
use tlog::{Checkpoint, Hash, Origin, leaf_hash, verify_inclusion};

use super::anchor::{Anchor, verifiers};
use super::facts::Claimed;
use super::format::{
    BUNDLE, CERTIFICATE, CHAIN, CHECKPOINT, FINDING, Files, INCLUSION, Inclusion, LEAF, MANIFEST,
    Manifest, SIGNATURE, TRUSTED_ROOT, read_hash, required, sha256,
};
use super::package::{chain, is_of, whole_certificate};
use crate::codec::certificate_pem;
use crate::expect;
use crate::identity::{Anomaly, Certificate, Chain, Signer};
use crate::log::{Protocol, open_checkpoint};
use crate::trust::TrustedRoot;

/// Something in a directory does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {check}: {why}")]
pub struct Refused {
    /// The file, or the name of a file.
    pub file: String,
    /// The check that failed, a word.
    pub check: &'static str,
    /// Why.
    pub why: String,
}

/// What a directory proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The type of the log.
    pub protocol: Protocol,
    /// Where the entry is.
    pub inclusion: Inclusion,
    /// Who signed, as the leaf has it; `None`: the finding names no signer.
    pub signer: Option<Signer>,
    /// Whether an authority of the anchor issued the certificate.
    pub chain: Option<Chain>,
    /// What was checked and holds, for people.
    pub held: Vec<String>,
    /// Whether the trust is from outside.
    pub outcome: Outcome,
}

/// Whether the trust is from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything holds by the anchor.
    Holds,
    /// The files agree with each other, but the anchor does not know the log or the authority: why.
    OnlyItself(Vec<String>),
}

fn refuse<T>(file: &str, check: &'static str, why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused {
        file: file.to_owned(),
        check,
        why: why.into(),
    })
}

/// Verifies the files of a directory.
///
/// # Errors
/// The first check that fails, with its file.
pub fn check(files: &Files, anchor: &Anchor) -> Result<Checked, Refused> {
    let protocol = check_list(files)?;
    let mut held = vec![format!(
        "{} files have the hashes of {MANIFEST}",
        files.len() - 1
    )];
    let inclusion: Inclusion = json(files, INCLUSION)?;
    let leaf = get(files, LEAF)?;
    let root = check_inclusion(leaf, &inclusion, protocol)?;
    held.push(format!(
        "the leaf is number {} of a tree of {} with the root {}",
        inclusion.tree_index, inclusion.tree_size, inclusion.root_hash
    ));
    let own_root = match files.get(TRUSTED_ROOT) {
        Some(bytes) => match TrustedRoot::parse(bytes) {
            Ok(root) => Some(root),
            Err(error) => return refuse(TRUSTED_ROOT, "format", error.to_string()),
        },
        None => None,
    };
    let mut doubts = Vec::new();
    let note = get(files, CHECKPOINT)?;
    let signed_by = check_checkpoint(note, &inclusion, root, protocol, anchor, own_root.as_ref())?;
    match signed_by {
        SignedBy::Anchor => held.push(format!(
            "a key of {} in {} signed that root",
            inclusion.origin, anchor.name
        )),
        SignedBy::Directory => doubts.push(format!(
            "{} has no key of {}, and one in {TRUSTED_ROOT} signed that root",
            anchor.name, inclusion.origin
        )),
        SignedBy::Unknown => doubts.push(format!(
            "{} has no key of {}: --log-key or --trusted-root names one",
            anchor.name, inclusion.origin
        )),
    }
    let claimed: Claimed = json(files, FINDING)?;
    let signer = check_finding(&claimed, &inclusion, protocol, leaf)?;
    held.push(format!(
        "{FINDING} has the place, names and digest of the leaf"
    ));
    let chain = check_signer(
        files,
        signer.as_ref(),
        &claimed,
        anchor,
        own_root.as_ref(),
        &mut held,
        &mut doubts,
    )?;
    if let Some(bytes) = files.get(BUNDLE) {
        check_bundle(bytes, leaf, &claimed)?;
        held.push(format!("{BUNDLE} is of this signing"));
    }
    match (files.get(SIGNATURE), &anchor.public_key) {
        (Some(bytes), Some(key)) => {
            check_signed(bytes, files)?;
            check_signer_of_files(bytes, key)?;
            held.push(format!(
                "{SIGNATURE} is a signature over exactly these files, by the given public key"
            ));
        }
        (Some(bytes), None) => {
            check_signed(bytes, files)?;
            held.push(format!(
                "{SIGNATURE} lists exactly these files; whether it verifies, and with whose key, is not checked without --public-key"
            ));
        }
        (None, Some(_)) => {
            let why =
                "the file is missing: a directory that is verified with a public key must have it";
            return refuse(SIGNATURE, "listed", why);
        }
        (None, None) => {}
    }
    let outcome = if doubts.is_empty() {
        Outcome::Holds
    } else {
        Outcome::OnlyItself(doubts)
    };
    Ok(Checked {
        protocol,
        inclusion,
        signer,
        chain,
        held,
        outcome,
    })
}

fn get<'a>(files: &'a Files, name: &str) -> Result<&'a [u8], Refused> {
    match files.get(name) {
        Some(bytes) => Ok(bytes),
        None => refuse(name, "listed", "the file is missing"),
    }
}

/// A file of JSON, which must be spelled as the format demands where this program alone writes it.
fn json<T: serde::de::DeserializeOwned>(files: &Files, name: &str) -> Result<T, Refused> {
    serde_json::from_slice(get(files, name)?)
        .or_else(|error| refuse(name, "format", error.to_string()))
}

/// Every file is listed with its hash, every listed file is there, and there is no other.
fn check_list(files: &Files) -> Result<Protocol, Refused> {
    let (manifest, protocol) = Manifest::read(get(files, MANIFEST)?)
        .or_else(|error| refuse(MANIFEST, "format", error.to_string()))?;
    for (name, expected) in &manifest.files {
        if [MANIFEST, SIGNATURE].contains(&name.as_str()) {
            return refuse(
                MANIFEST,
                "listed",
                format!("lists {name}, which no list can hold"),
            );
        }
        let Some(bytes) = files.get(name) else {
            return refuse(
                name,
                "listed",
                format!("{MANIFEST} lists it, and it is missing"),
            );
        };
        let found = sha256(bytes);
        if found != *expected {
            let why = format!("its SHA-256 is {found}, and {MANIFEST} has {expected}");
            return refuse(name, "sha256", why);
        }
    }
    for name in files.keys() {
        let is_listed =
            manifest.files.contains_key(name) || [MANIFEST, SIGNATURE].contains(&name.as_str());
        if !is_listed {
            return refuse(name, "listed", format!("{MANIFEST} does not list it"));
        }
    }
    for name in required() {
        get(files, name)?;
    }
    Ok(protocol)
}

/// The root that leaf and proof lead to.
fn check_inclusion(
    leaf: &[u8],
    inclusion: &Inclusion,
    protocol: Protocol,
) -> Result<Hash, Refused> {
    let hash = leaf_hash(leaf);
    if hash.to_hex() != inclusion.leaf_hash {
        return refuse(
            LEAF,
            "leaf-hash",
            format!(
                "its leaf hash is {hash}, and {INCLUSION} has {}",
                inclusion.leaf_hash
            ),
        );
    }
    let is_global = protocol.has_several_trees() && inclusion.log_index >= inclusion.tree_index;
    if inclusion.log_index != inclusion.tree_index && !is_global {
        return refuse(
            INCLUSION,
            "index",
            "log_index and tree_index do not belong together",
        );
    }
    let (Some(root), Some(path)) = (read_hash(&inclusion.root_hash), inclusion.path()) else {
        return refuse(
            INCLUSION,
            "format",
            "a hash is not 32 bytes in lower-case hex",
        );
    };
    match verify_inclusion(
        &hash,
        inclusion.tree_index,
        inclusion.tree_size,
        &path,
        &root,
    ) {
        Ok(()) => Ok(root),
        Err(error) => refuse(INCLUSION, "inclusion", error.to_string()),
    }
}

/// Whose key signed the checkpoint.
enum SignedBy {
    Anchor,
    /// One in the directory's own trusted root, and the anchor does not know the log.
    Directory,
    /// Nobody here knows the log.
    Unknown,
}

fn check_checkpoint(
    note: &[u8],
    inclusion: &Inclusion,
    root: Hash,
    protocol: Protocol,
    anchor: &Anchor,
    own_root: Option<&TrustedRoot>,
) -> Result<SignedBy, Refused> {
    let refused = |check, why: String| refuse(CHECKPOINT, check, why);
    let origin = Origin::new(&inclusion.origin)
        .or_else(|error| refuse(INCLUSION, "format", format!("origin: {error}")))?;
    let of_anchor = anchor.verifiers(protocol, &origin);
    let own = own_root
        .map(|own| verifiers(own, protocol, &origin))
        .unwrap_or_default();
    let (keys, signed_by) = match (of_anchor.is_empty(), own.is_empty()) {
        (false, _) => (of_anchor, SignedBy::Anchor),
        (true, false) => (own, SignedBy::Directory),
        (true, true) => (Vec::new(), SignedBy::Unknown),
    };
    let stated = if let SignedBy::Unknown = signed_by {
        unsigned(note)
    } else {
        match open_checkpoint(note, &origin, &keys) {
            Ok(checkpoint) => Some(of(&checkpoint)),
            Err(error) => return refused("signature", error.to_string()),
        }
    };
    let expected = (inclusion.origin.clone(), inclusion.tree_size, root);
    match stated {
        Some(stated) if stated == expected => Ok(signed_by),
        Some(_) => refused(
            "root",
            format!("it is of another tree than {INCLUSION}: origin, size and root must be equal"),
        ),
        None => refused("format", "it is not a checkpoint".to_owned()),
    }
}

fn of(checkpoint: &Checkpoint) -> (String, u64, Hash) {
    (
        checkpoint.origin().as_str().to_owned(),
        checkpoint.size(),
        checkpoint.root(),
    )
}

/// What a checkpoint states, without its signature.
fn unsigned(note: &[u8]) -> Option<(String, u64, Hash)> {
    let text = std::str::from_utf8(note).ok()?;
    let mut lines = text.lines();
    let origin = lines.next()?.to_owned();
    let size = lines.next()?.parse().ok()?;
    Some((origin, size, Hash::from_base64(lines.next()?).ok()?))
}

fn check_finding(
    claimed: &Claimed,
    inclusion: &Inclusion,
    protocol: Protocol,
    leaf: &[u8],
) -> Result<Option<Signer>, Refused> {
    for (field, agrees) in [
        ("origin", claimed.origin == inclusion.origin),
        ("index", claimed.index == inclusion.log_index),
        ("leaf_hash", claimed.leaf_hash == inclusion.leaf_hash),
    ] {
        if !agrees {
            return refuse(
                FINDING,
                "place",
                format!("{field} is not that of {INCLUSION}"),
            );
        }
    }
    claimed
        .signer(protocol, leaf)
        .or_else(|why| refuse(FINDING, "entry", why))
}

/// The certificate is the one in the leaf, and its chain leads to an authority.
fn check_signer(
    files: &Files,
    signer: Option<&Signer>,
    claimed: &Claimed,
    anchor: &Anchor,
    own_root: Option<&TrustedRoot>,
    held: &mut Vec<String>,
    doubts: &mut Vec<String>,
) -> Result<Option<Chain>, Refused> {
    let whole = signer.and_then(whole_certificate);
    check_pem(
        files,
        CERTIFICATE,
        whole.map(|certificate| certificate_pem(certificate.der()).into_bytes()),
        "the one in the leaf",
    )?;
    let above = own_root
        .zip(whole)
        .and_then(|(root, certificate)| chain(root, certificate));
    check_pem(
        files,
        CHAIN,
        above,
        &format!("those of {TRUSTED_ROOT} that issued the certificate"),
    )?;
    if whole.is_some() {
        held.push(format!("{CERTIFICATE} is the certificate in the leaf"));
    }
    let Some(certificate) = signer.and_then(Signer::certificate) else {
        return Ok(signer.map(|_| Chain::None));
    };
    let assessment = anchor.authorities().judge(certificate);
    let outside = Anomaly::OutsideAuthorityValidity;
    let is_outside = assessment.anomalies.contains(&outside)
        && !claimed.anomalies.contains(&outside.to_string());
    match assessment.chain {
        Chain::Trusted if is_outside => {
            let why = format!(
                "the authority that issued it was not trusted at {}",
                certificate.not_before()
            );
            return refuse(CERTIFICATE, "authority", why);
        }
        Chain::Trusted => held.push(format!(
            "an authority in {} issued the certificate at {}",
            anchor.name,
            certificate.not_before()
        )),
        _ if claimed.chain != Some(Chain::Trusted) => held.push(format!(
            "no authority in {} issued the certificate: anyone can make one with any name",
            anchor.name
        )),
        _ if is_trusted_by(own_root, certificate) => doubts.push(format!(
            "{} has no authority that issued the certificate, and {TRUSTED_ROOT} has one",
            anchor.name
        )),
        _ => {
            let why = format!(
                "{FINDING} calls it trusted, and no authority in {} or in {TRUSTED_ROOT} issued it",
                anchor.name
            );
            return refuse(CERTIFICATE, "authority", why);
        }
    }
    Ok(Some(assessment.chain))
}

fn is_trusted_by(root: Option<&TrustedRoot>, certificate: &Certificate) -> bool {
    root.is_some_and(|root| root.authorities().judge(certificate).chain == Chain::Trusted)
}

/// A file with certificates is exactly what the other files lead to.
fn check_pem(
    files: &Files,
    name: &str,
    expected: Option<Vec<u8>>,
    what: &str,
) -> Result<(), Refused> {
    match (files.get(name), expected) {
        (Some(found), Some(expected)) if *found != expected => refuse(
            name,
            "certificate",
            format!("its certificates are not {what}"),
        ),
        (Some(_), None) => refuse(
            name,
            "certificate",
            format!("there is no certificate that could be {what}"),
        ),
        (None, Some(_)) => refuse(name, "listed", "the file is missing"),
        _ => Ok(()),
    }
}

/// The signature over the directory lists exactly its files. Whose it is, only a verifier with the key of the signer can say.
fn check_signed(bytes: &[u8], files: &Files) -> Result<(), Refused> {
    let read = SignatureFile::parse(bytes).map_err(|error| error.to_string());
    let read = read.and_then(|file| {
        Statement::parse(file.unverified_payload()).map_err(|error| error.to_string())
    });
    let statement = read.or_else(|why| refuse(SIGNATURE, "format", why))?;
    let signed: BTreeMap<String, String> = statement
        .manifest
        .resources()
        .iter()
        .map(|resource| {
            (
                resource.name().to_string(),
                hex::encode(resource.digest.as_bytes()),
            )
        })
        .collect();
    let others = files.iter().filter(|(name, _)| *name != SIGNATURE);
    let found: BTreeMap<String, String> = others
        .map(|(name, bytes)| (name.clone(), sha256(bytes)))
        .collect();
    let differs = |name: &&String| signed.get(*name) != found.get(*name);
    match signed.keys().chain(found.keys()).find(differs) {
        Some(name) => refuse(
            SIGNATURE,
            "signed",
            format!("it was made over another {name}"),
        ),
        None => Ok(()),
    }
}

/// The signature over the directory is by this key.
fn check_signer_of_files(bytes: &[u8], key: &PublicKey) -> Result<(), Refused> {
    let bundle = Bundle::parse(bytes).or_else(|e| refuse(SIGNATURE, "format", e.to_string()))?;
    let Content::Dsse(envelope) = bundle.content() else {
        return refuse(SIGNATURE, "format", "it is not a signature of a statement");
    };
    // `SignatureFile` has refused a file with another number of signatures.
    let is_signed = envelope
        .signatures
        .iter()
        .any(|one| key.verify(&envelope.pae(), &one.sig).is_ok());
    if is_signed {
        return Ok(());
    }
    refuse(SIGNATURE, "signed", "it is not by the given public key")
}

fn check_bundle(bytes: &[u8], leaf: &[u8], claimed: &Claimed) -> Result<(), Refused> {
    match expect::from_bundle(bytes) {
        Ok(bundle) if is_of(&bundle, leaf, claimed.key_sha256.as_deref()) => Ok(()),
        Ok(_) => refuse(BUNDLE, "entry", "it is of another signing"),
        Err(error) => refuse(BUNDLE, "format", error.to_string()),
    }
}
