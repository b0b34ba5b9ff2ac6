//! What an entry holds beside its signings, or in their place: found by a search, and told without claiming more.
//!
//! Anyone can put the owner's public certificate where one reader finds a signer and others do not. So what only a search
//! finds is never a signing by that identity. It is an unreadable entry, at the severity of the watch that it names.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest as _, Sha256};

use super::Rules;
use super::judge::{Judge, Place, who};
use crate::entry::{self, Entry, EntryError, Found, Kind, Signing, Unreadable};
use crate::escape;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, Verdict};
use crate::identity::{Certificate, Extension, Key, MAX_NAMES, Signer};

/// Most reasons that a summary lists: an entry has as many as it has verifiers.
const MOST_REASONS: usize = 3;

/// What a search of a leaf found.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// The watches that something in it names, or may.
    watches: BTreeMap<usize, Trace>,
    /// Why the search does not say everything.
    limit: Option<&'static str>,
}

/// How a leaf names a watch.
#[derive(Debug)]
enum Trace {
    /// By a text of the watch.
    Text,
    /// By this signer.
    Signer(Signer),
    /// Perhaps: it was not searched to its end, and the watch looks for what no text shows.
    Unsearched,
}

impl Hidden {
    /// What is hidden in an entry that was read; nothing, without a search, if all readers read all of it alike.
    pub(super) fn beside(entry: &Entry, leaf: &[u8], rules: &Rules) -> Self {
        if !entry.unreadable.is_empty() {
            Self::search(leaf, rules, &[])
        } else if entry.has_more {
            Self::search(leaf, rules, &entry.signings)
        } else {
            Self::default()
        }
    }

    /// What is hidden in a leaf of which nothing was read.
    pub(super) fn in_leaf(leaf: &[u8], rules: &Rules) -> Self {
        Self::search(leaf, rules, &[])
    }

    /// Whether it names no watch, as far as a search that went to its end can say.
    pub(super) fn is_empty(&self) -> bool {
        self.watches.is_empty() && self.limit.is_none()
    }

    /// Leaves out the watches that only a text names, of those that are alarmed already: it is that of the signing.
    pub(super) fn without_texts_of(&mut self, alarmed: &[usize]) {
        self.watches
            .retain(|watch, trace| !matches!(trace, Trace::Text) || !alarmed.contains(watch));
    }

    fn search(leaf: &[u8], rules: &Rules, known: &[Signing]) -> Self {
        // As for the parser: a way to make it panic must not blind the watch.
        let searched = catch_unwind(AssertUnwindSafe(|| Self::of(leaf, rules, known)));
        searched.unwrap_or_else(|_| {
            let mut hidden = Self::default();
            for watch in rules.watches().literals_in(leaf) {
                hidden.watches.insert(watch, Trace::Text);
            }
            hidden.stop_at(
                "searching it failed in a way that this program did not foresee",
                rules,
            );
            hidden
        })
    }

    /// Notes why the search ended early: what it might have found is told to each watch that only it could tell.
    fn stop_at(&mut self, limit: &'static str, rules: &Rules) {
        self.limit = Some(limit);
        for watch in rules.watches().without_text() {
            self.watches.entry(watch).or_insert(Trace::Unsearched);
        }
    }

    fn of(leaf: &[u8], rules: &Rules, known: &[Signing]) -> Self {
        let watches = rules.watches();
        let names_certificates = watches.name_certificates();
        let mut hidden = Self::default();
        let mut matches = Vec::new();
        let is_whole = entry::search(leaf, &mut |found| match found {
            Found::Bytes(bytes) => {
                for watch in watches.literals_in(bytes) {
                    hidden.watches.entry(watch).or_insert(Trace::Text);
                }
            }
            Found::Signer(signer) => {
                matches.clear();
                watches.matches(&signer, &mut matches);
                if known.iter().any(|signing| signing.signer == signer) {
                    return;
                }
                for found in &matches {
                    let trace = hidden.watches.entry(found.watch).or_insert(Trace::Text);
                    if matches!(trace, Trace::Text) {
                        *trace = Trace::Signer(signer.clone());
                    }
                }
            }
            Found::Certificate(der) if names_certificates => {
                for watch in watches.naming_certificate(&Sha256::digest(der).into()) {
                    hidden.watches.entry(watch).or_insert(Trace::Text);
                }
            }
            Found::Certificate(_) => {}
        });
        if !is_whole {
            hidden.stop_at("it holds more than is searched", rules);
        }
        hidden
    }
}

