//! kong.conf and `KONG_*`: precedence, defaults, what is refused and in which words.

use std::path::PathBuf;
use std::time::Duration;

use towergate_config::settings::{
    AdminRole, CipherSuite, Coding, Compression, Database, Level, Log, Origin, Postgres, RouterFlavor, Tls, TlsVersion,
    UpstreamTls,
};
use towergate_config::{Environment, Settings, Source};

fn from_file(text: &str) -> Result<Settings, String> {
    Settings::load(Some(&Source::new("kong.conf", text)), &Environment::default()).map_err(|p| p.to_string())
}

fn from_variables(variables: &[(&str, &str)]) -> Result<Settings, String> {
    Settings::load(None, &variables.iter().copied().collect()).map_err(|p| p.to_string())
}

#[test]
fn defaults_are_those_of_kong_except_for_the_database() {
    let settings = Settings::defaults();
    assert_eq!(settings.prefix, PathBuf::from("/usr/local/kong/"));
    assert_eq!(settings.log_level.name(), "notice");
    let listeners = |listeners: &[towergate_config::settings::Listener]| {
        listeners.iter().map(|l| (l.address(), l.ssl, l.http2)).collect::<Vec<_>>()
    };
    assert_eq!(
        listeners(&settings.proxy_listen),
        [("0.0.0.0:8000".into(), false, false), ("0.0.0.0:8443".into(), true, true)]
    );
    assert_eq!(
        listeners(&settings.admin_listen),
        [("127.0.0.1:8001".into(), false, false), ("127.0.0.1:8444".into(), true, true)]
    );
    assert_eq!(settings.proxy_listen[0].backlog, Some(16384));
    assert!(settings.stream_listen.is_empty());
    assert_eq!(settings.logs.proxy_access, Log::File("/usr/local/kong/logs/access.log".into()));
    assert_eq!(settings.logs.status_access, Log::Off);
    assert_eq!(settings.keepalive.pool_size, 512);
    assert_eq!(settings.keepalive.max_requests, Some(10_000));
    assert_eq!(settings.keepalive.idle_timeout, Some(Duration::from_secs(60)));
    assert_eq!(settings.client_max_body_size, None);
    assert_eq!(settings.admin_max_body_size, Some(10 << 20));
    assert_eq!(settings.router_flavor, RouterFlavor::TraditionalCompatible);
    assert_eq!(settings.real_ip_header, "X-Real-IP");
    assert!(
        settings.headers.server
            && settings.headers.via
            && settings.headers.request_id
            && settings.headers.proxy_latency
    );
    assert!(!settings.headers.upstream_status);
    assert!(settings.server_token.starts_with("towergate/"));
    assert_eq!(settings.dns.order, ["LAST", "SRV", "A", "CNAME"]);
    assert!(settings.enables_plugin("cors", true) && !settings.enables_plugin("my-own", false));
    assert_eq!(settings.value("database"), Some("off"));
    assert_eq!(settings.value("pg_port"), Some("5432"));
    assert_eq!(settings.value("ssl_cert"), None);
}

#[test]
fn variables_win_over_the_file_and_the_file_over_defaults() {
    let file =
        Source::new("kong.conf", "# comment\nprefix = /a # more\nlog_level=warn\npg_password = a\\#b\nplugins =\n");
    let environment =
        Environment::from_iter([("KONG_PREFIX", "/b"), ("HOME", "/root"), ("KONG_NGINX_PROXY_WHATEVER", "1")]);
    let settings = Settings::load(Some(&file), &environment).unwrap();
    assert_eq!(settings.prefix, PathBuf::from("/b"));
    assert_eq!(settings.log_level.name(), "warn");
    assert_eq!(settings.value("pg_password"), Some("a#b"));
    assert_eq!(settings.plugins, ["bundled"]);
    assert_eq!(settings.value("nginx_proxy_whatever"), Some("1"));
    assert_eq!(settings.origin("prefix"), Origin::Variable("KONG_PREFIX".into()));
    assert_eq!(settings.origin("log_level"), Origin::File { name: "kong.conf".into(), line: 3 });
    assert_eq!(settings.origin("plugins"), Origin::Default);
}

