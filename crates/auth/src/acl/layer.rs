//! The layer for a service of one's own.

use tower_layer::Layer;
use towergate_core::{Groups, GuardLayer, GuardService, One};

use super::policy::Acl;

/// Lets requests pass or not by the groups they are from: the layer. It stands inside one that
/// finds out who a request is from.
#[derive(Debug, Clone)]
pub struct AclLayer {
    policy: Acl,
}

impl AclLayer {
    /// Only members of these groups may pass.
    pub fn allow(groups: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self::new(groups.into_iter().collect(), false)
    }

    /// Members of these groups may not pass; everybody else who is known may.
    pub fn deny(groups: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self::new(groups.into_iter().collect(), true)
    }

    fn new(listed: Groups, denies: bool) -> Self {
        let policy = Acl { listed, denies, hide: false, always_authenticated: false, include_consumer_groups: false };
        Self { policy }
    }

    /// A policy made of a configuration.
    pub fn from_policy(policy: Acl) -> Self {
        Self { policy }
    }

    /// Whether services behind it are not told the groups (they are unless told otherwise).
    #[must_use]
    pub fn hide_groups_header(mut self, hide: bool) -> Self {
        self.policy.hide = hide;
        self
    }

    /// Whether groups that another system tells ([`Identity::with_groups`]) count before those of
    /// the consumer. If not, they count only where no consumer has proven anything.
    ///
    /// [`Identity::with_groups`]: towergate_core::Identity::with_groups
    #[must_use]
    pub fn always_use_authenticated_groups(mut self, always: bool) -> Self {
        self.policy.always_authenticated = always;
        self
    }

    /// Whether the names of the consumer groups a consumer is in count, too.
    #[must_use]
    pub fn include_consumer_groups(mut self, include: bool) -> Self {
        self.policy.include_consumer_groups = include;
        self
    }
}

impl<S> Layer<S> for AclLayer {
    type Service = GuardService<S, One<Acl>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
