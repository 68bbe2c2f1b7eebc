//! The derive macro of towergate-schema.
