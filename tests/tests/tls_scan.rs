//! What a scanner made for finding bad TLS says of the gateway: sslyze, which `make tools` installs.

use std::collections::BTreeSet;

use rcgen::PKCS_RSA_SHA256;
use serde_json::Value;
use towergate_tests::{Certificate, Gateway, Port, Upstream, proxying, tool};

/// The scanner's report on a gateway with these settings, and what it says of Mozilla's configuration of this name.
fn scan(settings: &[(&str, &str)], mozilla: &str) -> (Value, String) {
    let upstream = Upstream::echo();
    let (ecdsa, rsa) = (Certificate::alone(&["ecdsa"]), Certificate::alone_with(&["rsa"], &PKCS_RSA_SHA256));
    let document = format!(
        "{}certificates:\n{}  cert_alt: {:?}\n  key_alt: {:?}\n  snis: ['*']\n",
        proxying(&upstream),
        rsa.entry(),
        ecdsa.certificate,
        ecdsa.key
    );
    let tls = Port::free();
    let mut setup = Gateway::with(&document).also_listening_on(&format!("{} ssl", tls.address()));
    for (name, value) in settings {
        setup = setup.setting(name, value);
    }
    let gateway = setup.start();
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.json");
    let output = tool("sslyze")
        .args([
            "--sslv2",
            "--sslv3",
            "--tlsv1",
            "--tlsv1_1",
            "--tlsv1_2",
            "--tlsv1_3",
            "--elliptic_curves",
            "--certinfo",
        ])
        .args(["--compression", "--early_data", "--ems", "--fallback", "--heartbleed", "--openssl_ccs", "--reneg"])
        .args(["--robot", "--resum", "--sni", "scanned.test", "--mozilla_config", mozilla, "--json_out"])
        .arg(&report)
        .arg(tls.address().to_string())
        .output()
        .expect("sslyze runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = std::fs::read_to_string(report).unwrap_or_else(|error| panic!("{error}: {said}"));
    let report: Value = serde_json::from_str(&short(&text)).expect("JSON");
    // A scan is also an attack on the patience of a gateway.
    assert_eq!(gateway.get("/").status, 200);
    (report["server_scan_results"][0]["scan_result"].clone(), said)
}

/// JSON with 0 for the numbers keys are made of, which are too long for a number here.
fn short(text: &str) -> String {
    const LONGEST: usize = 15;
    let short = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let digits = value.trim_end_matches(',');
        let is_long = digits.len() > LONGEST && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_long.then(|| format!("{name}: 0{}", if digits == value { "" } else { "," }))
    };
    text.lines().map(|line| short(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

/// The suites accepted in a version, by OpenSSL's names.
fn accepted(report: &Value, version: &str) -> BTreeSet<String> {
    let suites = &report[format!("{version}_cipher_suites")]["result"]["accepted_cipher_suites"];
    let suites = suites.as_array().unwrap_or_else(|| panic!("{version}: {report}"));
    let name = |suite: &Value| suite["cipher_suite"]["openssl_name"].as_str().expect("a name").to_owned();
    suites.iter().map(name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What Mozilla's configuration asks for and is not there, apart from certificates, which are the test's own.
fn complaints(said: &str) -> Vec<&str> {
    let (_, verdict) = said.split_once("COMPLIANCE AGAINST TLS CONFIGURATION").expect("a verdict");
    let lines = verdict.lines().filter_map(|line| line.trim().strip_prefix("* "));
    lines.filter(|line| !line.starts_with("certificate_") && !line.starts_with("maximum_certificate_")).collect()
}

const OF_13: &[&str] = &["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

const OF_12: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

const AES_OF_12: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
];

fn assert_nothing_old(report: &Value) {
    for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
        assert_eq!(accepted(report, version), set(&[]), "{version}");
    }
}

#[test]
fn by_default_it_is_what_mozilla_calls_intermediate() {
    let (report, said) = scan(&[], "intermediate");
    assert_nothing_old(&report);
    assert_eq!(accepted(&report, "tls_1_2"), set(OF_12));
    assert_eq!(accepted(&report, "tls_1_3"), set(OF_13));
    assert_eq!(complaints(&said), [""; 0], "{said}");
    for (path, expected) in [
        ("/heartbleed/result/is_vulnerable_to_heartbleed", false),
        ("/openssl_ccs_injection/result/is_vulnerable_to_ccs_injection", false),
        ("/session_renegotiation/result/is_vulnerable_to_client_renegotiation_dos", false),
        ("/session_renegotiation/result/supports_secure_renegotiation", true),
        ("/tls_compression/result/supports_compression", false),
        ("/tls_1_3_early_data/result/supports_early_data", false),
        ("/tls_fallback_scsv/result/supports_fallback_scsv", true),
        ("/tls_extended_master_secret/result/supports_ems_extension", true),
    ] {
        assert_eq!(report.pointer(path), Some(&Value::Bool(expected)), "{path}");
    }
    let robot = &report["robot"]["result"]["robot_result"];
    assert_eq!(robot, "NOT_VULNERABLE_RSA_NOT_SUPPORTED", "{robot}");
    let session_ids = &report["session_resumption"]["result"]["session_id_resumption_result"];
    assert_eq!(session_ids, "FULLY_SUPPORTED");
    // Both of the pair are shown to those who ask for them.
    let shown = report["certificate_info"]["result"]["certificate_deployments"].as_array().expect("certificates");
    assert_eq!(shown.len(), 2);
}

#[test]
fn modern_is_what_mozilla_calls_so() {
    let (report, said) = scan(&[("ssl_cipher_suite", "modern")], "modern");
    assert_nothing_old(&report);
    assert_eq!(accepted(&report, "tls_1_2"), set(&[]));
    assert_eq!(accepted(&report, "tls_1_3"), set(OF_13));
    assert_eq!(complaints(&said), [""; 0], "{said}");
}

#[test]
fn old_and_fips_and_custom_are_what_they_say_as_far_as_it_is_built_in() {
    for (settings, of_12, of_13) in [
        (&[("ssl_cipher_suite", "old")][..], OF_12, OF_13),
        (&[("ssl_cipher_suite", "fips")], AES_OF_12, &[]),
        (
            &[
                ("ssl_cipher_suite", "custom"),
                ("ssl_protocols", "TLSv1.2 TLSv1.3"),
                ("ssl_ciphers", "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:TLS_AES_128_GCM_SHA256"),
            ],
            &["ECDHE-RSA-AES256-GCM-SHA384"],
            &["TLS_AES_128_GCM_SHA256"],
        ),
    ] {
        let (report, _) = scan(settings, "disable");
        assert_nothing_old(&report);
        assert_eq!(accepted(&report, "tls_1_2"), set(of_12), "{settings:?}");
        assert_eq!(accepted(&report, "tls_1_3"), set(of_13), "{settings:?}");
    }
}
