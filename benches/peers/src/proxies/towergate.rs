//! Towergate.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use super::Site;
use crate::{Problem, note, scenario::Setup};

/// Plugins of the guide, in Kong's order, that may not be in every build.
const CHAIN: [(&str, &str); 5] = [
    ("key-auth", "key_names: [apikey]"),
    ("rate-limiting", "minute: 100000000, policy: local"),
    ("correlation-id", "header_name: X-Correlation-ID, generator: uuid, echo_downstream: true"),
    ("cors", "origins: [\"https://app.example.com\"], credentials: true"),
    ("prometheus", "status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true, per_consumer: true"),
];

/// Writes the configuration and says how to start.
pub(super) fn command(program: &Path, site: &Site) -> Result<Command, Problem> {
    let (settings, entities) = (site.folder.join("kong.conf"), site.folder.join("entities"));
    fs::write(&settings, self::settings(site))?;
    fs::create_dir_all(&entities)?;
    let plugins: Vec<_> = match site.setup {
        Setup::Chain => CHAIN.into_iter().filter(|plugin| has(program, site, *plugin)).collect(),
        Setup::Consumers(_) => CHAIN.into_iter().take(1).collect(),
        Setup::Plain | Setup::Routes(_) => Vec::new(),
    };
    let mut command = Command::new(program);
    command.args(["start", "-c"]).arg(settings);
    for (number, text) in self::entities(site.setup, site.upstream, &plugins).into_iter().enumerate() {
        let file = entities.join(format!("{number}.yml"));
        fs::write(&file, text)?;
        command.arg(file);
    }
    Ok(command)
}

/// Whether this build has a plugin: a configuration with it, as it is used, is taken.
fn has(program: &Path, site: &Site, (name, configuration): (&str, &str)) -> bool {
    let file = site.folder.join("try.yml");
    let text = format!("{VERSION}plugins: [{{name: {name}, config: {{{configuration}}}}}]\n");
    let is_taken = fs::write(&file, text)
        .and_then(|()| Command::new(program).arg("check").arg(&file).output())
        .is_ok_and(|output| output.status.success());
    if !is_taken {
        note(format_args!("this towergate has no {name}: the chain is measured without it"));
    }
    is_taken
}

fn settings(site: &Site) -> String {
    let ports = &site.ports;
    format!(
        "database = off
prefix = {}
proxy_listen = 127.0.0.1:{} backlog=8192, 127.0.0.1:{} ssl, 127.0.0.1:{} http2, 127.0.0.1:{} ssl http2
admin_listen = off
status_listen = off
proxy_access_log = off
nginx_worker_processes = 1
nginx_http_keepalive_requests = 1000000000
upstream_keepalive_max_requests = 1000000000
ssl_cert = {}
ssl_cert_key = {}
",
        site.folder.display(),
        ports.plain,
        ports.tls,
        ports.http2,
        ports.http2_tls,
        site.certificate.chain.display(),
        site.certificate.key.display(),
    )
}

/// How many consumers a file has at most: a file may only be so large.
const FILE: usize = 200_000;

/// The texts of the files with all entities.
fn entities(setup: Setup, upstream: u16, plugins: &[(&str, &str)]) -> Vec<String> {
    let mut text = format!("{VERSION}services:\n- name: service\n  url: http://127.0.0.1:{upstream}\n  routes:\n");
    // Writing to a text does not fail.
    match setup {
        Setup::Routes(count) => {
            for number in 0..count {
                let _ = writeln!(text, "  - {{name: route-{number}, paths: [\"/api/v1/route-{number}\"]}}");
            }
        }
        _ => text += "  - {name: all, paths: [\"/\"], strip_path: false}\n",
    }
    if !plugins.is_empty() {
        text += "plugins:\n";
        for (name, configuration) in plugins {
            let _ = writeln!(text, "- {{name: {name}, config: {{{configuration}}}}}");
        }
    }
    let mut texts = vec![text];
    let consumers: Vec<_> = match setup {
        Setup::Chain => (0..1000).collect(),
        Setup::Consumers(count) => (0..count).collect(),
        Setup::Plain | Setup::Routes(_) => Vec::new(),
    };
    texts.extend(consumers.chunks(FILE).map(self::consumers));
    texts
}

const VERSION: &str = "_format_version: \"3.0\"\n";

fn consumers(numbers: &[usize]) -> String {
    let mut text = format!("{VERSION}consumers:\n");
    for number in numbers {
        let key = format!("key-{number}-abcdef0123456789");
        // Writing to a text does not fail.
        let _ = writeln!(text, "- {{username: consumer-{number}, keyauth_credentials: [{{key: {key}}}]}}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_as_many_as_the_setup_says() {
        let lines = |setup, plugins: &[_]| -> Vec<_> {
            entities(setup, 9000, plugins).iter().map(|text| text.lines().count()).collect()
        };
        assert_eq!(lines(Setup::Plain, &[]), [6]);
        assert_eq!(lines(Setup::Routes(100), &[]), [105]);
        assert_eq!(lines(Setup::Consumers(10), &CHAIN[..1]), [8, 12]);
        assert_eq!(lines(Setup::Consumers(FILE + 1), &CHAIN[..1]), [8, FILE + 2, 3]);
        assert_eq!(lines(Setup::Chain, &CHAIN), [12, 1002]);
    }
}
