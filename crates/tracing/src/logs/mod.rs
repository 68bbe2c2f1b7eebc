//! What a gateway logs, on its way to a collector.

mod line;
mod queue;
mod request;
mod taken;

pub use self::taken::Logs;
pub(crate) use self::{
    line::Place,
    queue::LogQueue,
    request::{RequestLogs, during},
};
