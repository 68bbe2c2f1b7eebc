//! TLS as the settings have it: what is offered to clients, and what is read from files for both sides.

use std::{fs, path::Path, sync::Arc};

use towergate_config::{
    Settings,
    settings::{self, Origin},
};
use towergate_core::KeyPair;
use towergate_tls::{
    Authorities, CipherSuite, Clients, Custom, Identities, Identity, Server, ServerSettings, Trust, Version,
    from_base64, self_signed, self_signed_unkept,
};
use towergate_upstream::TlsSettings;

/// What a session takes in memory, about.
const SESSION_BYTES: u64 = 1024;

/// What clients are offered, if there is a listener with TLS.
///
/// # Errors
/// When the settings leave nothing to offer.
pub(crate) fn server(settings: &Settings) -> Result<Option<Server>, String> {
    if !is_spoken(settings) {
        return Ok(None);
    }
    Server::new(&offered(settings))
        .map(Some)
        .map_err(|error| format!("{}: {error}", settings.origin("ssl_cipher_suite")))
}

/// Versions, ciphers and sessions as the settings have them; they hold for all listeners.
pub(crate) fn offered(settings: &Settings) -> ServerSettings {
    let tls = &settings.tls;
    ServerSettings {
        cipher_suite: cipher_suite(tls),
        session_tickets: tls.session_tickets,
        session_timeout: tls.session_timeout,
        session_cache: usize::try_from(tls.session_cache_size / SESSION_BYTES).unwrap_or(usize::MAX),
    }
}

/// What was asked for and is not offered, a line each.
pub(crate) fn warnings(settings: &Settings, server: Option<&Server>) -> Vec<String> {
    let origin = settings.origin("ssl_cipher_suite");
    server.iter().flat_map(|server| server.warnings()).map(|warning| format!("{origin}: {warning}")).collect()
}

fn is_spoken(settings: &Settings) -> bool {
    settings.proxy_listen.iter().any(|listener| listener.ssl)
}

fn cipher_suite(tls: &settings::Tls) -> CipherSuite {
    let version = |version: &settings::TlsVersion| match version {
        settings::TlsVersion::Older => Version::Older,
        settings::TlsVersion::V1_2 => Version::Tls12,
        settings::TlsVersion::V1_3 => Version::Tls13,
    };
    match tls.cipher_suite {
        settings::CipherSuite::Modern => CipherSuite::Modern,
        settings::CipherSuite::Intermediate => CipherSuite::Intermediate,
        settings::CipherSuite::Old => CipherSuite::Old,
        settings::CipherSuite::Fips => CipherSuite::Fips,
        settings::CipherSuite::Custom => CipherSuite::Custom(Custom {
            protocols: tls.protocols.iter().map(version).collect(),
            ciphers: tls.ciphers.clone(),
            prefer_server_ciphers: tls.prefer_server_ciphers,
        }),
    }
}

/// What the settings point to: certificates and keys as text. It may change while the gateway runs.
#[derive(PartialEq)]
pub(crate) struct Material {
    /// For clients that no other certificate is for.
    certificates: Vec<KeyPair>,
    /// For upstreams that ask who we are.
    identity: Option<KeyPair>,
    /// Whom to trust.
    trusted: Vec<String>,
}

impl Material {
    /// Reads all that the settings point to.
    ///
    /// # Errors
    /// The first setting that points to nothing.
    pub(crate) fn read(settings: &Settings) -> Result<Self, String> {
        let pair = |names, pair: &(String, String)| read_pair(settings, names, pair);
        let given = settings.tls.certificates.iter().map(|given| pair(["ssl_cert", "ssl_cert_key"], given));
        let identity = settings.upstream_tls.identity.as_ref();
        let identity = identity.map(|given| pair(["client_ssl_cert", "client_ssl_cert_key"], given));
        let trusted = settings.upstream_tls.trusted.iter().filter(|entry| *entry != SYSTEM);
        let trusted = trusted.map(|entry| read(settings, "lua_ssl_trusted_certificate", entry));
        Ok(Self {
            certificates: given.collect::<Result<_, _>>()?,
            identity: identity.transpose()?,
            trusted: trusted.collect::<Result<_, _>>()?,
        })
    }

    /// What is shown to clients that no other certificate is for; none if no setting says it.
    ///
    /// # Errors
    /// What is wrong with a certificate or key.
    pub(crate) fn certificates(&self, settings: &Settings) -> Result<Option<Identities>, String> {
        let wrong = |error| format!("{}: ssl_cert: {error}", settings.origin("ssl_cert"));
        let identity = |pair: &KeyPair| Identity::from_pem(&pair.certificate, &pair.key);
        let read: Vec<_> = self.certificates.iter().map(identity).collect::<Result<_, _>>().map_err(wrong)?;
        if read.is_empty() {
            return Ok(None);
        }
        Identities::new(read).map(Some).map_err(wrong)
    }