#[test]
fn values_are_typed() {
    let settings = from_variables(&[
        ("KONG_PROXY_LISTEN", "0.0.0.0:9000, 0.0.0.0:9002 http2"),
        ("KONG_STATUS_LISTEN", "off"),
        ("KONG_TRUSTED_IPS", "10.0.0.0/8, 127.0.0.1, ::1, unix:"),
        ("KONG_NGINX_WORKER_PROCESSES", "3"),
        ("KONG_NGINX_EVENTS_WORKER_CONNECTIONS", "100"),
        ("KONG_CLIENT_MAX_BODY_SIZE", "10m"),
        ("KONG_PORT_MAPS", "80:8000, 443:8443"),
        ("KONG_HEADERS", "off"),
        ("KONG_HEADERS_UPSTREAM", "off"),
        ("KONG_PROXY_ACCESS_LOG", "/dev/stdout"),
        ("KONG_ADMIN_ACCESS_LOG", "off"),
        ("KONG_DECLARATIVE_CONFIG", "/a/kong.yml, /b"),
        ("KONG_NGINX_PROXY_REAL_IP_HEADER", "X-Forwarded-For"),
        ("KONG_REAL_IP_RECURSIVE", "on"),
        ("KONG_PLUGINS", "bundled, my-own"),
        ("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", "30s"),
        ("KONG_UPSTREAM_KEEPALIVE_MAX_REQUESTS", "0"),
        ("KONG_PG_PASSWORD", "{vault://env/secret}"),
        ("SECRET", "s"),
    ])
    .unwrap();
    assert!(settings.proxy_listen[1].http2 && !settings.proxy_listen[1].ssl);
    assert!(settings.status_listen.is_empty());
    assert_eq!(settings.trusted_ips.len(), 3);
    assert!(settings.trusts_unix_sockets);
    assert_eq!((settings.workers.get(), settings.worker_connections.get()), (3, 100));
    assert_eq!(settings.client_max_body_size, Some(10 << 20));
    assert_eq!(settings.port_maps, [(8000, 80), (8443, 443)]);
    assert_eq!((settings.headers, settings.headers_upstream), Default::default());
    assert_eq!(settings.logs.proxy_access, Log::File("/dev/stdout".into()));
    assert_eq!(settings.logs.admin_access, Log::Off);
    assert_eq!(settings.declarative_config, [PathBuf::from("/a/kong.yml"), PathBuf::from("/b")]);
    assert_eq!(settings.real_ip_header, "X-Forwarded-For");
    assert!(settings.real_ip_recursive);
    assert!(settings.enables_plugin("my-own", false) && settings.enables_plugin("cors", true));
    assert_eq!(settings.keepalive_timeout, Duration::from_secs(30));
    assert_eq!(settings.keepalive.max_requests, None);
    assert_eq!(settings.value("pg_password"), Some("s"));
}

