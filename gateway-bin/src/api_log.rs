//! The access logs of the Admin API and of the Status API (`admin_access_log`, `status_access_log`).

use std::sync::Arc;

use axum::{Router, extract::Request};
use http::{Uri, header, uri::PathAndQuery};
use tower::util::MapRequestLayer;
use towergate_admin::{Peer, shown_path};
use towergate_core::{Client, Context, Ended, Observe, ObserveLayer, Plan, Scheme, Secrets, Timing};
use towergate_logging::AccessLog;

/// This API, which notes in the log who asked for what; without a log it notes nothing.
pub(crate) fn logged(api: Router, log: Option<AccessLog>) -> Router {
    let Some(log) = log else { return api };
    let mut secrets = Secrets::default();
    secrets.add_headers(["kong-admin-token"]);
    let plan = Arc::new(Plan { secrets: Arc::new(secrets), ..Plan::default() });
    api.layer(ObserveLayer::new(WithoutKeys(log)))
        .layer(MapRequestLayer::new(move |request| with_context(request, plan.clone())))
}

/// Gives the request what a log wants to know of it.
fn with_context(request: Request, plan: Arc<Plan>) -> Request {
    let (mut head, body) = request.into_parts();
    let peer = head.extensions.get::<Peer>();
    let client = Client {
        peer: peer.map(|peer| peer.address),
        local: peer.map(|peer| peer.local),
        address: peer.map(|peer| peer.address.ip()),
        port: peer.map(|peer| peer.address.port()),
        scheme: head.extensions.get().copied().unwrap_or(Scheme::Http),
        ..Client::default()
    };
    let mut cx = Context::new(client, &head, Timing::start(), Some(plan));
    let named = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let authority = head.uri.authority().cloned().or(named);
    cx.host = authority.map(|authority| authority.host().to_ascii_lowercase()).unwrap_or_default();
    head.extensions.insert(Arc::new(cx));
    Request::from_parts(head, body)
}

/// A log in which the keys of credentials do not stand: the Admin API has them in paths.
struct WithoutKeys(AccessLog);

impl Observe for WithoutKeys {
    fn observe(&self, cx: &Context, ended: &Ended) {
        let shown = Ended { uri: shown(&ended.uri), ..ended.clone() };
        self.0.observe(cx, &shown);
    }
}

/// The target without what may be a key.
fn shown(uri: &Uri) -> Uri {
    let path = shown_path(uri.path());
    if path == uri.path() {
        return uri.clone();
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{path}{query}").parse::<PathAndQuery>();
    target.map(Uri::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_paths_are_not_shown() {
        for (target, told) in [
            ("/services?size=1", "/services?size=1"),
            ("/key-auths/hunter2?x=1", "/key-auths/*?x=1"),
            ("http://a.test/consumers/a/jwt/hunter2", "/consumers/a/jwt/*"),
        ] {
            assert_eq!(shown(&target.parse().unwrap()).path_and_query().unwrap().as_str(), told);
        }
    }
}
