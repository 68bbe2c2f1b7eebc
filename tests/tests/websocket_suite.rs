//! What the Autobahn test suite says of a WebSocket server behind the gateway: its case files, run by kosoku, which
//! `make tools` installs. Every case must end as it ends with the server itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use towergate_tests::sockets::Sockets;
use towergate_tests::{Gateway, proxying_to, tool};

/// Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing: all that is not about speed, and about compression,
/// which the server behind does not speak.
const FAMILIES: [&str; 7] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*"];

/// How each case ended with the server at this address: its behaviour, and that of its closing.
fn verdicts(address: SocketAddr) -> BTreeMap<String, (String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut kosoku = tool("kosoku");
    kosoku.args(["--mode", "fuzzingclient", "--parallelism", "8", "--outdir"]).arg(folder.path());
    for family in FAMILIES {
        kosoku.args(["--include", family]);
    }
    let output = kosoku.arg(format!("ws://{address}/")).output().expect("kosoku runs");
    let index = folder.path().join("index.json");
    let text = std::fs::read_to_string(index).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let agents = report.as_object().expect("servers");
    let cases = agents.values().next().and_then(Value::as_object).expect("cases");
    let word = |case: &Value, name: &str| case[name].as_str().expect("a word").to_owned();
    cases.iter().map(|(id, case)| (id.clone(), (word(case, "behavior"), word(case, "behaviorClose")))).collect()
}

#[test]
fn every_case_ends_as_with_the_server_itself() {
    let sockets = Sockets::start();
    let gateway = Gateway::serving(&proxying_to(&sockets.url(), &["retries: 0"]));
    let (direct, through) = (verdicts(sockets.address()), verdicts(gateway.proxy()));
    assert!(direct.len() >= 200, "only {} cases ran", direct.len());
    let good = |(behaviour, closing): &(String, String)| {
        ["OK", "NON-STRICT", "INFORMATIONAL"].contains(&behaviour.as_str())
            && ["OK", "INFORMATIONAL"].contains(&closing.as_str())
    };
    let bad: Vec<_> = through.iter().filter(|(_, verdict)| !good(verdict)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(through, direct);
}
