//! HAProxy, with its own means for what plugins do.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use super::Site;
use crate::{Problem, scenario::Setup};

/// Writes the configuration and says how to start.
pub(super) fn command(program: &Path, site: &Site) -> Result<Command, Problem> {
    let (file, keys) = (site.folder.join("haproxy.cfg"), site.folder.join("keys.map"));
    let mut lines = String::new();
    for number in 0..1000 {
        writeln!(lines, "key-{number}-abcdef0123456789 consumer-{number}")?;
    }
    fs::write(&keys, lines)?;
    let chain =
        if site.setup == Setup::Chain { CHAIN.replace("KEYS", &keys.display().to_string()) } else { String::new() };
    fs::write(&file, configuration(site, &chain))?;
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}

fn configuration(site: &Site, chain: &str) -> String {
    let (ports, both) = (&site.ports, site.certificate.both.display());
    let table = if chain.is_empty() { "" } else { TABLE };
    format!(
        "global
  nbthread 1
  maxconn 8000
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
{table}frontend all
  bind 127.0.0.1:{} backlog 8192
  bind 127.0.0.1:{} ssl crt {both} alpn http/1.1
  bind 127.0.0.1:{} proto h2
  bind 127.0.0.1:{} ssl crt {both} alpn h2,http/1.1
{chain}  default_backend service
backend service
  server only 127.0.0.1:{} pool-max-conn 1024
",
        ports.plain, ports.tls, ports.http2, ports.http2_tls, site.upstream,
    )
}

/// What is counted per consumer.
const TABLE: &str = "backend consumers
  stick-table type string len 64 size 1m expire 120s store http_req_rate(60s)
";

const CHAIN: &str = r"  http-request set-var(txn.consumer) req.hdr(apikey),map_str(KEYS)
  http-request deny deny_status 401 unless { var(txn.consumer) -m found }
  http-request track-sc0 var(txn.consumer) table consumers
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100000000 }
  unique-id-format %{+X}o\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  http-request set-header X-Correlation-ID %[unique-id]
  http-request set-header X-Consumer-Username %[var(txn.consumer)]
  http-request set-header X-Consumer-ID %[var(txn.consumer)]
  http-response set-header X-Correlation-ID %[unique-id]
  http-response set-header Access-Control-Allow-Origin https://app.example.com
  http-response set-header Access-Control-Allow-Credentials true
  http-response set-header X-RateLimit-Limit-Minute 100000000
  http-response set-header X-RateLimit-Remaining-Minute %[sc_http_req_rate(0)]
";