#[test]
fn what_cannot_be_right_is_refused_with_its_place_and_what_would_be() {
    for (variable, value, refusal) in [
        (
            "KONG_LOG_LEVEL",
            "loud",
            "log_level has an invalid value: 'loud' (debug, info, notice, warn, error, crit, alert, emerg)",
        ),
        ("KONG_UPSTREAM_KEEPALIVE_POOL_SIZE", "many", "upstream_keepalive_pool_size is not a number: 'many'"),
        ("KONG_UPSTREAM_KEEPALIVE_POOL_SIZE", "-1", "upstream_keepalive_pool_size is not a number: '-1'"),
        ("KONG_ALLOW_DEBUG_HEADER", "maybe", "allow_debug_header is not a boolean: 'maybe' (on, off)"),
        (
            "KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE",
            "10mb",
            "nginx_http_client_max_body_size is not a size: '10mb' (a number of bytes, or one with k, m or g as in 10m)",
        ),
        (
            "KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT",
            "long",
            "nginx_http_keepalive_timeout is not a time: 'long' (a number of seconds, or one with ms, s, m, h or d as in 30s)",
        ),
        (
            "KONG_ROUTER_FLAVOR",
            "atc",
            "router_flavor has an invalid value: 'atc' (traditional, traditional_compatible, expressions)",
        ),
        (
            "KONG_TRUSTED_IPS",
            "10.0.0.0/8, home",
            "trusted_ips must be a comma separated list of IP addresses, CIDR blocks or 'unix:', got 'home'",
        ),
        ("KONG_HEADERS_UPSTREAM", "x-other", "headers_upstream: invalid entry 'x-other' (off, x-kong-request-id)"),
        (
            "KONG_PORT_MAPS",
            "80",
            "invalid port mapping (`port_maps`): 80 (the form is <port clients see>:<port listened on>, as in 80:8000)",
        ),
        (
            "KONG_DATABASE",
            "cassandra",
            "database=cassandra is not supported, as in Kong since 3.4; use 'postgres', 'sqlite' or 'off'",
        ),
        ("KONG_DATABASE", "mysql", "database has an invalid value: 'mysql' (postgres, sqlite, cassandra, off)"),
        (
            "KONG_NGINX_WORKER_PROCESSES",
            "0",
            "nginx_worker_processes has an invalid value: '0' (auto, or a number from 1)",
        ),
        ("KONG_COMPRESSION", "gzip, deflate", "compression: unknown coding 'deflate' (off, gzip, br, zstd)"),
        ("KONG_COMPRESSION", "on", "compression: unknown coding 'on' (off, gzip, br, zstd)"),
        (
            "KONG_NGINX_EVENTS_WORKER_CONNECTIONS",
            "many",
            "nginx_events_worker_connections has an invalid value: 'many' (auto, or a number from 1)",
        ),
        ("KONG_NODE_ID", "me", "node_id: 'me' is not a valid UUID"),
        (
            "KONG_PG_USER",
            "{vault://hcv/x}",
            "pg_user: could not resolve '{vault://hcv/x}': could not find vault (hcv); this version has the vault 'env' only",
        ),
    ] {
        assert_eq!(from_variables(&[(variable, value)]).unwrap_err(), format!("{variable}: {refusal}"));
    }
    let refusal = from_variables(&[("KONG_PROXY_LISTEN", "8000")]).unwrap_err();
    assert_eq!(
        refusal,
        "KONG_PROXY_LISTEN: proxy_listen: '8000' has no port between 0 and 65535; must be of form: [off] | <ip>:<port> [ssl] [http2] \
         [proxy_protocol] [deferred] [bind] [reuseport] [transparent] [backlog=N] [ipv6only=on|off] \
         [so_keepalive=on|off|idle:interval:count], [... next entry ...]"
    );
}

