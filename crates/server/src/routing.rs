//! From a request to its plan: the route it matches, or the answer to one that matches none.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use http::{StatusCode, request::Parts};
use towergate_core::{Client, Generation, Matched, Plan, Reply, Scheme};
use towergate_router::{Match, Request, path};
use towergate_runtime::Table;

use crate::{protocol_check, request_check::Asked};

/// What routing found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The plan to follow.
    pub(crate) plan: Arc<Plan>,
    /// What holds for all requests.
    pub(crate) generation: Arc<Generation>,
    /// What is known of the path, beside the path itself.
    pub(crate) matched: Matched,
    /// The answer, if the request is not to go on.
    pub(crate) refusal: Option<Reply>,
}

/// Finds the route of a request.
///
/// A request that matches none, or a route that it may not take in this way, is answered on the
/// plan for such requests: as in Kong, only plugins for everything see that answer.
///
/// `destination` is where the connection was accepted, whatever `port_maps` makes of it.
pub(crate) fn find(
    table: &Table,
    head: &Parts,
    client: &Client,
    destination: Option<SocketAddr>,
    asked: &Asked,
) -> Found {
    let request = Request {
        method: head.method.as_str(),
        scheme: scheme(client.scheme),
        host: &asked.host,
        port: asked.port.or(client.local.map(|local| local.port())).unwrap_or_default(),
        path: &asked.path,
        headers: &head.headers,
        sni: client.server_name.as_deref(),
        source: client.address.map(|address| SocketAddr::new(address, client.port.unwrap_or_default())),
        destination,
    };
    let found = table.router.find(&request);
    let Some((found, plan)) = found.and_then(|found| table.plans.get(found.rule).map(|plan| (found, plan))) else {
        let refusal = Reply::error(StatusCode::NOT_FOUND, "no Route matched with those values");
        return Found::refused(table, refusal);
    };
    match plan.route.as_ref().and_then(|route| protocol_check::refusal(route, head, client, &asked.host)) {
        Some(refusal) => Found::refused(table, refusal),
        None => {
            let (plan, matched) = (plan.clone(), matched(plan, found, &asked.path));
            Found { plan, generation: table.generation.clone(), matched, refusal: None }
        }
    }
}

impl Found {
    /// An answer on the plan of requests without a route.
    pub(crate) fn refused(table: &Table, refusal: Reply) -> Self {
        let (plan, generation) = (table.unrouted.clone(), table.generation.clone());
        Self { plan, generation, matched: Matched::default(), refusal: Some(refusal) }
    }
}

fn scheme(scheme: Scheme) -> towergate_router::Scheme {
    match scheme {
        Scheme::Http => towergate_router::Scheme::Http,
        Scheme::Https => towergate_router::Scheme::Https,
    }
}

fn matched(plan: &Plan, found: Match, path: &str) -> Matched {
    let service = plan.service.as_deref();
    // A gRPC method's name is no path that could be moved.
    let is_moved = !service.is_some_and(|service| service.protocol.is_grpc());
    let is_stripped = is_moved && plan.route.as_ref().is_some_and(|route| route.strip_path);
    let base = service.filter(|_| is_moved).and_then(|service| service.path.as_deref());
    let upstream = path::upstream(base, path, found.prefix, is_stripped);
    let upstream_path = match path::escape(&upstream) {
        Cow::Owned(escaped) => escaped,
        // Nothing to escape, as usual: what was put together is not copied.
        Cow::Borrowed(_) => upstream.into_owned(),
    };
    Matched { path: String::new(), prefix: found.prefix, upstream_path, captures: captures(found) }
}

/// The texts of a regex path's groups, by number and then by name.
fn captures(found: Match) -> Vec<(String, String)> {
    let Some(captures) = found.captures else { return Vec::new() };
    let numbered =
        (1u32..).zip(captures.positional()).filter_map(|(number, text)| Some((number.to_string(), text?.to_owned())));
    let named = captures.named().map(|(name, text)| (name.to_owned(), text.to_owned()));
    numbered.chain(named).collect()
}
