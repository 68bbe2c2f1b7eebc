//! The declarative documents that most tests begin with.

use crate::Upstream;

/// A document with one service `echo` at this upstream, without retries, and one route `everything` that keeps the path.
/// It ends inside that route: lines indented by four spaces add route fields, unindented ones begin new top-level keys.
pub fn proxying(upstream: &Upstream) -> String {
    proxying_to(&upstream.url(), &["retries: 0"])
}

/// Like [`proxying`], with any URL and other service fields, one per line.
pub fn proxying_to(url: &str, service_fields: &[&str]) -> String {
    let fields = service_fields.join("\n  ");
    format!(
        r#"_format_version: "3.0"
services:
- name: echo
  url: {url}
  {fields}
  routes:
  - name: everything
    paths: ["/"]
    strip_path: false
"#
    )
}
