//! TLS towards clients: what is offered to them, and sessions that survive a connection.

use std::{sync::Arc, time::Duration};

use rustls::{
    NamedGroup, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use crate::{
    authority::Authorities,
    certificates::{CertificateSource, Certificates, Resolver},
    ciphers,
    client_certificates::Curious,
    error::SettingsError,
    sessions,
};

/// What clients are offered: Kong's settings `ssl_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Which versions and ciphers (`ssl_cipher_suite`). Default intermediate.
    pub cipher_suite: CipherSuite,
    /// Whether sessions are kept by clients, in tickets (`ssl_session_tickets`). Default yes.
    pub session_tickets: bool,
    /// How long a session may be resumed (`ssl_session_timeout`). Default one day; tickets count for
    /// twelve hours at most, when their keys are forgotten.
    pub session_timeout: Duration,
    /// How many sessions are kept here for clients that take no tickets (`ssl_session_cache_size`),
    /// each of about a kilobyte. Default 10 240; 0 is none.
    pub session_cache: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            cipher_suite: CipherSuite::Intermediate,
            session_tickets: true,
            session_timeout: Duration::from_secs(24 * 60 * 60),
            session_cache: 10_240,
        }
    }
}

/// Which versions and ciphers are offered, as Kong's `ssl_cipher_suite` names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CipherSuite {
    /// TLS 1.3 only.
    Modern,
    /// TLS 1.2 and 1.3 with authenticated encryption and forward secrecy.
    #[default]
    Intermediate,
    /// As intermediate, in our order: versions and ciphers older than that are not built in.
    Old,
    /// TLS 1.2 with AES-GCM and curves of NIST.
    Fips,
    /// Whatever one says oneself.
    Custom(Custom),
}

/// Versions and ciphers of one's own choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    /// The versions (`ssl_protocols`).
    pub protocols: Vec<Version>,
    /// The ciphers of TLS 1.2 in OpenSSL's language (`ssl_ciphers`); none given means all.
    pub ciphers: Option<String>,
    /// Whether our order counts and not the client's (`ssl_prefer_server_ciphers`).
    pub prefer_server_ciphers: bool,
}

