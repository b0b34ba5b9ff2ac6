//! Where to sign: the services of a Sigstore instance, by its signing configuration (sigstore_trustroot.proto,
//! `SigningConfig`).
//!
//! The document lists services of several operators, versions and periods. [`SigningConfig::select`] takes those that a
//! client shall use: of each operator the one with the highest version that is supported here, and of these as many as the
//! selector of the list asks for.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::document::{TrustError, document, media_type};
use super::trust::{CLIENT_TRUST_CONFIG, Instance};

const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig";

/// Most services in one list, and most that a selector may ask for.
const MAX_SERVICES: usize = 64;

/// A service of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Its address, as it is written.
    pub url: String,
    /// The version of its interface.
    pub version: u32,
    /// Who runs it; empty if that is not given.
    pub operator: String,
    start: Option<i64>,
    end: Option<i64>,
}

/// A kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceKind {
    /// Issues certificates: Fulcio.
    Authority,
    /// Issues identity tokens: OpenID Connect.
    Provider,
    /// Logs signatures: Rekor.
    Log,
    /// Issues timestamps by RFC 3161.
    TimestampAuthority,
}

impl ServiceKind {
    /// The list of the document.
    const fn list(self) -> &'static str {
        match self {
            Self::Authority => "caUrls",
            Self::Provider => "oidcUrls",
            Self::Log => "rekorTlogUrls",
            Self::TimestampAuthority => "tsaUrls",
        }
    }

    /// The versions that are supported here.
    const fn supported(self) -> &'static [u32] {
        match self {
            Self::Log => &[1, 2],
            Self::Authority | Self::Provider | Self::TimestampAuthority => &[1],
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authority => "certificate authority",
            Self::Provider => "identity provider",
            Self::Log => "transparency log",
            Self::TimestampAuthority => "timestamp authority",
        })
    }
}

/// How many of the services of a list are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selector {
    Any,
    All,
    Exact(usize),
}

/// The services to sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Services {
    /// Issues the certificate.
    pub authority: Service,
    /// Issues the identity token, for a person at a browser; an instance for workflows alone has none.
    pub provider: Option<Service>,
    /// Logs the signature: at least one, each gets an entry.
    pub logs: Vec<Service>,
    /// Confirms the time of the signature; none if the instance has none.
    pub timestamp_authorities: Vec<Service>,
}

/// Why a signing configuration names no services to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Nothing usable in a list.
    #[error(
        "{} of the signing configuration has no {kind} that is valid now and has a version that is supported ({})",
        kind.list(), versions(*kind)
    )]
    None {
        /// Which kind.
        kind: ServiceKind,
    },
    /// Fewer than the selector asks for.
    #[error(
        "the signing configuration asks for exactly {needed} services of the kind {kind}, and {found} of different \
         operators can be used now"
    )]
    TooFew {
        /// Which kind.
        kind: ServiceKind,
        /// How many are asked for.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Rekor v2 signs no time, and without one the signature could never be verified.
    #[error(
        "the signing configuration has no timestamp authority, and its transparency logs (Rekor v2) confirm no time: \
         such a signature cannot be verified"
    )]
    NoTime,
}

fn versions(kind: ServiceKind) -> String {
    let versions = kind.supported().iter().map(u32::to_string);
    versions.collect::<Vec<_>>().join(", ")
}

/// A signing configuration (`application/vnd.dev.sigstore.signingconfig.v0.2+json` and later minors).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningConfig {
    authorities: Vec<Service>,
    providers: Vec<Service>,
    logs: Vec<Service>,
    timestamp_authorities: Vec<Service>,
    log_selector: Selector,
    timestamp_selector: Selector,
    remarks: Vec<String>,
}

