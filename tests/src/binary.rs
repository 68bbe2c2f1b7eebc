//! Finding the `towergate` binary, building it when needed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary to test: `TOWERGATE_BIN` when set, else the one of this build's target folder and profile.
///
/// It is built once per test process, not only when missing: cargo does not know that these tests need it, and a stale binary
/// would be tested in silence. When nothing has changed this takes a fraction of a second; cargo's own lock keeps processes apart.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("TOWERGATE_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let profile_folder = profile_folder();
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target_folder = profile_folder.parent().expect("a profile folder lies in the target folder");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "towergate-gateway", "--bin", "towergate", "--profile", profile])
        .arg("--target-dir")
        .arg(target_folder)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "building the gateway:\n{}", String::from_utf8_lossy(&output.stderr));
    profile_folder.join("towergate").with_extension(env::consts::EXE_EXTENSION)
}

/// `target`, wherever cargo was told to have it.
pub(crate) fn target_folder() -> PathBuf {
    profile_folder().parent().expect("a profile folder lies in the target folder").to_owned()
}

/// `target/<profile>`: the test executable lies in its `deps`.
fn profile_folder() -> PathBuf {
    let executable = env::current_exe().expect("the path of this test");
    executable.ancestors().nth(2).expect("a test executable lies in target/<profile>/deps").to_owned()
}
