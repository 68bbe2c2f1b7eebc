//! Requests as bytes.

/// A request to send. `Host: gateway.test` is added unless a Host line is given or [`Request::without_host`] is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    host: bool,
}

impl Request {
    /// A request without a body; `target` is written as given.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new(), host: true }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST request with a body and its Content-Length.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// Adds a header line; the same name may come several times.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a body and its Content-Length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// Leaves the Host line out.
    pub fn without_host(mut self) -> Self {
        self.host = false;
        self
    }

    /// Whether the answer has a body only in name.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The bytes for the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let given = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        if self.host && !given {
            text.push_str("Host: gateway.test\r\n");
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        [text.into_bytes(), self.body.clone()].concat()
    }
}
