//! Serves the Sigstore of the tests (`tests/signing/loopback`) to another program, until standard input ends. The first line
//! of standard output is a JSON object: a client trust configuration for each version of Rekor, an identity token, and the
//! identity that a certificate for it names.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../../crates/model-signing/tests/keyless/fake/mod.rs"]
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "the tests of the library use all of it"
)]
mod fake;
#[path = "../signing/loopback/mod.rs"]
#[expect(
    dead_code,
    clippy::indexing_slicing,
    reason = "the tests of signing use all of it"
)]
mod loopback;

use std::io;

use serde_json::json;

fn main() {
    let services = loopback::Services::start();
    let description = json!({
        "v1": services.trust_config(&["rekor1"], |_| ()),
        "v2": services.trust_config(&["rekor2"], |_| ()),
        "token": loopback::token(&loopback::workflow()),
        "identity": fake::IDENTITY,
        "identity_provider": fake::ISSUER,
    });
    println!("{description}");
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
}
