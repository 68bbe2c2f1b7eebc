//! The list of plugins: the one place where they meet.

use towergate_config::Settings;
use towergate_runtime::Registry;
use towergate_server::Stack;
use towergate_upstream::Proxy;

/// A set of plugins: what configuration may name, and the stack that runs it. Both are made by
/// [`plugins!`](crate::plugins) from one list, so that they cannot disagree.
pub trait PluginSet: Send + Sync + 'static {
    /// What configuration may name.
    fn registry(&self) -> Registry;

    /// The stack around the proxying service, outermost band first.
    fn stack(&self, proxy: Proxy) -> impl Stack + use<Self>;
}

/// What configuration may name under these settings.
pub(crate) fn registry(plugins: &impl PluginSet, settings: &Settings) -> Registry {
    plugins.registry().restricted(|name| settings.enables_plugin(name, true))
}

/// A line for each plugin that the setting `plugins` names and that is not there.
pub(crate) fn missing(registry: &Registry, settings: &Settings) -> Vec<String> {
    let named = settings.plugins.iter().filter(|name| !matches!(name.as_str(), "bundled" | "off"));
    let missing = named.filter(|name| !registry.has(name));
    let origin = settings.origin("plugins");
    missing
        .map(|name| format!("{origin}: plugins: '{name}' is not part of this version; it cannot be configured"))
        .collect()
}

/// Declares a set of plugins by listing their types, each band in the order in which it runs.
///
/// * `log` is told of every request when it is over (may be left out);
/// * `outer` sees every response, refusals and the unmatched route's 404 included;
/// * `guard` decides on the request's head, in PRIORITY order, until one refuses;
/// * `inner` sees only what all guards let through.
///
/// Adding a plugin is its crate, its dependency line, and its name here.
#[macro_export]
macro_rules! plugins {
    (
        $(#[$doc:meta])*
        $vis:vis struct $set:ident {
            $(log: [$($log:ty),* $(,)?],)?
            outer: [$($outer:ty),* $(,)?],
            guard: [$($guard:ty),* $(,)?],
            inner: [$($inner:ty),* $(,)?] $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        $vis struct $set;

        impl $crate::PluginSet for $set {
            fn registry(&self) -> $crate::macros::Registry {
                #[allow(unused_mut, reason = "a set may be empty")]
                let mut registry = $crate::macros::Registry::default();
                $($(registry.add_log::<$log>();)*)?
                $(registry.add_wrap::<$outer>($crate::macros::Band::Outer);)*
                $(registry.add_guard::<$guard>();)*
                $(registry.add_wrap::<$inner>($crate::macros::Band::Inner);)*
                registry
            }

            fn stack(&self, proxy: $crate::macros::Proxy) -> impl $crate::macros::Stack + use<> {
                // Slots are counted in the order of the registry's wrapping plugins.
                #[allow(unused_mut, unused_variables, reason = "a set may have no outer and inner plugins")]
                let mut slots = 0usize..;
                let (outer, inner) = ($crate::macros::ServiceBuilder::new(), $crate::macros::ServiceBuilder::new());
                // Only a set that has any asks whether one is to be told.
                $(let outer = outer.layer($crate::logged!($($log),*));)?
                $(let outer = outer.layer(
                    <$outer as $crate::macros::Wrap>::layer($crate::macros::Slot::in_plan(slots.next().unwrap_or(0))),
                );)*
                $(let inner = inner.layer(
                    <$inner as $crate::macros::Wrap>::layer($crate::macros::Slot::in_plan(slots.next().unwrap_or(0))),
                );)*
                // What wraps is not there for requests whose plan has none of it.
                $crate::macros::ServiceBuilder::new()
                    .layer($crate::macros::BandLayer::outer(outer))
                    .layer($crate::macros::GuardLayer::from_plan().before_sender())
                    .layer($crate::macros::BandLayer::inner(inner))
                    .service(proxy)
            }
        }
    };
}

/// The layer that tells the plugins of the band `log`.
#[doc(hidden)]
#[macro_export]
macro_rules! logged {
    ($($log:ty),*) => {
        $crate::macros::ObserveLayer::from_plan()
    };
}

plugins! {
    /// The plugins of the `towergate` binary.
    pub struct Bundled {
        log: [
            towergate_logging::HttpLog,
            towergate_logging::Statsd,
            towergate_logging::Datadog,
            towergate_logging::FileLog,
            towergate_logging::UdpLog,
            towergate_logging::TcpLog,
            towergate_logging::Loggly,
            towergate_logging::Syslog,
        ],
        outer: [towergate_tracing::Zipkin, towergate_tracing::OpenTelemetry, towergate_metrics::Prometheus],
        guard: [
            towergate_correlation::CorrelationId,
            towergate_bot_detection::BotDetection,
            towergate_cors::Cors,
            towergate_auth::MtlsAuth,
            towergate_auth::Jwt,
            towergate_auth::JwksAuth,
            towergate_auth::KeyAuth,
            towergate_auth::BasicAuth,
            towergate_auth::HmacAuth,
            towergate_ip_restriction::IpRestriction,
            towergate_request_size_limiting::RequestSizeLimiting,
            towergate_auth::Acl,
            towergate_ratelimit::RateLimitingAdvanced,
            towergate_ratelimit::RateLimiting,
            towergate_retry::Retry,
            towergate_traffic_split::RouteByHeader,
            towergate_traffic_split::TrafficSplit,
            towergate_redirect::Redirect,
            towergate_traffic_split::Canary,
            towergate_request_termination::RequestTermination,
        ],
        inner: [towergate_ratelimit::ResponseRatelimiting, towergate_circuit_breaker::CircuitBreaker],
    }
}
