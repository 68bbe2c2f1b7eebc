//! One span as Zipkin's JSON v2 writes it (<https://zipkin.io/zipkin-api/#/default/post_spans>).

use std::{collections::BTreeMap, net::IpAddr};

use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_id: Option<String>,
    pub(super) id: String,
    pub(super) kind: &'static str,
    /// In microseconds since 1970.
    pub(super) timestamp: u64,
    /// In microseconds.
    pub(super) duration: u64,
    pub(super) local_endpoint: Endpoint,
    /// Null without one.
    pub(super) remote_endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) annotations: Vec<Annotation>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipv4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipv6: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
}

impl Endpoint {
    /// Where this service is, if anything is known of it.
    pub(super) fn at(service_name: Option<String>, address: Option<(IpAddr, u16)>) -> Option<Self> {
        if service_name.is_none() && address.is_none() {
            return None;
        }
        let (ip, port) = address.unzip();
        let text = ip.map(|ip| ip.to_string());
        let (ipv4, ipv6) = if ip.is_some_and(|ip| ip.is_ipv6()) { (None, text) } else { (text, None) };
        Some(Self { service_name, ipv4, ipv6, port })
    }
}

/// Something that happened at a moment, in microseconds since 1970.
#[derive(Debug, Serialize)]
pub(super) struct Annotation {
    pub(super) value: &'static str,
    pub(super) timestamp: u64,
}

impl Span {
    /// Adds a tag; one without a value is none.
    pub(super) fn tag(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.tags.insert(name.to_owned(), value);
        }
    }

    pub(super) fn annotate(&mut self, value: &'static str, timestamp: u64) {
        self.annotations.push(Annotation { value, timestamp });
    }
}
