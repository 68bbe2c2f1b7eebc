//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `mtls-auth`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct MtlsAuthConfig {
    /// The authorities (ids of `ca_certificates`) that are trusted to say who clients are.
    #[schema(required, len_min = 1, elements(uuid))]
    pub ca_certificates: Vec<String>,
    /// Whether an authority that is not its own issuer is trusted by itself. Without it, a chain must
    /// end in a root.
    #[schema(default = false)]
    pub allow_partial_chain: Option<bool>,
    /// By what the names in a certificate name the consumer. Without any, none is looked for.
    #[schema(default = ["username", "custom_id"], elements(one_of("username", "custom_id")))]
    pub consumer_by: Option<Vec<String>>,
    /// The consumer (id or user name) of good certificates whose names are no consumer's.
    pub default_consumer: Option<String>,
    /// Whether a good certificate is enough, whoever it is of. Its group is for `acl` then, and the
    /// headers `X-Client-Cert-DN` and `X-Client-Cert-SAN` tell whose it is.
    #[schema(default = false)]
    pub skip_consumer_lookup: Option<bool>,
    /// What the group is: the common name, or the whole name of the subject.
    #[schema(default = "CN", one_of("CN", "DN"))]
    pub authenticated_group_by: Option<String>,
    /// The consumer (id or user name) that requests without a good certificate go on as. Without it
    /// they are refused.
    pub anonymous: Option<String>,
    /// Whether a certificate that was taken back is refused. This version does not look (OCSP, CRL): `STRICT` is
    /// refused, the others do the same.
    #[schema(default = "IGNORE_CA_ERROR", one_of("SKIP", "IGNORE_CA_ERROR", "STRICT"))]
    pub revocation_check_mode: Option<String>,
    /// Whether clients are told which authorities are trusted. This version does not tell them.
    #[schema(default = false)]
    pub send_ca_dn: Option<bool>,
    /// Kong's: how long consumers are kept. Here they are looked up each time, in one step.
    #[schema(default = 60)]
    pub cache_ttl: Option<f64>,
    /// Kong's: how long results are kept. Here a certificate's times are looked at each time.
    #[schema(default = 60000)]
    pub cert_cache_ttl: Option<f64>,
    /// Kong's: for asking about revocation.
    #[schema(default = 30000)]
    pub http_timeout: Option<f64>,
    /// Kong's: for asking about revocation.
    pub http_proxy_host: Option<String>,
    /// Kong's: for asking about revocation.
    #[schema(between(0, 65535))]
    pub http_proxy_port: Option<u16>,
    /// Kong's: for asking about revocation.
    pub https_proxy_host: Option<String>,
    /// Kong's: for asking about revocation.
    #[schema(between(0, 65535))]
    pub https_proxy_port: Option<u16>,
}

impl Default for MtlsAuthConfig {
    fn default() -> Self {
        Self {
            ca_certificates: Vec::new(),
            allow_partial_chain: Some(false),
            consumer_by: Some(vec!["username".into(), "custom_id".into()]),
            default_consumer: None,
            skip_consumer_lookup: Some(false),
            authenticated_group_by: Some("CN".into()),
            anonymous: None,
            revocation_check_mode: Some("IGNORE_CA_ERROR".into()),
            send_ca_dn: Some(false),
            cache_ttl: Some(60.0),
            cert_cache_ttl: Some(60_000.0),
            http_timeout: Some(30_000.0),
            http_proxy_host: None,
            http_proxy_port: None,
            https_proxy_host: None,
            https_proxy_port: None,
        }
    }
}
