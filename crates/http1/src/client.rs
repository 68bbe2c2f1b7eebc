//! One connection to a server, for one request after another.
