//! The evidence of a finding for a download: what the store kept, without a request to the log.

use tlog::Origin;

use super::view::View;
use crate::evidence::{Files, Package, Proof};
use crate::log::TreeId;
use crate::report::finding::WithHistory;
use crate::store::{FindingRecord, Store, StoreError};

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum NotPackaged {
    /// The finding is about a log or the monitoring.
    #[error("the finding is not about one entry of a log")]
    NotAnEntry,
    /// No checkpoint covers the entry.
    #[error("the entry is not proven yet: its evidence is complete after a pass that proves it")]
    NotProven,
    /// An earlier version found it, or its leaf is very long.
    #[error(
        "the proof of the entry was not kept here: `modelwatch findings show ID --evidence DIR` asks the log for it"
    )]
    NotKept,
    /// What is stored does not belong together.
    #[error("what is stored does not belong together: {0}")]
    Contradiction(String),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl View {
    /// The files of the evidence of a finding, without the registered bundle, which is a file of the machine.
    ///
    /// # Errors
    ///
    /// There is no proof of it in the store, or the store cannot be read.
    pub async fn package(
        &self,
        store: &dyn Store,
        record: &FindingRecord,
    ) -> Result<Files, NotPackaged> {
        let finding = &record.finding;
        let (Some(origin), Some(index)) = (&finding.origin, finding.index) else {
            return Err(NotPackaged::NotAnEntry);
        };
        if finding.proven != Some(true) {
            return Err(NotPackaged::NotProven);
        }
        let tree = store.tree(&TreeId::new(origin)).await?;
        let tree = tree.ok_or(NotPackaged::NotKept)?;
        let log = store.log(&tree.log).await?;
        let protocol = log.and_then(|log| log.protocol);
        let protocol = protocol.ok_or(NotPackaged::NotKept)?;
        let kept = store.kept_entry(finding.id).await?;
        let kept = kept.ok_or(NotPackaged::NotKept)?;
        let (head, hashes) = kept.proof.ok_or(NotPackaged::NotKept)?;
        let local = index.checked_sub(tree.base);
        let local = local.ok_or_else(|| contradiction("the entry lies before its tree"))?;
        let now = || self.rules.trust().map(|trust| trust.document().to_vec());
        let package = Package {
            protocol,
            origin: Origin::new(origin).map_err(contradiction)?,
            base: tree.base,
            proof: Proof {
                leaf: kept.leaf,
                index: local,
                head,
                hashes,
            },
            finding: serde_json::to_value(WithHistory::from(record)).map_err(contradiction)?,
            trusted_root: kept.trusted_root.or_else(now),
            bundle: Err(
                "a download has no files of the machine of the monitor: `modelwatch findings show ID --evidence DIR` adds the registered bundle"
                    .to_owned(),
            ),
        };
        package.files().map_err(contradiction)
    }
}

fn contradiction(why: impl std::fmt::Display) -> NotPackaged {
    NotPackaged::Contradiction(why.to_string())
}
