//! The arrows between the crates are those docs/architecture.md draws.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
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
    ("towergate-queue", &["towergate-schema"]),
    // What they have to tell waits for somebody else to take it.
    ("towergate-logging", &["towergate-core", "towergate-queue", "towergate-schema"]),
    ("towergate-tracing", &["towergate-core", "towergate-queue", "towergate-schema"]),
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
    ("towergate-axum", &["towergate-core"]),
    ("towergate-store", &["towergate-config"]),
    ("towergate-admin", &["towergate-config", "towergate-runtime", "towergate-schema", "towergate-store"]),
];

/// They stand above all others: nobody depends on them, and they may depend on anybody.
const TOP: &[&str] = &["towergate", "towergate-gateway", "towergate-tests", "towergate-benches", "towergate-peers"];

/// Whether nobody depends on it (an example is nobody's, and the façade names everybody).
fn is_top(name: &str) -> bool {
    TOP.contains(&name) || name.starts_with("example-")
}

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
        if is_top(&name) {
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
    // Of the crates with rules of their own these are plugins' all the same.
    const PLUGINS: &[&str] = &["towergate-logging", "towergate-tracing"];
    let known = |name: &str| {
        let has_rules = ALLOWED.iter().any(|(known, _)| *known == name) || is_top(name);
        has_rules && !PLUGINS.contains(&name)
    };
    let plugins: Vec<_> = graph.keys().filter(|name| !known(name)).collect();
    assert!(plugins.len() >= 3, "{plugins:?}");
    for (name, dependencies) in &graph {
        let above = is_top(name);
        assert!(above || plugins.iter().all(|plugin| !dependencies.contains(*plugin)), "{name}: {dependencies:?}");
    }
}

/// The packages that come with a crate's default features, itself included; one that comes in two versions is two.
fn tree(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    // A line is `name version (what else there is to say)`.
    let package = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().filter(|line| !line.is_empty()).map(package).collect()
}

/// What depends on the binary, or pulls a runtime into a crate that promises to need none.
#[test]
fn core_config_and_router_need_no_runtime_and_no_http_implementation() {
    for package in ["towergate-core", "towergate-config", "towergate-router", "towergate-schema"] {
        let tree = tree(package);
        for unwanted in ["tokio", "hyper", "axum"] {
            let found = tree.iter().any(|package| package.split(' ').next() == Some(unwanted));
            assert!(!found, "{package} pulls in {unwanted}: {tree:?}");
        }
    }
}

/// A concern's crate alone brings fewer than so many others, unless it needs cryptography.
const FEW: usize = 60;

/// Those with arrows of their own that are concerns all the same.
const PLUMBING_FOR_OTHERS: &[&str] = &[
    "towergate-compression",
    "towergate-lb",
    "towergate-logging",
    "towergate-queue",
    "towergate-router",
    "towergate-tracing",
];

/// What needs cryptography whatever its features: spans are sent by TLS.
const WITH_CRYPTOGRAPHY: &[&str] = &["towergate-tracing"];

#[test]
fn a_concern_alone_brings_few_crates() {
    let concerns = graph().into_keys().filter(|name| {
        let plumbing = ALLOWED.iter().any(|(known, _)| known == name);
        !is_top(name) && (!plumbing || PLUMBING_FOR_OTHERS.contains(&name.as_str()))
    });
    let mut many = Vec::new();
    for concern in concerns.filter(|name| !WITH_CRYPTOGRAPHY.contains(&name.as_str())) {
        let crates = tree(&concern).len().saturating_sub(1);
        if crates >= FEW {
            many.push(format!("{concern}: {crates}"));
        }
    }
    assert!(many.is_empty(), "make what is heavy a feature: {many:?}");
}

/// What whoever looks for a crate finds: its page, its changes, where it belongs.
#[test]
fn every_crate_presents_itself() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let crates = fs::read_dir(root.join("crates")).expect("the crates").flatten().map(|entry| entry.path());
    let mut missing = Vec::new();
    for folder in crates.chain([root.join("gateway-bin")]) {
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let (manifest, readme) = (text("Cargo.toml"), text("README.md"));
        let sources = fs::read_dir(folder.join("src")).expect("sources").flatten();
        let mut pages = sources.filter_map(|entry| fs::read_to_string(entry.path()).ok()).chain([readme.clone()]);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut must = |holds: bool, what: &str| {
            if !holds {
                missing.push(format!("{name}: {what}"));
            }
        };
        must(!text("CHANGELOG.md").is_empty(), "CHANGELOG.md");
        must(pages.any(|page| page.contains("```")), "an example on its page or that of a module");
        must(readme.contains("Licence: Apache-2.0."), "its licence on its page");
        for field in ["description = ", "keywords = ", "categories = ", "repository.workspace", "readme = "] {
            must(manifest.contains(field), field);
        }
        let has_features = manifest.contains("\n[features]\n") && !manifest.contains("[features]\ndefault = []\n\n");
        must(!has_features || manifest.contains("[package.metadata.docs.rs]"), "documentation of all features");
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
