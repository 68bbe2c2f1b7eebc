//! Broken configurations: what is told of each, in which words and at which place.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{load, load_all};

/// Every problem on a line of its own, without its excerpt; nothing if it loads.
fn told(text: &str) -> Vec<String> {
    let report = load(text).map(drop);
    report.map_or_else(|report| report.problems().iter().map(ToString::to_string).collect(), |()| Vec::new())
}

/// What is put around a few lines to make a configuration of them: routes need a service and so on.
fn service(lines: &str) -> String {
    format!("_format_version: '3.0'\nservices:\n- name: s\n  host: h\n{lines}")
}

fn route(lines: &str) -> String {
    format!("_format_version: '3.0'\nroutes:\n- name: r\n{lines}")
}

fn upstream(lines: &str) -> String {
    format!("_format_version: '3.0'\nupstreams:\n- name: u\n{lines}")
}

fn plain(lines: &str) -> String {
    format!("_format_version: '3.0'\n{lines}")
}

#[test]
fn texts_that_are_no_configuration() {
    let parsing = "failed parsing declarative configuration";
    for (text, problem) in [
        ("", format!("kong.yml:1:1: {parsing}: expected an object")),
        ("- a", format!("kong.yml:1:1: {parsing}: expected an object")),
        ("just text", format!("kong.yml:1:1: {parsing}: expected an object")),
        ("a: 1\na: 2", format!("kong.yml:2:1: {parsing}: duplicate key 'a' (the first one is in line 1)")),
        ("services: [}", format!("kong.yml:1:11: {parsing}: ")),
    ] {
        let told = told(text);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with(&problem), "{told:?}");
    }
}

#[test]
fn what_stands_at_the_top() {
    for (text, problem) in [
        ("services: []", "kong.yml:1:1: _format_version: required field missing"),
        ("_format_version: 3.0", "kong.yml:1:18: _format_version: expected a string"),
        ("_format_version: '4.0'", "kong.yml:1:18: _format_version: expected one of: 1.1, 2.1, 3.0"),
        ("_format_version: '3.0'\nservcies: []", "kong.yml:2:1: servcies: unknown field"),
        ("_format_version: '3.0'\n_transform: 1", "kong.yml:2:13: _transform: expected a boolean"),
        ("_format_version: '3.0'\n_comment: 1", "kong.yml:2:11: _comment: expected a string"),
        ("_format_version: '3.0'\n_ignore: x", "kong.yml:2:10: _ignore: expected an array"),
        ("_format_version: '3.0'\nservices: {}", "kong.yml:2:11: services: expected an array"),
        ("_format_version: '3.0'\nservices: [x]", "kong.yml:2:12: services[0]: expected a record"),
    ] {
        assert_eq!(told(text), [problem], "{text}");
    }
}

