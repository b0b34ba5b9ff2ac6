//! The behaviour of the whole program: tested through `World`, which checks every invariant after every step, and
//! through the binary where a process must end.
#![expect(clippy::unwrap_used, reason = "a test may only fail")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "the logs of these tests are small"
)]

mod ahead;
mod authorities;
mod binary;
mod bundle_checkpoints;
mod checked;
mod collections;
mod commands;
mod disk;
mod displaced;
mod drill;
mod drill_logs;
mod encodings;
mod exec;
mod expect_from;
mod faults;
mod guided;
mod health;
mod holds;
mod init;
mod kill;
mod lies;
mod listed;
mod lives;
mod looked_up;
mod messages;
mod missing;
mod passes;
mod reconciled;
mod registered;
mod rekor_v1;
mod rekor_v1_answers;
mod reload;
mod replays;
mod shapes;
mod since;
mod status;
mod trust_documents;
mod trusted;
mod tuf;
mod unlike;
mod upgraded;
mod world;