    /// What holds towards upstreams whose services say nothing themselves.
    ///
    /// # Errors
    /// What is wrong with a certificate or key.
    pub(crate) fn towards_upstreams(&self, settings: &Settings) -> Result<TlsSettings, String> {
        let wrong = |name: &'static str| move |error| format!("{}: {name}: {error}", settings.origin(name));
        if let Some(pair) = &self.identity {
            Identity::from_pem(&pair.certificate, &pair.key).map_err(wrong("client_ssl_cert"))?;
        }
        let mut authorities = Authorities::none();
        if settings.upstream_tls.trusted.iter().any(|entry| entry == SYSTEM) {
            authorities = authorities.with_system();
        }
        for text in &self.trusted {
            authorities = authorities.with_pem(text).map_err(wrong("lua_ssl_trusted_certificate"))?;
        }
        Ok(TlsSettings { authorities, depth: settings.upstream_tls.verify_depth, identity: self.identity.clone() })
    }
}

/// What holds towards a database: whom the settings trust (`lua_ssl_trusted_certificate`), or anybody.
///
/// # Errors
/// What is wrong with a certificate.
pub(crate) fn towards_database(settings: &Settings, verify: bool) -> Result<Arc<rustls::ClientConfig>, String> {
    let TlsSettings { authorities, depth, .. } = Material::read(settings)?.towards_upstreams(settings)?;
    let trust = Trust { verify, depth, ..Trust::default() };
    let client = Clients::new(authorities).client(&trust).map_err(|error| error.to_string())?;
    let mut config = client.config().as_ref().clone();
    // A database is not offered HTTP.
    config.alpn_protocols.clear();
    Ok(Arc::new(config))
}

/// Whom the system trusts, in `lua_ssl_trusted_certificate`.
const SYSTEM: &str = "system";

/// What is shown to clients that no other certificate is for: what the settings say, or else
/// certificates signed by themselves, which are kept in the prefix as Kong keeps its own.
///
/// # Errors
/// What is wrong with a certificate or key, or the file that cannot be written.
pub(crate) fn default_certificates(material: &Material, settings: &Settings) -> Result<Identities, String> {
    if !is_spoken(settings) {
        return Ok(Identities::default());
    }
    if let Some(given) = material.certificates(settings)? {
        return Ok(given);
    }
    let made = match self_signed(&settings.prefix.join("ssl"), "kong-default") {
        // The default prefix may not be ours to write to.
        Err(_) if settings.origin("prefix") == Origin::Default => self_signed_unkept(),
        made => made,
    };
    made.map_err(|error| format!("cannot make a certificate: {error}; give one with ssl_cert and ssl_cert_key"))
}

/// A certificate and its key, as two settings of these names point to them.
///
/// # Errors
/// The setting that points to nothing.
pub(crate) fn read_pair(settings: &Settings, names: [&str; 2], pair: &(String, String)) -> Result<KeyPair, String> {
    let [certificate, key] = names;
    Ok(KeyPair { certificate: read(settings, certificate, &pair.0)?.into(), key: read(settings, key, &pair.1)?.into() })
}

/// The text that an entry of a setting means: a file, PEM itself, or that in base64.
///
/// # Errors
/// The setting that points to nothing.
pub(crate) fn read(settings: &Settings, name: &str, entry: &str) -> Result<String, String> {
    const PEM: &str = "-----BEGIN ";
    if entry.contains(PEM) {
        return Ok(entry.to_owned());
    }
    if let Some(text) = from_base64(entry).filter(|text| text.contains(PEM)) {
        return Ok(text);
    }
    let origin = settings.origin(name);
    fs::read_to_string(entry).map_err(|error| match error.kind() {
        // Whatever is not a file may be a key that was cut off: it is not repeated.
        _ if !is_path(entry) => format!("{origin}: {name}: neither a file nor PEM nor PEM in base64"),
        // Kong's words.
        std::io::ErrorKind::NotFound => format!("{origin}: {name}: no such file at {entry}"),
        _ => format!("{origin}: {name}: cannot read {entry}: {error}"),
    })
}

fn is_path(entry: &str) -> bool {
    const LONGEST: usize = 255;
    entry.len() <= LONGEST && !entry.contains('\n') && Path::new(entry).file_name().is_some()
}
