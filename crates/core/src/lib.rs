#![doc = include_str!("../README.md")]

mod body;
mod client;
mod context;
mod credential;
mod directory;
mod grpc;
mod guard;
mod identity;
mod layer;
mod negotiate;
mod plan;
mod plugin;
mod reply;
mod request_id;
mod route;
mod timing;

pub use body::{Body, BoxError, GuardBody};
pub use client::{Client, PeerCertificate, Scheme};
pub use context::{Context, Matched};
pub use credential::{CredentialKind, Secret, Written};
pub use directory::{Consumer, Credential, Directory, DirectoryBuilder};
pub use guard::{Change, Guard, Outcome, Verdict};
pub use identity::{Accounts, Identity};
pub use layer::{FromPlan, GuardFuture, GuardLayer, GuardService, Guards, One};
pub use negotiate::{Asker, Form};
pub use plan::{Choice, Level, Plan, Policy};
pub use plugin::{Env, Plugin, PluginError, Slot, Task, Wrap};
pub use reply::{Pages, Reply};
pub use request_id::RequestId;
pub use route::{Balancing, KeyPair, Protocol, Route, Service, Target, Tls};
pub use timing::Timing;
