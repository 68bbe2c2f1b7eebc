//! Envoy, with its own filters for what plugins do. Its configuration is JSON, which is YAML.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::Site;
use crate::{Problem, scenario::Setup};

/// Writes the configuration and says how to start.
pub(super) fn command(program: &Path, site: &Site) -> Result<Command, Problem> {
    let file = site.folder.join("envoy.json");
    fs::write(&file, configuration(site).to_string())?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file).args(["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]);
    Ok(command)
}

fn configuration(site: &Site) -> Value {
    let ports = &site.ports;
    let listeners = [
        listener(site, ports.plain, "AUTO", None),
        listener(site, ports.tls, "AUTO", Some("http/1.1")),
        listener(site, ports.http2, "HTTP2", None),
        listener(site, ports.http2_tls, "AUTO", Some("h2")),
    ];
    let most = json!([{ "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000 }]);
    let endpoint = json!({ "endpoint": { "address": address(site.upstream) } });
    let service = json!({
        "name": "service",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": { "thresholds": most },
        "load_assignment": { "cluster_name": "service", "endpoints": [{ "lb_endpoints": [endpoint] }] },
    });
    json!({ "static_resources": { "listeners": listeners, "clusters": [service] } })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn listener(site: &Site, port: u16, codec: &str, alpn: Option<&str>) -> Value {
    let mut chain = json!({ "filters": [filter(
        "envoy.filters.network.http_connection_manager",
        "network.http_connection_manager.v3.HttpConnectionManager",
        manager(site.setup == Setup::Chain, codec),
    )] });
    if let (Some(alpn), Some(fields)) = (alpn, chain.as_object_mut()) {
        fields.insert("transport_socket".into(), tls(site, alpn));
    }
    json!({
        "name": format!("on-{port}"),
        "address": address(port),
        "tcp_backlog_size": 8192,
        "filter_chains": [chain],
    })
}

fn tls(site: &Site, alpn: &str) -> Value {
    let certificate = json!({
        "certificate_chain": { "filename": site.certificate.chain },
        "private_key": { "filename": site.certificate.key },
    });
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": { "alpn_protocols": [alpn], "tls_certificates": [certificate] },
    } })
}

/// A filter under its name, with its type put to its configuration.
fn filter(name: &str, kind: &str, mut configuration: Value) -> Value {
    if let Some(fields) = configuration.as_object_mut() {
        fields.insert("@type".into(), format!("type.googleapis.com/envoy.extensions.filters.{kind}").into());
    }
    json!({ "name": name, "typed_config": configuration })
}

fn manager(is_chain: bool, codec: &str) -> Value {
    let header = |name: &str, value: &str| json!({ "header": { "key": name, "value": value } });
    let (mut filters, mut to_client, mut to_service) = (Vec::new(), Vec::new(), Vec::new());
    if is_chain {
        filters = chain();
        to_client.push(header("Access-Control-Allow-Origin", "https://app.example.com"));
        to_client.push(header("Access-Control-Allow-Credentials", "true"));
        to_service.push(header("X-Consumer-ID", "consumer"));
    }
    filters.push(filter(
        "envoy.filters.http.router",
        "http.router.v3.Router",
        json!({ "suppress_envoy_headers": true }),
    ));
    json!({
        "stat_prefix": "all",
        "codec_type": codec,
        "generate_request_id": is_chain,
        "always_set_request_id_in_response": is_chain,
        "http_filters": filters,
        "route_config": { "name": "all", "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "response_headers_to_add": to_client,
            "request_headers_to_add": to_service,
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "service", "timeout": "0s" } }],
        }] },
    })
}

fn chain() -> Vec<Value> {
    let keys: Vec<_> = (0..1000)
        .map(
            |number| json!({ "key": format!("key-{number}-abcdef0123456789"), "client": format!("consumer-{number}") }),
        )
        .collect();
    let all = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let bucket = json!({ "max_tokens": 100_000_000, "tokens_per_fill": 100_000_000, "fill_interval": "60s" });
    vec![
        filter(
            "envoy.filters.http.api_key_auth",
            "http.api_key_auth.v3.ApiKeyAuth",
            json!({
                "key_sources": [{ "header": "apikey" }],
                "forwarding": { "header": "X-Consumer-Username" },
                "credentials": keys,
            }),
        ),
        filter("envoy.filters.http.cors", "http.cors.v3.Cors", json!({})),
        filter(
            "envoy.filters.http.local_ratelimit",
            "http.local_ratelimit.v3.LocalRateLimit",
            json!({
                "stat_prefix": "limit",
                "token_bucket": bucket,
                "filter_enabled": all,
                "filter_enforced": all,
                "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
            }),
        ),
    ]
}