#[test]
fn compression_is_off_unless_ours_or_nginx_s_settings_switch_it_on() {
    let compression = |variables: &[(&'static str, &'static str)]| from_variables(variables).unwrap().compression;
    assert_eq!(compression(&[]), None);
    assert_eq!(compression(&[("KONG_COMPRESSION_LEVEL", "best")]), None);
    assert_eq!(compression(&[("KONG_COMPRESSION", "off"), ("KONG_NGINX_PROXY_GZIP", "on")]), None);
    let ours = compression(&[("KONG_COMPRESSION", "br, gzip")]).unwrap();
    assert_eq!((ours.codings.as_slice(), ours.level), (&[Coding::Brotli, Coding::Gzip][..], Level::Balanced));
    assert_eq!((ours.min_length, ours.types.len()), (1024, 0));
    let own = compression(&[
        ("KONG_COMPRESSION", "zstd"),
        ("KONG_COMPRESSION_LEVEL", "7"),
        ("KONG_COMPRESSION_MIN_LENGTH", "2k"),
        ("KONG_COMPRESSION_TYPES", "text/*, *+json, application/json, *"),
    ]);
    let types = ["text/*", "*+json", "application/json", "*"].map(str::to_owned).into();
    let expected = Compression { codings: vec![Coding::Zstd], level: Level::Exact(7), min_length: 2048, types };
    assert_eq!(own, Some(expected));
    let nginx = compression(&[("KONG_NGINX_PROXY_GZIP", "on")]).unwrap();
    assert_eq!((nginx.codings.as_slice(), nginx.level), (&[Coding::Gzip][..], Level::Exact(1)));
    assert_eq!((nginx.min_length, nginx.types), (20, vec!["text/html".to_owned()]));
    let nginx = compression(&[
        ("KONG_NGINX_PROXY_GZIP", "on"),
        ("KONG_NGINX_PROXY_GZIP_TYPES", "text/css application/json"),
        ("KONG_NGINX_PROXY_GZIP_MIN_LENGTH", "1000"),
        ("KONG_NGINX_PROXY_GZIP_COMP_LEVEL", "6"),
    ]);
    let nginx = nginx.unwrap();
    assert_eq!((nginx.level, nginx.min_length), (Level::Exact(6), 1000));
    assert_eq!(nginx.types, ["text/html", "text/css", "application/json"]);
}

#[test]
fn what_is_wrong_about_compression_is_told_when_it_is_on() {
    for (switch, variable, value, refusal) in [
        (
            ("KONG_COMPRESSION", "gzip"),
            "KONG_COMPRESSION_LEVEL",
            "23",
            "compression_level has an invalid value: '23' (fastest, balanced, best, or a number from 0 to 22)",
        ),
        (
            ("KONG_COMPRESSION", "gzip"),
            "KONG_COMPRESSION_TYPES",
            "text/html, html",
            "compression_types: 'html' is no media type (as text/css, text/*, *+json or *)",
        ),
        (
            ("KONG_COMPRESSION", "gzip"),
            "KONG_COMPRESSION_MIN_LENGTH",
            "1kb",
            "compression_min_length is not a size: '1kb' (a number of bytes, or one with k, m or g as in 10m)",
        ),
        (
            ("KONG_NGINX_PROXY_GZIP", "on"),
            "KONG_NGINX_PROXY_GZIP_COMP_LEVEL",
            "10",
            "nginx_proxy_gzip_comp_level must be between 1 and 9, got 10",
        ),
        (
            ("KONG_NGINX_PROXY_GZIP", "on"),
            "KONG_NGINX_PROXY_GZIP_TYPES",
            "text/css, text/html",
            "nginx_proxy_gzip_types: 'text/css,' is no media type (as text/css, text/*, *+json or *)",
        ),
    ] {
        assert_eq!(from_variables(&[switch, (variable, value)]).unwrap_err(), format!("{variable}: {refusal}"));
    }
}

#[test]
fn all_problems_of_a_file_are_told_at_once_with_their_lines() {
    let refusal = from_file("prefix /x\nlog_level = loud\n\nheaders = nope\n").unwrap_err();
    let lines: Vec<_> = refusal.lines().collect();
    assert_eq!(lines.len(), 3, "{refusal}");
    assert_eq!(lines[0], "kong.conf:1: expected 'name = value', found 'prefix /x'");
    assert!(lines[1].starts_with("kong.conf:2: log_level has an invalid value"));
    assert!(lines[2].starts_with("kong.conf:4: headers: invalid entry 'nope'"));
}

