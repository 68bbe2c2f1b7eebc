#![doc = include_str!("../README.md")]

mod caller;
mod client;
mod forwarded;
mod route;

pub use caller::{Caller, NoCaller};
pub use client::{ClientLayer, ClientService};
pub use route::matched_path;
