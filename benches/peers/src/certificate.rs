//! The certificate that all proxies show.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::CertifiedKey;

use crate::Problem;

/// Files with one certificate and its key, elliptic-curve P-256.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(crate) both: PathBuf,
}

impl Certificate {
    /// Makes one for `localhost`.
    pub(crate) fn make(folder: &Path) -> Result<Self, Problem> {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (chain, key) = (cert.pem(), signing_key.serialize_pem());
        let files =
            Self { chain: folder.join("chain.pem"), key: folder.join("key.pem"), both: folder.join("both.pem") };
        fs::write(&files.chain, &chain)?;
        fs::write(&files.key, &key)?;
        fs::write(&files.both, chain + &key)?;
        Ok(files)
    }
}
