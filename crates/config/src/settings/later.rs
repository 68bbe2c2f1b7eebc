//! Settings that do nothing yet in this version, and settings that are risky. Take a line out here
//! when its feature is built.

use super::{Database, Listener, Origin, RouterFlavor, Settings};

/// Settings that do nothing yet: prefix of the name, what it belongs to. Told only when given.
const LATER: &[(&str, &str)] = &[
    ("admin_gui_listen", "the graphical interface comes"),
    ("wasm", "WebAssembly filters come"),
    ("pluginserver_", "plugin servers come"),
    ("cluster_", "hybrid mode comes"),
    ("resolver_", "the settings of Kong's new DNS client come"),
    ("new_dns_client", "the settings of Kong's new DNS client come"),
    ("pg_ro_", "reading from a replica comes"),
    ("request_debug", "request debugging comes"),
    ("lua_max_", "limits on what plugins see come"),
];

/// One line for each setting that will not do what it says, then one for each that is risky.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    listeners(settings, &mut warnings);
    flags(settings, &mut warnings);
    values(settings, &mut warnings);
    instrumentations(settings, &mut warnings);
    for (name, value) in settings.gathered.all().filter(|(name, _)| settings.gathered.is_given(name)) {
        let feature = LATER.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, feature)| *feature);
        if let Some(feature) = feature.filter(|_| value != "off") {
            warnings.push(line(&settings.origin(name), name, &format!("{feature} with a later version")));
        }
    }
    log_servers(settings, &mut warnings);
    if settings.value("role") != Some("traditional") {
        warnings.push(line(&settings.origin("role"), "role", "hybrid mode comes with a later version; running alone"));
    }
    exposed_admin(settings, &mut warnings);
    warnings
}

fn listeners(settings: &Settings, warnings: &mut Vec<String>) {
    for listener in &settings.stream_listen {
        let what = format!("{} is not opened: proxying of TCP and UDP comes with a later version", listener.address());
        warnings.push(line(&settings.origin("stream_listen"), "stream_listen", &what));
    }
}

/// What is written after an address and is not done there yet.
fn flags(settings: &Settings, warnings: &mut Vec<String>) {
    for (name, listeners, is_api) in [
        ("proxy_listen", &settings.proxy_listen, false),
        ("admin_listen", &settings.admin_listen, true),
        ("status_listen", &settings.status_listen, true),
    ] {
        for listener in listeners {
            for (given, flag, feature) in [
                (listener.proxy_protocol && is_api, "proxy_protocol", "the PROXY protocol comes"),
                (listener.deferred, "deferred", "deferred accepting comes"),
            ] {
                if given {
                    let what = format!("{} {flag}: {feature} with a later version", listener.address());
                    warnings.push(line(&settings.origin(name), name, &what));
                }
            }
        }
    }
}

/// Settings of which only some values are done yet.
fn values(settings: &Settings, warnings: &mut Vec<String>) {
    for (later, name, what) in [
        (
            settings.database != Database::Off && settings.gathered.is_given("declarative_config"),
            "declarative_config",
            "it is not read, because the configuration is kept in a database; 'towergate config db_import' puts it there",
        ),
        (
            settings.router_flavor != RouterFlavor::TraditionalCompatible,
            "router_flavor",
            "other flavors come with a later version; routes are ordered as by traditional_compatible",
        ),
        (
            settings.gathered.is_given("ssl_dhparam"),
            "ssl_dhparam",
            "nothing is done with it: the ciphers it is for (DHE) are not built in",
        ),
    ] {
        if later {
            warnings.push(line(&settings.origin(name), name, what));
        }
    }
}

/// Logs that nginx would send to a log server (`syslog:server=…`).
fn log_servers(settings: &Settings, warnings: &mut Vec<String>) {
    for (name, value) in settings.gathered.all().filter(|(name, _)| name.ends_with("_log")) {
        if value.starts_with("syslog:") {
            let what = "logs to a log server (syslog:) come with a later version; it is off";
            warnings.push(line(&settings.origin(name), name, what));
        }
    }
}

/// Parts of a request's way that are named and that there are not: no request waits for a database, and what plugins ask
/// others for they ask in tasks of their own.
fn instrumentations(settings: &Settings, warnings: &mut Vec<String>) {
    let name = "tracing_instrumentations";
    let names = settings.tracing.instrumentations.iter();
    for part in names.filter(|part| matches!(part.as_str(), "http_client" | "db_query" | "plugin_rewrite")) {
        let what = format!("{part}: no request has such a part here; nothing becomes a span of it");
        warnings.push(line(&settings.origin(name), name, &what));
    }
}

/// Whoever reaches an Admin API without authentication can change everything; Kong's own default is the loopback.
fn exposed_admin(settings: &Settings, warnings: &mut Vec<String>) {
    if !settings.admin_access.client_authorities.is_empty() && !settings.admin_listen.iter().any(|l| l.ssl) {
        let what = "clients can only show certificates on a listener with ssl, and admin_listen has none";
        warnings.push(line(&settings.origin("admin_client_ca"), "admin_client_ca", what));
    }
    if settings.admin_access.authenticates() {
        return;
    }
    let exposed: Vec<_> = settings.admin_listen.iter().filter(|l| !l.is_loopback()).map(Listener::address).collect();
    if !exposed.is_empty() {
        let what = format!(
            "the Admin API has no authentication and listens on {}: anyone who reaches it controls the gateway; \
             listen on 127.0.0.1, or say who may use it (admin_tokens, admin_client_ca)",
            exposed.join(", ")
        );
        warnings.push(line(&settings.origin("admin_listen"), "admin_listen", &what));
    }
}

fn line(origin: &Origin, name: &str, what: &str) -> String {
    format!("{origin}: {name}: {what}")
}
