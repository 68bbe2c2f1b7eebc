//! What it does to a request.

use http::{HeaderValue, StatusCode, Uri, header, request};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Reply, Responding, Verdict};

use crate::{config::RedirectConfig, location::Location};

/// Sends clients somewhere else: the policy.
#[derive(Debug, Clone)]
pub struct Redirect {
    pub(crate) status: StatusCode,
    pub(crate) location: HeaderValue,
    /// The location taken apart, if the request's path is to be put into it.
    pub(crate) base: Option<Location>,
}

impl Plugin for Redirect {
    const NAME: &'static str = "redirect";
    const PRIORITY: i32 = 779;

    type Config = RedirectConfig;

    fn new(config: RedirectConfig, _: &Env) -> Result<Self, PluginError> {
        let keeps = config.keep_incoming_path.unwrap_or(false);
        Ok(Self {
            status: status(config.status_code)?,
            base: keeps.then(|| parse(&config.location)).transpose()?,
            location: value(&config.location)?,
        })
    }
}

/// Kong takes any, and then has the client wait for the answer after it.
fn status(number: u16) -> Result<StatusCode, PluginError> {
    let status = StatusCode::from_u16(number).ok().filter(|status| !status.is_informational());
    status.ok_or_else(|| PluginError::new("status_code", "must be from 200 to 599: an answer cannot end with less"))
}

pub(crate) fn parse(location: &str) -> Result<Location, PluginError> {
    Location::parse(location).map_err(|error| PluginError::new("location", format!("is no URL: it {error}")))
}

pub(crate) fn value(location: &str) -> Result<HeaderValue, PluginError> {
    HeaderValue::from_bytes(location.as_bytes())
        .map_err(|_| PluginError::new("location", "must not hold control characters, because it becomes a header"))
}

impl Guard for Redirect {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, _: &Context, head: &mut request::Parts) -> Verdict {
        let location = match &self.base {
            Some(base) => with_path_of(&head.uri, base),
            None => self.location.clone(),
        };
        Verdict::Refuse(Reply::untyped(self.status, "redirecting").with_header(header::LOCATION, location))
    }
}

/// The location with the path and query of what was asked for.
fn with_path_of(asked: &Uri, base: &Location) -> HeaderValue {
    // What is asked for is spelt without control characters, and the location was checked; the fallback is never taken.
    HeaderValue::try_from(base.with(asked.path(), asked.query())).unwrap_or_else(|_| HeaderValue::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(location: &str, keep_incoming_path: bool) -> Redirect {
        let location = location.to_owned();
        let config = RedirectConfig { status_code: 301, location, keep_incoming_path: Some(keep_incoming_path) };
        Redirect::new(config, &Env::default()).unwrap()
    }

    /// Where a request for `asked` is sent.
    fn sent(policy: &Redirect, asked: &str) -> String {
        let (mut head, ()) = http::Request::get(asked).body(()).unwrap().into_parts();
        let cx = Context::of(&mut head);
        let Verdict::Refuse(reply) = policy.check(&cx, &mut head) else { panic!("it always answers") };
        let response = reply.render(&cx.asker, &cx.request_id, &towergate_core::Pages::default());
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    #[test]
    fn the_location_is_what_is_configured_to_the_letter() {
        for location in ["https://example.com", "https://example.com/path?foo=bar", "http://EXAMPLE.com:80/a/../b#c"] {
            assert_eq!(sent(&redirect(location, false), "/status/200?x=y"), location);
        }
    }

    #[test]
    fn the_path_asked_for_may_be_kept() {
        let table = [
            (
                "https://example.com/some_path?foo=bar",
                "/status/200?keep=this",
                "https://example.com/status/200?keep=this",
            ),
            ("https://example.com/some_path?foo=bar", "/status/200", "https://example.com/status/200"),
            ("https://example.com/some_path?foo=bar", "/status/200?", "https://example.com/status/200"),
            ("https://example.com", "/", "https://example.com/"),
            ("HTTPS://Example.com:443", "/a", "https://example.com/a"),
            ("https://u:p@example.com:8443/x#part", "/a?b", "https://u:p@example.com:8443/a?b#part"),
            ("https://example.com", "/a/../b/./c", "https://example.com/b/c"),
            ("https://example.com", "//evil.example/x", "https://example.com//evil.example/x"),
            ("https://example.com", "/a%2Fb%20c?d=%41&e=f+g", "https://example.com/a%2Fb%20c?d=%41&e=f+g"),
            ("https://example.com", "/\"a\"?b='c'", "https://example.com/%22a%22?b=%27c%27"),
        ];
        for (location, asked, expected) in table {
            assert_eq!(sent(&redirect(location, true), asked), expected, "{location} {asked}");
        }
    }

    #[test]
    fn what_cannot_be_an_answer_is_refused() {
        let config = |status_code, location: &str, keep| RedirectConfig {
            status_code,
            location: location.to_owned(),
            keep_incoming_path: Some(keep),
        };
        let table = [
            (config(101, "https://a", false), "status_code: must be from 200 to 599: an answer cannot end with less"),
            (
                config(301, "https://a/\r\nX: y", false),
                "location: must not hold control characters, because it becomes a header",
            ),
            (config(301, "https://a b", true), "location: is no URL: it has a ' ' in its host"),
        ];
        for (config, expected) in table {
            assert_eq!(Redirect::new(config, &Env::default()).unwrap_err().to_string(), expected);
        }
    }
}
