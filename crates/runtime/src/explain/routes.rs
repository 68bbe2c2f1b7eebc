//! Which routes were compared, and what decided.

use http::header;
use serde::Serialize;
use serde_json::{Map, Value, json};
use towergate_config::entities;
use towergate_core::{Plan, Protocol};
use towergate_router::{Candidate, Request};
use uuid::Uuid;

use super::{ShownAnswer, asked::Asked, named};
use crate::{compile::Runtime, resolve};

/// Routes that do not match are shown up to this many: those that come nearest.
const NEAR_MISSES: usize = 5;

/// A route that was compared with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCandidate {
    /// Its id.
    pub id: Uuid,
    /// Its name, or else its id.
    pub route: String,
    /// Kong's number for it: the greater goes first.
    pub priority: u64,
    /// Whether the request is one of its own.
    pub matches: bool,
    /// The attributes that keep it from matching.
    pub obstacles: Vec<&'static str>,
    /// Why it was chosen, or not.
    pub why: String,
}

/// The routes that match, the best first, and some that nearly do.
pub(super) fn candidates(runtime: &Runtime, request: &Request<'_>) -> Vec<ShownCandidate> {
    let served = resolve::served(&runtime.config);
    let all = runtime.table.router.explain(request);
    let (matching, mut others): (Vec<_>, Vec<_>) = all.into_iter().partition(Candidate::matches);
    // What stands in the way of fewer things is nearer; the order stays the router's otherwise.
    others.sort_by_key(|candidate| candidate.obstacles.len());
    others.truncate(NEAR_MISSES);
    let best = matching.first().cloned();
    let mut shown: Vec<ShownCandidate> = Vec::new();
    for candidate in matching.into_iter().chain(others) {
        let Some(route) = served.get(candidate.rule).map(|served| served.route) else { continue };
        // A route with paths of several kinds is listed once: its best part.
        if shown.iter().any(|known| known.id == route.id) {
            continue;
        }
        let why = match &best {
            _ if !candidate.matches() => format!("does not match: {}", candidate.obstacles.join(", ")),
            Some(best) if best.rule != candidate.rule => behind(best, &candidate),
            _ => "chosen".to_owned(),
        };
        shown.push(ShownCandidate {
            id: route.id,
            route: named(route.name.as_deref(), route.id),
            priority: candidate.number,
            matches: candidate.matches(),
            obstacles: candidate.obstacles,
            why,
        });
    }
    shown
}

fn behind(best: &Candidate, candidate: &Candidate) -> String {
    match best.rank().ahead_by(&candidate.rank()) {
        Some(ahead) => format!("matches, but the chosen one goes first: {ahead}"),
        None => "matches and is level with the chosen one, whose id is greater".to_owned(),
    }
}

/// What a route asks for.
pub(super) fn conditions(route: &entities::Route) -> Value {
    let mut conditions = Map::new();
    let mut list = |name: &str, values: Value| {
        if !values.is_null() {
            conditions.insert(name.to_owned(), values);
        }
    };
    let protocols: Vec<_> = route.protocols.iter().map(|protocol| protocol.name()).collect();
    list("protocols", json!(protocols));
    list("hosts", json!(route.hosts));
    list("paths", json!(route.paths));
    list("methods", json!(route.methods));
    list("headers", json!(route.headers));
    list("snis", json!(route.snis));
    list("sources", json!(route.sources));
    list("destinations", json!(route.destinations));
    Value::Object(conditions)
}

/// What is answered to a request that came to this route by the wrong protocol.
pub(super) fn refusal(plan: &Plan, asked: &Asked) -> Option<ShownAnswer> {
    let route = plan.route.as_ref()?;
    let accepts = |protocol| route.protocols.contains(protocol);
    if accepts(Protocol::Grpc) || accepts(Protocol::Grpcs) {
        let content_type = asked.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        if !content_type.starts_with(b"application/grpc") {
            return Some(ShownAnswer::new(415, "Non-gRPC request matched gRPC route"));
        }
        let wants_tls = !accepts(Protocol::Grpc) && !asked.is_tls;
        return wants_tls.then(|| ShownAnswer::new(200, "gRPC request matched gRPCs route"));
    }
    let wants_https = accepts(Protocol::Https) && !accepts(Protocol::Http);
    (wants_https && !asked.is_tls).then(|| match route.https_redirect_status_code {
        status @ (301 | 302 | 307 | 308) => ShownAnswer::new(status, "the same URL with https"),
        _ => ShownAnswer::new(426, "Please use HTTPS protocol"),
    })
}
