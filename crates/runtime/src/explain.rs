//! What would become of a request, without sending it: the route and why that one, the plugins and whose
//! configuration, and where it would go.
//!
//! The tables that workers look requests up in are asked, not a second reading of the configuration.

mod asked;
mod plugins;
mod routes;
mod upstream;

use serde::Serialize;
use serde_json::{Value, json};
use towergate_core::{Consumer, Plan, UpstreamHealth};
use towergate_router::{Match, path};
use uuid::Uuid;

pub use asked::ExplainRequest;
pub use plugins::{PassedOver, ShownPlugin};
pub use routes::ShownCandidate;
pub use upstream::{ShownTarget, ShownUpstream};

use crate::{compile::Runtime, registry::Registry};
use asked::Asked;

/// What would become of a request.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The request as it is understood: the path normalised, the host without its port.
    pub request: Value,
    /// What the gateway would answer itself, before any plugin decides; `None` if it would not.
    pub answer: Option<ShownAnswer>,
    /// The route it matches: its conditions, and what matched.
    pub route: Option<Value>,
    /// The routes that were compared, the best first: the one that matches, others that match, and some
    /// that nearly do.
    pub candidates: Vec<ShownCandidate>,
    /// The plugins that run, in the order in which they do.
    pub plugins: Vec<ShownPlugin>,
    /// Configurations of plugins that might be expected to apply, and do not.
    pub passed_over: Vec<PassedOver>,
    /// Where it would go; `None` for a route without a service.
    pub upstream: Option<ShownUpstream>,
    /// What else is worth knowing, a sentence each.
    pub notes: Vec<String>,
}

/// An answer of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownAnswer {
    /// The status.
    pub status: u16,
    /// The message in its body.
    pub message: String,
}

impl Runtime {
    /// Tells what would become of this request. `health` is asked how well the targets of an upstream are.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub fn explain(
        &self,
        registry: &Registry,
        request: &ExplainRequest,
        health: impl Fn(Uuid) -> Option<UpstreamHealth>,
    ) -> Result<Explanation, String> {
        let asked = Asked::read(request)?;
        let mut notes = Vec::new();
        let consumer = self.consumer(request, &mut notes)?;
        let router_request = asked.for_router();
        let found = self.table.router.find(&router_request);
        let plan = found.as_ref().and_then(|found| self.table.plans.get(found.rule));
        let answer = match plan {
            None => Some(ShownAnswer::new(404, "no Route matched with those values")),
            Some(plan) => routes::refusal(plan, &asked),
        };
        // As in Kong, only plugins for everything see what no route takes.
        let running = plan.filter(|_| answer.is_none()).unwrap_or(&self.table.unrouted);
        let turns = plugins::run(self, registry, running, consumer.as_ref(), &mut notes);
        let upstream = plan.filter(|_| answer.is_none());
        let others = upstream.iter().flat_map(|plan| &plan.plugins.overrides).map(|way| way.to.to_string());
        let others: Vec<_> = others.collect();
        if !others.is_empty() {
            notes.push(format!("a plugin here may send it elsewhere: {}", others.join(", ")));
        }
        let upstream =
            upstream.zip(found.as_ref()).and_then(|(plan, found)| upstream::shown(plan, found, &asked, &health));
        Ok(Explanation {
            request: asked.shown(),
            answer,
            route: plan.zip(found.as_ref()).map(|(plan, found)| self.route(plan, found, &asked)),
            candidates: routes::candidates(self, &router_request),
            passed_over: plugins::passed_over(self, registry, running, consumer.as_ref(), &turns),
            plugins: turns,
            upstream,
            notes,
        })
    }

    /// Who is asking, if that was said.
    fn consumer(&self, request: &ExplainRequest, notes: &mut Vec<String>) -> Result<Option<Consumer>, String> {
        let directory = &self.table.generation.directory;
        let mut consumer = match &request.consumer {
            None => None,
            Some(name) => {
                let known = directory.consumer_named(name).or_else(|| directory.consumer_by_custom_id(name));
                Some(known.cloned().ok_or_else(|| format!("no consumer has the user name, id or custom_id '{name}'"))?)
            }
        };
        for name in &request.consumer_groups {
            let mut groups = self.config.consumer_groups.iter();
            let group = groups.find(|group| group.name == *name || name.parse() == Ok(group.id));
            let id = group.ok_or_else(|| format!("no consumer group has the name or id '{name}'"))?.id;
            let member = consumer.get_or_insert_with(|| {
                notes.push("a consumer who is in these groups and nobody else is assumed".into());
                Consumer::default()
            });
            if !member.groups.contains(&id) {
                member.groups.push(id);
            }
        }
        Ok(consumer)
    }

    /// A route with its conditions as configured.
    fn route(&self, plan: &Plan, found: &Match, asked: &Asked) -> Value {
        let route = self.routed.route(found.rule).and_then(|id| self.config.routes.by_id(id));
        let prefix = found.prefix.and_then(|length| asked.path.get(..length));
        let captures: Vec<_> = found.captures.iter().flat_map(|captures| captures.positional()).collect();
        json!({
            "id": plan.route.as_ref().map(|route| route.id),
            "name": plan.route.as_ref().and_then(|route| route.name.clone()),
            "service": plan.service.as_ref().map(|service| named(service.name.as_deref(), service.id)),
            "conditions": route.map(routes::conditions),
            "strip_path": plan.route.as_ref().map(|route| route.strip_path),
            "preserve_host": plan.route.as_ref().map(|route| route.preserve_host),
            "matched_path": prefix,
            "captures": captures,
        })
    }
}

impl ShownAnswer {
    fn new(status: u16, message: &str) -> Self {
        Self { status, message: message.to_owned() }
    }
}

/// The path that goes upstream, as it is written there.
fn upstream_path(plan: &Plan, found: &Match, normal: &str) -> String {
    let service = plan.service.as_deref();
    let is_moved = !service.is_some_and(|service| service.protocol.is_grpc());
    let is_stripped = is_moved && plan.route.as_ref().is_some_and(|route| route.strip_path);
    let base = service.filter(|_| is_moved).and_then(|service| service.path.as_deref());
    path::escape(&path::upstream(base, normal, found.prefix, is_stripped)).into_owned()
}

/// What people call an entity: its name, or else its id.
fn named(name: Option<&str>, id: Uuid) -> String {
    name.map_or_else(|| id.to_string(), str::to_owned)
}
