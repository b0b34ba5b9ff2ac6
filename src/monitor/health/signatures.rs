//! Whose signatures stand under a checkpoint besides the one that it was opened with.

use jiff::Timestamp;
use tlog::{Checkpoint, Cosigned, KeyId, KeyName, Note, Verifier};

use crate::escape::few;
use crate::finding::Verdict;
use crate::shard::Shard;

/// How many names are said in one sentence.
const NAMED: usize = 5;

/// What stands under the newest checkpoint of a log, which verified.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Signatures {
    unknown: Vec<(KeyName, KeyId)>,
    cosigned: Cosigned,
}

impl Signatures {
    /// Looks under a checkpoint that was opened.
    pub(in crate::monitor) fn of(
        checkpoint: &Checkpoint,
        shard: &Shard,
        witnesses: &[Verifier],
    ) -> Self {
        match Note::parse(checkpoint.raw()) {
            Ok(note) => Self {
                unknown: note.unknown(&shard.verifiers),
                cosigned: note.cosigned(witnesses),
            },
            // It was parsed to be opened.
            Err(_) => Self::default(),
        }
    }

    /// The latest time at which a witness vouched for it.
    pub(in crate::monitor) fn witnessed(&self) -> Option<Timestamp> {
        let times = self.cosigned.valid.iter();
        times
            .filter_map(|c| Timestamp::from_second(i64::try_from(c.time).ok()?).ok())
            .max()
    }

    /// What is wrong with them. `required` is how many witnesses must have cosigned.
    pub(super) fn assess(&self, shard: &Shard, required: usize) -> Vec<(Verdict, String)> {
        let name = &shard.name;
        let mut found = Vec::new();
        if !self.unknown.is_empty() {
            let keys = self.unknown.iter();
            let keys = keys.map(|(name, id)| format!("{name} {id}"));
            found.push((
                Verdict::UnknownSignature,
                format!(
                    "the newest checkpoint of {name} verifies, and bears another signature in the log's name by a key that is not known: {}",
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
                    "under the newest checkpoint of {name} stands a cosignature by {} that does not verify: the witness vouches for something else",
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
