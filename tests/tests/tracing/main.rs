//! The plugins opentelemetry and zipkin: what reaches a collector over a real socket, decoded with OpenTelemetry's own
//! types, and what becomes of requests when a collector does not do its part.

mod collector;
mod opentelemetry;
mod parts;
mod unwilling;
mod zipkin;
