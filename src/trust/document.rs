//! Sigstore's trust documents as they are really written: the JSON form of protobuf messages.
//!
//! This form omits empty fields, and allows `null` for absent, names in camelCase and in snake_case, bytes in any
//! base64, numbers as strings, and unknown fields (protobuf documentation, "ProtoJSON Format"). Each item of a list is
//! parsed separately: one that cannot be used does not invalidate the others.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::identity::{AuthorityChain, Key};
use crate::log::LogKey;

/// At most this much text of a document is repeated in messages.
const MAX_QUOTED_CHARS: usize = 100;

/// A parsed trusted root.
pub(super) struct RootDocument {
    pub(super) media_type: String,
    pub(super) tlogs: Vec<LogInstance>,
    pub(super) ctlogs: Vec<LogInstance>,
    pub(super) authorities: Vec<(String, AuthorityChain)>,
    /// The problems of single items.
    pub(super) remarks: Vec<Remark>,
}

/// A log of a trusted root.
#[derive(Debug, Clone)]
pub(super) struct LogInstance {
    /// Its place in the document.
    pub(super) item: String,
    /// As written; empty if it is not given.
    pub(super) base_url: String,
    /// Its key, or why it cannot be used.
    pub(super) key: Result<LogKey, String>,
    /// The SubjectPublicKeyInfo, usable or not; empty if none is given.
    pub(super) spki_der: Vec<u8>,
    /// Its log id; empty if none is given.
    pub(super) id: Vec<u8>,
    /// From when and until when the key is valid.
    pub(super) valid_for: (Option<Timestamp>, Option<Timestamp>),
}

/// A problem of one item of a trust document, which is left out because of it or is not exactly as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The item: its place, and its address if it has one.
    pub item: String,
    /// The problem and its effect.
    pub problem: String,
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.item, self.problem)
    }
}

/// An address of a log, from a signing configuration or a MonitorConfig.
#[derive(Debug, Clone, Default)]
pub(super) struct Address {
    pub(super) url: String,
    /// Only a MonitorConfig gives it.
    pub(super) origin: Option<String>,
    /// 0 if it is not given.
    pub(super) version: u32,
    /// Since when it is not to be signed into.
    pub(super) ends: Option<Timestamp>,
    /// The log is read at this address; that of a signing configuration may accept only writes.
    pub(super) is_to_read: bool,
}

impl RootDocument {
    /// # Errors
    /// Not the JSON of such a message, in words.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Root {
            #[serde(alias = "mediaType", deserialize_with = "or_default")]
            media_type: String,
            #[serde(deserialize_with = "or_default")]
            tlogs: Vec<Value>,
            #[serde(alias = "certificateAuthorities", deserialize_with = "or_default")]
            certificate_authorities: Vec<Value>,
            #[serde(deserialize_with = "or_default")]
            ctlogs: Vec<Value>,
        }
        let root: Root = message(parsed(json)?)?;
        let mut remarks = Vec::new();
        let tlogs = logs("tlogs", root.tlogs, &mut remarks);
        let ctlogs = logs("ctlogs", root.ctlogs, &mut remarks);
        let mut authorities = Vec::new();
        for (place, value) in root.certificate_authorities.into_iter().enumerate() {
            let item = format!("certificateAuthorities[{place}]");
            match message::<Authority>(value) {
                Ok(authority) => {
                    authorities.push((addressed(&item, &authority.uri), authority.into()));
                }
                Err(why) => remarks.push(Remark {
                    item,
                    problem: format!("left out: {why}"),
                }),
            }
        }
        Ok(Self {
            media_type: root.media_type,
            tlogs,
            ctlogs,
            authorities,
            remarks,
        })
    }
}

/// The addresses of a signing configuration, and its media type.
///
/// # Errors
/// Not the JSON of such a message, in words.
pub(super) fn signing_config(json: &[u8]) -> Result<(String, Vec<Address>), String> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct SigningConfig {
        #[serde(alias = "mediaType", deserialize_with = "or_default")]
        media_type: String,
        #[serde(alias = "rekorTlogUrls", deserialize_with = "or_default")]
        rekor_tlog_urls: Vec<Value>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Service {
        #[serde(deserialize_with = "or_default")]
        url: String,
        #[serde(alias = "majorApiVersion", deserialize_with = "number")]
        major_api_version: u32,
        #[serde(alias = "validFor", deserialize_with = "or_default")]
        valid_for: Period,
    }
    let config: SigningConfig = message(parsed(json)?)?;
    let services = config.rekor_tlog_urls.into_iter();
    let addresses = services.filter_map(|value| {
        // An item that cannot be parsed names no log that could be followed: the keys are in the trusted root.
        let service: Service = message(value).ok()?;
        Some(Address {
            url: service.url,
            version: service.major_api_version,
            ends: service.valid_for.end,
            ..Address::default()
        })
    });
    Ok((config.media_type, addresses.collect()))
}

