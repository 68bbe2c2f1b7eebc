//! A correlation id on every request and response, as a tower layer and as Kong's correlation-id plugin.
