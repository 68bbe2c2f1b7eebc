#![doc = include_str!("../README.md")]

mod caller;
mod client;
mod forwarded;
mod route;

pub use caller::{Caller, NoCaller};
pub use client::{ClientLayer, ClientService};
pub use route::matched_path;

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::{Consumer, Context, Directory};
