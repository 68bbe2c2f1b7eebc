//! `towergate demo`: the guide's gateway with three small sample services behind it.

mod services;
mod token;

use std::{io, net::SocketAddr};

use services::Sample;

/// The guide's configuration, completed; its hosts stand for the sample services.
const KONG_YML: &str = include_str!("../../examples/kong-guide/kong.yml");

/// The sample services, running for as long as this is kept.
pub(crate) struct Demo {
    // The services run on this runtime and end with it.
    _runtime: tokio::runtime::Runtime,
    /// The configuration of a gateway in front of them.
    pub(crate) configuration: String,
}

impl Demo {
    /// Starts the sample services, each on a free loopback port.
    ///
    /// # Errors
    /// When no thread or no port can be had.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let configuration = runtime.block_on(async {
            let mut text = KONG_YML.to_owned();
            for (host, sample) in [
                ("user-service-1:3000", Sample::Users),
                ("user-service-2:3000", Sample::Users),
                ("order-service:3001", Sample::Orders),
                ("product-service:3002", Sample::Products),
            ] {
                text = text.replace(host, &services::serve(sample).await?.to_string());
            }
            Ok::<_, io::Error>(text)
        })?;
        Ok(Self { _runtime: runtime, configuration })
    }
}

/// What to try, with the address the gateway answers on.
pub(crate) fn what_to_try(proxy: SocketAddr, admin: Option<SocketAddr>) -> String {
    let admin = admin.map_or_else(String::new, |admin| format!("  curl -i http://{admin}/status\n"));
    let token = token::of_mobile_app();
    format!(
        "The gateway is running, with the guide's configuration. Try, in another terminal:\n\n\
        \x20 curl -i http://{proxy}/api/v1/users                                          # 401: no token\n\
        \x20 curl -i http://{proxy}/api/v1/users -H 'Authorization: Bearer {token}'\n\
        \x20 curl -i http://{proxy}/api/v1/orders/7\n\
        \x20 curl -i http://{proxy}/api/v1/products\n\
        \x20 curl -i http://{proxy}/partner/v1/orders                                      # 401: no key\n\
        \x20 curl -i http://{proxy}/partner/v1/orders -H 'X-API-Key: change-me-partner-key'\n\
        \x20 curl -i http://{proxy}/nowhere                                                # 404\n\
        \x20 curl -i -X OPTIONS http://{proxy}/api/v1/users -H 'Origin: https://app.example.com' \\\n\
        \x20      -H 'Access-Control-Request-Method: GET'\n\
        {admin}\n\
        Ctrl-C ends it.\n"
    )
}