#[test]
fn settings_without_effect_and_risky_ones_are_told() {
    let quiet = from_variables(&[
        ("KONG_PROXY_LISTEN", "0.0.0.0:8000"),
        ("KONG_ADMIN_LISTEN", "127.0.0.1:8001"),
        ("KONG_STATUS_LISTEN", "off"),
    ]);
    assert_eq!(quiet.unwrap().warnings(), [""; 0]);
    // The guide's own compose file: the Admin API open to the world (F12).
    let told = from_variables(&[
        ("KONG_PROXY_LISTEN", "0.0.0.0:8000, 0.0.0.0:8443 ssl"),
        ("KONG_ADMIN_LISTEN", "0.0.0.0:8001, 127.0.0.1:8444 ssl"),
        ("KONG_STATUS_LISTEN", "127.0.0.1:8007 http2 reuseport, 127.0.0.1:8107 ssl"),
        ("KONG_WASM", "on"),
    ])
    .unwrap();
    assert_eq!(
        told.warnings(),
        [
            "KONG_WASM: wasm: WebAssembly filters come with a later version",
            "KONG_ADMIN_LISTEN: admin_listen: the Admin API has no authentication and listens on 0.0.0.0:8001: anyone who \
             reaches it controls the gateway; listen on 127.0.0.1, or say who may use it (admin_tokens, admin_client_ca)",
        ]
    );
}

#[test]
fn who_may_use_the_admin_api_is_said_in_settings() {
    let hash = "0".repeat(64);
    let open = [("KONG_ADMIN_LISTEN", "0.0.0.0:8001"), ("KONG_STATUS_LISTEN", "off"), ("KONG_PREFIX", "/p")];
    let tokens = format!("admin:alice:sha256:{hash}, read-only:bob:sha256:{hash}");
    let closed = [&open[..], &[("KONG_ADMIN_TOKENS", &*tokens), ("KONG_ADMIN_REQUIRE_AUTH", "on")]].concat();
    let settings = from_variables(&closed).unwrap();
    let access = &settings.admin_access;
    assert_eq!(
        access.tokens.iter().map(|token| token.role).collect::<Vec<_>>(),
        [AdminRole::Admin, AdminRole::ReadOnly]
    );
    assert_eq!((access.required, access.authenticates(), settings.warnings()), (true, true, &[][..]));
    assert_eq!(access.audit_log, Log::File("/p/logs/admin_audit.log".into()));
    for (name, value, told) in [
        ("KONG_ADMIN_REQUIRE_AUTH", "on", "admin_require_auth: nobody could be told from anybody"),
        ("KONG_ADMIN_TOKENS", "hunter2", "KONG_ADMIN_TOKENS: admin_tokens: the form is <admin or read-only>"),
        ("KONG_ADMIN_CLIENTS", "admin:a", "admin_clients: admin_client_ca must say who issues their certificates"),
    ] {
        let refusal = from_variables(&[&open[..], &[(name, value)]].concat()).unwrap_err();
        assert!(refusal.contains(told) && !refusal.contains("hunter2"), "{refusal}");
    }
    for switched_off in [("KONG_ADMIN_LISTEN", "off"), ("KONG_ADMIN_REQUIRE_AUTH", "off")] {
        let settings = from_variables(&[("KONG_ADMIN_REQUIRE_AUTH", "on"), switched_off]);
        assert!(settings.is_ok(), "{switched_off:?}");
    }
}

#[test]
fn what_an_http2_client_may_do_is_set_by_nginxs_names_and_ours() {
    let http2 = from_variables(&[]).unwrap().http2;
    assert_eq!((http2.max_concurrent_streams, http2.max_pending_resets, http2.max_resets), (128, 20, 200));
    assert_eq!((http2.max_stream_errors, http2.max_control_frames), (256, 1000));
    assert_eq!(
        (http2.max_header_list_size, http2.stream_window, http2.connection_window),
        (48 << 10, 64 << 10, 1 << 20)
    );
    assert_eq!(http2.ping_interval, None);
    let settings = from_variables(&[
        ("KONG_NGINX_HTTP_HTTP2_MAX_CONCURRENT_STREAMS", "10"),
        ("KONG_NGINX_HTTP_HTTP2_BODY_PREREAD_SIZE", "1m"),
        ("KONG_HTTP2_MAX_RESETS", "99999999999"),
        ("KONG_HTTP2_MAX_HEADER_LIST_SIZE", "16384"),
        ("KONG_HTTP2_PING_INTERVAL", "30s"),
        ("KONG_PROXY_LISTEN", "127.0.0.1:8000 http2"),
    ]);
    let http2 = settings.unwrap().http2;
    assert_eq!((http2.max_concurrent_streams, http2.stream_window, http2.max_resets), (10, 1 << 20, u32::MAX));
    assert_eq!((http2.max_header_list_size, http2.ping_interval), (16384, Some(Duration::from_secs(30))));
    let refused = from_variables(&[("KONG_HTTP2_CONNECTION_WINDOW", "0")]).unwrap_err().to_string();
    assert!(refused.contains("http2_connection_window has an invalid value: '0' (a number from 1)"), "{refused}");
}

