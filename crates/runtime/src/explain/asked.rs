//! The request that is asked about.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};
use serde::Deserialize;
use serde_json::{Value, json};
use towergate_router::{Request, Scheme, path, split_host};

/// A request that is not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExplainRequest {
    /// The method. Default `GET`.
    pub method: Option<String>,
    /// `https://host:port/path?query`, or a path alone.
    pub url: String,
    /// Headers, each with a value or several.
    pub headers: BTreeMap<String, Values>,
    /// The TLS server name, if it is another than the host of the URL.
    pub sni: Option<String>,
    /// The client's address, for routes with `sources`.
    pub source: Option<IpAddr>,
    /// The address that is connected to, for routes with `destinations`.
    pub destination: Option<SocketAddr>,
    /// Who is asking: a consumer's user name, id or `custom_id`. Without, nobody known.
    pub consumer: Option<String>,
    /// Groups that the consumer is in, by name or id, beside those of the configuration.
    pub consumer_groups: Vec<String>,
}

/// One value of a header, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// One.
    One(String),
    /// Several, a line each.
    Several(Vec<String>),
}

impl Values {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        };
        all.iter().map(String::as_str)
    }
}

/// The same, as the router reads it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) is_tls: bool,
    /// Without a port, lower case.
    pub(super) host: String,
    pub(super) port: u16,
    /// The `Host` header.
    pub(super) authority: String,
    /// Normalised.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    sni: Option<String>,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
}

impl Asked {
    /// # Errors
    /// What is wrong with the request.
    pub(super) fn read(request: &ExplainRequest) -> Result<Self, String> {
        let method = request.method.as_deref().unwrap_or("GET").to_ascii_uppercase();
        let method = method.parse().map_err(|_| format!("'{method}' is no method"))?;
        let form = "write https://host/path, or /path";
        let url: Uri = request.url.parse().map_err(|error| format!("'{}' is no URL: {error}; {form}", request.url))?;
        let is_tls = match url.scheme_str() {
            None | Some("http" | "grpc") => false,
            Some("https" | "grpcs") => true,
            Some(other) => return Err(format!("'{other}' is no scheme that requests come by; {form}")),
        };
        if url.authority().is_some() && url.scheme().is_none() {
            return Err(format!("'{}' has no scheme; {form}", request.url));
        }
        let headers = headers(&request.headers)?;
        let told = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = told.or(url.authority().map(Authority::as_str)).unwrap_or_default().to_owned();
        // A path alone is a request of HTTP/1.0, which may name no host.
        let (host, port) = match authority.as_str() {
            "" => ("", None),
            authority => split_host(authority).map_err(|error| format!("the host: {error}"))?,
        };
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let host = host.to_ascii_lowercase();
        let normal = path::normalize(url.path()).map_err(|error| format!("the path is answered with 400: {error}"))?;
        let server_name = || url.host().filter(|host| host.parse::<IpAddr>().is_err()).unwrap_or_default().to_owned();
        Ok(Self {
            method,
            is_tls,
            port,
            path: normal.into_owned(),
            query: url.query().map(str::to_owned),
            sni: is_tls.then(|| request.sni.clone().unwrap_or_else(server_name)),
            source: request.source.map(|ip| SocketAddr::new(ip, 0)),
            destination: request.destination,
            host,
            authority,
            headers,
        })
    }

    pub(super) fn for_router(&self) -> Request<'_> {
        Request {
            method: self.method.as_str(),
            scheme: if self.is_tls { Scheme::Https } else { Scheme::Http },
            host: &self.host,
            port: self.port,
            path: &self.path,
            headers: &self.headers,
            sni: self.sni.as_deref(),
            source: self.source,
            destination: self.destination,
        }
    }

    pub(super) fn shown(&self) -> Value {
        json!({
            "method": self.method.as_str(),
            "scheme": if self.is_tls { "https" } else { "http" },
            "host": self.host,
            "port": self.port,
            "path": self.path,
            "query": self.query,
            "sni": self.sni,
        })
    }
}

fn headers(given: &BTreeMap<String, Values>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, values) in given {
        let name: HeaderName = name.parse().map_err(|_| format!("'{name}' is no name of a header"))?;
        for value in values.iter() {
            let value = HeaderValue::from_str(value).map_err(|_| format!("the value of '{name}' cannot be one"))?;
            headers.append(name.clone(), value);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Asked, String> {
        Asked::read(&ExplainRequest { url: url.to_owned(), ..ExplainRequest::default() })
    }

    #[test]
    fn a_url_is_read_as_a_request_is() {
        let asked = read("https://API.example.com:8443/a//b/../c?x=1").unwrap();
        assert_eq!((asked.host.as_str(), asked.port, asked.path.as_str()), ("api.example.com", 8443, "/a/c"));
        assert_eq!((asked.query.as_deref(), asked.sni.as_deref()), (Some("x=1"), Some("API.example.com")));
        let bare = read("/a").unwrap();
        assert_eq!((bare.host.as_str(), bare.port, bare.is_tls, bare.sni), ("", 80, false, None));
        for (url, told) in [
            ("ftp://h/", "'ftp' is no scheme"),
            ("h:80", "has no scheme"),
            ("/../a", "the path is answered with 400"),
            ("http://h/%zz", "the path is answered with 400"),
            ("", "is no URL"),
        ] {
            let why = read(url).unwrap_err();
            assert!(why.contains(told), "{url}: {why}");
        }
    }
}
