//! Answers the gateway makes itself, rendered in one place.

use std::{borrow::Cow, fmt::Write};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    grpc,
    negotiate::{Asker, Form},
    request_id::RequestId,
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// An answer the gateway makes itself.
///
/// Kong speaks in several voices, and clients see the difference: [`exit`](Self::exit) is compact
/// JSON whatever the client accepts; [`error`](Self::error) is a template in the form the client
/// accepts, with the request's id; [`fault`](Self::fault) is the same template for what went wrong
/// on the server's side, with other rules for the form; [`page`](Self::page) is a bare HTML page.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    voice: Voice,
}

#[derive(Debug, Clone)]
enum Voice {
    Empty,
    Error(Cow<'static, str>),
    Exit(Cow<'static, str>),
    Fault(Cow<'static, str>),
    Page,
    Raw { content_type: Option<HeaderValue>, body: Bytes },
}

impl Reply {
    fn new(status: StatusCode, voice: Voice) -> Self {
        Self { status, headers: HeaderMap::new(), voice }
    }

    /// A refusal in the form the client accepts: a message and the request's id.
    pub fn error(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, Voice::Error(message.into()))
    }

    /// `{"message":"…"}` as `application/json`, whatever the client accepts.
    pub fn exit(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, Voice::Exit(message.into()))
    }

    /// A fault of the gateway or of the upstream, in the words Kong has for its status.
    pub fn fault(status: StatusCode) -> Self {
        Self::new(status, Voice::Fault(fault_message(status)))
    }

    /// A body of the caller's own.
    pub fn raw(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self::new(status, Voice::Raw { content_type: Some(content_type), body: body.into() })
    }

    /// A body of the caller's own that does not say what it is: the words some plugins of Kong end a
    /// request with. gRPC clients read them as the message.
    pub fn untyped(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::new(status, Voice::Raw { content_type: None, body: body.into() })
    }

    /// No body at all.
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, Voice::Empty)
    }

    /// A bare HTML page that says the status (how redirects are answered).
    pub fn page(status: StatusCode) -> Self {
        Self::new(status, Voice::Page)
    }

    /// Adds a header; an earlier one of the same name is replaced.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The message the client reads, if it reads one.
    pub fn message(&self) -> Option<&str> {
        match &self.voice {
            Voice::Error(message) | Voice::Exit(message) | Voice::Fault(message) => Some(message),
            Voice::Empty | Voice::Page | Voice::Raw { .. } => None,
        }
    }

    /// The response this reply is for a client that asked so.
    pub fn render(self, asker: &Asker, id: &RequestId, pages: &Pages) -> Response<Bytes> {
        let Self { status, headers, voice } = self;
        let grpc = asker.is_grpc();
        let (content_type, body) = match voice {
            // Who says the status of gRPC itself has its reasons.
            Voice::Empty if grpc && !headers.contains_key(GRPC_STATUS) => {
                return grpc_response(status, headers, grpc::status(status).1);
            }
            Voice::Empty => (None, Bytes::new()),
            Voice::Raw { content_type: None, body } if grpc => {
                return grpc_response(status, headers, &String::from_utf8_lossy(&body));
            }
            Voice::Raw { content_type, body } => (content_type, body),
            Voice::Page => (Some(HeaderValue::from_static("text/html")), html_page(status).into()),
            Voice::Error(_) if grpc => return grpc_response(status, headers, grpc::status(status).1),
            Voice::Exit(message) | Voice::Fault(message) if grpc => return grpc_response(status, headers, &message),
            Voice::Exit(message) => (Some(Form::Json.content_type()), compact(&message).into()),
            Voice::Error(message) => templated(asker.refusal_form(), pages, &message, id),
            Voice::Fault(message) => templated(asker.fault_form(pages.default_form), pages, &message, id),
        };
        let has_body = !(status.is_informational() || matches!(status.as_u16(), 204 | 304));
        let mut response = Response::new(if has_body { body } else { Bytes::new() });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Some(content_type) = content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        if has_body {
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        response
    }
}

/// How refusals and faults are written: the settings `error_template_*` and `error_default_type`.
///
/// A template holds `%s` twice: the message, then the request's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// The form of a fault when the request says nothing about forms.
    pub default_form: Form,
    /// The HTML template.
    pub html: Cow<'static, str>,
    /// The JSON template.
    pub json: Cow<'static, str>,
    /// The plain text template.
    pub plain: Cow<'static, str>,
    /// The XML template.
    pub xml: Cow<'static, str>,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            default_form: Form::Plain,
            html: Cow::Borrowed(concat!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n",
                "  <body>\n    <h1>Error</h1>\n    <p>%s.</p>\n    <p>request_id: %s</p>\n  </body>\n</html>\n",
            )),
            json: Cow::Borrowed("{\n  \"message\":\"%s\",\n  \"request_id\":\"%s\"\n}"),
            plain: Cow::Borrowed("%s\nrequest_id: %s\n"),
            xml: Cow::Borrowed(concat!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>%s</message>\n",
                "  <requestid>%s</requestid>\n</error>",
            )),
        }
    }
}

