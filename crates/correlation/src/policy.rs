//! What it does to a request and its response.

use http::{HeaderName, request, response};
use tower_layer::Layer;
use towergate_core::{
    Context, Env, Guard, GuardLayer, GuardService, One, PerWorker, Plugin, PluginError, Responding, SetValue, Verdict,
};

use crate::{config::CorrelationIdConfig, generator::Generator};

const DEFAULT_HEADER: HeaderName = HeaderName::from_static("kong-request-id");

/// Gives every request a correlation id: the policy.
#[derive(Debug, Clone)]
pub struct CorrelationId {
    header: PerWorker<HeaderName>,
    generator: Generator,
    echo: bool,
}

impl Plugin for CorrelationId {
    const NAME: &'static str = "correlation-id";
    const PRIORITY: i32 = 100_001;

    type Config = CorrelationIdConfig;

    fn new(config: CorrelationIdConfig, _: &Env) -> Result<Self, PluginError> {
        let header = match config.header_name {
            None => DEFAULT_HEADER,
            Some(name) => HeaderName::try_from(&name).map_err(|_| bad_header_name(&name))?,
        };
        Ok(Self { header: PerWorker::name(header), generator: config.generator, echo: config.echo_downstream })
    }
}

/// Kong takes any text here and fails on each request; the words are those it has for other header names.
fn bad_header_name(name: &str) -> PluginError {
    let message = if name.is_empty() {
        "no header name provided".into()
    } else {
        format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'")
    };
    PluginError::new("header_name", message)
}

/// The correlation id, as the context knows it when it is written.
const KNOWN: SetValue = SetValue::Known(Context::correlation_id);

impl Guard for CorrelationId {
    fn may_read(&self, name: &HeaderName) -> bool {
        *name == **self.header.own()
    }

    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict {
        let header = self.header.own();
        if let Some(id) = head.headers.get(&**header).filter(|id| !id.is_empty()) {
            cx.correlate(id.clone());
        } else if cx.correlation_id().is_none() {
            cx.correlate(self.generator.id(cx));
            cx.set_request_header(HeaderName::clone(header), KNOWN);
        } else {
            cx.set_request_header(HeaderName::clone(header), self.generator.id(cx));
        }
        Verdict::Pass
    }

    fn response(&self) -> Responding {
        if self.echo { Responding::Changes } else { Responding::Never }
    }

    fn respond(&self, cx: &Context, _: &mut response::Parts) {
        if !self.echo {
            return;
        }
        if cx.correlation_id().is_none() {
            // Refused before this guard's turn: what the client sent still counts.
            let header = self.header.own();
            let sent = cx.refused_headers().and_then(|headers| headers.get(&**header)).filter(|id| !id.is_empty());
            cx.correlate(sent.cloned().unwrap_or_else(|| self.generator.id(cx)));
        }
        cx.set_response_header(HeaderName::clone(self.header.own()), KNOWN);
    }
}

/// Gives every request of a service a correlation id: the layer.
#[derive(Debug, Clone)]
pub struct CorrelationIdLayer {
    policy: CorrelationId,
}

impl CorrelationIdLayer {
    /// With Kong's defaults: header `Kong-Request-ID`, generator `uuid#counter`, no echo.
    pub fn new() -> Self {
        Self {
            policy: CorrelationId {
                header: PerWorker::name(DEFAULT_HEADER),
                generator: Generator::default(),
                echo: false,
            },
        }
    }

    /// The header that carries the id.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.policy.header = PerWorker::name(name);
        self
    }

    /// How an id is made when the client sent none.
    #[must_use]
    pub fn generator(mut self, generator: Generator) -> Self {
        self.policy.generator = generator;
        self
    }

    /// Whether the response carries the id too.
    #[must_use]
    pub fn echo(mut self, echo: bool) -> Self {
        self.policy.echo = echo;
        self
    }
}

impl Default for CorrelationIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl From<CorrelationId> for CorrelationIdLayer {
    fn from(policy: CorrelationId) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for CorrelationIdLayer {
    type Service = GuardService<S, One<CorrelationId>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Request, Response};

    use super::*;

    fn policy(echo: bool) -> CorrelationId {
        let config = CorrelationIdConfig { generator: Generator::Uuid, echo_downstream: echo, ..Default::default() };
        CorrelationId::new(config, &Env::default()).unwrap()
    }

    /// What the request carried on, what the context knows, what the response carried.
    fn run(policy: &CorrelationId, sent: &[&str]) -> (Vec<String>, String, Option<String>) {
        let (mut head, ()) = Request::new(()).into_parts();
        for value in sent {
            head.headers.append("Kong-Request-ID", value.parse().unwrap());
        }
        let cx = Context::of(&mut head);
        assert!(policy.check(&cx, &mut head).is_pass());
        cx.write_request_headers(&mut head.headers);
        let (mut response, ()) = Response::new(()).into_parts();
        policy.respond(&cx, &mut response);
        cx.write_response_headers(&mut response.headers);
        let values = |headers: &HeaderMap| -> Vec<String> {
            headers.get_all("kong-request-id").iter().map(|v| v.to_str().unwrap().to_owned()).collect()
        };
        let known = cx.correlation_id().unwrap().to_str().unwrap().to_owned();
        (values(&head.headers), known, values(&response.headers).pop())
    }

    #[test]
    fn keeps_what_the_client_sent_unless_it_is_empty() {
        let (on, known, echoed) = run(&policy(true), &["mine"]);
        assert_eq!((on, known.as_str(), echoed.as_deref()), (vec!["mine".to_owned()], "mine", Some("mine")));
        for absent in [&[][..], &[""]] {
            let (on, known, echoed) = run(&policy(true), absent);
            assert_eq!(known.len(), 36);
            assert_eq!((on, echoed), (vec![known.clone()], Some(known)));
        }
    }

    #[test]
    fn echoes_only_when_told() {
        assert_eq!(run(&policy(false), &["mine"]).2, None);
    }

    #[test]
    fn a_response_without_a_check_gets_a_new_id_which_everybody_can_read() {
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        let (mut response, ()) = Response::new(()).into_parts();
        policy(true).respond(&cx, &mut response);
        cx.write_response_headers(&mut response.headers);
        assert_eq!(Some(&response.headers["kong-request-id"]), cx.correlation_id());
    }
}