#[test]
fn services() {
    for (lines, problem) in [
        ("  conect_timeout: 5", "kong.yml:5:3: services[0].conect_timeout: unknown field"),
        (
            "  connect_timeout: 0",
            "kong.yml:5:20: services[0].connect_timeout: value should be between 1 and 2147483646",
        ),
        ("  connect_timeout: soon", "kong.yml:5:20: services[0].connect_timeout: expected an integer"),
        ("  retries: 99999", "kong.yml:5:12: services[0].retries: value should be between 0 and 32767"),
        ("  port: 65536", "kong.yml:5:9: services[0].port: value should be between 0 and 65535"),
        (
            "  protocol: ftp",
            "kong.yml:5:13: services[0].protocol: expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp",
        ),
        ("  path: api", "kong.yml:5:9: services[0].path: should start with: /"),
        ("  path: /a//b", "kong.yml:5:9: services[0].path: must not have empty segments"),
        (
            "  path: /a b",
            "kong.yml:5:9: services[0].path: invalid path: '/a b' (characters outside of the reserved list of RFC 3986 found)",
        ),
        ("  path: /%zz", "kong.yml:5:9: services[0].path: invalid url-encoded value: '%zz'"),
        (
            "  tags: ['a,b']",
            "kong.yml:5:10: services[0].tags[0]: invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences",
        ),
        ("  tags: x", "kong.yml:5:9: services[0].tags: expected a set"),
        ("  enabled: 1", "kong.yml:5:12: services[0].enabled: expected a boolean"),
        ("  id: abc", "kong.yml:5:7: services[0].id: expected a valid UUID"),
        (
            "  client_certificate: c",
            "kong.yml:5:23: services[0].client_certificate: invalid reference 'client_certificate: c' (no such entry in 'certificates')",
        ),
        ("  routes: {}", "kong.yml:5:11: services[0].routes: expected an array"),
    ] {
        let told = told(&service(lines));
        assert!(told.contains(&problem.to_owned()), "{lines}: {told:#?}");
    }
    for (host, problem) in
        [("h:80", "must not have a port"), ("'a b'", "invalid value: a b"), ("''", "length must be at least 1")]
    {
        let told = told(&plain(&format!("services:\n- host: {host}")));
        assert_eq!(told, [format!("kong.yml:3:9: services[0].host: {problem}")]);
    }
    assert_eq!(told(&plain("services:\n- name: s")), ["kong.yml:3:3: services[0].host: required field missing"]);
    assert_eq!(
        told(&plain("services:\n- name: a b\n  host: h")),
        [
            "kong.yml:3:9: services[0].name: invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
        ]
    );
    assert_eq!(told(&plain("services:\n- url: http://")), ["kong.yml:3:8: services[0].host: required field missing"]);
    assert_eq!(
        told(&plain("services:\n- {host: h, protocol: tcp, path: /x}")),
        [
            "kong.yml:3:3: services[0]: failed conditional validation given value of field 'protocol'",
            "kong.yml:3:34: services[0].path: value must be null",
        ]
    );
}

#[test]
fn routes() {
    for (lines, problem) in [
        ("  paths: [users]", "kong.yml:4:11: routes[0].paths[0]: should start with: / (fixed path) or ~/ (regex path)"),
        ("  paths: [/a, /b/../c]", "kong.yml:4:15: routes[0].paths[1]: non-normalized path, consider use '/c' instead"),
        ("  paths: [/a//b]", "kong.yml:4:11: routes[0].paths[0]: must not have empty segments"),
        ("  methods: [get]", "kong.yml:4:13: routes[0].methods[0]: invalid value: get"),
        ("  hosts: ['*.a.*']", "kong.yml:4:11: routes[0].hosts[0]: invalid wildcard: must have at most one wildcard"),
        (
            "  hosts: [a.*.b]",
            "kong.yml:4:11: routes[0].hosts[0]: invalid wildcard: must be placed at leftmost or rightmost label",
        ),
        (
            "  headers: {Host: [a]}",
            "kong.yml:4:19: routes[0].headers.Host: cannot contain 'host' header, which must be specified in the 'hosts' attribute",
        ),
        (
            "  protocols: [http]",
            "kong.yml:3:3: routes[0]: must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'",
        ),
        (
            "  tags: []",
            "kong.yml:3:3: routes[0]: must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'",
        ),
        (
            "  protocols: [http, tcp]\n  paths: [/]",
            "kong.yml:4:14: routes[0].protocols: these sets are mutually exclusive: ('http', 'https'), ('tcp', 'tls', 'udp')",
        ),
        ("  protocols: []", "kong.yml:4:14: routes[0].protocols: length must be at least 1"),
        (
            "  protocols: [grpc]\n  hosts: [h]\n  strip_path: true",
            "kong.yml:6:15: routes[0].strip_path: cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'",
        ),
        (
            "  protocols: [grpc]\n  hosts: [h]\n  methods: [GET]",
            "kong.yml:6:12: routes[0].methods: cannot set 'methods' when 'protocols' is 'grpc' or 'grpcs'",
        ),
        (
            "  protocols: [tcp]\n  paths: [/]",
            "kong.yml:5:10: routes[0].paths: cannot set 'paths' when 'protocols' is 'tcp', 'tls', 'tls_passthrough' or 'udp'",
        ),
        (
            "  protocols: [tls_passthrough]",
            "kong.yml:3:3: routes[0]: must set snis when 'protocols' is 'tls_passthrough'",
        ),
        (
            "  protocols: [http]\n  paths: [/]\n  snis: [a.com]",
            "kong.yml:3:3: routes[0]: 'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
        ),
        (
            "  paths: [/]\n  sources: [{ip: 10.0.0.1}]",
            "kong.yml:5:12: routes[0].sources: cannot set 'sources' when 'protocols' is 'http' or 'https'",
        ),
        (
            "  paths: [/]\n  https_redirect_status_code: 200",
            "kong.yml:5:31: routes[0].https_redirect_status_code: expected one of: 426, 301, 302, 307, 308",
        ),
        ("  paths: [/]\n  path_handling: v2", "kong.yml:5:18: routes[0].path_handling: expected one of: v0, v1"),
        (
            "  paths: [/]\n  service: nope",
            "kong.yml:5:12: routes[0].service: invalid reference 'service: nope' (no such entry in 'services')",
        ),
        ("  paths: [/]\n  service: 5", "kong.yml:5:12: routes[0].service: expected a string"),
    ] {
        let told = told(&route(lines));
        assert!(told.contains(&problem.to_owned()), "{lines}: {told:#?}");
    }
    let told = told(&route("  paths: ['~/a(']"));
    assert!(
        told[0].starts_with("kong.yml:4:11: routes[0].paths[0]: invalid regex: '/a(' (PCRE returned: "),
        "{told:?}"
    );
}

