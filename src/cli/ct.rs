//! From `[[log]]` to a certificate transparency log: whose key it is, what its tree is called, where its leaves come from.

use std::sync::Arc;

use tlog::{KeyName, Origin, Verifier};

use super::output::Mistake;
use crate::config::LogSettings;
use crate::identity::CtLog;
use crate::monitor::Log;
use crate::shard::{Protocol, Shard};
use crate::source::{CtRfc6962, CtStatic, Location, LogSource, Transport};
use crate::trust::TrustedRoot;

/// A CT log, ready to be read. Its key is the configured one (DER), or the one that the trusted root has for the log's
/// address.
///
/// # Errors
///
/// No such key, or more than one; a key that cannot be used; an origin that is not the key's.
pub(super) fn log(
    settings: &LogSettings,
    location: &Location,
    public_key: Option<Vec<u8>>,
    trusted_root: Option<&TrustedRoot>,
    transport: Transport,
) -> Result<Log, Mistake> {
    let mistake = |why: String| Mistake(format!("log[{}]: {why}", settings.name));
    let spki_der = match (public_key, trusted_root) {
        (Some(key), _) => key,
        (None, Some(root)) => match root.ct_keys(&location.to_string()).as_slice() {
            [key] => key.spki_der.clone(),
            keys => {
                return Err(mistake(format!(
                    "the trusted root has {} keys of a CT log at {}: give public_key",
                    keys.len(),
                    location
                )));
            }
        },
        (None, None) => return Err(mistake("nothing says which key signs its heads".to_owned())),
    };
    let ct_log = CtLog {
        spki_der,
        valid_for: (None, None),
    };
    let id = ct_log.id();
    let named_by_key = hex::encode(id);
    let origin = match (&settings.origin, settings.protocol) {
        (Some(origin), Protocol::CtRfc6962) if origin.as_str() != named_by_key => {
            return Err(mistake(format!(
                "its origin is the id of its key, {named_by_key}, not {origin}: correct the key, or leave the origin out"
            )));
        }
        (Some(origin), _) => origin.clone(),
        (None, _) => Origin::new(&named_by_key).map_err(|error| mistake(error.to_string()))?,
    };
    let verifier = KeyName::new(origin.as_str())
        .and_then(|key_name| Verifier::tree_head(key_name, &ct_log.spki_der))
        .map_err(|error| mistake(error.to_string()))?;
    let source: Arc<dyn LogSource> = match settings.protocol {
        Protocol::CtRfc6962 => Arc::new(CtRfc6962::new(transport, id)),
        _ => Arc::new(CtStatic::new(transport)),
    };
    let shard = Shard {
        name: settings.name.clone(),
        origin,
        protocol: settings.protocol,
        base: 0,
        ended: false,
        verifiers: vec![verifier],
        start: settings.start,
        silence_after: settings.silence_after,
    };
    Ok(Log {
        shard: Arc::new(shard),
        source,
    })
}
