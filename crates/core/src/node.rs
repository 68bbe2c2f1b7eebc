//! What a gateway tells its plugins about itself.

use std::sync::OnceLock;

use uuid::Uuid;

use crate::shared::Shared;

/// What a gateway tells its plugins about itself, once, when it starts. Embedded in a service of one's own
/// a plugin finds the defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// Its id.
    pub id: Uuid,
    /// The version it says it is, in Kong's counting.
    pub version: &'static str,
    /// What becomes of traces, as the settings say.
    pub tracing: Instrumentations,
}

/// Which parts of a request's way become spans (`tracing_instrumentations`), and of how many requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Instrumentations {
    /// Whether anything does: a span for each request.
    pub request: bool,
    /// The router.
    pub router: bool,
    /// Each plugin's look at the request.
    pub plugin_access: bool,
    /// Each plugin's look at the response.
    pub plugin_header_filter: bool,
    /// Each attempt at reaching the upstream.
    pub balancer: bool,
    /// Each look-up of a name that a request waits for.
    pub dns_query: bool,
    /// Of how many requests, from 0 to 1 (`tracing_sampling_rate`).
    pub sampling_rate: f64,
}

impl Instrumentations {
    /// Everything, of every request.
    pub fn all() -> Self {
        Self {
            request: true,
            router: true,
            plugin_access: true,
            plugin_header_filter: true,
            balancer: true,
            dns_query: true,
            sampling_rate: 1.0,
        }
    }
}

impl Shared {
    /// Tells the gateway's policies about it. To be done before any of them is made; the first word counts.
    pub fn introduce(&self, node: Node) {
        let _ = self.of::<OnceLock<Node>>().set(node);
    }

    /// The gateway these things belong to.
    pub fn node(&self) -> Node {
        self.of::<OnceLock<Node>>().get().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_introduces_itself_once() {
        let shared = Shared::default();
        assert_eq!(shared.node(), Node::default());
        shared.introduce(Node { version: "1", ..Node::default() });
        shared.introduce(Node { version: "2", ..Node::default() });
        assert_eq!(shared.clone().node().version, "1");
        assert!(!shared.node().tracing.request && Instrumentations::all().router);
    }
}
