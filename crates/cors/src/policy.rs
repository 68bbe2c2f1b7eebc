//! What it does to a request and its response.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request, response};
use towergate_core::{Context, Env, Guard, PerWorker, Plugin, PluginError, Reply, Responding, Verdict};

use crate::{
    config::{CorsConfig, METHODS},
    origins::{Allowed, Origins},
};

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// Tells browsers which pages may read responses: the policy.
#[derive(Debug, Clone)]
pub struct Cors {
    pub(crate) origins: Origins,
    pub(crate) headers: Option<HeaderValue>,
    pub(crate) exposed_headers: Option<PerWorker<HeaderValue>>,
    pub(crate) methods: HeaderValue,
    pub(crate) max_age: Option<HeaderValue>,
    pub(crate) credentials: bool,
    pub(crate) private_network: bool,
    pub(crate) preflight_continue: bool,
    pub(crate) allow_origin_absent: bool,
}

impl Default for Cors {
    /// Kong's defaults: any origin, no credentials.
    fn default() -> Self {
        Self {
            origins: Origins::Any,
            headers: None,
            exposed_headers: None,
            methods: HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"),
            max_age: None,
            credentials: false,
            private_network: false,
            preflight_continue: false,
            allow_origin_absent: true,
        }
    }
}

impl Plugin for Cors {
    const NAME: &'static str = "cors";
    const PRIORITY: i32 = 2000;
    const CONSUMER_SCOPE: bool = false;

    type Config = CorsConfig;

    fn new(config: CorsConfig, _: &Env) -> Result<Self, PluginError> {
        let origins = Origins::new(&config.origins.unwrap_or_default())
            .map_err(|(index, message)| PluginError::new(format!("origins[{index}]"), message))?;
        let methods = config.methods.unwrap_or_else(|| METHODS.map(str::to_owned).to_vec());
        let max_age = config.max_age.map(|seconds| value("max_age", &seconds.to_string())).transpose()?;
        Ok(Self {
            origins,
            headers: list("headers", config.headers)?,
            exposed_headers: list("exposed_headers", config.exposed_headers)?.map(PerWorker::value),
            methods: value("methods", &methods.join(","))?,
            max_age,
            credentials: config.credentials,
            private_network: config.private_network,
            preflight_continue: config.preflight_continue,
            allow_origin_absent: config.allow_origin_absent,
        })
    }
}

fn list(field: &str, names: Option<Vec<String>>) -> Result<Option<HeaderValue>, PluginError> {
    names.filter(|names| !names.is_empty()).map(|names| value(field, &names.join(","))).transpose()
}

fn value(field: &str, text: &str) -> Result<HeaderValue, PluginError> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| PluginError::new(field, "must not hold control characters, because it becomes a header"))
}

impl Guard for Cors {
    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        if let (true, false, Some(origin)) = (cx.preflight, self.preflight_continue, &cx.origin) {
            return Verdict::Refuse(self.preflight(origin, &head.headers));
        }
        Verdict::Pass
    }

    fn may_read(&self, name: &HeaderName) -> bool {
        *name == header::ACCESS_CONTROL_REQUEST_HEADERS || *name == REQUEST_PRIVATE_NETWORK
    }

    fn response(&self) -> Responding {
        Responding::Changes
    }

    fn respond(&self, cx: &Context, _: &mut response::Parts) {
        let origin = cx.origin.as_ref();
        // A preflight has been answered, or was passed on for the upstream to answer.
        if cx.preflight && cx.has_checked() {
            return;
        }
        if origin.is_none() && !self.allow_origin_absent {
            return;
        }
        let grant = self.grant(origin);
        cx.change_response_headers(|headers| {
            match grant.origin {
                Some(origin) => headers.set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.into()),
                None => headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            }
            if grant.credentials {
                headers.set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE.into());
            }
            if grant.vary {
                headers.add(header::VARY, ORIGIN.into());
            }
            if let Some(names) = &self.exposed_headers {
                headers.set(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::clone(names.own()).into());
            }
        });
    }
}

/// What a response says about who may read it.
struct Grant {
    origin: Option<HeaderValue>,
    credentials: bool,
    vary: bool,
}

impl Cors {
    fn grant(&self, origin: Option<&HeaderValue>) -> Grant {
        let vary = self.origins.vary();
        match (self.origins.allow(origin), origin) {
            // Browsers do not take `*` together with credentials.
            (Allowed::Any, Some(origin)) if self.credentials => {
                Grant { origin: Some(origin.clone()), credentials: true, vary: true }
            }
            (Allowed::Any, _) => Grant { origin: Some(HeaderValue::from_static("*")), credentials: false, vary },
            (Allowed::Origin(origin), _) => Grant { origin: Some(origin), credentials: self.credentials, vary },
            (Allowed::None, _) => Grant { origin: None, credentials: self.credentials, vary },
        }
    }

    /// The answer to a preflight.
    fn preflight(&self, origin: &HeaderValue, asked: &HeaderMap) -> Reply {
        let grant = self.grant(Some(origin));
        let asks_private_network = || asked.get(REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == "true");
        let headers = self.headers.as_ref().or_else(|| asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS));
        let answers = [
            (header::VARY, grant.vary.then_some(ORIGIN)),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, grant.origin),
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, grant.credentials.then_some(TRUE)),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, headers.cloned()),
            (header::ACCESS_CONTROL_ALLOW_METHODS, Some(self.methods.clone())),
            (header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone()),
            (ALLOW_PRIVATE_NETWORK, (self.private_network && asks_private_network()).then_some(TRUE)),
        ];
        let reply = Reply::empty(StatusCode::OK);
        answers.into_iter().fold(reply, |reply, (name, value)| match value {
            Some(value) => reply.with_header(name, value),
            None => reply,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_configuration() {
        let configured = Cors::new(CorsConfig::default(), &Env::default()).unwrap();
        assert_eq!(format!("{configured:?}"), format!("{:?}", Cors::default()));
    }

    #[test]
    fn seconds_are_written_as_kong_writes_them() {
        for (seconds, expected) in [(3600.0, "3600"), (0.5, "0.5"), (0.0, "0")] {
            let cors = Cors::new(CorsConfig { max_age: Some(seconds), ..Default::default() }, &Env::default()).unwrap();
            assert_eq!(cors.max_age.unwrap(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases = [
            (
                CorsConfig { origins: Some(vec!["a".into(), "[".into()]), ..Default::default() },
                "origins[1]: '[' is not a valid regex",
            ),
            (
                CorsConfig { headers: Some(vec!["a\r\nb".into()]), ..Default::default() },
                "headers: must not hold control characters, because it becomes a header",
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(Cors::new(config, &Env::default()).unwrap_err().to_string(), expected);
        }
    }
}
