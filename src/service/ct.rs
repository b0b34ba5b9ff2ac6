//! From `[[log]]` to a certificate transparency log: its key, the origin of its tree, the source of its leaves.

use std::sync::Arc;

use tlog::{KeyName, Origin, Verifier};

use super::error::Mistake;
use crate::config::LogSettings;
use crate::escape::few;
use crate::identity::CtLog;
use crate::log::{LogId, LogKey, Shard};
use crate::monitor::Log;
use crate::source::{self, Location, Transport};
use crate::trust::TrustedRoot;

/// Most keys that one sentence names.
const NAMED_KEYS: usize = 5;

/// A CT log, ready to be read. Its key is one of the configured ones, or one that the trusted root has for the log's
/// address, or for any address. The head of a static log identifies the key among them. The origin of a log of RFC 6962
/// is the id of its key.
///
/// # Errors
///
/// There is no such key, or more than one for a log of RFC 6962; a key cannot be used; an origin is not that of the
/// key.
pub fn log(
    settings: &LogSettings,
    location: &Location,
    public_keys: &[LogKey],
    trusted_root: Option<&TrustedRoot>,
    transport: Transport,
) -> Result<Log, Mistake> {
    let mistake = |why: String| Mistake(format!("log[{}]: {why}", settings.name));
    let is_configured = !public_keys.is_empty();
    let unusable = trusted_root
        .filter(|_| !is_configured)
        .and_then(|root| root.unusable_ct_key(&location.to_string()));
    let mut keys: Vec<CtLog> = match trusted_root {
        _ if is_configured => public_keys
            .iter()
            .map(|key| CtLog {
                spki_der: key.spki_der().to_vec(),
                valid_for: (None, None),
            })
            .collect(),
        // The key of another log must not replace the one that is listed there.
        Some(_) if unusable.is_some() => Vec::new(),
        Some(root) => root.ct_keys(&location.to_string()),
        None => {
            return Err(mistake(
                "it is unknown which key signs its heads".to_owned(),
            ));
        }
    };
    let mut ids: Vec<String> = keys
        .iter()
        .map(|key| {
            let (id, root) = (key.id(), trusted_root.filter(|_| !is_configured));
            match root.and_then(|root| root.ct_url(&id)) {
                Some(url) => format!("{} ({url})", hex::encode(id)),
                None => hex::encode(id),
            }
        })
        .collect();
    ids.extend(unusable.iter().map(|key| hex::encode(key.id_hash())));
    let (origin, key_id): (Origin, [u8; 32]) = match &settings.origin {
        // Its key is not needed for reading it.
        Some(origin) if settings.protocol.needs_origin() => (origin.clone(), [0; 32]),
        origin => {
            if let Some(origin) = origin {
                keys.retain(|key| hex::encode(key.id()) == origin.as_str());
            }
            let unusable_id = unusable.as_ref().map(Verifier::id_hash);
            let unusable_id = unusable_id.filter(|id| {
                let origin = origin.as_ref().map(Origin::as_str);
                origin.is_none_or(|origin| origin == hex::encode(id))
            });
            let id = match (keys.as_slice(), unusable_id, origin) {
                ([key], ..) => key.id(),
                ([], Some(id), _) => *id,
                ([], None, Some(origin)) if is_configured => {
                    return Err(mistake(format!(
                        "its origin is the id of its key, {}, not {origin}: correct the key, or leave the origin out",
                        ids.join(", ")
                    )));
                }
                _ => {
                    return Err(mistake(format!(
                        "which key of the trusted root is that of the CT log at {location}? Give public_key, or as origin the id of its key; it has {}",
                        if ids.is_empty() {
                            "none".to_owned()
                        } else {
                            few(&ids, NAMED_KEYS)
                        }
                    )));
                }
            };
            let origin =
                Origin::new(&hex::encode(id)).map_err(|error| mistake(error.to_string()))?;
            (origin, id)
        }
    };
    let source = source::of_one_tree(settings.protocol, transport, key_id).ok_or_else(|| {
        mistake(format!(
            "its type has several trees: {}",
            settings.protocol.as_str()
        ))
    })?;
    let name = KeyName::new(origin.as_str()).map_err(|error| mistake(error.to_string()))?;
    let mut verifiers: Vec<Verifier> = keys
        .iter()
        // Unusable keys of a trusted root were left out when it was read.
        .filter_map(|key| LogKey::read(&key.spki_der).ok())
        .map(|key| key.tree_head(name.clone()))
        .collect();
    if let Some(unusable) = &unusable
        && let Some(why) = unusable.why_unusable()
    {
        let id_hash = *unusable.id_hash();
        verifiers.push(Verifier::unusable(name.clone(), id_hash, why.to_owned()));
    }
    if verifiers.is_empty() {
        return Err(mistake(
            "the trusted root has no key of a CT log: give public_key".to_owned(),
        ));
    }
    Ok(Log {
        shard: Arc::new(only_shard(settings, origin, verifiers)),
        source,
    })
}

/// The only tree of a log.
pub(super) fn only_shard(
    settings: &LogSettings,
    origin: Origin,
    verifiers: Vec<Verifier>,
) -> Shard {
    Shard {
        name: settings.name.clone(),
        log: LogId::of_tree(&origin),
        origin,
        label: None,
        protocol: settings.protocol,
        base: 0,
        ended: false,
        verifiers,
        promise_keys: Vec::new(),
        start: settings.start,
        silence_after: settings.silence_after,
        rollback_after: settings.rollback_after,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::http;
    use crate::log::{Protocol, Start};
    use crate::source::Files;

    const HARBOR: &str = include_str!("../../tests/data/trust/harbor.json");
    const AT_HOME: &str = "https://ctfe.harbor.example";
    const MIRROR: &str = "https://mirror.example/ct";

    fn made(protocol: Protocol, url: &str, origin: Option<&str>) -> Result<Log, String> {
        let root = TrustedRoot::parse(HARBOR.as_bytes()).unwrap();
        let location: Location = url.parse().unwrap();
        let any = Origin::new("any.example").unwrap();
        let settings = LogSettings {
            protocol,
            origin: origin.map(|origin| Origin::new(origin).unwrap()),
            ..LogSettings::found(any, MIRROR.parse().unwrap(), Start::End)
        };
        let transport =
            Transport::new(location.clone(), http::Client::default(), &Files::default());
        log(&settings, &location, &[], Some(&root), transport).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mirror_of_a_static_log_may_show_any_key_of_the_trusted_root() {
        let keys = |url| {
            made(Protocol::CtStatic, url, Some("ct.example")).map(|log| log.shard.verifiers.len())
        };
        assert_eq!(keys(AT_HOME), Ok(1));
        assert_eq!(keys(MIRROR), Ok(2));
    }

    #[test]
    fn a_mirror_of_a_log_of_rfc_6962_is_known_by_the_id_of_its_key() {
        let origin = |url, origin| {
            made(Protocol::CtRfc6962, url, origin).map(|log| log.shard.origin.as_str().to_owned())
        };
        let id = origin(AT_HOME, None).unwrap();
        assert_eq!(origin(MIRROR, Some(&id)), Ok(id.clone()));
        let said = origin(MIRROR, None).unwrap_err();
        assert!(
            said.contains(&format!("{id} ({AT_HOME}")) && said.contains("Give public_key"),
            "{said}"
        );
        let foreign = "00".repeat(32);
        assert!(origin(MIRROR, Some(&foreign)).is_err());
        assert!(origin(AT_HOME, Some(&foreign)).is_err());
    }
}