impl SigningConfig {
    /// The signing configuration of an instance as it was when this library was released.
    ///
    /// # Errors
    ///
    /// [`TrustError`], if this library was built with an unusable one.
    pub fn embedded(instance: Instance) -> Result<Self, TrustError> {
        use sigstore_verify::trust_root as library;
        Self::from_json(match instance {
            Instance::PublicGood => library::SIGSTORE_PRODUCTION_SIGNING_CONFIG.as_bytes(),
            Instance::Staging => library::SIGSTORE_STAGING_SIGNING_CONFIG.as_bytes(),
        })
    }

    /// Reads a signing configuration. A service that cannot be read is left out and named ([`Self::remarks`]).
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn from_json(json: &[u8]) -> Result<Self, TrustError> {
        Self::of_document(document(json)?)
    }

    /// Reads a client trust configuration, of which the signing configuration counts.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn from_client_trust_config(json: &[u8]) -> Result<Self, TrustError> {
        let mut document = document(json)?;
        media_type(&document, CLIENT_TRUST_CONFIG)?;
        match document.remove("signingConfig") {
            Some(Value::Object(config)) => Self::of_document(config),
            _ => Err(TrustError::Format("it has no signingConfig".to_owned())),
        }
    }

    /// Which services were left out, and why.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The services to use at `now`, in seconds of Unix time.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub fn select(&self, now: i64) -> Result<Services, ServiceError> {
        let one = |kind, services| select(kind, services, Selector::Any, now);
        let authority = one(ServiceKind::Authority, &self.authorities)?.remove(0);
        let provider = match self.providers.as_slice() {
            [] => None,
            listed => one(ServiceKind::Provider, listed)
                .ok()
                .map(|mut found| found.remove(0)),
        };
        let logs = select(ServiceKind::Log, &self.logs, self.log_selector, now)?;
        let timestamp_authorities = match self.timestamp_authorities.as_slice() {
            [] if !matches!(self.timestamp_selector, Selector::Exact(_)) => Vec::new(),
            listed => select(
                ServiceKind::TimestampAuthority,
                listed,
                self.timestamp_selector,
                now,
            )?,
        };
        if timestamp_authorities.is_empty() && logs.iter().all(|log| log.version == 2) {
            return Err(ServiceError::NoTime);
        }
        Ok(Services {
            authority,
            provider,
            logs,
            timestamp_authorities,
        })
    }

    fn of_document(mut document: Map<String, Value>) -> Result<Self, TrustError> {
        media_type(&document, SIGNING_CONFIG)?;
        let mut remarks = Vec::new();
        let mut list = |kind| services(kind, &mut document, &mut remarks);
        let (authorities, providers) =
            (list(ServiceKind::Authority)?, list(ServiceKind::Provider)?);
        let (logs, timestamp_authorities) = (
            list(ServiceKind::Log)?,
            list(ServiceKind::TimestampAuthority)?,
        );
        Ok(Self {
            authorities,
            providers,
            logs,
            timestamp_authorities,
            log_selector: selector("rekorTlogConfig", &document)?,
            timestamp_selector: selector("tsaConfig", &document)?,
            remarks,
        })
    }
}

/// Of each operator the service with the highest version, and of several the one that began last: the instance that
/// replaces the others. Of these as many as `selector` asks for, in the order of the document.
fn select(
    kind: ServiceKind,
    services: &[Service],
    selector: Selector,
    now: i64,
) -> Result<Vec<Service>, ServiceError> {
    let mut chosen: Vec<&Service> = Vec::new();
    let is_usable = |service: &&Service| {
        kind.supported().contains(&service.version)
            && service.start.is_none_or(|start| start <= now)
            && service.end.is_none_or(|end| now <= end)
    };
    for service in services.iter().filter(is_usable) {
        match chosen
            .iter_mut()
            .find(|known| known.operator == service.operator)
        {
            Some(known) if (service.version, service.start) > (known.version, known.start) => {
                *known = service;
            }
            Some(_) => {}
            None => chosen.push(service),
        }
    }
    let needed = match selector {
        Selector::All => chosen.len(),
        Selector::Any => 1,
        Selector::Exact(count) => count,
    };
    if chosen.is_empty() && needed <= 1 {
        return Err(ServiceError::None { kind });
    }
    if chosen.len() < needed {
        return Err(ServiceError::TooFew {
            kind,
            needed,
            found: chosen.len(),
        });
    }
    Ok(chosen.into_iter().take(needed).cloned().collect())
}

