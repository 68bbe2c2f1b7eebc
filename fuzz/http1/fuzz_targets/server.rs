//! Any bytes from a client. The same function runs in `cargo test` (crates/http1/tests/server/fuzz.rs).
#![no_main]

#[path = "../../../crates/http1/tests/fuzz_server/mod.rs"]
mod fuzz_server;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_server::run(data));
