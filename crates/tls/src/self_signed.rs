//! The certificates that are shown when nobody gave any.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use time::{Duration, OffsetDateTime};

use crate::identity::{Identities, Identity};

/// Certificates for `localhost` with an RSA and an ECDSA key, signed by themselves, kept as
/// `<folder>/<name>.crt` and `.key`, `<folder>/<name>-ecdsa.crt` and `.key`. What is there already
/// is taken; private keys can be read by their owner only.
///
/// # Errors
/// The file that cannot be read or written, or whose contents are no certificate or key.
pub fn self_signed(folder: &Path, name: &str) -> Result<Identities, SelfSignedError> {
    let rsa = kept(folder, name, &PKCS_RSA_SHA256)?;
    let ecdsa = kept(folder, &format!("{name}-ecdsa"), &PKCS_ECDSA_P256_SHA256)?;
    Identities::new(vec![rsa, ecdsa]).map_err(|error| SelfSignedError(folder.to_owned(), error.to_string()))
}

/// The same for as long as the process lives: nothing is written anywhere.
///
/// # Errors
/// When no random numbers can be had.
pub fn self_signed_unkept() -> Result<Identities, SelfSignedError> {
    let nowhere = |error: &dyn fmt::Display| SelfSignedError(PathBuf::from("certificate"), error.to_string());
    let mut identities = Vec::new();
    for algorithm in [&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256] {
        let (certificate, key) = make(algorithm).map_err(|error| nowhere(&error))?;
        identities.push(Identity::from_pem(&certificate, &key).map_err(|error| nowhere(&error))?);
    }
    Identities::new(identities).map_err(|error| nowhere(&error))
}

/// Why there are no certificates signed by themselves.
#[derive(Debug)]
pub struct SelfSignedError(PathBuf, String);

impl fmt::Display for SelfSignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.display(), self.1)
    }
}

impl std::error::Error for SelfSignedError {}

fn kept(folder: &Path, name: &str, algorithm: &'static SignatureAlgorithm) -> Result<Identity, SelfSignedError> {
    let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    if !certificate.exists() || !key.exists() {
        let made = make(algorithm).map_err(|error| SelfSignedError(certificate.clone(), error.to_string()))?;
        let about = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| SelfSignedError(path, error.to_string())
        };
        fs::create_dir_all(folder).map_err(about(folder))?;
        write(&key, &made.1, 0o600).map_err(about(&key))?;
        write(&certificate, &made.0, 0o644).map_err(about(&certificate))?;
    }
    let read =
        |path: &Path| fs::read_to_string(path).map_err(|error| SelfSignedError(path.to_owned(), error.to_string()));
    Identity::from_pem(&read(&certificate)?, &read(&key)?)
        .map_err(|error| SelfSignedError(certificate, format!("{error}; delete it and its key to have new ones made")))
}

/// A certificate and its key, in PEM.
fn make(algorithm: &'static SignatureAlgorithm) -> Result<(String, String), rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut certificate = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "Towergate");
    subject.push(DnType::CommonName, "localhost");
    certificate.distinguished_name = subject;
    let now = OffsetDateTime::now_utc();
    certificate.not_before = now - Duration::days(1);
    // As long as Kong's.
    certificate.not_after = now + Duration::days(20 * 365);
    certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(algorithm)?;
    Ok((certificate.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Writes a file that nobody sees half-written.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rustls::SignatureAlgorithm;

    use super::*;

    #[test]
    fn they_are_made_once_and_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let ssl = folder.path().join("ssl");
        let made = self_signed(&ssl, "kong-default").unwrap();
        let kinds: Vec<_> = made.iter().map(Identity::algorithm).collect();
        assert_eq!(kinds, [SignatureAlgorithm::ECDSA, SignatureAlgorithm::RSA]);
        let mode = |name: &str| fs::metadata(ssl.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("kong-default.key"), mode("kong-default-ecdsa.key")), (0o600, 0o600));
        let mut files: Vec<_> = fs::read_dir(&ssl).unwrap().map(|file| file.unwrap().file_name()).collect();
        files.sort();
        let expected = ["kong-default-ecdsa.crt", "kong-default-ecdsa.key", "kong-default.crt", "kong-default.key"];
        assert_eq!(files, expected);
        let again = self_signed(&ssl, "kong-default").unwrap();
        let chains = |identities: &Identities| -> Vec<_> {
            identities.iter().map(|identity| identity.certified_key().cert.clone()).collect()
        };
        assert_eq!(chains(&again), chains(&made));
    }

    #[test]
    fn what_is_there_and_broken_is_told_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.crt");
        fs::write(&path, "nonsense").unwrap();
        fs::write(folder.path().join("x.key"), "nonsense").unwrap();
        let error = self_signed(folder.path(), "x").unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: invalid certificate: expected PEM", path.display())), "{error}");
        assert!(error.ends_with("delete it and its key to have new ones made"), "{error}");
        assert_eq!(fs::read_to_string(path).unwrap(), "nonsense");
    }
}
