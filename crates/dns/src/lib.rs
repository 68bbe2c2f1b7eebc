#![doc = include_str!("../README.md")]

mod answer;
mod client;
mod query;
mod settings;

pub use answer::{Answer, Failure, Found};
pub use client::Client;
pub use settings::{Kind, Settings, UnknownKind};
