//! The same with OpenSSL on the other side (Debian's package `openssl`).

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{net::SocketAddr, path::Path, process::Stdio, sync::Arc};

use support::{Asks, Echo, lone, params, self_signed};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
};
use towergate_tls::{Authorities, Certificates, Clients, Identities, Protocol, Server, ServerSettings, Trust, explain};

fn openssl(arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// What `openssl s_client` says of a connection, on both of its outputs.
async fn s_client(address: SocketAddr, arguments: &[&str]) -> String {
    let address = address.to_string();
    let output = openssl(&[&["s_client", "-connect", &address], arguments].concat()).output().await;
    let output = output.expect("openssl is installed (make packages)");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn echo() -> Echo {
    let pair = |name, algorithm| self_signed(&params(&[name]), algorithm).identity();
    let two = vec![pair("default", &rcgen::PKCS_RSA_SHA256), pair("default", &rcgen::PKCS_ECDSA_P256_SHA256)];
    let mut certificates = Certificates::new(Identities::new(two).unwrap());
    certificates.insert("*.example.com", lone(&["wildcard"]).identity().into());
    let server = Server::new(&ServerSettings::default()).unwrap();
    Echo::start(server.config(Arc::new(certificates), true)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_gets_what_is_offered() {
    let echo = echo().await;
    for (arguments, expected) in [
        (&["-tls1_3"][..], "Cipher is TLS_AES_256_GCM_SHA384"),
        (&["-tls1_3"], "Server public key is 256 bit"),
        (&["-tls1_2"], "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "Cipher is ECDHE-RSA-AES128-GCM-SHA256"),
        (&["-tls1_2", "-sigalgs", "RSA-PSS+SHA256"], "Server public key is 2048 bit"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "Cipher is (NONE)"),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "Cipher is (NONE)"),
        (&["-tls1_2", "-cipher", "AES128-SHA"], "alert handshake failure"),
        (&["-servername", "a.example.com"], "subject=CN = wildcard"),
        (&["-servername", "A.Example.COM"], "subject=CN = wildcard"),
        (&["-noservername"], "subject=CN = default"),
        (&["-alpn", "h2,http/1.1"], "ALPN protocol: h2"),
        (&["-alpn", "http/1.1"], "ALPN protocol: http/1.1"),
    ] {
        let said = s_client(echo.address, arguments).await;
        assert!(said.contains(expected), "{arguments:?}: {expected}:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_resumes_sessions() {
    let echo = echo().await;
    for version in ["-tls1_2", "-tls1_3"] {
        let folder = tempfile::tempdir().unwrap();
        let session = folder.path().join("session").display().to_string();
        let address = echo.address.to_string();
        // Tickets of TLS 1.3 come behind the handshake: openssl must stay until they are there.
        let arguments = ["s_client", "-connect", &address, version, "-sess_out", &session];
        let mut first = openssl(&arguments).stdin(Stdio::piped()).spawn().expect("openssl is installed");
        let mut input = first.stdin.take().unwrap();
        input.write_all(b"ping\n").await.unwrap();
        let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
        while lines.next_line().await.unwrap().expect("an echo") != "ping" {}
        drop(input);
        first.wait().await.unwrap();
        let said = s_client(echo.address, &[version, "-sess_in", &session]).await;
        assert!(said.contains("Reused, TLSv1."), "{version}:\n{said}");
    }
}

/// What a server of OpenSSL with this certificate and key makes of a client of ours.
async fn s_server(certificate: &Path, key: &Path, trust: &Trust) -> Result<(), String> {
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let arguments = ["s_server", "-accept", "127.0.0.1:0", "-cert", &certificate, "-key", &key];
    let mut server = openssl(&arguments).stdin(Stdio::piped()).spawn().expect("openssl is installed");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address: SocketAddr = loop {
        let line = lines.next_line().await.unwrap().expect("ACCEPT");
        if let Some(address) = line.strip_prefix("ACCEPT ") {
            break address.parse().unwrap();
        }
    };
    let client = Clients::new(Authorities::none()).client(trust).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let shaken = client.connect("up.example.test", address.ip(), stream).await;
    shaken.map(drop).map_err(|error| explain(&error))
}

/// A certificate of the first X.509 version, as `openssl x509 -req` makes it when nothing else is said.
async fn first_version(folder: &Path, kind: &[&str]) {
    let path = |name: &str| folder.join(name).display().to_string();
    let (key, request, certificate) = (path("key"), path("csr"), path("crt"));
    let asked = [&["req", "-nodes", "-subj", "/CN=up.example.test", "-out", &request, "-keyout", &key], kind].concat();
    let made = ["x509", "-req", "-in", &request, "-signkey", &key, "-out", &certificate, "-days", "30"];
    for arguments in [&asked[..], &made[..]] {
        let output = openssl(arguments).output().await.expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_certificate_does_where_none_is_checked() {
    for kind in [
        &["-newkey", "rsa:2048"][..],
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["-newkey", "ed25519"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        first_version(folder.path(), kind).await;
        let (certificate, key) = (folder.path().join("crt"), folder.path().join("key"));
        let lenient = Trust { protocol: Protocol::Http1, ..Trust::default() };
        assert_eq!(s_server(&certificate, &key, &lenient).await, Ok(()), "{kind:?}");
        let text = std::fs::read_to_string(&certificate).unwrap();
        let strict = Trust { verify: true, authorities: vec![text.into()], ..Trust::default() };
        let refusal = "its certificate is not accepted: it is no X.509 certificate of version 3";
        assert_eq!(s_server(&certificate, &key, &strict).await, Err(refusal.to_owned()), "{kind:?}");
    }
}

/// Such a certificate can be shown, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_the_first_version_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    first_version(folder.path(), &["-newkey", "rsa:2048"]).await;
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let identity = towergate_tls::Identity::from_pem(&read("crt"), &read("key")).unwrap();
    let server = Server::new(&ServerSettings::default()).unwrap();
    let echo = Echo::start(server.config(Arc::new(Certificates::new(identity.into())), false)).await;
    let config = Asks::default().config();
    assert_eq!(support::get(echo.address, "x", &config).await.unwrap().name(), "up.example.test");
    let said = s_client(echo.address, &[]).await;
    assert!(said.contains("subject=CN = up.example.test"), "{said}");
}
