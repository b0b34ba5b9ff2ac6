//! Who else signed the same models, as far as the search index of Rekor v1 shows.
//!
//! The index is filled by the log when it accepts an entry with a statement, by the digests of its subjects. That an entry
//! exists is proven; that its statement was about this model is a hint, because the log does not hold the statement.

use std::collections::BTreeSet;

use super::followed::Followed;
use super::line::{EntryPlace, Kind, Line};
use super::world::is_selected;
use crate::entry;
use crate::identity::{Certificate, Chain, Signer};
use crate::judge::Rules;
use crate::monitor::{MonitoredLog, RekorV1Log};
use crate::source::rekor_v1::{EntryId, IndexQuery, MAX_ENTRIES_BYTES, MAX_RETRIEVED};

/// Most entries that are looked at for one digest. Anybody can log thousands about one model.
const MAX_HITS: usize = 200;

/// A model that was signed by the owner.
pub(super) struct Model<'m> {
    /// Its root digests, SHA-256 in hex: one for each order that is in use.
    pub(super) roots: &'m BTreeSet<String>,
    /// Leaf hashes of the bundles about it, hex.
    pub(super) leaves: &'m BTreeSet<String>,
    /// The bundle and the model that lines are about.
    pub(super) bundle: &'m str,
    pub(super) directory: Option<&'m str>,
}

/// Asks the index of each followed Rekor v1 log for the digests of a model.
pub(super) async fn ask(
    model: &Model<'_>,
    followed: &mut Followed<'_>,
    rules: &Rules,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for log in followed.logs() {
        let server = match log {
            MonitoredLog::Tree(_) => continue,
            MonitoredLog::RekorV1(log) => log,
            MonitoredLog::Guided(guided) => &guided.log,
        };
        let mut asked = BTreeSet::new();
        for root in model.roots {
            match hits(server, root).await {
                Ok((ids, is_whole)) => {
                    asked.extend(ids);
                    if !is_whole {
                        let why = format!(
                            "{}: its search index names more than {MAX_HITS} entries for the model: the others were not looked at",
                            log.name()
                        );
                        lines.push(Line::new(Kind::Unread, why));
                    }
                }
                Err(why) => {
                    let why = format!("{}: its search index could not be asked: {why}", log.name());
                    lines.push(Line::new(Kind::Unread, why));
                }
            }
        }
        let unknown: Vec<EntryId> = asked
            .into_iter()
            .filter(|id: &EntryId| !model.leaves.contains(&id.leaf.to_hex()))
            .collect();
        for ids in unknown.chunks(MAX_RETRIEVED) {
            look(server, ids, followed, rules, &mut lines).await;
        }
    }
    for line in &mut lines {
        line.bundle = Some(model.bundle.to_owned());
        line.model = model.directory.map(str::to_owned);
    }
    lines
}

/// The entries that the index names for a digest, and whether these are all.
async fn hits(log: &RekorV1Log, root: &str) -> Result<(Vec<EntryId>, bool), String> {
    let query = IndexQuery::Hash(format!("sha256:{root}"));
    let mut answer = log
        .server
        .index(&query)
        .await
        .map_err(|error| error.to_string())?;
    let mut ids = Vec::new();
    while let Some(piece) = answer.next().await.map_err(|error| error.to_string())? {
        for id in piece {
            if ids.len() >= MAX_HITS {
                return Ok((ids, false));
            }
            ids.push(id.map_err(|error| error.to_string())?);
        }
    }
    Ok((ids, true))
}

