//! The signatures of a checkpoint, besides the one by which it was verified.

use jiff::Timestamp;
use tlog::{Checkpoint, Cosigned, KeyId, KeyName, Note, Verifier};

use crate::escape::few;
use crate::finding::Verdict;
use crate::log::Shard;
use crate::moment;

/// Most names in one sentence.
const NAMED: usize = 5;

/// The signatures of the newest checkpoint of a log, which was verified.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Signatures {
    unknown: Vec<(KeyName, KeyId)>,
    cosigned: Cosigned,
    /// The time in the checkpoint: tree heads of CT logs have one.
    dated: Option<Timestamp>,
}

impl Signatures {
    /// Reads the signatures of a checkpoint that was opened.
    pub(in crate::monitor) fn of(
        checkpoint: &Checkpoint,
        shard: &Shard,
        witnesses: &[Verifier],
    ) -> Self {
        // A time beyond the calendar is as far in the future as possible.
        let dated = checkpoint.timestamp().map(|millisecond| {
            i64::try_from(millisecond)
                .ok()
                .and_then(|millisecond| Timestamp::from_millisecond(millisecond).ok())
                .unwrap_or(Timestamp::MAX)
        });
        match Note::parse(checkpoint.raw()) {
            Ok(note) => Self {
                unknown: note.unknown(&shard.verifiers),
                cosigned: note.cosigned(witnesses),
                dated,
            },
            // It was parsed before, to be opened.
            Err(_) => Self {
                dated,
                ..Self::default()
            },
        }
    }

    /// The time in the checkpoint, if it has one.
    pub(in crate::monitor) fn dated(&self) -> Option<Timestamp> {
        self.dated
    }

    /// The same time, unless it is in the future. Such a head counts from when it was first seen: otherwise a time in
    /// the year 2200 would hide the silence of the log until then.
    pub(in crate::monitor) fn head_time(&self, now: Timestamp) -> Option<Timestamp> {
        self.dated.filter(|time| !moment::is_ahead(*time, now))
    }

    /// The latest time of a cosignature by a witness that is not in the future.
    pub(in crate::monitor) fn witnessed(&self, now: Timestamp) -> Option<Timestamp> {
        self.witness_times()
            .filter(|time| !moment::is_ahead(*time, now))
            .max()
    }

    fn witness_times(&self) -> impl Iterator<Item = Timestamp> {
        let times = self.cosigned.valid.iter();
        times.map(|cosignature| {
            i64::try_from(cosignature.time)
                .ok()
                .and_then(|second| Timestamp::from_second(second).ok())
                .unwrap_or(Timestamp::MAX)
        })
    }

    /// The findings about them. `required` is the number of witnesses that must have cosigned.
    pub(super) fn assess(
        &self,
        shard: &Shard,
        required: usize,
        now: Timestamp,
    ) -> Vec<(Verdict, String)> {
        let name = &shard.name;
        let mut found = Vec::new();
        let signed = self.dated.map(|time| ("the log", time));
        let cosigned = self.witness_times().map(|time| ("a witness", time));
        let latest = signed.into_iter().chain(cosigned);
        if let Some((signer, time)) = latest
            .max_by_key(|(_, time)| *time)
            .filter(|(_, time)| moment::is_ahead(*time, now))
        {
            found.push((
                Verdict::ClockSkew,
                format!(
                    "{signer} has dated the newest checkpoint of {name} {}, which is in the future of this machine's clock: that time is not used, and the checkpoint counts as signed when it was first seen",
                    moment::shown(time)
                ),
            ));
        }
        if !self.unknown.is_empty() {
            let keys = self.unknown.iter();
            let keys = keys.map(|(name, id)| format!("{name} {id}"));
            found.push((
                Verdict::UnknownSignature,
                format!(
                    "the newest checkpoint of {name} verifies, and has another signature in the log's name by an unknown key: {}",
                    few(keys, NAMED)
                ),
            ));
        }
        let contradicting = &self.cosigned.contradicting;
        let valid = self.cosigned.valid.len();
        if !contradicting.is_empty() {
            found.push((
                Verdict::WitnessContradiction,
                format!(
                    "the newest checkpoint of {name} has a cosignature by {} that does not verify: the witness signed something else",
                    few(contradicting.iter().map(KeyName::as_str), NAMED)
                ),
            ));
        } else if valid < required {
            found.push((
                Verdict::WitnessContradiction,
                format!(
                    "the newest checkpoint of {name} is cosigned by {valid} of the witnesses, where {required} are required"
                ),
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_head_from_the_future_is_as_old_as_its_first_sight() {
        let now = Timestamp::from_second(1_800_000_000).expect("within range");
        let minutes = |minutes| now + SignedDuration::from_mins(minutes);
        for (dated, is_used) in [
            (minutes(-600), true),
            (minutes(5), true),
            (minutes(6), false),
            (Timestamp::MAX, false),
        ] {
            let signatures = Signatures {
                dated: Some(dated),
                ..Signatures::default()
            };
            let used = signatures.head_time(now);
            assert_eq!(used, is_used.then_some(dated), "{dated}");
            // The time is evidence about the clock of this machine nevertheless.
            assert_eq!(signatures.dated(), Some(dated));
        }
    }
}
