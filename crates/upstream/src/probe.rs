//! Asking one target how it is.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use towergate_balancer::{Outcome, Subject};
use towergate_core::{Balancing, Probe, ProbeKind, Protocol, Tls};
use towergate_tls::{Client, PemError};

use crate::{
    destination::name_in,
    error::Error,
    http2,
    tls::Trusts,
    transport::{Key, Secured, Transport},
};

/// A status line is not longer.
const STATUS_LINE: usize = 4096;

/// How the targets of an upstream are asked, worked out once.
#[derive(Debug)]
pub(crate) struct Prober {
    kind: ProbeKind,
    /// The request, up to the value of its `Host`.
    request: Vec<u8>,
    /// Whether `Host` is still to be written.
    names_host: bool,
    host_header: Option<String>,
    server_name: Option<String>,
    client: Option<Client>,
    limit: Duration,
}

impl Prober {
    /// # Errors
    /// Certificates that cannot be read.
    pub(crate) fn new(balancing: &Balancing, trusts: &Trusts) -> Result<Self, PemError> {
        let checks = &balancing.health.active;
        let probe = &checks.probe;
        let protocol = match probe.kind {
            ProbeKind::Https => Some(Protocol::Https),
            ProbeKind::Grpcs => Some(Protocol::Grpcs),
            ProbeKind::Tcp | ProbeKind::Http | ProbeKind::Grpc => None,
        };
        let tls = Tls { verify: Some(probe.verify), identity: balancing.identity.clone(), ..Tls::default() };
        let client = protocol.map(|protocol| trusts.client(&tls, protocol)).transpose()?;
        let headers = headers(probe);
        Ok(Self {
            kind: probe.kind,
            names_host: !headers.iter().any(|(name, _)| name == "host"),
            request: request(&probe.path, &headers),
            host_header: balancing.host_header.clone(),
            server_name: probe.server_name.clone(),
            client,
            limit: checks.timeout,
        })
    }

    /// Asks; answers within the time set.
    pub(crate) async fn ask(&self, subject: &Subject) -> Outcome {
        // The limit of a connection ends a bit later than that of the whole, so that one timer decides.
        match timeout(self.limit, self.asked(subject)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::TimedOut,
        }
    }

    async fn asked(&self, subject: &Subject) -> Outcome {
        let key = self.key(subject);
        let limit = self.limit.saturating_mul(2);
        if matches!(self.kind, ProbeKind::Grpc | ProbeKind::Grpcs) {
            let patience = http2::Patience { connect: limit, write: limit, read: limit };
            let opened = match Transport::dial(&key, limit).await {
                Ok(transport) => http2::Connection::open(transport, key.address, patience).await,
                Err(error) => Err(error),
            };
            return opened.map_or_else(|error| failure(&error), |_| Outcome::Connected);
        }
        match Transport::dial(&key, limit).await {
            Err(error) => failure(&error),
            Ok(_) if self.kind == ProbeKind::Tcp => Outcome::Connected,
            Ok(transport) => self.status(transport, subject).await,
        }
    }

    fn host<'a>(&'a self, subject: &'a Subject) -> &'a str {
        self.host_header.as_deref().unwrap_or(&subject.host)
    }

    fn key(&self, subject: &Subject) -> Key {
        let named = self.server_name.as_deref().unwrap_or_else(|| self.host(subject));
        let tls = self.client.clone().map(|client| {
            let name = HeaderValue::from_str(named).ok().and_then(|name| name_in(&name));
            Secured { client, name: name.unwrap_or_else(|| named.into()) }
        });
        Key { address: subject.address, tls }
    }

    /// Asks for the path and reads the status line, which is all that counts.
    async fn status(&self, mut transport: Transport, subject: &Subject) -> Outcome {
        let mut request = self.request.clone();
        if self.names_host {
            request.extend_from_slice(b"Host: ");
            request.extend_from_slice(self.host(subject).as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let mut line = Vec::new();
        let asked = async {
            transport.write_all(&request).await?;
            transport.flush().await?;
            while !line.contains(&b'\n') && line.len() < STATUS_LINE {
                if transport.read_buf(&mut line).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok::<_, std::io::Error>(())
        };
        match asked.await {
            Ok(()) => status(&line).map_or(Outcome::NotHttp, Outcome::Status),
            Err(_) => Outcome::Broken,
        }
    }
}

fn failure(error: &Error) -> Outcome {
    if error.is_timeout() { Outcome::TimedOut } else { Outcome::Broken }
}

/// The configured header lines that are some; a name or value with a line break is none.
fn headers(probe: &Probe) -> Vec<(HeaderName, HeaderValue)> {
    probe.headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect()
}

/// Kong asks in HTTP/1.0, with the configured headers and `Host` only.
fn request(path: &str, headers: &[(HeaderName, HeaderValue)]) -> Vec<u8> {
    let path: String = path.chars().filter(|letter| letter.is_ascii_graphic()).collect();
    let mut request = format!("GET {path} HTTP/1.0\r\n").into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request
}

/// The status of an HTTP/1 response.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.0 ").or_else(|| line.strip_prefix(b"HTTP/1.1 "))?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let ends = rest.get(3).is_some_and(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_lines_have_a_status() {
        for (line, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503\r\n", Some(503)),
            ("HTTP/1.1 204 \r\n", Some(204)),
            ("HTTP/1.1 20x\r\n", None),
            ("HTTP/1.1 2000\r\n", None),
            ("HTTP/2 200\r\n", None),
            ("SSH-2.0-x\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn nothing_written_in_the_configuration_makes_a_second_request() {
        let headers = vec![("X-Probe".to_owned(), "yes".to_owned()), ("X".to_owned(), "a\r\nb: c".to_owned())];
        let probe = Probe { headers, ..Probe::default() };
        let written = request("/ok\r\nGET /evil", &super::headers(&probe));
        assert_eq!(String::from_utf8_lossy(&written), "GET /okGET/evil HTTP/1.0\r\nx-probe: yes\r\n");
    }
}
