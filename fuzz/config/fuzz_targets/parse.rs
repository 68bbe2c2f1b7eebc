//! Any text is a configuration or a report, never a panic. Run with `cargo +nightly fuzz run parse`
//! in this folder; `crates/config/tests/fuzz.rs` runs the same entry on fixed inputs.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| towergate_config::fuzz_entry(text));
