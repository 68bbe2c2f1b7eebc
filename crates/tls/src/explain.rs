//! Why a handshake failed, in words for the log.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, pki_types::UnixTime};
use time::{OffsetDateTime, macros::format_description};

/// Why a handshake (or what followed it) failed, in words for the log.
#[must_use]
pub fn explain(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(tls) => explain_tls(tls),
        // tokio-rustls says so of a handshake only, rustls of what comes after it.
        None if error.to_string() == "tls handshake eof" => "the connection was closed in the handshake".to_owned(),
        None if error.to_string().contains("close_notify") => "the connection was cut off".to_owned(),
        None => error.to_string(),
    }
}

fn explain_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(problem) => format!("its certificate is not accepted: {}", certificate(problem)),
        Error::AlertReceived(alert) => format!("the other side refuses: {}", refused(*alert)),
        Error::InvalidMessage(_) => "the other side does not speak TLS".to_owned(),
        Error::NoApplicationProtocol => "no protocol in common (ALPN)".to_owned(),
        Error::PeerIncompatible(why) => format!("nothing in common: {why:?}"),
        other => other.to_string(),
    }
}

fn certificate(problem: &CertificateError) -> String {
    match problem {
        CertificateError::ExpiredContext { not_after, .. } => format!("it expired at {}", moment(*not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid before {}", moment(*not_before))
        }
        CertificateError::UnknownIssuer => "its issuer is not trusted".to_owned(),
        CertificateError::BadSignature => "its signature is wrong".to_owned(),
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => {
            format!("it names no server (subjectAltName), '{}' was asked for", expected.to_str())
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
            format!("it is for {}, '{}' was asked for", names.join(", "), expected.to_str())
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => "it is that of an authority".to_owned(),
            Some(webpki::Error::UnsupportedCertVersion) => "it is no X.509 certificate of version 3".to_owned(),
            _ => other.0.to_string(),
        },
        other => other.to_string(),
    }
}

/// A name of a certificate without what webpki puts around it: `DnsName("example.com")`.
fn plain(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

fn refused(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "it wants a client certificate".to_owned(),
        AlertDescription::UnknownCA => "it does not trust the issuer of our certificate".to_owned(),
        AlertDescription::CertificateExpired => "our certificate has expired".to_owned(),
        AlertDescription::BadCertificate | AlertDescription::UnsupportedCertificate => {
            "it does not accept our certificate".to_owned()
        }
        AlertDescription::CertificateUnknown => {
            "it does not accept our certificate, for a reason of its own".to_owned()
        }
        AlertDescription::ProtocolVersion => "no version of TLS in common".to_owned(),
        AlertDescription::HandshakeFailure => {
            "no ciphers in common, or it wants a client certificate (handshake failure)".to_owned()
        }
        AlertDescription::UnrecognisedName => "it has no certificate for the server name".to_owned(),
        AlertDescription::NoApplicationProtocol => "no protocol in common (ALPN)".to_owned(),
        other => format!("{other:?}"),
    }
}

fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(format).ok()).unwrap_or_else(|| format!("{seconds} s after 1970"))
}
