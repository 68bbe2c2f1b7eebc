//! Until when certificates are valid.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use towergate_config::Config;
use towergate_metrics::{Exposition, Kind};
use towergate_runtime::Runtime;
use towergate_tls::Expiry;

use crate::wiring::Trust;

const NAME: &str = "towergate_certificate_expiry_timestamp_seconds";
const HELP: &str =
    "When a certificate of the configuration or the settings expires, or one of its chain that expires earlier";

/// The certificates in use. They are read again for each configuration, not for each page.
pub(crate) struct Certificates {
    trust: Trust,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    of: Weak<Runtime>,
    expiries: Arc<[Expiring]>,
}

/// A certificate that expires, and where it is written.
struct Expiring {
    kind: &'static str,
    id: String,
    expiry: Expiry,
}

impl Certificates {
    /// Those of the configuration in force, and what is shown to upstreams by these settings.
    pub(crate) fn new(trust: Trust) -> Self {
        Self { trust, known: Mutex::default() }
    }

    /// Writes when each of them expires.
    pub(crate) fn write(&self, out: &mut Exposition, runtime: &Arc<Runtime>) {
        let expiries = self.of(runtime);
        if expiries.is_empty() {
            return;
        }
        out.family(NAME, Kind::Gauge, HELP);
        for Expiring { kind, id, expiry } in expiries.iter() {
            out.sample(NAME, &[("kind", kind), ("certificate", id), ("subject", &expiry.subject)], expiry.at);
        }
    }

    fn of(&self, runtime: &Arc<Runtime>) -> Arc<[Expiring]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::ptr::eq(known.of.as_ptr(), Arc::as_ptr(runtime)) {
            let expiries = self.of_settings(runtime).chain(of_configuration(&runtime.config)).collect();
            *known = Known { of: Arc::downgrade(runtime), expiries };
        }
        known.expiries.clone()
    }

    /// `ssl_cert` and `client_ssl_cert`.
    fn of_settings(&self, runtime: &Runtime) -> impl Iterator<Item = Expiring> {
        let shown: Vec<_> = runtime.table.certificates.find(None).iter().filter_map(|shown| shown.expiry()).collect();
        let identity = self.trust.lock().unwrap_or_else(PoisonError::into_inner).identity.clone();
        let identity = identity.and_then(|identity| Expiry::of_pem(&identity.certificate).ok());
        let expiring = |kind| move |expiry| Expiring { kind, id: String::new(), expiry };
        shown.into_iter().map(expiring("ssl_cert")).chain(identity.map(expiring("client_ssl_cert")))
    }
}

fn of_configuration(config: &Config) -> impl Iterator<Item = Expiring> {
    let entities = config.certificates.iter().flat_map(|entity| {
        let effective = entity.effective();
        let texts = [("certificate", Some(&effective.cert)), ("certificate_alt", effective.cert_alt.as_ref())];
        texts.into_iter().filter_map(|(kind, text)| Some((kind, entity.id, text?)))
    });
    let authorities = config.ca_certificates.iter().map(|entity| ("ca_certificate", entity.id, &entity.cert));
    entities
        .chain(authorities)
        .filter_map(|(kind, id, text)| Some(Expiring { kind, id: id.to_string(), expiry: Expiry::of_pem(text).ok()? }))
}
