#![doc = include_str!("../README.md")]

mod body;
mod config;
mod exemplar;
mod exposition;
mod family;
mod format;
mod histogram;
mod http_layer;
mod http_metrics;
mod layer;
mod plugin_times;
mod policy;
mod registry;
mod route;
mod tree;

pub use body::WatchedBody;
pub use config::PrometheusConfig;
pub use exposition::{Exposition, Kind};
pub use format::Format;
pub use http_layer::{InFlight, MetricsFuture, MetricsLayer, MetricsService, RouteOf};
pub use http_metrics::HttpMetrics;
pub use layer::{PrometheusFuture, PrometheusLayer, PrometheusService, Watched};
pub use policy::Prometheus;
pub use registry::{Registry, Room};
