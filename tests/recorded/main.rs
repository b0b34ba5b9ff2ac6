//! The program over recorded logs, compared with the expected results.
//!
//! The recording (`tests/data/harbor`) contains two Rekor v2 logs with everything that was sent to them, and thirty
//! copies of one of them with one fault each. Each test writes a configuration and runs the binary as a user would, and
//! checks what scripts rely on: exit codes, `findings list --json`, `status --json`, the last line on stderr.

#![expect(
    clippy::unwrap_used,
    reason = "a broken recording, or a program that does not keep its promised form, is a failed test"
)]

#[path = "../../benches/catch_up/log.rs"]
#[expect(dead_code, reason = "benchmarks use the rest of it")]
mod big_log;
mod certificate_bytes;
mod folder;
#[path = "../http_source/merkle.rs"]
mod merkle;
mod program;
mod recording;
mod reported;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../http_source/server.rs"]
mod server;

mod alerting;
mod chains;
mod evidence;
mod evidence_apis;
mod flooded;
mod growing;
mod later;
mod looked_up;
mod looked_up_apis;
mod lying;
mod reconciled;
mod registered;
mod served;
mod strange;
mod whole;
mod with_apis;
