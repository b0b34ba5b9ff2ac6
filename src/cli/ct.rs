//! From `[[log]]` to a certificate transparency log: whose key it is, and what its tree is called.

use std::sync::Arc;

use tlog::{KeyName, Origin, Verifier};

use super::output::Mistake;
use crate::config::LogSettings;
use crate::identity::CtLog;
use crate::shard::{Protocol, Shard};
use crate::source::{CtRfc6962, CtStatic, LogSource, Transport};
use crate::trust::TrustedRoot;

/// The shard of a CT log. Its key is the configured one (DER), or the one that the trusted root has for the log's address.
///
/// # Errors
///
/// No such key, or more than one; a key that cannot be used; an origin that is not the key's.
pub(super) fn shard(
    log: &LogSettings,
    public_key: Option<Vec<u8>>,
    trusted_root: Option<&TrustedRoot>,
) -> Result<Shard, Mistake> {
    let name = &log.name;
    let mistake = |why: String| Mistake(format!("log[{name}]: {why}"));
    let spki_der = match (public_key, trusted_root) {
        (Some(key), _) => key,
        (None, Some(root)) => match root.ct_keys(&log.location.to_string()).as_slice() {
            [key] => key.spki_der.clone(),
            keys => {
                return Err(mistake(format!(
                    "the trusted root has {} keys of a CT log at {}: give public_key",
                    keys.len(),
                    log.location
                )));
            }
        },
        (None, None) => return Err(mistake("nothing says which key signs its heads".to_owned())),
    };
    let ct_log = CtLog {
        spki_der,
        valid_for: (None, None),
    };
    let id = hex::encode(ct_log.id());
    let origin = match (&log.origin, log.protocol) {
        (Some(origin), Protocol::CtRfc6962) if origin.as_str() != id => {
            return Err(mistake(format!(
                "its origin is the id of its key, {id}, not {origin}: correct the key, or leave the origin out"
            )));
        }
        (Some(origin), _) => origin.clone(),
        (None, _) => Origin::new(&id).map_err(|error| mistake(error.to_string()))?,
    };
    let verifier = KeyName::new(origin.as_str())
        .and_then(|key_name| Verifier::tree_head(key_name, &ct_log.spki_der))
        .map_err(|error| mistake(error.to_string()))?;
    Ok(Shard {
        name: name.clone(),
        origin,
        protocol: log.protocol,
        base: 0,
        ended: false,
        verifiers: vec![verifier],
        start: log.start,
        silence_after: log.silence_after,
    })
}

/// Where the leaves of a CT log come from; `None` for other logs.
pub(super) fn source(shard: &Shard, transport: &Transport) -> Option<Arc<dyn LogSource>> {
    match shard.protocol {
        Protocol::CtStatic => Some(Arc::new(CtStatic::new(transport.clone()))),
        Protocol::CtRfc6962 => {
            let mut id = [0; 32];
            hex::decode_to_slice(shard.origin.as_str(), &mut id)
                .expect("the origin of such a log is its key's id in hex");
            Some(Arc::new(CtRfc6962::new(transport.clone(), id)))
        }
        Protocol::RekorV1 | Protocol::RekorV2 => None,
    }
}
