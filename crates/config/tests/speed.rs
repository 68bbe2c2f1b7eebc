//! How long large configurations take and how much they hold. Run by hand in release mode:
//! `cargo test --release -p towergate-config --test speed -- --ignored --nocapture`.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use support::load_all;

fn services(count: usize) -> String {
    let mut text = "_format_version: \"3.0\"\nservices:\n".to_owned();
    for n in 0..count {
        let _ = writeln!(text, "- name: service-{n}\n  url: http://service-{n}.internal:8080/v1");
    }
    text
}

#[test]
#[ignore = "measures; run in release mode"]
fn twenty_thousand_services_load_quickly() {
    let text = services(20_000);
    let started = Instant::now();
    let loaded = load_all(&[("kong.yml", &text)]).map_err(|report| report.to_string()).unwrap();
    let took = started.elapsed();
    println!("{} bytes, {} services: {took:?}", text.len(), loaded.config.services.len());
    assert!(took < Duration::from_millis(300), "{took:?}");
}

#[test]
#[ignore = "measures; run in release mode"]
fn a_million_keys_load() {
    let mut text =
        "{\"_format_version\": \"3.0\", \"consumers\": [{\"username\": \"c\"}], \"keyauth_credentials\": [".to_owned();
    for n in 0..1_000_000 {
        let _ = write!(text, "{}{{\"key\": \"key-{n:032}\", \"consumer\": \"c\"}}", if n > 0 { "," } else { "" });
    }
    text.push_str("]}");
    let options = towergate_config::Options {
        limits: towergate_config::Limits { max_bytes: 1 << 30, ..Default::default() },
        ..support::options()
    };
    let source = towergate_config::Source::new("kong.json", text);
    let started = Instant::now();
    let loaded =
        towergate_config::parse_with(vec![source], &support::plugins(), &options).map_err(|r| r.to_string()).unwrap();
    println!("{} keys: {:?}", loaded.config.keyauth_credentials.len(), started.elapsed());
    println!(
        "peak: {}",
        std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap_or("")
    );
}