impl Pages {
    fn template(&self, form: Form) -> &str {
        match form {
            Form::Grpc => "",
            Form::Html => &self.html,
            Form::Json => &self.json,
            Form::Plain => &self.plain,
            Form::Xml => &self.xml,
        }
    }
}

fn templated(form: Form, pages: &Pages, message: &str, id: &RequestId) -> (Option<HeaderValue>, Bytes) {
    let message = escape(form, message);
    let mut values = [&*message, id.as_str()].into_iter();
    let mut text = String::with_capacity(256);
    let mut pieces = pages.template(form).split("%s");
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        text.push_str(values.next().unwrap_or("%s"));
        text.push_str(piece);
    }
    (Some(form.content_type()), text.into())
}

/// The message as it may stand inside a document of this form.
fn escape(form: Form, message: &str) -> Cow<'_, str> {
    let special: &[char] = match form {
        Form::Html | Form::Xml => &['<', '>', '&', '"'],
        Form::Json => &['"', '\\'],
        Form::Grpc | Form::Plain => return Cow::Borrowed(message),
    };
    if !message.contains(|c: char| special.contains(&c) || c.is_control()) {
        return Cow::Borrowed(message);
    }
    let mut escaped = String::with_capacity(message.len() + 16);
    for c in message.chars() {
        match c {
            '<' if form != Form::Json => escaped.push_str("&lt;"),
            '>' if form != Form::Json => escaped.push_str("&gt;"),
            '&' if form != Form::Json => escaped.push_str("&amp;"),
            '"' if form != Form::Json => escaped.push_str("&quot;"),
            '"' | '\\' if form == Form::Json => escaped.extend(['\\', c]),
            c if c.is_control() && form == Form::Json => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn compact(message: &str) -> String {
    format!("{{\"message\":\"{}\"}}", escape(Form::Json, message))
}

fn grpc_response(status: StatusCode, mut headers: HeaderMap, message: &str) -> Response<Bytes> {
    headers.insert(header::CONTENT_TYPE, Form::Grpc.content_type());
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(grpc::status(status).0)));
    if let Ok(text) = HeaderValue::from_str(&grpc::escape(message)) {
        headers.insert(HeaderName::from_static("grpc-message"), text);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn html_page(status: StatusCode) -> String {
    let title = format!("{} {}", status.as_u16(), page_title(status));
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr>\r\n</body>\r\n</html>\r\n"
    )
}

/// nginx's words for a status, which are not always those of the RFC.
fn page_title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        416 => "Requested Range Not Satisfiable",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}

