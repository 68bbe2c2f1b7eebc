//! One connection from a client.
