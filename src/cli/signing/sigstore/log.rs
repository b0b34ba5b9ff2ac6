//! Entries in transparency logs (Rekor v1 and v2), also those that a log has from an earlier request whose answer was lost.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use model_signing::sigstore::{Draft, LogRequest, Service, Trust};
use tlog::Split;
use tlog::checkpoint::MAX_CHECKPOINT_BYTES;
use tokio::time::sleep;
use url::Url;

use super::network::{Network, address};
use crate::http::Submitted;
use crate::log::Protocol;
use crate::source::{self, Files, Location, LogSource, Transport};

/// How often a log is asked for an entry that it has and does not show yet, and how long after each time.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// Adds the entry of a log to the draft. Whether it is what it should be is verified when the draft is finished.
pub(super) fn add(
    network: &Network,
    draft: &mut Draft,
    service: &Service,
    trust: &Trust,
) -> anyhow::Result<()> {
    let naming = || format!("the transparency log {}", service.url);
    let request = draft.log_request(service.version);
    let url = address(&service.url, request.path)?;
    let answer = network
        .submit(&url, &[], request.body, LogRequest::MAX_ANSWER_BYTES)
        .with_context(naming)?;
    if !answer.is_duplicate() {
        return draft
            .add_entry(service.version, &answer.body)
            .with_context(naming);
    }
    tracing::info!("{} has the entry already, and is asked for it", naming());
    let existing = if service.version == 1 {
        existing_v1(network, draft, &url, &answer)
    } else {
        existing_v2(network, draft, service, &answer, trust)
    };
    existing.with_context(|| format!("{} has the entry already", naming()))
}

/// Rekor v1 names the entry in the answer.
fn existing_v1(
    network: &Network,
    draft: &mut Draft,
    entries: &Url,
    answer: &Submitted,
) -> anyhow::Result<()> {
    let location = answer.header("location").unwrap_or_default();
    let id = location.rsplit('/').next().unwrap_or_default();
    // The id of the tree and the hash of the entry, or the hash alone.
    let is_id = matches!(id.len(), 64 | 80) && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    anyhow::ensure!(is_id, "it does not name the entry, but {location:?}");
    let url = address(entries.as_str(), id)?;
    let found = network.run(async {
        for look in 1..=LOOKS {
            if let Some(found) = network.http.get(&url, LogRequest::MAX_ANSWER_BYTES).await? {
                return anyhow::Ok(found);
            }
            if look < LOOKS {
                sleep(PAUSE).await;
            }
        }
        anyhow::bail!("it does not show the entry {id}")
    })?;
    Ok(draft.add_entry(1, &found)?)
}

/// Rekor v2 tells the index; the proof is computed from the tiles of the tree.
fn existing_v2(
    network: &Network,
    draft: &mut Draft,
    service: &Service,
    answer: &Submitted,
    trust: &Trust,
) -> anyhow::Result<()> {
    // The name as it is, or as the log's gateway writes it.
    let names = ["x-log-index", "grpc-metadata-x-log-index"];
    let index = names.iter().find_map(|name| answer.header(name));
    let index: u64 = index
        .and_then(|index| index.parse().ok())
        .context("it does not tell the index of the entry")?;
    let location: Location = service.url.parse()?;
    let transport = Transport::new(location, network.http.clone(), &Files::default());
    let log = source::of_one_tree(Protocol::RekorV2, transport, [0; 32])
        .context("Rekor v2 has one tree")?;
    let (checkpoint, hashes) = network.run(proof(&log, index))?;
    Ok(draft.add_logged_entry(index, &checkpoint, hashes, trust)?)
}

/// The newest checkpoint with that entry, and the entry's inclusion proof in its tree.
async fn proof(log: &Arc<dyn LogSource>, index: u64) -> anyhow::Result<(String, Vec<[u8; 32]>)> {
    for look in 1..=LOOKS {
        let checkpoint = log.checkpoint().await?;
        anyhow::ensure!(
            checkpoint.len() <= MAX_CHECKPOINT_BYTES,
            "its checkpoint is too long"
        );
        let checkpoint = String::from_utf8(checkpoint.to_vec()).context("its checkpoint")?;
        let size = checkpoint.lines().nth(1).and_then(|size| size.parse().ok());
        let size: u64 = size.context("its checkpoint has no size")?;
        if size > index {
            let before = log.split(index, size).await?;
            let after = log.split(index + 1, size).await?;
            let path = Split::inclusion_path(&before, &after)?;
            let hashes = path.iter().map(|hash| *hash.as_bytes()).collect();
            return Ok((checkpoint, hashes));
        }
        if look < LOOKS {
            sleep(PAUSE).await;
        }
    }
    anyhow::bail!("its tree does not hold the entry {index} yet")
}