impl Judge<'_> {
    /// An entry that was read: if a part of it cannot be understood one finding for each watch that it names, or one
    /// without a watch; if it only has more than was read, one for each watch that this names.
    pub(super) fn beside(
        &self,
        place: Place<'_>,
        entry: &Entry,
        hidden: &Hidden,
        findings: &mut Vec<NewFinding>,
    ) {
        let (ordinal, reason) = match entry.unreadable.first() {
            Some(first) => {
                let reasons = entry.unreadable.iter().map(Unreadable::to_string);
                (first.ordinal(), escape::few(reasons, MOST_REASONS))
            }
            None if hidden.is_empty() => return,
            None => {
                let signings = entry.signings.iter().map(|signing| signing.ordinal + 1);
                let reason = "it holds more than an entry of a known kind does".to_owned();
                (signings.max().unwrap_or(0), reason)
            }
        };
        self.unreadable(place, Some(&entry.kind), ordinal, &reason, hidden, findings);
    }

    /// A leaf that cannot be understood at all.
    pub(super) fn leaf(
        &self,
        place: Place<'_>,
        reason: &str,
        hidden: &Hidden,
        findings: &mut Vec<NewFinding>,
    ) {
        self.unreadable(place, None, 0, reason, hidden, findings);
    }

    fn unreadable(
        &self,
        place: Place<'_>,
        kind: Option<&Kind>,
        ordinal: u32,
        reason: &str,
        hidden: &Hidden,
        findings: &mut Vec<NewFinding>,
    ) {
        let mut said = format!(
            "entry {} of {} cannot be understood: {reason}",
            place.index, self.shard.name
        );
        if let Some(limit) = hidden.limit {
            said.push_str("; ");
            said.push_str(limit);
        }
        let mut add = |traced: Option<(usize, &Trace)>| {
            findings.push(self.one_unreadable(place, kind, ordinal, &said, traced));
        };
        if hidden.watches.is_empty() {
            add(None);
        }
        for (watch, trace) in &hidden.watches {
            add(Some((*watch, trace)));
        }
    }

    fn one_unreadable(
        &self,
        place: Place<'_>,
        kind: Option<&Kind>,
        ordinal: u32,
        said: &str,
        traced: Option<(usize, &Trace)>,
    ) -> NewFinding {
        let (watch, trace) = traced.unzip();
        let signer = trace.and_then(|trace| match trace {
            Trace::Signer(signer) => Some(signer),
            Trace::Text | Trace::Unsearched => None,
        });
        let watch_of = watch.map(|place| self.rules.watches().get(place));
        let origin = self.shard.origin.as_str();
        let mut summary = said.to_owned();
        match (watch_of, signer) {
            (None, _) => {}
            (Some(watch), None) if matches!(trace, Some(Trace::Unsearched)) => {
                summary.push_str("; what was not searched may hold what this watch looks for: ");
                summary.push_str(&watch.name);
            }
            (Some(watch), None) => {
                summary.push_str("; it holds a name that this watch looks for: ");
                summary.push_str(&watch.name);
            }
            (Some(watch), Some(signer)) => {
                summary.push_str("; a lenient reader may take ");
                summary.push_str(&who(signer, signer.names()));
                summary.push_str(" for its signer, whom this watch looks for: ");
                summary.push_str(&watch.name);
            }
        }
        let certificate = signer.and_then(Signer::certificate);
        NewFinding {
            finding: Finding {
                watch: watch_of.map(|w| w.name.clone()),
                log: Some(self.shard.name.clone()),
                origin: Some(origin.to_owned()),
                index: Some(place.index),
                leaf_hash: Some(place.hash.to_hex()),
                proven: Some(false),
                kind: kind.map(ToString::to_string),
                san: signer
                    .map(|signer| signer.names().iter().take(MAX_NAMES).cloned().collect())
                    .unwrap_or_default(),
                issuer: certificate.and_then(Certificate::issuer).map(str::to_owned),
                extensions: certificate.map(extensions).unwrap_or_default(),
                certificate_sha256: certificate.and_then(Certificate::sha256).map(hex::encode),
                key_sha256: signer.map(|signer| hex::encode(signer.key_sha256())),
                key_fingerprint: match signer {
                    Some(Signer::Key(key)) => Key::fingerprint(key).map(str::to_owned),
                    _ => None,
                },
                not_before: certificate.map(Certificate::not_before),
                ..Finding::new(
                    FindingId::of_unreadable(
                        watch_of.map(|w| w.name.as_str()),
                        origin,
                        place.index,
                        place.hash.as_bytes(),
                        ordinal,
                    ),
                    Verdict::Unreadable,
                    watch_of.map_or(Severity::Low, |w| w.severity),
                    summary,
                    self.now,
                )
            },
            rule: watch.and_then(|w| self.rules.rule(w)),
            evidence: Evidence {
                leaf: Some(place.leaf.to_vec()),
                ..Evidence::default()
            },
        }
    }
}