fn services(
    kind: ServiceKind,
    document: &mut Map<String, Value>,
    remarks: &mut Vec<String>,
) -> Result<Vec<Service>, TrustError> {
    let list = kind.list();
    let items = match document.remove(list) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) if items.len() <= MAX_SERVICES => items,
        Some(Value::Array(_)) => {
            return Err(TrustError::Format(format!(
                "{list} has more than {MAX_SERVICES} items"
            )));
        }
        Some(_) => return Err(TrustError::Format(format!("{list} is not a list"))),
    };
    let mut services = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match service(item) {
            Ok(service) => services.push(service),
            Err(why) => remarks.push(format!("{list}[{index}] is left out: {why}")),
        }
    }
    Ok(services)
}

fn service(item: Value) -> Result<Service, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Written {
        #[serde(default)]
        url: String,
        #[serde(default)]
        major_api_version: Value,
        #[serde(default)]
        valid_for: Option<Period>,
        #[serde(default)]
        operator: Option<String>,
    }
    #[derive(Deserialize, Default)]
    struct Period {
        start: Option<Timestamp>,
        end: Option<Timestamp>,
    }
    let written: Written = serde_json::from_value(item).map_err(|error| error.to_string())?;
    if !written.url.starts_with("https://") && !written.url.starts_with("http://") {
        return Err("its url is no http or https URL".to_owned());
    }
    let version = integer(&written.major_api_version)
        .and_then(|version| u32::try_from(version).ok())
        .ok_or("its majorApiVersion is no number")?;
    let period = written.valid_for.unwrap_or_default();
    Ok(Service {
        url: written.url,
        version,
        operator: written.operator.unwrap_or_default(),
        start: period.start.map(Timestamp::as_second),
        end: period.end.map(Timestamp::as_second),
    })
}

