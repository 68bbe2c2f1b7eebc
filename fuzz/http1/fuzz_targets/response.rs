//! Any bytes as a server's side of a connection. The same function runs in `cargo test`
//! (tests/client/fuzz.rs).
#![no_main]

#[path = "../../../crates/http1/tests/fuzz_entry/mod.rs"]
mod fuzz_entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(fuzz_entry::run(data)));
