#![doc = include_str!("../README.md")]

mod access;
mod datadog;
mod entry;
mod file;
mod host_name;
#[cfg(feature = "tls")]
mod http_log;
mod legacy;
mod loggly;
mod network;
mod severity;
mod statsd;
mod syslog;
#[cfg(feature = "tls")]
mod tcp_log;
mod udp_log;

pub use access::{AccessLog, Format};
pub use datadog::{Datadog, DatadogConfig, DatadogMetricConfig};
pub use entry::write as write_entry;
pub use file::{FileLog, FileLogConfig, Lines, Writer, lines_lost};
#[cfg(feature = "tls")]
pub use http_log::{HttpLog, HttpLogConfig};
pub use loggly::{Loggly, LogglyConfig};
pub use statsd::{MetricConfig, Statsd, StatsdConfig};
pub use syslog::{Syslog, SyslogConfig};
#[cfg(feature = "tls")]
pub use tcp_log::{TcpLog, TcpLogConfig};
pub use udp_log::{UdpLog, UdpLogConfig};

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::ObserveLayer;
