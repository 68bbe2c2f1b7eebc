//! Settings read again while a gateway runs: what it takes up, and what waits for its next start.

use std::collections::BTreeSet;

use super::known;
use super::problem::Problems;
use super::{Settings, resolve};

/// Settings read again.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// What holds from now on: what was read, but for what waits.
    pub settings: Settings,
    /// The names of those that have changed and were taken up, sorted.
    pub taken: Vec<String>,
    /// The names of those that have changed and count from the next start on, sorted.
    pub waiting: Vec<String>,
    /// Whether something has changed that clients' connections, or those to upstreams, are served with.
    pub concerns_connections: bool,
}

/// What connections are served with. A star stands for the rest of a name.
const OF_CONNECTIONS: &[&str] = &[
    "allow_debug_header",
    "client_max_body_size",
    "headers",
    "headers_upstream",
    "http2_*",
    "nginx_events_worker_connections",
    "nginx_http_client_body_timeout",
    "nginx_http_client_header_timeout",
    "nginx_http_client_max_body_size",
    "nginx_http_http2_*",
    "nginx_http_keepalive_*",
    "nginx_http_send_timeout",
    "nginx_http_ssl_*",
    "nginx_proxy_client_max_body_size",
    "nginx_proxy_real_ip_*",
    "port_maps",
    "real_ip_*",
    "server_token",
    "ssl_cipher*",
    "ssl_prefer_server_ciphers",
    "ssl_protocols",
    "ssl_session_*",
    "trusted_ips",
    "upstream_keepalive_*",
];

/// What else is taken up.
const BESIDE: &[&str] = &[
    "admin_allowed_hosts",
    "admin_client_ca",
    "admin_clients",
    "admin_gui_url",
    "admin_require_auth",
    "admin_ssl_*",
    "admin_tokens*",
    "client_ssl*",
    "declarative_config*",
    "error_*",
    "log_level",
    "lua_ssl_trusted_certificate",
    "lua_ssl_verify_depth",
    "ssl_cert*",
    "status_ssl_*",
];

impl Settings {
    /// What becomes of a gateway that runs with these settings when it reads those.
    ///
    /// # Errors
    /// What of the new ones does not go with what stays.
    pub fn renewed(&self, read: &Self) -> Result<Renewal, Problems> {
        let mut gathered = read.gathered.clone();
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        for name in self.changed(read) {
            if is_listed(OF_CONNECTIONS, &name) || is_listed(BESIDE, &name) {
                taken.push(name);
            } else {
                gathered.take_over(&name, &self.gathered);
                // What nobody knows is ignored at the next start, too.
                waiting.extend(known::find(&name).map(|_| name));
            }
        }
        let mut problems = Vec::new();
        let settings = resolve::settings(gathered, &mut problems);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let concerns_connections = taken.iter().any(|name| is_listed(OF_CONNECTIONS, name));
        Ok(Renewal { settings, taken, waiting, concerns_connections })
    }

    /// The names of settings that have another value there.
    fn changed(&self, there: &Self) -> BTreeSet<String> {
        let names = self.values().chain(there.values()).map(|(name, _)| name);
        names.filter(|name| self.value(name) != there.value(name)).map(str::to_owned).collect()
    }
}

fn is_listed(list: &[&str], name: &str) -> bool {
    list.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *listed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Environment;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| (format!("KONG_{name}"), (*value).to_owned()));
        Settings::load(None, &variables.collect::<Environment>()).unwrap()
    }

    #[test]
    fn what_changed_is_taken_up_or_waits() {
        let running = settings(&[("LOG_LEVEL", "warn"), ("PROXY_LISTEN", "127.0.0.1:8000"), ("HEADERS", "off")]);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (read, taken, waiting, concerns_connections) in [
            (
                settings(&[("LOG_LEVEL", "warn"), ("PROXY_LISTEN", "127.0.0.1:8000"), ("HEADERS", "off")]),
                vec![],
                vec![],
                false,
            ),
            (
                settings(&[
                    ("PROXY_LISTEN", "127.0.0.1:9000"),
                    ("LOG_LEVEL", "debug"),
                    ("WHATEVER", "x"),
                    ("HEADERS", "off"),
                ]),
                vec!["log_level"],
                vec!["proxy_listen"],
                false,
            ),
            (
                settings(&[
                    ("PROXY_LISTEN", "127.0.0.1:8000"),
                    ("TRUSTED_IPS", "10.0.0.0/8"),
                    ("PREFIX", "/x"),
                    ("LOG_LEVEL", "warn"),
                ]),
                vec!["headers", "trusted_ips"],
                vec!["prefix"],
                true,
            ),
        ] {
            let renewal = running.renewed(&read).unwrap();
            assert_eq!((renewal.taken, renewal.waiting), (names(&taken), names(&waiting)));
            assert_eq!(renewal.concerns_connections, concerns_connections, "{taken:?}");
            assert_eq!(renewal.settings.proxy_listen, running.proxy_listen, "what waits is as it was");
            assert_eq!(renewal.settings.value("prefix"), running.value("prefix"));
            assert_eq!(renewal.settings.log_level, read.log_level);
            assert_eq!(renewal.settings.trusted_ips, read.trusted_ips);
        }
    }

    #[test]
    fn every_listed_name_is_a_setting() {
        for listed in OF_CONNECTIONS.iter().chain(BESIDE) {
            let is_known = known::KNOWN.iter().any(|known| is_listed(&[listed], known.name));
            assert!(is_known || listed.starts_with("nginx_http_ssl_"), "{listed}");
        }
    }
}
