//! Attributes of spans.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

/// A text.
pub(crate) fn attribute(key: &str, text: impl Into<String>) -> KeyValue {
    with(key, Value::StringValue(text.into()))
}

/// A whole number.
pub(crate) fn whole(key: &str, number: i64) -> KeyValue {
    with(key, Value::IntValue(number))
}

/// A number, as Kong writes all but the status.
pub(crate) fn number(key: &str, number: f64) -> KeyValue {
    with(key, Value::DoubleValue(number))
}

fn with(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
