//! The arrows between the crates are those docs/architecture.md draws.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each crate may depend on. A crate that is not listed is a plugin's and may have core and schema only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("towergate-core", &[]),
    ("towergate-schema-derive", &[]),
    ("towergate-schema", &["towergate-schema-derive"]),
    ("towergate-config", &["towergate-schema"]),
    ("towergate-router", &[]),
    ("towergate-dns", &[]),
    ("towergate-lb", &[]),
    ("towergate-http1", &[]),
    ("towergate-tls", &[]),
    ("towergate-compression", &[]),
    ("towergate-balancer", &["towergate-core", "towergate-lb"]),
    (
        "towergate-upstream",
        &["towergate-balancer", "towergate-core", "towergate-dns", "towergate-http1", "towergate-lb", "towergate-tls"],
    ),
    (
        "towergate-runtime",
        &["towergate-config", "towergate-core", "towergate-router", "towergate-schema", "towergate-tls"],
    ),
    (
        "towergate-server",
        &["towergate-core", "towergate-http1", "towergate-router", "towergate-runtime", "towergate-tls"],
    ),
    ("towergate-store", &["towergate-config"]),
    ("towergate-admin", &["towergate-config", "towergate-runtime", "towergate-schema", "towergate-store"]),
];

/// They stand above all others: nobody depends on them, and they may depend on anybody.
const TOP: &[&str] =
    &["towergate-gateway", "towergate-tests", "towergate-benches", "towergate-peers", "example-axum-layers"];

const PLUGIN: &[&str] = &["towergate-core", "towergate-schema"];

/// The crates of the workspace and which of ours each depends on, tests not counted.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|dependency| dependency["kind"] != "dev").map(name).filter(|name| ours.contains(name)).collect()
    };
    packages.iter().map(|package| (name(package), dependencies(package))).collect()
}

#[test]
fn no_crate_depends_on_what_it_should_not_know() {
    let mut wrong = Vec::new();
    for (name, dependencies) in graph() {
        if TOP.contains(&name.as_str()) {
            continue;
        }
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).map_or(PLUGIN, |(_, allowed)| allowed);
        for dependency in dependencies.iter().filter(|dependency| !allowed.contains(&dependency.as_str())) {
            wrong.push(format!("{name} -> {dependency} (allowed: {allowed:?})"));
        }
    }
    assert!(wrong.is_empty(), "see docs/architecture.md: {wrong:#?}");
}

#[test]
fn a_plugin_never_depends_on_a_plugin() {
    let graph = graph();
    let known = |name: &str| ALLOWED.iter().any(|(known, _)| *known == name) || TOP.contains(&name);
    let plugins: Vec<_> = graph.keys().filter(|name| !known(name)).collect();
    assert!(plugins.len() >= 3, "{plugins:?}");
    for (name, dependencies) in &graph {
        let above = TOP.contains(&name.as_str());
        assert!(above || plugins.iter().all(|plugin| !dependencies.contains(*plugin)), "{name}: {dependencies:?}");
    }
}

/// What depends on the binary, or pulls a runtime into a crate that promises to need none.
#[test]
fn core_config_and_router_need_no_runtime_and_no_http_implementation() {
    for package in ["towergate-core", "towergate-config", "towergate-router", "towergate-schema"] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "tree",
                "--package",
                package,
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
                "--locked",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8_lossy(&output.stdout).into_owned();
        for unwanted in ["tokio", "hyper", "axum"] {
            let pulled = tree.lines().any(|line| line.split(' ').next() == Some(unwanted));
            assert!(!pulled, "{package} pulls in {unwanted}:\n{tree}");
        }
    }
}