#[test]
fn upstreams_and_targets() {
    for (lines, problem) in [
        (
            "  algorithm: random",
            "kong.yml:4:14: upstreams[0].algorithm: expected one of: consistent-hashing, least-connections, round-robin, latency, sticky-sessions, power-of-two-choices",
        ),
        ("  hash_on: header", "kong.yml:3:3: upstreams[0].hash_on_header: required field missing"),
        ("  hash_fallback: ip", "kong.yml:4:18: upstreams[0].hash_fallback: expected one of: none"),
        (
            "  hash_on: ip\n  hash_fallback: ip",
            "kong.yml:5:18: upstreams[0].hash_fallback: expected one of: none, consumer, header, cookie, path, query_arg, uri_capture",
        ),
        ("  slots: 1", "kong.yml:4:10: upstreams[0].slots: value should be between 10 and 65536"),
        (
            "  healthchecks: {active: {healthy: {successes: 256}}}",
            "kong.yml:4:48: upstreams[0].healthchecks.active.healthy.successes: value should be between 0 and 255",
        ),
        (
            "  healthchecks: {active: {helthy: {}}}",
            "kong.yml:4:27: upstreams[0].healthchecks.active.helthy: unknown field",
        ),
        (
            "  targets: [{target: 'a b'}]",
            "kong.yml:4:22: upstreams[0].targets[0].target: Invalid target ('a b'); not a valid hostname or ip address",
        ),
        (
            "  targets: [{target: 'a:1', weight: -1}]",
            "kong.yml:4:37: upstreams[0].targets[0].weight: value should be between 0 and 65535",
        ),
    ] {
        let told = told(&upstream(lines));
        assert!(told.contains(&problem.to_owned()), "{lines}: {told:#?}");
    }
    for (name, why) in
        [("10.0.0.1", "no ip addresses allowed"), ("'a:80'", "no port allowed"), ("'a b'", "must be a valid hostname")]
    {
        let told = told(&plain(&format!("upstreams:\n- name: {name}")));
        assert_eq!(
            told,
            [format!("kong.yml:3:9: upstreams[0].name: Invalid name ('{}'); {why}", name.trim_matches('\''))]
        );
    }
    assert_eq!(told(&plain("targets:\n- target: a:80")), ["kong.yml:3:3: targets[0].upstream: required field missing"]);
}

