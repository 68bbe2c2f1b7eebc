//! Entities written through the Admin API of a running gateway, and what requests see of them.

mod effect;
mod schemathesis;
mod setup;
mod together;
