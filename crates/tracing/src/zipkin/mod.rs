//! Kong's `zipkin` plugin.

mod config;
mod policy;
mod request_tags;
mod sink;
mod span;
mod spans;

pub use self::{
    config::{StaticTag, ZipkinConfig},
    policy::{Zipkin, ZipkinRequest, ZipkinTracer},
};