/// Each is accepted, and told in one line that names it.
#[test]
fn each_setting_whose_feature_comes_later_is_told_in_one_line() {
    for (name, value, said) in [
        ("admin_listen", "127.0.0.1:8001 proxy_protocol", "127.0.0.1:8001 proxy_protocol: the PROXY protocol comes"),
        ("admin_listen", "127.0.0.1:8001 deferred", "127.0.0.1:8001 deferred: deferred accepting comes"),
        ("ssl_dhparam", "ffdhe2048", "nothing is done with it"),
        ("router_flavor", "expressions", "other flavors come"),
        ("proxy_access_log", "syslog:server=127.0.0.1", "logs to a log server (syslog:) come with a later version"),
        ("admin_error_log", "syslog:server=127.0.0.1", "logs to a log server (syslog:) come with a later version"),
        ("new_dns_client", "on", "the settings of Kong's new DNS client come"),
        ("lua_max_uri_args", "50", "limits on what plugins see come"),
        ("tracing_instrumentations", "db_query", "db_query: no request has such a part here"),
        ("role", "data_plane", "hybrid mode comes"),
    ] {
        let variable = format!("KONG_{}", name.to_uppercase());
        let mut variables = vec![
            ("KONG_PROXY_LISTEN", "127.0.0.1:8000"),
            ("KONG_ADMIN_LISTEN", "127.0.0.1:8001"),
            ("KONG_STATUS_LISTEN", "off"),
        ];
        variables.retain(|(given, _)| *given != variable);
        variables.push((&variable, value));
        let settings = from_variables(&variables).unwrap();
        let warnings = settings.warnings();
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].starts_with(&format!("{variable}: {name}: {said}")), "{warnings:?}");
    }
}

#[test]
fn tls_by_default_is_kongs() {
    let settings = Settings::defaults();
    let expected = Tls {
        certificates: vec![],
        cipher_suite: CipherSuite::Intermediate,
        protocols: vec![TlsVersion::V1_2, TlsVersion::V1_3],
        ciphers: None,
        prefer_server_ciphers: true,
        session_tickets: true,
        session_timeout: Duration::from_secs(86_400),
        session_cache_size: 10 << 20,
    };
    assert_eq!(settings.tls, expected);
    let expected = UpstreamTls { identity: None, trusted: vec!["system".into()], verify_depth: 1 };
    assert_eq!(settings.upstream_tls, expected);
}