/// Kong's words for a status.
fn fault_message(status: StatusCode) -> Cow<'static, str> {
    Cow::Borrowed(match status.as_u16() {
        400 => "Bad request",
        401 => "Unauthorized",
        402 => "Payment required",
        403 => "Forbidden",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "Not acceptable",
        407 => "Proxy authentication required",
        408 => "Request timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length required",
        412 => "Precondition failed",
        413 => "Payload too large",
        414 => "URI too long",
        415 => "Unsupported media type",
        416 => "Range not satisfiable",
        417 => "Expectation failed",
        418 => "I'm a teapot",
        421 => "Misdirected request",
        422 => "Unprocessable entity",
        423 => "Locked",
        424 => "Failed dependency",
        425 => "Too early",
        426 => "Upgrade required",
        428 => "Precondition required",
        429 => "Too many requests",
        431 => "Request header fields too large",
        451 => "Unavailable for legal reasons",
        494 => "Request header or cookie too large",
        500 => "An unexpected error occurred",
        501 => "Not implemented",
        502 => "An invalid response was received from the upstream server",
        503 => "The upstream server is currently unavailable",
        504 => "The upstream server is timing out",
        505 => "HTTP version not supported",
        506 => "Variant also negotiates",
        507 => "Insufficient storage",
        508 => "Loop detected",
        510 => "Not extended",
        511 => "Network authentication required",
        other => return Cow::Owned(format!("The upstream server responded with {other}")),
    })
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::*;

    fn asker(accept: Option<&'static str>, http2_grpc: bool) -> Asker {
        let (mut head, ()) = Request::new(()).into_parts();
        if let Some(accept) = accept {
            head.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        if http2_grpc {
            head.version = Version::HTTP_2;
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        }
        Asker::of(&head)
    }

    fn render(reply: Reply, accept: Option<&'static str>) -> (String, String) {
        let response = reply.render(&asker(accept, false), &RequestId::from_bits(7), &Pages::default());
        let content_type = response.headers().get(header::CONTENT_TYPE).map(|v| v.to_str().unwrap().to_owned());
        (content_type.unwrap_or_default(), String::from_utf8(response.into_body().to_vec()).unwrap())
    }

    const ID: &str = "00000000000000000000000000000007";

    #[test]
    fn an_error_speaks_the_form_the_client_accepts() {
        let error = || Reply::error(StatusCode::UNAUTHORIZED, "No \"key\"");
        let json = format!("{{\n  \"message\":\"No \\\"key\\\"\",\n  \"request_id\":\"{ID}\"\n}}");
        assert_eq!(render(error(), None), ("application/json; charset=utf-8".into(), json));
        let (content_type, html) = render(error(), Some("text/html"));
        assert_eq!(content_type, "text/html; charset=utf-8");
        assert!(html.contains("<h1>Error</h1>") && html.contains("<p>No &quot;key&quot;.</p>"), "{html}");
        assert!(html.contains(&format!("<p>request_id: {ID}</p>")), "{html}");
        let (_, xml) = render(error(), Some("application/xml"));
        assert!(xml.contains(&format!("<requestid>{ID}</requestid>")), "{xml}");
        assert_eq!(render(error(), Some("text/plain")).1, format!("No \"key\"\nrequest_id: {ID}\n"));
    }

    #[test]
    fn an_exit_is_compact_json_whatever_the_client_accepts() {
        let (content_type, body) = render(Reply::exit(StatusCode::FORBIDDEN, "no"), Some("text/html"));
        assert_eq!((content_type.as_str(), body.as_str()), ("application/json; charset=utf-8", r#"{"message":"no"}"#));
    }

    #[test]
    fn a_fault_has_kongs_words_and_is_plain_by_default() {
        let (content_type, body) = render(Reply::fault(StatusCode::BAD_GATEWAY), None);
        assert_eq!(content_type, "text/plain; charset=utf-8");
        assert_eq!(body, format!("An invalid response was received from the upstream server\nrequest_id: {ID}\n"));
        let (_, body) = render(Reply::fault(StatusCode::from_u16(599).unwrap()), Some("text/plain"));
        assert!(body.starts_with("The upstream server responded with 599"));
    }

    #[test]
    fn grpc_clients_read_the_status_in_headers() {
        let (message, own) = (HeaderName::from_static("grpc-message"), HeaderValue::from_static("mine"));
        let table = [
            (Reply::error(StatusCode::NOT_FOUND, "no Route"), "5", "NotFound"),
            (Reply::exit(StatusCode::TOO_MANY_REQUESTS, "slow down"), "8", "slow down"),
            (Reply::exit(StatusCode::FORBIDDEN, "0 % f\u{fc}r dich"), "7", "0 %25 f%C3%BCr dich"),
            (Reply::fault(StatusCode::SERVICE_UNAVAILABLE), "14", "The upstream server is currently unavailable"),
            (Reply::empty(StatusCode::UNAUTHORIZED), "16", "Unauthenticated"),
            (Reply::empty(StatusCode::OK).with_header(GRPC_STATUS, 1.into()).with_header(message, own), "1", "mine"),
        ];
        for (reply, code, message) in table {
            let response = reply.render(&asker(None, true), &RequestId::from_bits(7), &Pages::default());
            assert_eq!(response.headers()["grpc-status"], code);
            assert_eq!(response.headers()["grpc-message"], message);
            assert!(response.body().is_empty());
        }
    }

    #[test]
    fn words_without_a_type_are_the_message_of_grpc() {
        let words = || Reply::untyped(StatusCode::FOUND, "over there");
        assert_eq!(render(words(), Some("text/html")), (String::new(), "over there".into()));
        let response = words().render(&asker(None, true), &RequestId::from_bits(7), &Pages::default());
        assert_eq!(response.headers()["grpc-message"], "over there");
        assert!(response.body().is_empty());
    }

    #[test]
    fn a_status_without_a_body_has_none() {
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
            let reply = Reply::untyped(status, "words");
            let response = reply.render(&Asker::default(), &RequestId::from_bits(7), &Pages::default());
            assert!(response.body().is_empty() && !response.headers().contains_key(header::CONTENT_LENGTH));
        }
    }

    #[test]
    fn every_reply_says_its_length() {
        for reply in [Reply::empty(StatusCode::OK), Reply::page(StatusCode::FOUND), Reply::fault(StatusCode::OK)] {
            let response = reply.render(&Asker::default(), &RequestId::from_bits(7), &Pages::default());
            assert_eq!(response.headers()[header::CONTENT_LENGTH], response.body().len().to_string());
        }
        let response =
            Reply::empty(StatusCode::NO_CONTENT).render(&Asker::default(), &RequestId::from_bits(7), &Pages::default());
        assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
    }
}
