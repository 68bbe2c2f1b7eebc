//! Where the configuration is kept: every store the same, whatever crashes, and gateways on top of them.

mod crash;
mod model;
mod place;
mod suite;