#[test]
fn consumers_credentials_certificates_and_vaults() {
    for (lines, problem) in [
        (
            "consumers:\n- tags: []",
            "kong.yml:3:3: consumers[0]: at least one of these fields must be non-empty: 'custom_id', 'username'",
        ),
        ("keyauth_credentials:\n- key: k", "kong.yml:3:3: keyauth_credentials[0].consumer: required field missing"),
        (
            "keyauth_credentials:\n- key: k\n  consumer: bob",
            "kong.yml:4:13: keyauth_credentials[0].consumer: invalid reference 'consumer: bob' (no such entry in 'consumers')",
        ),
        (
            "consumers:\n- username: a\n  keyauth_credentials:\n  - kee: k",
            "kong.yml:5:5: consumers[0].keyauth_credentials[0].kee: unknown field",
        ),
        (
            "consumers:\n- username: a\n  jwt_secrets:\n  - algorithm: RS256",
            "kong.yml:5:5: consumers[0].jwt_secrets[0].rsa_public_key: required field missing",
        ),
        (
            "certificates:\n- cert: x\n  key: y",
            "kong.yml:3:9: certificates[0].cert: invalid certificate: expected PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----",
        ),
        ("snis:\n- name: a.com", "kong.yml:3:3: snis[0].certificate: required field missing"),
        ("vaults:\n- prefix: my-vault\n  name: hcv", "kong.yml:4:9: vaults[0].name: vault 'hcv' is not installed"),
        ("vaults:\n- prefix: env\n  name: env", "kong.yml:3:11: vaults[0].prefix: must not be one of: env"),
        ("keys:\n- kid: a", "kong.yml:3:3: keys[0]: at least one of these fields must be non-empty: 'jwk', 'pem'"),
        (
            "consumer_group_consumers:\n- consumer: a\n  consumer_group: b",
            "kong.yml:4:19: consumer_group_consumers[0].consumer_group: invalid reference 'consumer_group: b' (no such entry in 'consumer_groups')",
        ),
    ] {
        let told = told(&plain(lines));
        assert!(told.contains(&problem.to_owned()), "{lines}: {told:#?}");
    }
}

#[test]
fn plugins() {
    let not_enabled =
        |name: &str| format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property");
    for (lines, problem) in [
        ("- name: nonsense", format!("kong.yml:3:9: plugins[0].name: {}", not_enabled("nonsense"))),
        ("- name: jwt", format!("kong.yml:3:9: plugins[0].name: {}", not_enabled("jwt"))),
        ("- enabled: true", "kong.yml:3:3: plugins[0].name: required field missing".to_owned()),
        ("- name: cors\n  config: {origin: []}", "kong.yml:4:12: plugins[0].config.origin: unknown field".to_owned()),
        ("- name: cors\n  config: 5", "kong.yml:4:11: plugins[0].config: expected a record".to_owned()),
        ("- name: cors\n  protocols: [tcp]", "kong.yml:4:15: plugins[0].protocols[0]: expected one of: grpc, grpcs, http, https".to_owned()),
        ("- name: cors\n  route: partner-api", "kong.yml:4:10: plugins[0].route: invalid reference 'route: partner-api' (no such entry in 'routes')".to_owned()),
        ("- name: cors\n  consumer: a\nconsumers:\n- username: a", "kong.yml:4:13: plugins[0].consumer: value must be null".to_owned()),
        ("- name: limiter\n  config: {redis: {password: '{vault://env/nope}'}}", "kong.yml:4:30: plugins[0].config.redis.password: could not resolve '{vault://env/nope}': the environment variable NOPE is not set".to_owned()),
        ("- name: correlation-id\n  config: {generator: random}", "kong.yml:4:23: plugins[0].config.generator: expected one of: uuid, uuid#counter, tracker".to_owned()),
    ] {
        let told = told(&plain(&format!("plugins:\n{lines}")));
        assert!(told.contains(&problem), "{lines}: {told:#?}");
    }
}

