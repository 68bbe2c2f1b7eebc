#![doc = include_str!("../README.md")]

mod balancing;
mod body;
mod client;
mod context;
mod count;
mod credential;
mod directory;
mod entities;
mod fault;
mod gate;
mod groups;
mod grpc;
mod guard;
mod identity;
mod layer;
mod limit;
mod memos;
mod negotiate;
mod plan;
mod plugin;
mod reply;
mod request_id;
mod retry;
mod route;
mod service_override;
mod shared;
mod timing;
mod traffic;
mod upstream_health;

pub use balancing::{
    ActiveChecks, Algorithm, Balancing, HashInput, HealthChecks, HealthRules, OutlierEjection, Probe, ProbeKind,
    RequestLimit, Resilience, StickyCookie, Target,
};
pub use body::{Body, BodyTooLarge, BoxError, GuardBody};
pub use client::{Client, PeerCertificate, Scheme};
pub use context::{Context, Matched};
pub use count::Count;
pub use credential::{CredentialKind, Secret, Written};
pub use directory::{Consumer, Credential, Directory, DirectoryBuilder};
pub use entities::Entities;
pub use fault::Fault;
pub use gate::{Attempt, Gate, Pass};
pub use groups::Groups;
pub use guard::{BodyLimit, Change, Guard, Outcome, Verdict};
pub use identity::{Accounts, Identity};
pub use layer::{FromPlan, GuardFuture, GuardLayer, GuardService, Guards, One};
pub use memos::Memos;
pub use negotiate::{Asker, Form};
pub use plan::{Choice, Level, Plan, Policy};
pub use plugin::{Env, Plugin, PluginError, Slot, Task, Wrap};
pub use reply::{Pages, Reply};
pub use request_id::RequestId;
pub use retry::{Backoff, RetryBudget, RetryRules};
pub use route::{KeyPair, Protocol, Route, Service, Tls};
pub use service_override::{OtherPath, OtherWay, ServiceOverride};
pub use shared::Shared;
pub use timing::Timing;
pub use traffic::{Traffic, Tunnelled};
pub use upstream_health::{AddressHealth, TargetHealth, UpstreamHealth};
