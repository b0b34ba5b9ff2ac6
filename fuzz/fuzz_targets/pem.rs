#![no_main]

// The same checks as the replay of the corpus on stable.
#[expect(dead_code, reason = "each target does a part of them")]
#[path = "../../crates/model-signing/tests/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::pem(bytes));
