//! Proxying to upstream services: pooled connections, retries, timeouts, forwarding headers.
