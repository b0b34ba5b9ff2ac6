#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| modelwatch_fuzz::program::evidence(bytes));