#[test]
fn tls_is_typed() {
    let settings = from_variables(&[
        ("KONG_SSL_CERT", "/a.crt, /b.crt"),
        ("KONG_SSL_CERT_KEY", "/a.key, /b.key"),
        ("KONG_SSL_CIPHER_SUITE", "custom"),
        ("KONG_NGINX_HTTP_SSL_PROTOCOLS", "TLSv1 TLSv1.2"),
        ("KONG_SSL_CIPHERS", "HIGH:!aNULL"),
        ("KONG_SSL_PREFER_SERVER_CIPHERS", "off"),
        ("KONG_SSL_SESSION_TICKETS", "off"),
        ("KONG_SSL_SESSION_TIMEOUT", "10m"),
        ("KONG_SSL_SESSION_CACHE_SIZE", "1m"),
        ("KONG_CLIENT_SSL", "on"),
        ("KONG_CLIENT_SSL_CERT", "/c.crt"),
        ("KONG_CLIENT_SSL_CERT_KEY", "/c.key"),
        ("KONG_LUA_SSL_TRUSTED_CERTIFICATE", "system, /ca.pem"),
        ("KONG_LUA_SSL_VERIFY_DEPTH", "3"),
    ])
    .unwrap();
    let pair = |certificate: &str, key: &str| (certificate.to_owned(), key.to_owned());
    let expected = Tls {
        certificates: vec![pair("/a.crt", "/a.key"), pair("/b.crt", "/b.key")],
        cipher_suite: CipherSuite::Custom,
        protocols: vec![TlsVersion::Older, TlsVersion::V1_2],
        ciphers: Some("HIGH:!aNULL".into()),
        prefer_server_ciphers: false,
        session_tickets: false,
        session_timeout: Duration::from_secs(600),
        session_cache_size: 1 << 20,
    };
    assert_eq!(settings.tls, expected);
    let trusted = vec!["system".into(), "/ca.pem".into()];
    let expected = UpstreamTls { identity: Some(pair("/c.crt", "/c.key")), trusted, verify_depth: 3 };
    assert_eq!(settings.upstream_tls, expected);
    // As in Kong, without the switch the certificate is not looked at.
    let off = from_variables(&[("KONG_CLIENT_SSL_CERT", "/c.crt")]).unwrap();
    assert_eq!(off.upstream_tls.identity, None);
}

#[test]
fn certificates_and_keys_go_together() {
    for (variables, refusal) in [
        (&[("KONG_SSL_CERT", "a")][..], "KONG_SSL_CERT: ssl_cert_key must be specified"),
        (&[("KONG_SSL_CERT_KEY", "a")], "KONG_SSL_CERT_KEY: ssl_cert must be specified"),
        (
            &[("KONG_SSL_CERT", "a,b"), ("KONG_SSL_CERT_KEY", "a")],
            "KONG_SSL_CERT: ssl_cert was specified 2 times while ssl_cert_key was specified 1 times",
        ),
        (
            &[("KONG_CLIENT_SSL", "on"), ("KONG_CLIENT_SSL_CERT", "a")],
            "KONG_CLIENT_SSL_CERT: client_ssl_cert_key must be specified",
        ),
        (
            &[("KONG_CLIENT_SSL", "on"), ("KONG_CLIENT_SSL_CERT_KEY", "a")],
            "KONG_CLIENT_SSL_CERT_KEY: client_ssl_cert must be specified",
        ),
        (
            &[("KONG_SSL_PROTOCOLS", "TLSv1.2 TLSv2")],
            "KONG_SSL_PROTOCOLS: ssl_protocols: 'TLSv2' is no version of TLS (TLSv1.2, TLSv1.3)",
        ),
    ] {
        assert_eq!(from_variables(variables).unwrap_err(), refusal);
    }
    // As in Kong, nobody looks at them without a TLS port.
    assert!(from_variables(&[("KONG_SSL_CERT", "a"), ("KONG_PROXY_LISTEN", "0.0.0.0:8000")]).is_ok());
}

#[test]
fn an_access_log_has_a_place_and_a_format() {
    let settings = |log: &str, format: &str| {
        let variables = [("KONG_PREFIX", "/p"), ("KONG_PROXY_ACCESS_LOG", log), ("KONG_NGINX_HTTP_LOG_FORMAT", format)];
        from_variables(&variables).unwrap().logs
    };
    let logs = settings("logs/a.log json", "mine '$status ' \"$uri\"");
    assert_eq!(logs.proxy_access, towergate_config::settings::Log::File("/p/logs/a.log".into()));
    assert_eq!(logs.proxy_access_format.as_deref(), Some("json"));
    for (written, read) in [
        ("mine '$status $uri'", "$status $uri"),
        ("mine '$status '\n '$uri';", "$status $uri"),
        ("mine escape=json '{\"a\": \"$status\"}'", "{\"a\": \"$status\"}"),
        ("mine $status", "$status"),
    ] {
        assert_eq!(settings("off", written).access_format, Some(("mine".to_owned(), read.to_owned())), "{written}");
    }
    assert_eq!(settings("off", "").access_format, None);
}