/// The addresses of a MonitorConfig (`dev.sigstore.monitor.v1`): Rekor's, and those of CT logs.
///
/// # Errors
/// Not the JSON of such a message, in words.
pub(super) fn monitor_config(json: &[u8]) -> Result<(Vec<Address>, Vec<Address>), String> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct MonitorConfig {
        #[serde(alias = "rekorLogs", deserialize_with = "or_default")]
        rekor_logs: Vec<Value>,
        #[serde(alias = "ctLogs", deserialize_with = "or_default")]
        ct_logs: Vec<Value>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Monitored {
        #[serde(alias = "readUrl", deserialize_with = "or_default")]
        read_url: String,
        #[serde(alias = "logOrigin", deserialize_with = "or_default")]
        log_origin: String,
        #[serde(alias = "majorApiVersion", deserialize_with = "number")]
        major_api_version: u32,
    }
    let config: MonitorConfig = message(parsed(json)?)?;
    let addresses = |values: Vec<Value>| -> Vec<Address> {
        let logs = values.into_iter().filter_map(|value| message(value).ok());
        logs.map(|log: Monitored| Address {
            url: log.read_url,
            origin: Some(log.log_origin).filter(|origin| !origin.is_empty()),
            version: log.major_api_version,
            ends: None,
            is_to_read: true,
        })
        .collect()
    };
    Ok((addresses(config.rekor_logs), addresses(config.ct_logs)))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Instance {
    #[serde(alias = "baseUrl", deserialize_with = "or_default")]
    base_url: String,
    #[serde(alias = "publicKey", deserialize_with = "or_default")]
    public_key: PublicKey,
    #[serde(alias = "logId", deserialize_with = "or_default")]
    log_id: LogId,
    /// The replacement of the log id in later versions.
    #[serde(alias = "checkpointKeyId", deserialize_with = "or_default")]
    checkpoint_key_id: LogId,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PublicKey {
    #[serde(alias = "rawBytes", deserialize_with = "bytes")]
    raw_bytes: Vec<u8>,
    #[serde(alias = "validFor", deserialize_with = "or_default")]
    valid_for: Period,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LogId {
    #[serde(alias = "keyId", deserialize_with = "bytes")]
    key_id: Vec<u8>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Period {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Authority {
    #[serde(deserialize_with = "or_default")]
    uri: String,
    #[serde(alias = "certChain", deserialize_with = "or_default")]
    cert_chain: CertChain,
    #[serde(alias = "validFor", deserialize_with = "or_default")]
    valid_for: Period,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CertChain {
    #[serde(deserialize_with = "or_default")]
    certificates: Vec<X509>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct X509 {
    #[serde(alias = "rawBytes", deserialize_with = "bytes")]
    raw_bytes: Vec<u8>,
}

impl From<Authority> for AuthorityChain {
    fn from(authority: Authority) -> Self {
        let certificates = authority.cert_chain.certificates;
        Self {
            certificates: certificates.into_iter().map(|c| c.raw_bytes).collect(),
            valid_for: (authority.valid_for.start, authority.valid_for.end),
        }
    }
}

fn logs(list: &str, values: Vec<Value>, remarks: &mut Vec<Remark>) -> Vec<LogInstance> {
    let mut logs = Vec::with_capacity(values.len());
    for (place, value) in values.into_iter().enumerate() {
        let item = format!("{list}[{place}]");
        let mut log = match message::<Instance>(value) {
            Ok(log) => LogInstance::of(&item, log),
            Err(why) => LogInstance {
                item,
                base_url: String::new(),
                key: Err(why),
                spki_der: Vec::new(),
                id: Vec::new(),
                valid_for: (None, None),
            },
        };
        if let Some(id) = hex_of_an_id(&log.id) {
            remarks.push(Remark {
                item: log.item.clone(),
                problem: format!(
                    "its log id is the base64 of a hex string; expected is the base64 of the {} bytes. It is accepted here, and other programs will not find the log's key",
                    id.len()
                ),
            });
            log.id = id;
        }
        if let Err(why) = &log.key {
            remarks.push(Remark {
                item: log.item.clone(),
                problem: format!("its key cannot be used: {why}"),
            });
        }
        logs.push(log);
    }
    logs
}

impl LogInstance {
    fn of(item: &str, log: Instance) -> Self {
        let raw = log.public_key.raw_bytes;
        // The oldest RSA keys are listed in PKCS#1 (`PKCS1_RSA_PKCS1V5`); their ids are those of the usual form.
        let spki_der = match Key::from_pkcs1(&raw) {
            Ok(key) => key.bytes().to_vec(),
            Err(_) => raw,
        };
        let key = if spki_der.is_empty() {
            Err("it is not given".to_owned())
        } else {
            LogKey::read(&spki_der).map_err(|why| why.to_string())
        };
        let id = if log.log_id.key_id.is_empty() {
            log.checkpoint_key_id.key_id
        } else {
            log.log_id.key_id
        };
        let period = log.public_key.valid_for;
        Self {
            item: addressed(item, &log.base_url),
            base_url: log.base_url,
            key,
            spki_der,
            id,
            valid_for: (period.start, period.end),
        }
    }
}

fn addressed(item: &str, address: &str) -> String {
    if address.is_empty() {
        return item.to_owned();
    }
    let address: String = address.chars().take(MAX_QUOTED_CHARS).collect();
    format!("{item} ({address})")
}

/// The bytes that a hex string stands for, if the string was encoded instead of them.
fn hex_of_an_id(id: &[u8]) -> Option<Vec<u8>> {
    // A whole id, or the four bytes of a checkpoint's key id.
    matches!(id.len(), 8 | 64)
        .then(|| hex::decode(id).ok())
        .flatten()
}

fn parsed(json: &[u8]) -> Result<Value, String> {
    // Editors of Windows put a byte order mark in front.
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

fn message<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if !value.is_object() {
        return Err("not a JSON object".to_owned());
    }
    serde_json::from_value(value).map_err(|error| {
        let problem = error.to_string();
        problem.chars().take(MAX_QUOTED_CHARS).collect()
    })
}

/// `null` counts as absent, and absent as empty.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let text: String = or_default(deserializer)?;
    let text: String = text
        .chars()
        .filter(|c| !matches!(c, '\r' | '\n'))
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    LENIENT
        .decode(text)
        .map_err(|error| D::Error::custom(format!("not base64: {error}")))
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value: Value = or_default(deserializer)?;
    let number = match &value {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number.ok_or_else(|| D::Error::custom("not a version"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    const HARBOR: &str = include_str!("../../tests/data/trust/harbor.json");

    fn read(document: &Value) -> RootDocument {
        RootDocument::read(document.to_string().as_bytes()).unwrap()
    }

    /// The same with every name in snake_case.
    fn snake_case(value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| {
                    let snake: String = name
                        .chars()
                        .flat_map(|c| match c {
                            'A'..='Z' => vec!['_', c.to_ascii_lowercase()],
                            c => vec![c],
                        })
                        .collect();
                    (snake, snake_case(value))
                })
                .collect(),
            Value::Array(values) => values.iter().map(snake_case).collect(),
            value => value.clone(),
        }
    }

    #[test]
    fn what_is_empty_may_be_left_out_or_null_and_what_is_unknown_is_ignored() {
        let whole: Value = serde_json::from_str(HARBOR).unwrap();
        let expected = read(&whole);
        assert_eq!(expected.remarks, []);
        assert!(!expected.tlogs.is_empty() && !expected.authorities.is_empty());
        let mut bare = whole.clone();
        for list in ["tlogs", "ctlogs", "certificateAuthorities"] {
            for item in bare[list].as_array_mut().unwrap() {
                let item = item.as_object_mut().unwrap();
                for field in ["baseUrl", "hashAlgorithm", "uri", "subject"] {
                    item.remove(field);
                }
                item.insert("validFor".into(), Value::Null);
                item.insert("comesLater".into(), json!({ "any": [1] }));
            }
        }
        bare["timestampAuthorities"] = Value::Null;
        bare["comesLater"] = json!(7);
        for document in [bare, snake_case(&whole)] {
            let read = read(&document);
            assert_eq!(read.remarks, []);
            assert_eq!(read.media_type, expected.media_type);
            let keys = |document: &RootDocument| -> Vec<(Vec<u8>, Vec<u8>)> {
                let logs = document.tlogs.iter().chain(&document.ctlogs);
                logs.map(|log| (log.spki_der.clone(), log.id.clone()))
                    .collect()
            };
            assert_eq!(keys(&read), keys(&expected));
            let certificates = |document: &RootDocument| -> Vec<Vec<Vec<u8>>> {
                let all = document.authorities.iter();
                all.map(|(_, chain)| chain.certificates.clone()).collect()
            };
            assert_eq!(certificates(&read), certificates(&expected));
        }
        let empty = read(&json!({ "tlogs": null, "ctlogs": null, "certificateAuthorities": null }));
        assert!(empty.tlogs.is_empty() && empty.remarks.is_empty());
    }

    #[test]
    fn an_item_that_cannot_be_read_is_named_and_the_others_are_used() {
        let mut document: Value = serde_json::from_str(HARBOR).unwrap();
        let logs = read(&document).tlogs.len();
        let tlogs = document["tlogs"].as_array_mut().unwrap();
        tlogs.insert(
            0,
            json!({ "baseUrl": "https://odd.example", "publicKey": 7 }),
        );
        tlogs.insert(0, json!([]));
        tlogs.push(json!({ "baseUrl": "https://bare.example" }));
        let cas = document["certificateAuthorities"].as_array_mut().unwrap();
        cas.push(json!({ "certChain": { "certificates": [{ "rawBytes": "not base64!" }] } }));
        cas.push(json!("a word"));
        let read = read(&document);
        assert_eq!(read.tlogs.len(), logs + 3);
        let problem: Vec<String> = read.remarks.iter().map(ToString::to_string).collect();
        let cas = read.authorities.len();
        for (remark, expected) in problem.iter().zip([
            "tlogs[0]: its key cannot be used: not a JSON object".to_owned(),
            "tlogs[1]: its key cannot be used: invalid type: integer `7`".to_owned(),
            format!(
                "tlogs[{}] (https://bare.example): its key cannot be used: it is not given",
                logs + 2
            ),
            format!("certificateAuthorities[{cas}]: left out: not base64"),
            format!("certificateAuthorities[{}]: left out: not a JSON", cas + 1),
        ]) {
            assert!(remark.starts_with(&expected), "{remark}");
        }
        assert_eq!(problem.len(), 5, "{problem:?}");
    }

    #[test]
    fn a_log_id_that_is_the_base64_of_a_hex_string_is_named_as_that_mistake() {
        let mut document: Value = serde_json::from_str(HARBOR).unwrap();
        let right = read(&document).tlogs.remove(0).id;
        assert_eq!(right.len(), 32);
        let wrong = base64::engine::general_purpose::STANDARD.encode(hex::encode(&right));
        document["tlogs"][0]["logId"]["keyId"] = wrong.into();
        let read = read(&document);
        assert_eq!(read.tlogs.first().map(|log| &log.id), Some(&right));
        let [remark] = read.remarks.as_slice() else {
            panic!("{:?}", read.remarks)
        };
        assert!(
            remark
                .problem
                .starts_with("its log id is the base64 of a hex string")
        );
    }

    #[test]
    fn bytes_are_read_in_every_base64_and_numbers_also_as_strings() {
        for text in ["+/8=", "-_8=", "-_8", "+/8", "+/\n8="] {
            let read: X509 = message(json!({ "rawBytes": text })).unwrap();
            assert_eq!(read.raw_bytes, [0xfb, 0xff], "{text:?}");
        }
        for (version, expected) in [(json!(2), 2), (json!("2"), 2), (Value::Null, 0)] {
            let config = json!({ "rekorLogs": [
                { "readUrl": "log.example", "logOrigin": "log.example", "majorApiVersion": version },
            ] });
            let (rekor, ct) = monitor_config(config.to_string().as_bytes()).unwrap();
            assert_eq!((rekor.len(), ct.len()), (1, 0));
            assert_eq!(rekor.first().map(|log| log.version), Some(expected));
        }
    }
}