/// Fulcio's extensions by name, but for the issuer.
pub(super) fn extensions(certificate: &Certificate) -> BTreeMap<String, String> {
    certificate
        .extensions()
        .iter()
        .filter(|(extension, _)| *extension != Extension::Issuer)
        .map(|(extension, value)| (extension.name().to_owned(), value.to_owned()))
        .collect()
}

/// Why nothing of a leaf was read.
pub(super) fn reason(error: Option<&EntryError>) -> String {
    match error {
        Some(error) => error.to_string(),
        None => "reading it failed in a way that this program did not foresee".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::monitor::tail::mutations::shard;
    use crate::monitor::tail::scan::scan_here;
    use crate::source::Leaves;
    use crate::watch::{Conditions, Watch, Watches};

    /// A key of Ed25519.
    const STOLEN: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x33\xcf\xa4\x75\xcf\xca\x4b\x0b\x55\xca\xee\x42\x83\x28\x90\x76\x90\x51\x53\x34\xce\xff\xb0\x90\x68\x4b\x0a\x10\x80\x33\x72\xa6";

    /// The watches that the leaf is a finding of: `key` by the stolen key, `certificate`, `address`, `name` and
    /// `other`.
    fn told(leaf: &Value) -> Vec<(Option<String>, Severity)> {
        let watch = |name: &str, conditions| Watch::new(name, conditions);
        let digest = Sha256::digest(STOLEN).into();
        let san = |san: &str| Conditions {
            san: vec![san.to_owned()],
            ..Conditions::default()
        };
        let key = Conditions {
            key_sha256: vec![digest],
            ..Conditions::default()
        };
        let certificate = Conditions {
            certificate_sha256: vec![[7; 32]],
            ..Conditions::default()
        };
        let watches = vec![
            watch("key", key),
            watch("certificate", certificate),
            watch("address", san("192.0.2.7")),
            watch("name", san("release@harbor.example")),
            watch("other", san("1.2.3.4:0c0178")),
        ];
        let rules = Rules::new(Watches::compile(watches).expect("watches"), None);
        let leaves = Leaves::copied(0, &[leaf.to_string().into_bytes()]).expect("leaves");
        let scanned = scan_here(&leaves, &shard(), &rules, Timestamp::UNIX_EPOCH);
        let findings = scanned.findings.into_iter().map(|new| new.finding);
        let told = findings.map(|finding| {
            assert_eq!(finding.verdict, Verdict::Unreadable);
            (finding.watch, finding.severity)
        });
        told.collect()
    }

    fn of_watches(names: &[&str]) -> Vec<(Option<String>, Severity)> {
        let told = names.iter().map(|name| Some((*name).to_owned()));
        told.map(|watch| (watch, Severity::High)).collect()
    }

    fn intoto(public_key: &str, keyid: &str) -> Value {
        let hash = json!({"algorithm": "sha256", "value": "00".repeat(32)});
        let signature = json!({
            "keyid": keyid,
            "publicKey": STANDARD.encode(public_key),
            "sig": "QUFBQQ==",
        });
        json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
            "hash": hash,
            "payloadHash": hash,
            "envelope": {"payloadType": "x", "signatures": [signature]},
        }}})
    }

    /// A TUF root with a key in PEM.
    fn tuf(public: &str, more: &str) -> Value {
        let key = json!({"keytype": "ed25519", "keyval": {"public": public}, "x": more});
        let root = json!({"signed": {"_type": "root", "keys": {"a": key}}}).to_string();
        json!({"apiVersion": "0.0.1", "kind": "tuf", "spec": {
            "metadata": {"content": "e30="},
            "root": {"content": STANDARD.encode(root)},
        }})
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    /// A broken block before the stolen key, of which the whole makes one key of an unknown algorithm with the block behind it.
    fn spanning() -> String {
        // Between the two texts are 40 characters of base64, which are 30 octets.
        let head = b"\x30\x81\xcb\x30\x03\x06\x01\x2a\x03\x81\xc3\x00";
        let decoy = [&head[..], &[b'A'; 0xc2 - 30 - STOLEN.len()]].concat();
        pem("XXX", &decoy).replace("END XXX", "END XXY")
    }

    /// What begins like certificates of 32 kB, so many that not all of them are read.
    fn certificates() -> Vec<u8> {
        b"\x30\x82\x7f\xff\x30\x82\x7f\xf0\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00\x00"
            .repeat(1500)
    }

    #[test]
    fn a_decoy_that_takes_up_the_block_behind_it_does_not_hide_its_key() {
        let stolen = pem("PUBLIC KEY", STOLEN);
        let entry = intoto(&(spanning() + &stolen), "");
        assert_eq!(told(&entry), of_watches(&["key"]));
        // Readers of TUF pass over a blank in the base64.
        let blank = stolen.replace("MCow", "MC ow");
        assert_eq!(told(&tuf(&(spanning() + &blank), "")), of_watches(&["key"]));
    }

    #[test]
    fn an_entry_that_is_not_searched_whole_is_told_to_each_watch_that_a_text_does_not_show() {
        let header = pem("PUBLIC KEY", STOLEN).replacen("-----\n", "-----\nX: y\n\n", 1);
        let decoys = STANDARD.encode(certificates());
        let all = of_watches(&["key", "certificate", "address", "other"]);
        assert_eq!(told(&intoto(&header, &decoys)), all);
        assert_eq!(told(&intoto("nothing", &decoys)), all);
        // Entries of known kinds too, of which all could be read.
        let blank = pem("PUBLIC KEY", STOLEN).replace("MCow", "MC ow");
        assert_eq!(told(&tuf(&blank, &decoys)), all);
        assert_eq!(told(&tuf("00", &decoys)), all);
        assert_eq!(told(&tuf("00", "")), []);
    }

    fn rekord(version: &str, format: &str, key: &str) -> Value {
        json!({"apiVersion": version, "kind": "rekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": "00".repeat(32)}},
            "signature": {"content": "AAAA", "format": format, "publicKey": {"content": STANDARD.encode(key)}},
        }})
    }

    #[test]
    fn a_minisign_key_is_found_in_each_field_and_a_field_of_minisign_hides_no_other_key() {
        let (_, octets) = STOLEN.split_at(STOLEN.len() - 32);
        let line = STANDARD.encode([b"Ed12345678", octets].concat());
        let (first, second) = line.split_at(20);
        for (version, format, key) in [
            ("0.0.1", "x509", format!("untrusted comment: x\n{line}\n")),
            (
                "0.0.1",
                "ssh",
                format!("untrusted comment: x\n{first}\r\n{second}\n"),
            ),
            (
                "0.0.9",
                "minisign",
                format!("untrusted comment: x\n{line}\n"),
            ),
            ("0.0.9", "minisign", line.clone()),
            ("0.0.9", "minisign", STANDARD.encode(octets)),
            ("0.0.1", "minisign", pem("PUBLIC KEY", STOLEN)),
            (
                "0.0.1",
                "minisign",
                format!(
                    "{}\n{}",
                    STANDARD.encode([b'E'; 42]),
                    pem("PUBLIC KEY", STOLEN)
                ),
            ),
        ] {
            assert_eq!(
                told(&rekord(version, format, &key)),
                of_watches(&["key"]),
                "{format} {key}"
            );
        }
    }

    #[test]
    fn what_the_token_of_a_timestamp_holds_is_searched() {
        let token = |holds: &[u8]| {
            let content = STANDARD.encode([b"\x30\x82\x01\x00 a token ", holds].concat());
            json!({"apiVersion": "0.0.1", "kind": "rfc3161", "spec": {"tsr": {"content": content}}})
        };
        assert_eq!(told(&token(STOLEN)), of_watches(&["key"]));
        assert_eq!(told(&token(b"")), []);
    }

    #[test]
    fn the_last_of_too_many_names_is_read_too() {
        use rcgen::{CertificateParams, KeyPair, OtherNameValue, SanType};
        let key = KeyPair::generate().expect("a key");
        for (last, watch) in [
            (SanType::IpAddress([192, 0, 2, 7].into()), "address"),
            (
                SanType::OtherName((vec![1, 2, 3, 4], OtherNameValue::Utf8String("x".to_owned()))),
                "other",
            ),
            (
                SanType::Rfc822Name("release@harbor.example".try_into().expect("ASCII")),
                "name",
            ),
        ] {
            let mut params = CertificateParams::default();
            let uri = |number| SanType::URI(format!("u:{number}").try_into().expect("ASCII"));
            params.subject_alt_names = (0..300).map(uri).chain([last]).collect();
            let certificate = params.self_signed(&key).expect("a certificate");
            let pem = pem("CERTIFICATE", certificate.der());
            assert_eq!(told(&intoto(&pem, "")), of_watches(&[watch]));
        }
    }
}