async fn look(
    log: &RekorV1Log,
    ids: &[EntryId],
    followed: &mut Followed<'_>,
    rules: &Rules,
    lines: &mut Vec<Line>,
) {
    let entries = match log.server.retrieve_uuids(ids, MAX_ENTRIES_BYTES).await {
        Ok(entries) => entries,
        Err(error) => {
            let why = format!(
                "{}: entries that its search index names cannot be fetched: {error}",
                log.name
            );
            lines.push(Line::new(Kind::Unread, why));
            return;
        }
    };
    for (id, entry) in ids.iter().zip(entries) {
        let Some(entry) = entry else {
            let why = format!(
                "{}: it does not show entry {id}, which its search index names",
                log.name
            );
            lines.push(Line::new(Kind::Unread, why));
            continue;
        };
        let global = entry.global.get();
        // The tree that holds this index: the last one that begins at or before it.
        let tree = followed
            .trees_of(&log.id())
            .filter(|(_, tree)| tree.base <= global)
            .max_by_key(|(_, tree)| tree.base)
            .map(|(origin, tree)| (origin.clone(), global - tree.base, tree.proven()));
        let place = EntryPlace {
            log: log.name.clone(),
            origin: tree
                .as_ref()
                .map_or_else(String::new, |(origin, ..)| origin.clone()),
            index: global,
        };
        let leaf = match tree {
            Some((origin, local, proven)) if local < proven => followed
                .leaf(&origin, local)
                .await
                .and_then(|(hash, leaf)| {
                    if hash == id.leaf {
                        Ok(leaf.unwrap_or_else(|| entry.body.to_vec()))
                    } else {
                        Err("the log proves another entry there".to_owned())
                    }
                }),
            _ => Err("the log is not proven so far".to_owned()),
        };
        match leaf {
            Ok(leaf) => lines.extend(others(&leaf, rules).map(|line| line.at(place))),
            Err(why) => {
                let why = format!(
                    "its search index names entry {global} for the model, which could not be proven: {why}"
                );
                lines.push(Line::new(Kind::Unread, why).at(place));
            }
        }
    }
}

/// The line of an entry that another identity signed.
///
/// A signing by an identity that a watch selects is compared with the bundles like all others, and is none here.
fn others(leaf: &[u8], rules: &Rules) -> Option<Line> {
    let Ok(entry) = entry::parse(leaf) else {
        let why = "an entry that the search index names for the model cannot be read";
        return Some(Line::new(Kind::Unreadable, why));
    };
    let signing = entry
        .signings
        .iter()
        .find(|signing| !is_watched(&signing.signer, rules))?;
    let certificate = signing.signer.certificate();
    let issuer = certificate.and_then(Certificate::issuer);
    let names: Vec<&str> = signing
        .signer
        .names()
        .iter()
        .map(|san| san.value.as_str())
        .collect();
    let who = if names.is_empty() {
        format!("the key {}", hex::encode(signing.signer.key_sha256()))
    } else {
        names.join(" and ")
    };
    let issuer = issuer.map_or_else(String::new, |issuer| format!(" ({issuer})"));
    let mut why = format!(
        "{who}{issuer} signed a statement about the same model, as the search index of the log hints; the entry is proven"
    );
    if signing.signer.judge(rules.authorities()).chain == Chain::Untrusted {
        why.push_str("; no trusted authority issued the certificate, so anyone may have made it");
    }
    Some(Line::new(Kind::SameModelOtherIdentity, why))
}

/// Whether a watch selects the signer, and no forged certificate only names it.
fn is_watched(signer: &Signer, rules: &Rules) -> bool {
    is_selected(signer, rules) && signer.judge(rules.authorities()).chain != Chain::Untrusted
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use std::path::Path;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::config;
    use crate::watch::Watches;

    /// The entry of the demo's release.
    fn leaf() -> Vec<u8> {
        let bundle: serde_json::Value =
            serde_json::from_slice(include_bytes!("../cli/demo/falcon-7b.model.sig")).unwrap();
        let body = &bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"];
        STANDARD.decode(body.as_str().unwrap()).unwrap()
    }

    #[test]
    fn only_who_is_not_watched_is_another_identity() {
        let text = include_str!("../cli/demo/modelwatch.toml");
        let (config, _) = config::validate(text, Path::new("modelwatch.toml"), &|_| true);
        let watched = Watches::compile(config.unwrap().watches).unwrap();
        assert_eq!(others(&leaf(), &Rules::new(watched, None)), None);
        let unwatched = Rules::new(Watches::compile(Vec::new()).unwrap(), None);
        let line = others(&leaf(), &unwatched).unwrap();
        assert_eq!(line.kind, Some(Kind::SameModelOtherIdentity));
        assert!(
            line.summary
                .contains("release.yml@refs/tags/v1.1.0 (https://token.actions"),
            "{}",
            line.summary
        );
        let garbage = others(b"{}", &unwatched).unwrap();
        assert_eq!(garbage.kind, Some(Kind::Unreadable));
    }
}
