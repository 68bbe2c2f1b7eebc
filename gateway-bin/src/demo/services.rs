//! Three small services to put a gateway in front of.

use std::{convert::Infallible, io, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What a sample service is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    Users,
    Orders,
    Products,
}

impl Sample {
    fn items(self) -> Value {
        match self {
            Self::Users => json!([{ "id": 1, "name": "Ada" }, { "id": 2, "name": "Grace" }]),
            Self::Orders => json!([{ "id": 7, "user": 1, "product": 3 }, { "id": 8, "user": 2, "product": 4 }]),
            Self::Products => json!([{ "id": 3, "name": "Compass" }, { "id": 4, "name": "Lantern" }]),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Orders => "orders",
            Self::Products => "products",
        }
    }
}

/// Serves a sample on a free loopback port from now on; answers its address.
pub(crate) async fn serve(sample: Sample) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service =
                service_fn(move |request| async move { Ok::<_, Infallible>(answer(sample, address, &request)) });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// The collection, one of its items by the last segment of the path, or 404; and what the service
/// was asked, so that the gateway's work can be seen.
fn answer(sample: Sample, address: SocketAddr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let items = sample.items();
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    let item = last.parse::<u64>().ok();
    let found = match item {
        _ if last == "live" => Some(json!("ok")),
        Some(id) => items.as_array().into_iter().flatten().find(|item| item["id"] == id).cloned(),
        None => Some(items),
    };
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let seen: serde_json::Map<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    let body = json!({
        "service": sample.name(),
        "instance": address.to_string(),
        "data": found,
        "asked": { "method": request.method().as_str(), "path": request.uri().to_string(), "headers": seen },
    });
    let text = if request.method() == Method::HEAD { String::new() } else { format!("{body:#}\n") };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
