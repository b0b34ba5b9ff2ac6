//! Records a fault of a log: its finding, with the signed notes as evidence.

use jiff::Timestamp;
use tlog::{Hash, LogFault};

use super::context::Context;
use super::halt::Halt;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, Verdict};
use crate::log::Shard;
use crate::store::{Contradiction, PassErrorKind, StoreError};

/// Records a fault that leaves the position where it is. `occurrence` distinguishes two occurrences of one fault: the root
/// that contradicts. Returns how the pass ends.
pub(super) async fn record(
    context: &Context,
    shard: &Shard,
    fault: &LogFault,
    occurrence: Hash,
    now: Timestamp,
) -> Result<Halt, StoreError> {
    let contradiction = Contradiction {
        fault: finding(shard, fault, now),
        occurrence: *occurrence.as_bytes(),
        now,
    };
    context.store.contradicted(&contradiction).await?;
    Ok(Halt::failed(PassErrorKind::LogFault, fault.to_string()))
}

/// The finding of a fault; it is also logged.
pub(super) fn finding(shard: &Shard, fault: &LogFault, now: Timestamp) -> NewFinding {
    let origin = shard.origin.as_str();
    let id = FindingId::of_fault(fault.kind(), origin, contradicted_size(fault));
    tracing::error_span!("finding", finding = %id).in_scope(|| {
        tracing::error!(
            log.name = shard.name,
            log.origin = origin,
            fault = fault.kind().as_str(),
            "{} broke a promise: {fault}",
            crate::escape::terminal(&shard.name),
        );
    });
    NewFinding {
        finding: Finding {
            log: Some(shard.name.clone()),
            origin: Some(origin.to_owned()),
            fault: Some(fault.kind()),
            ..Finding::new(
                id,
                Verdict::LogFault,
                Severity::Critical,
                format!("{} ({origin}) broke a promise: {fault}", shard.name),
                now,
            )
        },
        rule: None,
        evidence: Evidence {
            notes: fault.notes().map(|note| note.to_vec()).collect(),
            ..Evidence::default()
        },
    }
}

/// The size that is contradicted. It is the same whenever one fault is seen, so that there is one finding.
fn contradicted_size(fault: &LogFault) -> u64 {
    match fault {
        LogFault::RootMismatch { size, .. } | LogFault::Fork { size, .. } => *size,
        LogFault::Rollback { head_size, .. } => *head_size,
        LogFault::GrewAfterFreeze { frozen_size, .. } => *frozen_size,
        _ => 0,
    }
}