#[test]
fn what_is_there_twice() {
    for (lines, problem, hint) in [
        (
            "services:\n- {name: a, host: h}\n- {name: a, host: i}",
            "kong.yml:4:10: services[1].name: uniqueness violation: 'services' entity with name set to 'a' already declared",
            "the first one is at kong.yml:3:3",
        ),
        (
            "consumers:\n- {username: a, custom_id: x}\n- {username: b, custom_id: x}",
            "kong.yml:4:28: consumers[1].custom_id: uniqueness violation: 'consumers' entity with custom_id set to 'x' already declared",
            "the first one is at kong.yml:3:3",
        ),
        (
            "plugins:\n- name: cors\n- name: cors",
            "kong.yml:4:3: plugins[1]: uniqueness violation: 'plugins' entity with primary key set to \
             '*' already declared",
            "the first one is at kong.yml:3:3",
        ),
        (
            "upstreams:\n- name: u\n  targets:\n  - {target: 'a:8000'}\n  - {target: a}",
            "kong.yml:6:5: upstreams[0].targets[1]: UNIQUE violation detected on \
             '{upstream=\"*\",target=\"a:8000\"}'",
            "the first one is at kong.yml:5:5",
        ),
    ] {
        let report = load(&plain(lines)).unwrap_err();
        let told = &report.problems()[0];
        assert_eq!(without_ids(&told.to_string()), problem);
        assert_eq!(told.hint.as_deref(), Some(hint));
        assert_eq!(report.problems().len(), 1, "{report}");
    }
}

/// Puts `*` in place of ids.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let mut out = String::new();
    for word in text.split_inclusive(['\'', '"']) {
        let (inside, end) = word.split_at(word.len() - usize::from(word.ends_with(['\'', '"'])));
        out.push_str(if is_id(inside) { "*" } else { inside });
        out.push_str(end);
    }
    out
}

/// Kong's YAML has more words for true and false than people remember.
#[test]
fn a_text_that_reads_as_something_else_is_told_so() {
    for (name, read_as) in [("off", "a boolean"), ("0755", "a number"), ("3.5", "a number")] {
        let report = load(&plain(&format!("consumers: [{{username: {name}}}]"))).unwrap_err();
        assert_eq!(report.problems()[0].to_string(), "kong.yml:2:24: consumers[0].username: expected a string");
        assert_eq!(report.problems()[0].hint, Some(format!("this reads as {read_as}; write it in quotes")));
    }
}

#[test]
fn several_files_are_one_configuration() {
    let a = "_format_version: '3.0'\nservices:\n- {name: s, host: h}\n";
    let report = load_all(&[("a.yml", a), ("b.yml", "services:\n- {name: s, host: i}\n")]).unwrap_err();
    assert_eq!(
        report.problems()[0].to_string(),
        "b.yml:2:10: services[0].name: uniqueness violation: 'services' entity with name set to 's' already declared"
    );
    assert_eq!(report.problems()[0].hint.as_deref(), Some("the first one is at a.yml:3:3"));
    let report = load_all(&[("a.yml", a), ("b.yml", "_format_version: '2.1'")]).unwrap_err();
    assert_eq!(report.problems()[0].to_string(), "b.yml:1:18: _format_version: files disagree");
}

#[test]
fn a_report_shows_the_lines_and_what_was_meant() {
    let report = load("_format_version: '3.0'\nservices:\n- name: a\n  hots: b\n").unwrap_err();
    assert_eq!(
        report.to_string(),
        "kong.yml:3:3: services[0].host: required field missing\n\
         \x20 2 | services:\n\
         \x20 3 | - name: a\n\
         \x20   |   ^\n\
         \n\
         kong.yml:4:3: services[0].hots: unknown field\n\
         \x20 3 | - name: a\n\
         \x20 4 |   hots: b\n\
         \x20   |   ^ did you mean `host`?\n\
         \n\
         2 problems"
    );
}
