//! Kong's declarative configuration and settings as written: parse, validate, resolve references.
