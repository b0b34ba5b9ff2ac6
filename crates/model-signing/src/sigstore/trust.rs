//! What is trusted: the authorities, logs and timestamp authorities of a Sigstore instance.

use std::ops::RangeInclusive;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sigstore_verify::Verifier;
use sigstore_verify::trust_root::{CertificateAuthority, SigstoreInstance, TrustedRoot};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::document::{TrustError, document, media_type};
use super::known::Known;
use super::verifiers::Verifiers;
use crate::timestamp::{Authorities, Authority};

/// Most items of each list of a trusted root.
const MAX_ITEMS: usize = 256;

/// The lists of a trusted root.
const LISTS: [&str; 4] = [
    "tlogs",
    "certificateAuthorities",
    "ctlogs",
    "timestampAuthorities",
];

/// What every version's media type begins with.
const TRUSTED_ROOT: &str = "application/vnd.dev.sigstore.trustedroot";
pub(super) const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig";

/// A Sigstore instance whose trusted root is part of this library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instance {
    /// The public-good instance.
    PublicGood,
    /// Its staging instance.
    Staging,
}

impl Instance {
    pub(super) const fn of_library(self) -> SigstoreInstance {
        match self {
            Self::PublicGood => SigstoreInstance::PublicGood,
            Self::Staging => SigstoreInstance::Staging,
        }
    }
}

/// What is trusted. An item that cannot be used is left out and named ([`Self::remarks`]); the others stay.
#[derive(Debug, Clone)]
pub struct Trust {
    pub(super) root: TrustedRoot,
    /// For each certificate authority of the root, the seconds of Unix time at which all certificates of its chain are
    /// valid; `None` if one of them cannot be read.
    pub(super) periods: Vec<Option<RangeInclusive<i64>>>,
    /// Parsed once; of the same root.
    pub(super) known: Arc<Known>,
    pub(super) verifiers: Verifiers,
    timestamp_authorities: Authorities,
    remarks: Vec<String>,
}

impl Trust {
    /// The trusted root of an instance as it was when this library was released.
    ///
    /// # Errors
    ///
    /// [`TrustError`], if this library was built with an unusable one.
    pub fn embedded(instance: Instance) -> Result<Self, TrustError> {
        let json = instance.of_library().embedded_trusted_root_json();
        Self::from_trusted_root(json.as_bytes())
    }

    /// Reads a trusted root (`application/vnd.dev.sigstore.trustedroot+json;version=0.1` and later minors).
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn from_trusted_root(json: &[u8]) -> Result<Self, TrustError> {
        Self::of_document(document(json)?)
    }

    /// Reads a client trust configuration, of which the trusted root counts.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn from_client_trust_config(json: &[u8]) -> Result<Self, TrustError> {
        let mut document = document(json)?;
        media_type(&document, CLIENT_TRUST_CONFIG)?;
        let root = document.remove("trustedRoot");
        match root {
            Some(Value::Object(root)) => Self::of_document(root),
            _ => Err(TrustError::Format("it has no trustedRoot".to_owned())),
        }
    }

    /// The timestamp authorities that are trusted.
    pub fn timestamp_authorities(&self) -> &Authorities {
        &self.timestamp_authorities
    }

    /// The id of the log with this key id in its checkpoints: the beginning of the log's id. The key id itself if no such log
    /// is trusted.
    pub(super) fn log_id(&self, key: [u8; 4]) -> Vec<u8> {
        let mut ids = self
            .root
            .tlogs
            .iter()
            .map(|log| log.log_id.key_id.as_bytes());
        let known = ids.find(|id| id.starts_with(&key));
        known.map_or_else(|| key.to_vec(), <[u8]>::to_vec)
    }

    /// Which items were left out, and why.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn of_document(mut document: Map<String, Value>) -> Result<Self, TrustError> {
        media_type(&document, TRUSTED_ROOT)?;
        let mut remarks = Vec::new();
        for list in LISTS {
            let items = match document.remove(list) {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(items)) if items.len() <= MAX_ITEMS => items,
                Some(Value::Array(_)) => {
                    return Err(TrustError::Format(format!(
                        "{list} has more than {MAX_ITEMS} items"
                    )));
                }
                Some(_) => return Err(TrustError::Format(format!("{list} is not a list"))),
            };
            let mut kept = Vec::new();
            for (index, mut item) in items.into_iter().enumerate() {
                lengthen_log_id(&mut item);
                match usable(list, &item) {
                    Ok(()) => kept.push(item),
                    Err(why) => remarks.push(format!("{list}[{index}] is left out: {why}")),
                }
            }
            document.insert(list.to_owned(), Value::Array(kept));
        }
        let root: TrustedRoot = serde_json::from_value(Value::Object(document))
            .map_err(|error| TrustError::Format(error.to_string()))?;
        Verifier::new(&root).map_err(|error| TrustError::Unusable(error.to_string()))?;
        let mut timestamp_authorities = Authorities::default();
        for authority in &root.timestamp_authorities {
            let chain = authority.cert_chain.certificates.iter();
            let chain: Vec<Vec<u8>> = chain
                .map(|certificate| certificate.raw_bytes.as_bytes().to_vec())
                .collect();
            let period = authority.valid_for.as_ref().map_or((None, None), |period| {
                let until = period.end.map(jiff::Timestamp::as_second);
                (Some(period.start.as_second()), until)
            });
            match Authority::from_chain(&chain, period) {
                Ok(authority) => timestamp_authorities.push(authority),
                Err(error) => remarks.push(format!("a timestamp authority is left out: {error}")),
            }
        }
        let periods = root.certificate_authorities.iter();
        let periods: Vec<_> = periods.map(period_of).collect();
        Ok(Self {
            known: Arc::new(Known::of(&root, &periods)),
            periods,
            root,
            verifiers: Verifiers::default(),
            timestamp_authorities,
            remarks,
        })
    }
}

