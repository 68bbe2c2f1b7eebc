//! Plans, and requests on them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use towergate_core::{Client, Context, Memos, Plan, Protocol, Route, Service, Timing};
use uuid::Uuid;

/// This plan for the route `users` of `user-service`, with room for what one plugin and observers work out.
pub fn routed(plan: Plan) -> Plan {
    Plan {
        route: Some(route()),
        service: Some(Arc::new(service())),
        memos: Memos::new(1),
        observed: Memos::new(1),
        ..plan
    }
}

fn route() -> Route {
    Route {
        id: Uuid::from_u128(1),
        name: Some("users".into()),
        protocols: [Protocol::Http].into(),
        strip_path: false,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: Vec::new(),
    }
}

fn service() -> Service {
    let limit = Duration::from_secs(60);
    Service {
        id: Uuid::from_u128(2),
        name: Some("user-service".into()),
        protocol: Protocol::Http,
        host: "users.test".into(),
        port: 80,
        path: None,
        retries: 0,
        connect_timeout: limit,
        write_timeout: limit,
        read_timeout: limit,
        tls: None,
        tags: Vec::new(),
        balancing: None,
    }
}

/// For how many lines the gateway's own server leaves room beside those that came.
const ADDED: usize = 3;

/// A request as clients send them, with these header lines more, on this plan; without one it comes as to a service of
/// one's own. `fill` may say more of its context.
pub fn request(
    client: Client,
    plan: Option<&Arc<Plan>>,
    more: &[(&'static str, &'static str)],
    fill: impl FnOnce(&mut Context),
) -> Request<Full<Bytes>> {
    let mut request = Request::get("/api/v1/users/42?verbose=1").body(Full::default()).expect("a request");
    let usual = [
        ("host", "api.example.com"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, br"),
        ("x-api-key", "0123456789abcdef"),
        ("authorization", "Bearer abcdefghijklmnopqrstuvwxyz"),
    ];
    *request.headers_mut() = HeaderMap::with_capacity(usual.len() + more.len() + ADDED);
    for (name, value) in usual.iter().chain(more) {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    let (mut head, body) = request.into_parts();
    if let Some(plan) = plan {
        let mut cx = Context::new(client, &head, Timing::start(), Some(plan.clone()));
        fill(&mut cx);
        head.extensions.insert(Arc::new(cx));
    }
    Request::from_parts(head, body)
}
