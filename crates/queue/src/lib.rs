#![doc = include_str!("../README.md")]

mod config;
mod delivery;
mod ending;
mod queue;
mod queues;
mod settings;

pub use config::QueueConfig;
pub use delivery::Deliver;
pub use queue::{Entry, Queue};
pub use queues::Queues;
pub use settings::Settings;
