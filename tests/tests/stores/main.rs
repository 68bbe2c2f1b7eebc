//! Where the configuration is kept: every store the same, whatever crashes, and gateways on top of them.

mod commands;
mod crash;
mod model;
mod nodes;
mod place;
mod suite;
mod writing;