/// When all certificates of the chain of an authority are valid.
fn period_of(authority: &CertificateAuthority) -> Option<RangeInclusive<i64>> {
    let mut chain = authority.cert_chain.certificates.iter();
    chain.try_fold(i64::MIN..=i64::MAX, |all, certificate| {
        let der = certificate.raw_bytes.as_bytes();
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (from, until) = (
            certificate.validity().not_before.timestamp(),
            certificate.validity().not_after.timestamp(),
        );
        Some(*all.start().max(&from)..=*all.end().min(&until))
    })
}

/// Rekor v2 may be listed by the first four bytes of its key id, which is all of it that a checkpoint has.
fn lengthen_log_id(item: &mut Value) {
    let Some(id) = item.pointer_mut("/logId/keyId") else {
        return;
    };
    let bytes = id.as_str().and_then(|text| STANDARD.decode(text).ok());
    if let Some(mut bytes) = bytes.filter(|bytes| (4..32).contains(&bytes.len())) {
        bytes.resize(32, 0);
        *id = Value::String(STANDARD.encode(bytes));
    }
}

/// Whether one item can be used alone.
fn usable(list: &str, item: &Value) -> Result<(), String> {
    let mut alone = Map::new();
    alone.insert("mediaType".to_owned(), Value::from(TRUSTED_ROOT));
    alone.insert(list.to_owned(), Value::Array(vec![item.clone()]));
    let root: TrustedRoot =
        serde_json::from_value(Value::Object(alone)).map_err(|error| error.to_string())?;
    Verifier::new(&root).map_err(|error| error.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::document::MAX_TRUST_BYTES;
    use super::*;

    #[test]
    fn the_embedded_roots_are_usable_as_a_whole() {
        for instance in [Instance::PublicGood, Instance::Staging] {
            let trust = Trust::embedded(instance).expect("a trusted root");
            assert_eq!(trust.remarks(), [""; 0], "{instance:?}");
            assert!(!trust.timestamp_authorities().is_empty());
        }
    }

    #[test]
    fn an_item_that_cannot_be_used_is_named_and_the_others_stay() {
        let json = SigstoreInstance::PublicGood.embedded_trusted_root_json();
        let mut root: Value = serde_json::from_str(json).expect("JSON");
        let whole = Trust::from_trusted_root(json.as_bytes()).expect("a trusted root");
        root["tlogs"][0]["publicKey"]["rawBytes"] = Value::from("AAAA");
        root["ctlogs"][0]["logId"]["keyId"] = Value::from("AA==");
        let text = root.to_string();
        let trust = Trust::from_trusted_root(text.as_bytes()).expect("a trusted root");
        assert_eq!(trust.remarks().len(), 2, "{:?}", trust.remarks());
        assert!(trust.remarks()[0].starts_with("tlogs[0] is left out: "));
        assert!(trust.remarks()[1].starts_with("ctlogs[0] is left out: "));
        assert_eq!(trust.root.tlogs.len() + 1, whole.root.tlogs.len());
        // The same in snake_case.
        let snake = json.replace("certificateAuthorities", "certificate_authorities");
        let snake = snake
            .replace("baseUrl", "base_url")
            .replace("keyId", "key_id");
        let trust = Trust::from_trusted_root(snake.as_bytes()).expect("a trusted root");
        assert_eq!(
            trust.root.certificate_authorities.len(),
            whole.root.certificate_authorities.len()
        );
        assert_eq!(trust.remarks(), [""; 0]);
    }

    #[test]
    fn a_period_that_is_misspelt_or_there_twice_is_no_period_without_an_end() {
        let json = SigstoreInstance::PublicGood.embedded_trusted_root_json();
        let compact: Value = serde_json::from_str(json).expect("JSON");
        let json = compact.to_string();
        for (changed, place) in [
            (
                json.replacen("validFor", "validfor", 1),
                ".validfor is written",
            ),
            (
                json.replacen("\"validFor\":", "\"validFor\":{},\"validFor\":", 1),
                ".validFor is given more than once",
            ),
        ] {
            let error = Trust::from_trusted_root(changed.as_bytes()).expect_err(place);
            let error = error.to_string();
            assert!(error.contains(place), "{error}");
            let named = LISTS
                .iter()
                .any(|list| error.starts_with(&format!("{list}[0]")));
            assert!(named, "{error}");
        }
    }

    #[test]
    fn another_document_is_refused_by_what_it_is() {
        for (json, said) in [
            ("", "not JSON"),
            ("[]", "not a JSON object"),
            (
                r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#,
                "its mediaType is \"application/vnd.dev.sigstore.signingconfig",
            ),
            (
                r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":7}"#,
                "tlogs is not a list",
            ),
            (
                r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","media_type":""}"#,
                "media_type is given more than once",
            ),
            (
                r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[],"tlogs":[]}"#,
                "tlogs is given more than once",
            ),
        ] {
            let error = Trust::from_trusted_root(json.as_bytes()).expect_err(json);
            assert!(error.to_string().starts_with(said), "{error}");
        }
        let long = vec![b' '; MAX_TRUST_BYTES + 1];
        assert_eq!(
            Trust::from_trusted_root(&long).err(),
            Some(TrustError::TooLong)
        );
    }
}
