//! Any bytes as headers. The same function runs in `cargo test` (tests/fuzz_smoke.rs).
#![no_main]

#[path = "../../../crates/tracing/tests/fuzz_entry/mod.rs"]
mod fuzz_entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_entry::run(data));
