//! In which form a client wants to read the gateway's own answers.

use http::{HeaderName, HeaderValue, Method, Version, header, request::Parts};

/// The form of an answer the gateway makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/grpc`: the status goes into headers, the body stays empty.
    Grpc,
    /// `text/html`.
    Html,
    /// `application/json`.
    Json,
    /// `text/plain`.
    Plain,
    /// `application/xml`.
    Xml,
}

impl Form {
    /// The `Content-Type` of this form.
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Grpc => "application/grpc",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        })
    }

    /// The form that one media range means; `None` if it names none of ours.
    fn named(range: &str) -> Option<Self> {
        let is = |name: &str| range.eq_ignore_ascii_case(name);
        if is("application/json") || is("application/*") || is("*/*") {
            Some(Self::Json)
        } else if is("text/html") {
            Some(Self::Html)
        } else if is("text/plain") || is("text/*") {
            Some(Self::Plain)
        } else if is("application/xml") {
            Some(Self::Xml)
        } else if is("application/grpc") {
            Some(Self::Grpc)
        } else {
            None
        }
    }

    /// The form that a media type means, as Kong reads `error_default_type` and request content
    /// types; anything unknown is JSON.
    pub fn of_media_type(media_type: &str) -> Self {
        Self::named(media_type.split(';').next().unwrap_or_default().trim()).unwrap_or(Self::Json)
    }
}

/// What of a request decides the form of an answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asker {
    accept: Option<HeaderValue>,
    content_type: Option<HeaderValue>,
    http2: bool,
}

impl Asker {
    /// What this request says about it.
    pub fn of(head: &Parts) -> Self {
        let header = |name| head.headers.get(name).cloned();
        Self {
            accept: header(header::ACCEPT),
            content_type: header(header::CONTENT_TYPE),
            http2: is_http2(head.version),
        }
    }

    /// Whether it is gRPC. Over HTTP/1.1 a gRPC content type does not count (as seen on Kong 3.9.3).
    pub fn is_grpc(&self) -> bool {
        self.http2 && self.content_type.as_ref().is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    }

    /// The form of a refusal: gRPC to gRPC clients, else what `Accept` prefers, else JSON.
    pub fn refusal_form(&self) -> Form {
        if self.is_grpc() { Form::Grpc } else { self.preferred().unwrap_or(Form::Json) }
    }

    /// The form of an answer for the server's own faults (nginx's error pages in Kong): `Accept`,
    /// else the request's own `Content-Type`, else the `default` of the settings.
    pub fn fault_form(&self, default: Form) -> Form {
        if self.is_grpc() {
            return Form::Grpc;
        }
        let own = || self.content_type.as_ref().and_then(|value| value.to_str().ok()).map(Form::of_media_type);
        self.preferred().or_else(own).unwrap_or(default)
    }

    /// The first of the most wanted media ranges; JSON if that is unknown; `None` without `Accept`.
    fn preferred(&self) -> Option<Form> {
        let accept = self.accept.as_ref()?.to_str().ok()?;
        let mut best: Option<(f32, &str)> = None;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let q = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
            if best.is_none_or(|(most, _)| q > most) {
                best = Some((q, name));
            }
        }
        Some(best.and_then(|(_, name)| Form::named(name)).unwrap_or(Form::Json))
    }
}

fn is_http2(version: Version) -> bool {
    version == Version::HTTP_2
}

/// What of a request's headers its [`Context`](crate::Context) keeps, for those who go through them anyway: to be shown
/// all of them, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asking {
    asker: Asker,
    origin: Option<HeaderValue>,
    asks_for_method: bool,
}

impl Asking {
    /// What the headers of this request say.
    pub fn of(head: &Parts) -> Self {
        let mut asking = Self::default();
        head.headers.iter().for_each(|(name, value)| asking.note(name, value));
        asking
    }

    /// Notes a header. Of several lines of one the first counts.
    pub fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        let place = match *name {
            header::ACCEPT => &mut self.asker.accept,
            header::CONTENT_TYPE => &mut self.asker.content_type,
            header::ORIGIN => &mut self.origin,
            header::ACCESS_CONTROL_REQUEST_METHOD => {
                self.asks_for_method = true;
                return;
            }
            _ => return,
        };
        if place.is_none() {
            *place = Some(value.clone());
        }
    }

    /// The form in which the client wants to be answered, the page that a browser asks for, and whether this is a browser
    /// asking beforehand what it may do.
    pub(crate) fn settle(self, head: &Parts) -> (Asker, Option<HeaderValue>, bool) {
        let origin = self.origin.filter(|origin| !origin.is_empty());
        let is_preflight = origin.is_some() && self.asks_for_method && head.method == Method::OPTIONS;
        (Asker { http2: is_http2(head.version), ..self.asker }, origin, is_preflight)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn asker(headers: &[(&str, &str)]) -> Asker {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Asker::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_first_of_the_most_wanted_ranges_decides() {
        let table = [
            ("application/json", Form::Json),
            ("text/html", Form::Html),
            ("application/xml", Form::Xml),
            ("text/plain", Form::Plain),
            ("application/*", Form::Json),
            ("text/*", Form::Plain),
            ("*/*", Form::Json),
            ("image/png", Form::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Html),
            ("text/plain;q=0.2, application/xml;q=0.7", Form::Xml),
            ("TEXT/HTML", Form::Html),
            ("", Form::Json),
            ("application/json;q=nonsense", Form::Json),
        ];
        for (accept, form) in table {
            assert_eq!(asker(&[("accept", accept)]).refusal_form(), form, "{accept}");
        }
        assert_eq!(asker(&[]).refusal_form(), Form::Json, "no Accept");
    }

    #[test]
    fn a_fault_without_accept_takes_the_requests_own_type_then_the_default() {
        assert_eq!(asker(&[]).fault_form(Form::Plain), Form::Plain);
        assert_eq!(asker(&[("content-type", "text/html; charset=x")]).fault_form(Form::Plain), Form::Html);
        assert_eq!(asker(&[("content-type", "a/b")]).fault_form(Form::Plain), Form::Json);
        assert_eq!(
            asker(&[("accept", "application/xml"), ("content-type", "text/html")]).fault_form(Form::Plain),
            Form::Xml
        );
    }

    #[test]
    fn grpc_counts_over_http2_only() {
        let mut request = Request::new(());
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc+proto"));
        let (mut head, ()) = request.into_parts();
        assert_eq!(Asker::of(&head).refusal_form(), Form::Json);
        head.version = Version::HTTP_2;
        assert_eq!(Asker::of(&head).refusal_form(), Form::Grpc);
        assert_eq!(Asker::of(&head).fault_form(Form::Plain), Form::Grpc);
    }
}
