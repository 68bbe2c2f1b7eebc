//! TLS of the Admin API and of the Status API.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsAcceptor;
use towergate_config::{
    Settings,
    settings::{AdminToken, Origin},
};
use towergate_tls::{Authorities, Certificates, Identities, Identity, Server, self_signed, self_signed_unkept};

use crate::tls;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Admin,
    Status,
}

impl Api {
    /// The settings with its certificate and its key.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Admin => ["admin_ssl_cert", "admin_ssl_cert_key"],
            Self::Status => ["status_ssl_cert", "status_ssl_cert_key"],
        }
    }

    /// What the certificate is called that Kong makes where none is given.
    fn default_certificate(self) -> &'static str {
        match self {
            Self::Admin => "admin-kong-default",
            Self::Status => "status-kong-default",
        }
    }

    fn is_spoken(self, settings: &Settings) -> bool {
        let listeners = match self {
            Self::Admin => &settings.admin_listen,
            Self::Status => &settings.status_listen,
        };
        listeners.iter().any(|listener| listener.ssl)
    }
}

/// What is shown and offered to those who connect; it may change while the gateway runs.
#[derive(Clone)]
pub(crate) struct ApiTls(Arc<Mutex<Acceptors>>);

#[derive(Clone)]
struct Acceptors {
    http1: TlsAcceptor,
    http2: TlsAcceptor,
}

impl ApiTls {
    /// What the settings say about this API; `None` if it has no listener with TLS.
    ///
    /// # Errors
    /// What is wrong with a certificate, a key or an authority.
    pub(crate) fn read(api: Api, settings: &Settings) -> Result<Option<Self>, String> {
        if !api.is_spoken(settings) {
            return Ok(None);
        }
        Acceptors::read(api, settings).map(|acceptors| Some(Self(Arc::new(Mutex::new(acceptors)))))
    }

    /// Reads it again; new connections meet what is new.
    ///
    /// # Errors
    /// As [`ApiTls::read`]; nothing changes then.
    pub(crate) fn renew(&self, api: Api, settings: &Settings) -> Result<(), String> {
        let acceptors = Acceptors::read(api, settings)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = acceptors;
        Ok(())
    }

    /// What a new connection needs, with HTTP/2 on offer or not.
    pub(crate) fn acceptor(&self, http2: bool) -> TlsAcceptor {
        let acceptors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if http2 { acceptors.http2.clone() } else { acceptors.http1.clone() }
    }
}

impl Acceptors {
    fn read(api: Api, settings: &Settings) -> Result<Self, String> {
        let certificates = match given(api, settings)? {
            Some(given) => given,
            None => made(api, settings)?,
        };
        let certificates = Arc::new(Certificates::new(certificates));
        let offered = tls::offered(settings);
        let Some(trusted) = authorities(settings)?.filter(|_| api == Api::Admin) else {
            let server = Server::new(&offered).map_err(|error| error.to_string())?;
            let config = |http2| TlsAcceptor::from(server.config(certificates.clone(), http2));
            return Ok(Self { http1: config(false), http2: config(true) });
        };
        let server =
            Server::verifying(&offered, &trusted).map_err(|error| wrong(settings, "admin_client_ca", &error))?;
        let config = |http2| TlsAcceptor::from(server.asking_config(certificates.clone(), http2));
        Ok(Self { http1: config(false), http2: config(true) })
    }
}

/// Looks at what the settings point to, and makes nothing.
///
/// # Errors
/// What is wrong with a certificate, a key, an authority or a token.
pub(crate) fn check(settings: &Settings) -> Result<(), String> {
    given(Api::Admin, settings)?;
    given(Api::Status, settings)?;
    authorities(settings)?;
    tokens(settings)?;
    Ok(())
}

fn given(api: Api, settings: &Settings) -> Result<Option<Identities>, String> {
    let given = match api {
        Api::Admin => &settings.admin_tls,
        Api::Status => &settings.status_tls,
    };
    let names = api.names();
    let [name, _] = names;
    let mut identities = Vec::new();
    for pair in &given.certificates {
        let pair = tls::read_pair(settings, names, pair)?;
        let identity = Identity::from_pem(&pair.certificate, &pair.key);
        identities.push(identity.map_err(|error| wrong(settings, name, &error))?);
    }
    if identities.is_empty() {
        return Ok(None);
    }
    Identities::new(identities).map(Some).map_err(|error| wrong(settings, name, &error))
}

/// What is signed by itself and kept in the prefix, as Kong does.
fn made(api: Api, settings: &Settings) -> Result<Identities, String> {
    let made = match self_signed(&settings.prefix.join("ssl"), api.default_certificate()) {
        // The default prefix may not be ours to write to.
        Err(_) if settings.origin("prefix") == Origin::Default => self_signed_unkept(),
        made => made,
    };
    let [name, _] = api.names();
    made.map_err(|error| format!("cannot make a certificate: {error}; give one with {name}"))
}

/// Who may say who uses the Admin API; `None` if nobody is asked for a certificate.
fn authorities(settings: &Settings) -> Result<Option<Authorities>, String> {
    let entries = &settings.admin_access.client_authorities;
    let mut trusted = Authorities::none();
    for entry in entries {
        let text = tls::read(settings, "admin_client_ca", entry)?;
        trusted = trusted.with_pem(&text).map_err(|error| wrong(settings, "admin_client_ca", &error))?;
    }
    Ok((!entries.is_empty()).then_some(trusted))
}

fn wrong(settings: &Settings, name: &str, why: &dyn std::fmt::Display) -> String {
    format!("{}: {name}: {why}", settings.origin(name))
}

/// The tokens in the files that the settings name.
///
/// # Errors
/// The file that cannot be read, or the lines of it that are wrong.
pub(crate) fn tokens(settings: &Settings) -> Result<Vec<AdminToken>, String> {
    let mut tokens = Vec::new();
    for file in &settings.admin_access.token_files {
        let about = |why: &dyn std::fmt::Display| {
            format!("{}: admin_tokens_file: {file}: {why}", settings.origin("admin_tokens_file"))
        };
        let text = std::fs::read_to_string(file).map_err(|error| about(&error))?;
        let read = AdminToken::parse_file(&text).map_err(|wrong| {
            let lines: Vec<_> =
                wrong.iter().map(|(number, why)| about(&format_args!("line {number}: {why}"))).collect();
            lines.join("\n")
        })?;
        tokens.extend(read);
    }
    if settings.admin_access.authenticates()
        && settings.admin_access.client_authorities.is_empty()
        && tokens.is_empty()
        && settings.admin_access.tokens.is_empty()
    {
        return Err(format!(
            "{}: admin_tokens_file: there is no token in it, so that nobody could use the Admin API",
            settings.origin("admin_tokens_file")
        ));
    }
    Ok(tokens)
}
