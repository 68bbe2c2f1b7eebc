//! From a request to its route.

/// The router.
#[derive(Debug)]
pub struct Router;