impl Default for Custom {
    fn default() -> Self {
        Self { protocols: vec![Version::Tls12, Version::Tls13], ciphers: None, prefer_server_ciphers: true }
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.0, 1.1 or SSL: may be written, is never offered.
    Older,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What all listeners and workers of a gateway share: versions, ciphers and sessions.
#[derive(Debug, Clone)]
pub struct Server {
    /// Everything but the source of certificates and the protocols inside.
    template: ServerConfig,
    /// The same for clients that are asked for a certificate. Its sessions are its own: a session in
    /// which nobody was asked must not stand in for one in which somebody would be.
    asking: ServerConfig,
    warnings: Vec<String>,
}

impl Server {
    /// Works out what is offered under these settings.
    ///
    /// # Errors
    /// When nothing would be left to offer.
    pub fn new(settings: &ServerSettings) -> Result<Self, SettingsError> {
        Self::asking_with(settings, |provider| Ok(Arc::new(Curious(provider.signature_verification_algorithms))))
    }

    /// The same, where the certificates of clients that are asked count only if one of these
    /// authorities has issued them; others end the handshake. Clients may still show none.
    ///
    /// # Errors
    /// When nothing would be left to offer, or nobody is trusted.
    pub fn verifying(settings: &ServerSettings, authorities: &Authorities) -> Result<Self, SettingsError> {
        Self::asking_with(settings, |provider| {
            let anchors = Arc::new(RootCertStore { roots: authorities.anchors().anchors });
            let verifier = WebPkiClientVerifier::builder_with_provider(anchors, provider.clone());
            let built = verifier.allow_unauthenticated().build();
            built.map(|verifier| verifier as _).map_err(|error| SettingsError(error.to_string()))
        })
    }

    fn asking_with(
        settings: &ServerSettings,
        verifier: impl FnOnce(&Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let custom = custom(&settings.cipher_suite);
        let mut warnings = Vec::new();
        let suites = suites(&custom, &mut warnings);
        let versions = versions(&custom, &suites, &mut warnings)?;
        let mut provider = CryptoProvider { cipher_suites: suites, ..default_provider() };
        if settings.cipher_suite == CipherSuite::Fips {
            let of_nist = [NamedGroup::secp256r1, NamedGroup::secp384r1];
            provider.kx_groups.retain(|group| of_nist.contains(&group.name()));
        }
        let provider = Arc::new(provider);
        let template = |verifier: Arc<dyn ClientCertVerifier>| {
            let mut template = ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&versions)
                .map_err(|error| SettingsError(error.to_string()))?
                .with_client_cert_verifier(verifier)
                .with_cert_resolver(Arc::new(Resolver(Arc::new(Certificates::default()))));
            template.ignore_client_order = custom.prefer_server_ciphers;
            template.session_storage = sessions::cache(settings.session_cache, settings.session_timeout);
            if settings.session_tickets {
                template.ticketer = sessions::tickets(settings.session_timeout)?;
            }
            Ok(template)
        };
        let silent = template(WebPkiClientVerifier::no_client_auth())?;
        let asking = template(verifier(&provider)?)?;
        Ok(Self { template: silent, asking, warnings })
    }

    /// What was asked for and is not offered, a line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What a listener (of one worker) needs: certificates from this source, and HTTP/2 by ALPN or not.
    #[must_use]
    pub fn config(&self, source: impl CertificateSource, http2: bool) -> Arc<ServerConfig> {
        Self::completed(self.template.clone(), source, http2)
    }

    /// The same for clients that are asked for a certificate. They may show none; whom one is trusted
    /// to be is not looked at, except by [`Server::verifying`].
    #[must_use]
    pub fn asking_config(&self, source: impl CertificateSource, http2: bool) -> Arc<ServerConfig> {
        Self::completed(self.asking.clone(), source, http2)
    }

    fn completed(mut config: ServerConfig, source: impl CertificateSource, http2: bool) -> Arc<ServerConfig> {
        config.cert_resolver = Arc::new(Resolver(source));
        let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1", b"http/1.0"] } else { &[b"http/1.1", b"http/1.0"] };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

/// What Kong makes of its names.
fn custom(suite: &CipherSuite) -> Custom {
    let both = vec![Version::Tls12, Version::Tls13];
    let of = |protocols, prefer_server_ciphers| Custom { protocols, ciphers: None, prefer_server_ciphers };
    match suite {
        CipherSuite::Modern => of(vec![Version::Tls13], false),
        CipherSuite::Intermediate => of(both, false),
        CipherSuite::Old => of([vec![Version::Older], both].concat(), true),
        CipherSuite::Fips => Custom { ciphers: Some("FIPS:!aNULL".to_owned()), ..of(vec![Version::Tls12], true) },
        CipherSuite::Custom(custom) => custom.clone(),
    }
}

fn suites(custom: &Custom, warnings: &mut Vec<String>) -> Vec<SupportedCipherSuite> {
    let chosen = ciphers::choose(custom.ciphers.as_deref().unwrap_or(ciphers::ALL));
    if !chosen.missing.is_empty() {
        warnings.push(format!("ssl_ciphers: not built in and not offered: {}", chosen.missing.join(", ")));
    }
    let is_used = |suite: &SupportedCipherSuite| match suite {
        SupportedCipherSuite::Tls12(_) => custom.protocols.contains(&Version::Tls12),
        SupportedCipherSuite::Tls13(_) => custom.protocols.contains(&Version::Tls13),
    };
    chosen.suites.into_iter().filter(is_used).collect()
}

fn versions(
    custom: &Custom,
    suites: &[SupportedCipherSuite],
    warnings: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, SettingsError> {
    if custom.protocols.contains(&Version::Older) {
        warnings.push("TLS 1.1 and older are not built in and not offered; TLS 1.2 and 1.3 are".to_owned());
    }
    let mut versions = Vec::new();
    if custom.protocols.contains(&Version::Tls13) {
        versions.push(&TLS13);
    }
    if custom.protocols.contains(&Version::Tls12) {
        if suites.iter().any(|suite| suite.tls13().is_none()) {
            versions.push(&TLS12);
        } else {
            warnings.push("TLS 1.2 is not offered: ssl_ciphers leaves it no cipher that is built in".to_owned());
        }
    }
    if versions.is_empty() {
        let why = "ssl_protocols and ssl_ciphers leave nothing that could be offered to clients: \
                   take TLSv1.2 or TLSv1.3, and ciphers such as ECDHE-RSA-AES256-GCM-SHA384";
        return Err(SettingsError(why.to_owned()));
    }
    Ok(versions)
}