/// Protobuf's mapping writes integers as numbers or as strings.
fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The selector of a list: `ANY` where there is none, since one service is enough to verify with.
fn selector(name: &'static str, document: &Map<String, Value>) -> Result<Selector, TrustError> {
    let bad = |why: String| TrustError::Format(format!("{name}: {why}"));
    let config = match document.get(name) {
        None | Some(Value::Null) => return Ok(Selector::Any),
        Some(Value::Object(config)) => config,
        Some(_) => return Err(bad("no object".to_owned())),
    };
    let count = match config.get("count") {
        None | Some(Value::Null) => 0,
        Some(count) => integer(count).ok_or_else(|| bad("its count is no number".to_owned()))?,
    };
    // ServiceSelector of sigstore_trustroot.proto: protobuf's mapping allows its numbers as well.
    let selector = match config.get("selector") {
        None | Some(Value::Null) => 0,
        Some(Value::String(word)) => match word.as_str() {
            "ALL" => 1,
            "ANY" => 2,
            "EXACT" => 3,
            "SERVICE_SELECTOR_UNDEFINED" => 0,
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(bad(format!("the selector {shown:?} is unknown")));
            }
        },
        Some(number) => {
            integer(number).ok_or_else(|| bad("its selector is no selector".to_owned()))?
        }
    };
    match (selector, usize::try_from(count)) {
        (1, _) => Ok(Selector::All),
        (2, _) => Ok(Selector::Any),
        (3, Ok(count)) if (1..=MAX_SERVICES).contains(&count) => Ok(Selector::Exact(count)),
        (3, _) => Err(bad(format!("EXACT needs a count from 1 to {MAX_SERVICES}"))),
        _ => Err(bad(
            "the selector is undefined; there are ANY, ALL and EXACT".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-01-01.
    const NOW: i64 = 1_767_225_600;

    fn config(changes: &Value) -> SigningConfig {
        let service = |url: &str, version: u32, operator: &str, from: u32, until: Value| {
            json!({
                "url": url,
                "majorApiVersion": version,
                "operator": operator,
                "validFor": {"start": format!("{from}-01-01T00:00:00Z"), "end": until},
            })
        };
        let none = Value::Null;
        let mut document = json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [
                service("https://ca3.a", 3, "a", 2020, none.clone()),
                service("https://ca.a", 1, "a", 2020, none.clone()),
            ],
            "oidcUrls": [service("https://oidc.a", 1, "a", 2020, none.clone())],
            "rekorTlogUrls": [
                service("https://old.a", 2, "a", 2020, json!("2025-12-31T00:00:00Z")),
                service("https://future.a", 2, "a", 2027, none.clone()),
                service("https://v1.a", 1, "a", 2020, none.clone()),
                service("https://v2.a", 2, "a", 2024, none.clone()),
                service("https://v2-newer.a", 2, "a", 2025, none.clone()),
                service("https://v3.a", 3, "a", 2025, none.clone()),
                service("https://v1.b", 1, "b", 2020, none.clone()),
                service("https://v1.c", 1, "c", 2020, none.clone()),
            ],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [
                service("https://tsa.a", 1, "a", 2020, none.clone()),
                service("https://tsa.b", 1, "b", 2020, none),
            ],
            "tsaConfig": {"selector": "ALL"},
        });
        for (name, value) in changes.as_object().expect("an object") {
            document[name] = value.clone();
        }
        let config = SigningConfig::from_json(document.to_string().as_bytes());
        config.expect("a signing configuration")
    }

    fn urls(services: &[Service]) -> Vec<&str> {
        services
            .iter()
            .map(|service| service.url.as_str())
            .collect()
    }

    #[test]
    fn of_each_operator_the_newest_service_that_is_valid_and_supported_is_taken() {
        let services = config(&json!({})).select(NOW).expect("services");
        assert_eq!(services.authority.url, "https://ca.a");
        assert_eq!(
            services.provider.map(|provider| provider.url).as_deref(),
            Some("https://oidc.a")
        );
        assert_eq!(urls(&services.logs), ["https://v2-newer.a"]);
        assert_eq!(
            urls(&services.timestamp_authorities),
            ["https://tsa.a", "https://tsa.b"]
        );
    }

    #[test]
    fn a_selector_takes_any_all_or_exactly_so_many_operators() {
        let v2 = "https://v2-newer.a";
        for (selector, taken) in [
            (json!({"selector": "ANY", "count": 3}), vec![v2]),
            (
                json!({"selector": "ALL"}),
                vec![v2, "https://v1.b", "https://v1.c"],
            ),
            (
                json!({"selector": "EXACT", "count": 2}),
                vec![v2, "https://v1.b"],
            ),
            (json!({"selector": 3, "count": "1"}), vec![v2]),
            (Value::Null, vec![v2]),
        ] {
            let config = config(&json!({"rekorTlogConfig": selector}));
            let services = config.select(NOW).expect("services");
            assert_eq!(urls(&services.logs), taken, "{selector}");
        }
        let config = config(&json!({"rekorTlogConfig": {"selector": "EXACT", "count": 4}}));
        let error = config.select(NOW).expect_err("three operators");
        assert_eq!(
            error,
            ServiceError::TooFew {
                kind: ServiceKind::Log,
                needed: 4,
                found: 3
            }
        );
    }

    #[test]
    fn a_selector_that_is_none_is_an_error() {
        let document = |selector: &Value| {
            let text = json!({
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "tsaConfig": selector,
            });
            SigningConfig::from_json(text.to_string().as_bytes())
        };
        for selector in [
            json!({"selector": "SERVICE_SELECTOR_UNDEFINED"}),
            json!({"selector": "SOME"}),
            json!({"selector": 9}),
            json!({"selector": true}),
            json!({"selector": "EXACT"}),
            json!({"selector": "EXACT", "count": 65}),
            json!({"selector": "EXACT", "count": "many"}),
            json!({}),
            json!("ANY"),
        ] {
            let error = document(&selector).expect_err("no selector");
            assert!(error.to_string().starts_with("tsaConfig: "), "{error}");
        }
    }

    #[test]
    fn a_list_without_a_usable_service_is_named() {
        let gone = json!([{"url": "https://gone", "majorApiVersion": 1, "validFor": {"end": "2025-12-31T23:59:59Z"}}]);
        for (list, said) in [
            (
                "caUrls",
                "caUrls of the signing configuration has no certificate authority",
            ),
            (
                "rekorTlogUrls",
                "rekorTlogUrls of the signing configuration has no transparency log",
            ),
            (
                "tsaUrls",
                "tsaUrls of the signing configuration has no timestamp authority",
            ),
        ] {
            let error = config(&json!({list: gone})).select(NOW).expect_err(list);
            // ALL of none is none.
            let error = error.to_string();
            assert!(error.starts_with(said), "{error}");
        }
        // An instance for workflows alone needs no provider, and Rekor v1 no timestamp authority.
        let sparse = config(
            &json!({"oidcUrls": null, "tsaUrls": [], "rekorTlogUrls": [{"url": "https://v1", "majorApiVersion": "1"}]}),
        );
        let services = sparse.select(NOW).expect("services");
        assert_eq!(
            (services.provider, services.timestamp_authorities),
            (None, Vec::new())
        );
        let timeless = config(&json!({"tsaUrls": []}));
        assert_eq!(timeless.select(NOW), Err(ServiceError::NoTime));
        let one = config(&json!({"tsaUrls": [], "tsaConfig": {"selector": "EXACT", "count": 1}}));
        assert!(one.select(NOW).is_err());
    }

    #[test]
    fn a_service_that_cannot_be_read_is_named_and_the_others_stay() {
        let config = config(&json!({"caUrls": [
            {"url": "ftp://ca", "majorApiVersion": 1},
            {"url": "https://ca", "majorApiVersion": "one"},
            {"url": "https://ca", "majorApiVersion": 1, "validFor": {"start": "yesterday"}},
            7,
            {"url": "https://ca.good", "major_api_version": 1},
        ]}));
        let services = config.select(NOW).expect("services");
        assert_eq!(services.authority.url, "https://ca.good");
        let remarks = config.remarks();
        assert_eq!(remarks.len(), 4, "{remarks:?}");
        assert!(
            remarks[0].starts_with("caUrls[0] is left out: "),
            "{remarks:?}"
        );
    }

    #[test]
    fn the_embedded_configurations_can_be_signed_with() {
        for (instance, version) in [(Instance::PublicGood, 1), (Instance::Staging, 2)] {
            let config = SigningConfig::embedded(instance).expect("a signing configuration");
            assert_eq!(config.remarks(), [""; 0]);
            // 2026-11-30.
            let services = config.select(1_796_000_000).expect("services");
            assert_eq!(services.logs[0].version, version);
            assert_eq!(services.timestamp_authorities.len(), 1);
            assert!(services.provider.is_some());
        }
    }

    #[test]
    fn a_client_trust_configuration_has_one_or_is_refused() {
        let config = json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "signing_config": {"media_type": "application/vnd.dev.sigstore.signingconfig.v0.2+json"},
        });
        let read =
            |config: &Value| SigningConfig::from_client_trust_config(config.to_string().as_bytes());
        assert!(read(&config).is_ok());
        for (other, said) in [
            (
                json!({"mediaType": config["mediaType"]}),
                "it has no signingConfig",
            ),
            (
                json!({"mediaType": "application/vnd.dev.sigstore.trustedroot+json"}),
                "its mediaType is ",
            ),
        ] {
            let error = read(&other).expect_err(said);
            assert!(error.to_string().starts_with(said), "{error}");
        }
    }
}
