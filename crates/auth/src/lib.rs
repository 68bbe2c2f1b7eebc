//! Authentication layers: key-auth.
