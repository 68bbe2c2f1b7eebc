//! TLS for both sides of a gateway: certificates by server name, and trust towards upstreams.
