//! What it does to a request.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, request};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Reply, Responding, Verdict};

use crate::{answer::Answer, arguments, config::RequestTerminationConfig, echo};

/// Answers requests instead of their service: the policy.
#[derive(Debug, Clone)]
pub struct RequestTermination {
    pub(crate) status: StatusCode,
    pub(crate) answer: Answer,
    pub(crate) echo: bool,
    pub(crate) trigger: Option<Trigger>,
}

/// What makes a request be answered here.
#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    header: HeaderName,
    argument: Box<str>,
}

impl Plugin for RequestTermination {
    const NAME: &'static str = "request-termination";
    const PRIORITY: i32 = 2;

    type Config = RequestTerminationConfig;

    fn new(config: RequestTerminationConfig, _: &Env) -> Result<Self, PluginError> {
        let content_type = config.content_type.as_deref().map(content_type).transpose()?;
        Ok(Self {
            status: status(config.status_code)?,
            answer: match (config.body, config.message) {
                (Some(body), _) => Answer::Body { content_type, body: body.into() },
                (None, Some(message)) => Answer::Message(message.into()),
                (None, None) => Answer::Default,
            },
            echo: config.echo,
            trigger: config.trigger.as_deref().map(Trigger::new).transpose()?,
        })
    }
}

/// Kong takes any, and then has the client wait for the answer after it.
fn status(number: u16) -> Result<StatusCode, PluginError> {
    let status = StatusCode::from_u16(number).ok().filter(|status| !status.is_informational());
    status.ok_or_else(|| PluginError::new("status_code", "must be from 200 to 599: an answer cannot end with less"))
}

fn content_type(text: &str) -> Result<HeaderValue, PluginError> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| PluginError::new("content_type", "must not hold control characters, because it becomes a header"))
}

impl Trigger {
    pub(crate) fn new(name: &str) -> Result<Self, PluginError> {
        // An underscore of a header's name is taken for a dash, as everywhere in Kong.
        let header = HeaderName::try_from(name.replace('_', "-"))
            .map_err(|_| PluginError::new("trigger", format!("'{name}' cannot be the name of a header")))?;
        Ok(Self { header, argument: name.into() })
    }

    fn is_in(&self, head: &request::Parts) -> bool {
        head.headers.contains_key(&self.header)
            || head.uri.query().is_some_and(|query| arguments::has(query, &self.argument))
    }
}

impl Guard for RequestTermination {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, _: &Context, head: &mut request::Parts) -> Verdict {
        if self.trigger.as_ref().is_some_and(|trigger| !trigger.is_in(head)) {
            Verdict::Pass
        } else if self.echo {
            Verdict::Buffer(echo::MOST)
        } else {
            Verdict::Refuse(self.answer.reply(self.status))
        }
    }

    fn check_body(&self, cx: &Context, head: &mut request::Parts, body: Option<&mut Bytes>) -> Verdict {
        let message = self.answer.message(self.status);
        Verdict::Refuse(echo::reply(self.status, message, cx, head, body.as_deref()))
    }
}

impl RequestTermination {
    /// Answers everything with 503 and Kong's words for it.
    pub(crate) fn unavailable() -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, answer: Answer::Default, echo: false, trigger: None }
    }

    /// The answer to a request that is to be answered, but for what `echo` would tell of it.
    pub fn reply(&self) -> Reply {
        self.answer.reply(self.status)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use towergate_core::Pages;

    use super::*;

    fn rendered(config: RequestTerminationConfig) -> (u16, Option<String>, String) {
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        let reply = RequestTermination::new(config, &Env::default()).unwrap().reply();
        let response = reply.render(&cx.asker, &cx.request_id, &Pages::default());
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), content_type, String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn each_status_has_kongs_words_page_or_nothing() {
        let json = Some("application/json; charset=utf-8".to_owned());
        for (status, words) in [
            (401, "Unauthorized"),
            (404, "Not found"),
            (405, "Method not allowed"),
            (500, "An unexpected error occurred"),
            (502, "Bad Gateway"),
            (503, "Service unavailable"),
        ] {
            let answer = rendered(RequestTerminationConfig { status_code: status, ..Default::default() });
            assert_eq!(answer, (status, json.clone(), format!("{{\"message\":\"{words}\"}}")));
        }
        for (status, title) in [(403, "403 Forbidden"), (410, "410 Gone"), (301, "301 Moved Permanently")] {
            let (_, content_type, body) =
                rendered(RequestTerminationConfig { status_code: status, ..Default::default() });
            assert_eq!(content_type.as_deref(), Some("text/html"));
            assert!(body.contains(&format!("<center><h1>{title}</h1></center>")), "{body}");
        }
        for status in [200, 204, 299, 304, 418, 451, 599] {
            let answer = rendered(RequestTerminationConfig { status_code: status, ..Default::default() });
            assert_eq!(answer, (status, None, String::new()));
        }
        let (_, content_type, body) = rendered(RequestTerminationConfig { status_code: 400, ..Default::default() });
        assert_eq!(content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert!(body.starts_with("Bad request\nrequest_id: "), "{body}");
    }

    #[test]
    fn message_and_body_are_ones_own() {
        let config = |message: Option<&str>, content_type: Option<&str>, body: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            RequestTerminationConfig {
                status_code: 406,
                message: own(message),
                content_type: own(content_type),
                body: own(body),
                ..Default::default()
            }
        };
        let json = Some("application/json; charset=utf-8".to_owned());
        let table = [
            (config(Some("In\"valid"), None, None), (406, json, r#"{"message":"In\"valid"}"#.to_owned())),
            (config(None, Some("text/x"), Some("<b>")), (406, Some("text/x".to_owned()), "<b>".to_owned())),
            (config(None, None, Some("{\"code\":1}")), (406, None, "{\"code\":1}".to_owned())),
        ];
        for (config, expected) in table {
            assert_eq!(rendered(config), expected);
        }
    }

    #[test]
    fn a_trigger_is_a_header_or_an_argument() {
        let trigger = Trigger::new("gimme_an-echo").unwrap();
        let table = [
            ("/", &[][..], false),
            ("/", &["gimme-an-echo"], true),
            ("/", &["Gimme-An-Echo"], true),
            ("/?gimme_an-echo", &[], true),
            ("/?gimme_an-echo=0", &[], true),
            ("/?gimme-an-echo", &[], false),
            ("/?Gimme_an-echo", &[], false),
        ];
        for (target, headers, expected) in table {
            let request = headers.iter().fold(Request::get(target), |request, name| request.header(*name, ""));
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(trigger.is_in(&head), expected, "{target} {headers:?}");
        }
    }
}
