//! Settings that are read again while the gateway runs: where they are in force, and how they get there.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use towergate_admin::Admin;
use towergate_config::settings::Renewal;
use towergate_runtime::{Control, LoadError};
use towergate_server::Orders;
use towergate_tls::Server;
use towergate_upstream::ProxySettings;

use crate::{
    cli::Verbosity,
    log,
    sources::{Beside, Sources},
    tls, wiring,
};

/// What connections to upstreams are made with, by stacks that are made from now on.
pub(crate) type Proxying = Arc<Mutex<ProxySettings>>;

/// What new settings are put into, beside the sources they come from.
pub(crate) struct Renewed<'a> {
    pub(crate) control: &'a Control,
    pub(crate) admin: &'a Admin,
    pub(crate) orders: &'a Orders,
    pub(crate) proxying: &'a Proxying,
    /// What is offered over TLS.
    pub(crate) offered: &'a mut Option<Server>,
    pub(crate) verbosity: Verbosity,
}

impl Renewed<'_> {
    /// Reads all settings again and takes up what a running gateway can; answers what is worth knowing, a line each.
    ///
    /// # Errors
    /// What is wrong with them; all stay as they were then.
    pub(crate) fn read_again(&mut self, sources: &mut Sources, beside: &Beside) -> Result<Vec<String>, String> {
        let why = |error| format!("settings not reloaded, those before stay in force: {error}");
        self.take_up(sources, beside).map_err(why).inspect_err(|why| tracing::error!("{why}"))
    }

    fn take_up(&mut self, sources: &mut Sources, beside: &Beside) -> Result<Vec<String>, String> {
        let mut read = sources.again(beside)?;
        let renewal = sources.settings.renewed(&read.settings).map_err(|problems| problems.to_string())?;
        let told = worth_knowing(sources, &renewal);
        self.put(&renewal)?;
        if !renewal.taken.is_empty() {
            tracing::info!("settings reloaded: {}", renewal.taken.join(", "));
        }
        read.settings = renewal.settings;
        *sources = read;
        for line in &told {
            tracing::warn!("{line}");
        }
        Ok(told)
    }

    /// What may fail comes first.
    fn put(&mut self, renewal: &Renewal) -> Result<(), String> {
        let settings = &renewal.settings;
        let pages = wiring::pages(settings)?;
        let has_changed = |start: &str| renewal.taken.iter().any(|name| name.starts_with(start));
        let offered = match has_changed("ssl_") || has_changed("nginx_http_ssl_") {
            true => tls::server(settings)?,
            // With the same keys of session tickets.
            false => self.offered.clone(),
        };
        if renewal.concerns_connections {
            *self.proxying.lock().unwrap_or_else(PoisonError::into_inner) = wiring::proxy(settings);
            let config = wiring::server(settings, offered.clone());
            self.orders.renew(config).map_err(|error| error.to_string())?;
            *self.offered = offered;
        }
        if has_changed("error_") {
            let renewed = self.control.renew(|base| base.pages = Arc::new(pages));
            renewed.map_err(|problems| LoadError::from(problems).to_string())?;
        }
        self.admin.log_levels.configure(log::level(settings, self.verbosity));
        *self.admin.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
        Ok(())
    }
}

/// What waits for the next start, in one line, and what is risky or without effect only now.
fn worth_knowing(sources: &Sources, renewal: &Renewal) -> Vec<String> {
    let mut told = Vec::new();
    if !renewal.waiting.is_empty() {
        told.push(format!(
            "these settings have changed and count from the next start on: {}",
            renewal.waiting.join(", ")
        ));
    }
    let before: BTreeSet<_> = sources.settings.warnings().iter().collect();
    told.extend(renewal.settings.warnings().iter().filter(|warning| !before.contains(warning)).cloned());
    told
}
