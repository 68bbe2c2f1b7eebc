//! What configuration may name.

use std::{any::Any, error::Error, fmt, future::Future, pin::Pin, sync::Arc};

use serde_json::Value;
use uuid::Uuid;

use crate::{context::Context, credential::CredentialKind, service_override::ServiceOverride, shared::Shared};

/// Something that configuration may name: a policy made from a typed configuration.
///
/// Making one is pure, without I/O and without tasks, because a configuration may be rolled back.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// The name in configuration, Kong's where Kong has one.
    const NAME: &'static str;
    /// Kong's PRIORITY: higher runs earlier.
    const PRIORITY: i32;
    /// Whether it may be scoped to a consumer or a consumer group.
    const CONSUMER_SCOPE: bool = true;
    /// Whether it may be scoped to a service.
    const SERVICE_SCOPE: bool = true;
    /// Whether it may be scoped to a route.
    const ROUTE_SCOPE: bool = true;
    /// The protocols configuration may name for it, and does unless it says otherwise.
    const PROTOCOLS: &'static [&'static str] = &["grpc", "grpcs", "http", "https"];
    /// The credentials it looks up, if it does.
    const CREDENTIAL_KIND: Option<CredentialKind> = None;
    /// The field of its configuration that lists the authorities (ids of `ca_certificates`) whom it
    /// trusts to say who clients are. With it, clients are asked for a certificate where it applies.
    const AUTHORITIES_FIELD: Option<&'static str> = None;
    /// Whether it may ask when the parts of a request's way ran ([`Spans`](crate::Spans)). On the plans
    /// it is part of, the end of routing is noted as well ([`Timing::routed`](crate::Timing::routed)).
    const RECORDS_SPANS: bool = false;
    /// If it wraps the service: whether it looks at the heads of responses, or changes them. Where nobody outside the
    /// guards does, headers that guards set need not be put into a response's map of headers.
    const SEES_HEADS: bool = true;
    /// The configuration as written, defaults filled in.
    type Config;

    /// The policy of this configuration.
    ///
    /// # Errors
    /// What no schema can say: where in the configuration something is wrong, and what would be right.
    fn new(config: Self::Config, env: &Env) -> Result<Self, PluginError>;

    /// Work to be done beside requests, for as long as the policy is in force. It is started after
    /// the configuration went live, and dropped with it.
    fn background(self: &Arc<Self>) -> Option<Task> {
        None
    }

    /// Where it may send requests instead of to their service. The ways there are made with the
    /// configuration.
    fn overrides(&self) -> Vec<ServiceOverride> {
        Vec::new()
    }

    /// What operators may see of its state now, as JSON (`GET /plugins/{id}/state` of the Admin API);
    /// `None` if there is nothing to see. Never a credential.
    fn state(&self) -> Option<Value> {
        None
    }
}

/// Work beside requests.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A plugin that wraps the service: it sees responses, bodies, or both.
pub trait Wrap: Plugin {
    /// The tower layer of this plugin.
    type Layer;

    /// Its layer, for the policy that the slot finds.
    fn layer(slot: Slot<Self>) -> Self::Layer;
}

/// Where a layer finds its policy: it has one of its own (embedded), or the request's plan holds
/// it at this slot (gateway).
pub struct Slot<P> {
    place: Place<P>,
}

enum Place<P> {
    Own(Arc<P>),
    InPlan(usize),
}

impl<P: Send + Sync + 'static> Slot<P> {
    /// This policy for every request.
    pub fn own(policy: P) -> Self {
        Self { place: Place::Own(Arc::new(policy)) }
    }

    /// The policy at this slot of the request's plan.
    pub fn in_plan(slot: usize) -> Self {
        Self { place: Place::InPlan(slot) }
    }

    /// The policy that applies to this request as it is known now; `None` if there is none.
    pub fn policy<'a>(&'a self, cx: &'a Context) -> Option<&'a P> {
        match &self.place {
            Place::Own(policy) => Some(policy),
            Place::InPlan(slot) => {
                cx.plan()?.plugins.wraps.get(*slot)?.as_ref()?.pick_for(|| cx.consumer())?.downcast_ref()
            }
        }
    }

    /// Whether a policy may apply to this request, whoever its consumer turns out to be.
    pub fn may_apply(&self, cx: &Context) -> bool {
        match &self.place {
            Place::Own(_) => true,
            Place::InPlan(slot) => {
                cx.plan().and_then(|plan| plan.plugins.wraps.get(*slot)).is_some_and(Option::is_some)
            }
        }
    }

    /// What this plugin has worked out for the request's plan, made now if it is the first to ask;
    /// `None` without a plan, and for a policy of its own.
    pub fn memo<'a, T: Any + Send + Sync>(&self, cx: &'a Context, make: impl FnOnce() -> T) -> Option<&'a T> {
        match &self.place {
            Place::Own(_) => None,
            Place::InPlan(slot) => cx.plan()?.memos.get(*slot, make),
        }
    }
}

impl<P> Clone for Slot<P> {
    fn clone(&self) -> Self {
        let place = match &self.place {
            Place::Own(policy) => Place::Own(policy.clone()),
            Place::InPlan(slot) => Place::InPlan(*slot),
        };
        Self { place }
    }
}

impl<P> fmt::Debug for Slot<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Own(_) => f.write_str("Slot::own"),
            Place::InPlan(slot) => write!(f, "Slot::in_plan({slot})"),
        }
    }
}

/// What a policy may know when it is made, beside its own configuration.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Env {
    /// The id of the plugin entity.
    pub id: Uuid,
    /// The route it is scoped to.
    pub route: Option<Uuid>,
    /// The service it is scoped to.
    pub service: Option<Uuid>,
    /// The consumer it is scoped to.
    pub consumer: Option<Uuid>,
    /// The group of consumers it is scoped to.
    pub consumer_group: Option<Uuid>,
    /// What it has in common with the other policies of this gateway.
    pub shared: Shared,
}

impl Env {
    /// The surroundings of the plugin entity with this id.
    pub fn new(id: Uuid) -> Self {
        Self { id, ..Self::default() }
    }

    /// What policies share under this key: made now, unless a policy in force has it already.
    ///
    /// Counters that go on when a limit is changed, and connections that several plugins use, are
    /// kept here. The key says all that makes two values different; values of different types never
    /// meet. A value lives as long as a policy holds it.
    pub fn share<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        self.shared.value(key, make)
    }
}

/// Why a policy cannot be made of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError {
    field: String,
    message: String,
}

impl PluginError {
    /// What is wrong with the field at this path inside the configuration (`origins[1]`).
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The path of the field inside the configuration.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl Error for PluginError {}