#[test]
fn where_logs_are_unless_told_otherwise_is_as_in_kong() {
    let logs = from_variables(&[("KONG_PREFIX", "/p")]).unwrap().logs;
    let file = |path: &str| towergate_config::settings::Log::File(path.into());
    assert_eq!((logs.proxy_access, logs.proxy_error), (file("/p/logs/access.log"), file("/p/logs/error.log")));
    assert_eq!((logs.admin_access, logs.admin_error), (file("/p/logs/admin_access.log"), file("/p/logs/error.log")));
    let off = towergate_config::settings::Log::Off;
    assert_eq!((logs.status_access, logs.status_error), (off, file("/p/logs/status_error.log")));
    let formats = [logs.proxy_access_format, logs.admin_access_format, logs.status_access_format];
    assert_eq!(formats, [None, None, None]);
}

#[test]
fn where_the_configuration_is_kept() {
    let database = |variables: &[(&str, &str)]| from_variables(variables).unwrap().database;
    assert_eq!(database(&[]), Database::Off);
    let sqlite = |path: &str| Database::Sqlite(path.into());
    let (kept, prefix) = (("KONG_DATABASE", "sqlite"), ("KONG_PREFIX", "/srv/gateway"));
    assert_eq!(database(&[kept, prefix]), sqlite("/srv/gateway/configuration.sqlite"));
    assert_eq!(database(&[kept, prefix, ("KONG_SQLITE_PATH", "x.db")]), sqlite("/srv/gateway/x.db"));
    assert_eq!(database(&[kept, prefix, ("KONG_SQLITE_PATH", "/var/x.db")]), sqlite("/var/x.db"));
    // Kong's defaults.
    let mut postgres = Postgres {
        host: "127.0.0.1".to_owned(),
        port: 5432,
        database: "kong".to_owned(),
        schema: None,
        user: "kong".to_owned(),
        password: None,
        timeout: Duration::from_secs(5),
        ssl: false,
        ssl_verify: false,
    };
    let kept = ("KONG_DATABASE", "postgres");
    assert_eq!(database(&[kept]), Database::Postgres(Box::new(postgres.clone())));
    postgres = Postgres { timeout: Duration::from_secs(1), schema: Some("s".to_owned()), ssl: true, ..postgres };
    postgres.password = Some("of a vault".to_owned());
    let all = [
        kept,
        ("KONG_PG_TIMEOUT", "1000"),
        ("KONG_PG_SCHEMA", "s"),
        ("KONG_PG_SSL", "on"),
        ("KONG_PG_PASSWORD", "{vault://env/db-password}"),
        ("DB_PASSWORD", "of a vault"),
    ];
    assert_eq!(database(&all), Database::Postgres(Box::new(postgres.clone())));
    assert!(!format!("{postgres:?}").contains("vault"));
    let refused = from_variables(&[kept, ("KONG_PG_PORT", "70000")]).unwrap_err();
    assert_eq!(refused, "KONG_PG_PORT: pg_port must be a port number from 1 to 65535, got '70000'");
}

#[test]
fn a_declarative_file_beside_a_database_is_told() {
    let settings = from_variables(&[("KONG_DATABASE", "sqlite"), ("KONG_DECLARATIVE_CONFIG", "kong.yml")]).unwrap();
    let told = "KONG_DECLARATIVE_CONFIG: declarative_config: it is not read, because the configuration is kept in a \
                database; 'towergate config db_import' puts it there";
    assert!(settings.warnings().iter().any(|warning| warning == told), "{:?}", settings.warnings());
}
