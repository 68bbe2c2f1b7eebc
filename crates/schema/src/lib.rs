//! Kong's schema language for Rust types: validation with Kong's words, defaults, and schemas as data.
