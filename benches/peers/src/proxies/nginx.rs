//! nginx, with Lua for what plugins do.

use std::{fs, path::Path, process::Command};

use super::Site;
use crate::{Problem, scenario::Setup};

/// Where Debian keeps modules.
const MODULES: &str = "/usr/lib/nginx/modules";

/// Whether nginx can do what plugins do.
pub(super) fn has_lua() -> bool {
    Path::new(MODULES).join("ngx_http_lua_module.so").exists()
}

/// Writes the configuration and says how to start.
pub(super) fn command(program: &Path, site: &Site, has_lua: bool) -> Result<Command, Problem> {
    let file = site.folder.join("nginx.conf");
    let is_chain = has_lua && site.setup == Setup::Chain;
    fs::write(&file, configuration(site, is_chain))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file).arg("-p").arg(&site.folder).args(["-e", "stderr"]);
    Ok(command)
}

fn configuration(site: &Site, is_chain: bool) -> String {
    let folder = site.folder.display();
    let modules = if is_chain {
        format!("load_module {MODULES}/ndk_http_module.so;\nload_module {MODULES}/ngx_http_lua_module.so;\n")
    } else {
        String::new()
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    let (around, within) = if is_chain { (LUA_AROUND, LUA_WITHIN) } else { ("", "") };
    let ports = &site.ports;
    format!(
        "{modules}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  http2_max_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 16k;
  ssl_certificate {chain};
  ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
{temporary}  upstream service {{
    server 127.0.0.1:{upstream};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }}
{around}  server {{
    listen 127.0.0.1:{} backlog=8192;
    listen 127.0.0.1:{} ssl;
    listen 127.0.0.1:{} http2;
    listen 127.0.0.1:{} ssl http2;
    location / {{
{within}      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
    }}
  }}
}}
",
        ports.plain,
        ports.tls,
        ports.http2,
        ports.http2_tls,
        chain = site.certificate.chain.display(),
        key = site.certificate.key.display(),
        upstream = site.upstream,
    )
}

/// The keys of 1,000 consumers, counters, and where ids begin.
const LUA_AROUND: &str = r#"  lua_shared_dict keys 8m;
  lua_shared_dict counters 8m;
  lua_shared_dict metrics 8m;
  init_by_lua_block {
    for number = 0, 999 do
      ngx.shared.keys:set("key-" .. number .. "-abcdef0123456789", number)
    end
  }
  init_worker_by_lua_block { correlation = 0 }
"#;

/// Who is it, may it, which id; then the headers of the answer; then what is counted.
const LUA_WITHIN: &str = r#"      access_by_lua_block {
        local key = ngx.var.http_apikey
        local consumer = key and ngx.shared.keys:get(key)
        if not consumer then
          return ngx.exit(401)
        end
        local minute = math.floor(ngx.time() / 60)
        local count = ngx.shared.counters:incr(consumer .. ":" .. minute, 1, 0, 120)
        if count > 100000000 then
          return ngx.exit(429)
        end
        correlation = correlation + 1
        ngx.ctx.id = "5b1f0a52-1c7e-4f6e-9d05-3a1f0e8c2b77#" .. correlation
        ngx.ctx.left = 100000000 - count
        ngx.req.set_header("X-Correlation-ID", ngx.ctx.id)
        ngx.req.set_header("X-Consumer-ID", consumer)
        ngx.req.set_header("X-Consumer-Username", "consumer-" .. consumer)
      }
      header_filter_by_lua_block {
        ngx.header["X-Correlation-ID"] = ngx.ctx.id
        ngx.header["Access-Control-Allow-Origin"] = "https://app.example.com"
        ngx.header["Access-Control-Allow-Credentials"] = "true"
        ngx.header["X-RateLimit-Limit-Minute"] = 100000000
        ngx.header["X-RateLimit-Remaining-Minute"] = ngx.ctx.left
      }
      log_by_lua_block {
        local metrics = ngx.shared.metrics
        local time = tonumber(ngx.var.request_time) or 0
        metrics:incr("requests:" .. ngx.status, 1, 0)
        metrics:incr("seconds", time, 0)
        metrics:incr(time < 0.001 and "below_1" or time < 0.01 and "below_10" or "above", 1, 0)
      }
"#;
