//! Nothing: the benches are in `benches/`, and Cargo wants a library or a binary beside them.
