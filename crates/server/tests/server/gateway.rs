//! A gateway to test: workers, a table of routes, and a stack that tells what it was given.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::{ServiceBuilder, service_fn};
use towergate_core::{
    Body, Choice, Context, Guard, GuardBody, GuardLayer, Level, Plan, Plugins, Protocol, Route, Service, Verdict,
};
use towergate_router::{Router, Rule};
use towergate_runtime::{Publisher, Table};
use towergate_server::{ClientBodyError, Listen, Listeners, ServerConfig, Workers};
use towergate_tls::Certificates;
use uuid::Uuid;

/// A route for a test: the rule that finds it, and what it does.
pub(crate) struct TestRoute {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) strip_path: bool,
    pub(crate) service_path: Option<&'static str>,
}

/// A route that takes paths with this prefix.
pub(crate) fn route(name: &'static str, path: &str) -> TestRoute {
    TestRoute {
        name,
        rule: Rule { paths: vec![path.to_owned()], ..Rule::default() },
        protocols: vec![Protocol::Http, Protocol::Https],
        strip_path: true,
        service_path: None,
    }
}

impl TestRoute {
    fn plan(&self) -> Arc<Plan> {
        let route = Route {
            id: Uuid::from_u128(1),
            name: Some(self.name.to_owned()),
            protocols: self.protocols.iter().copied().collect(),
            strip_path: self.strip_path,
            preserve_host: false,
            request_buffering: true,
            response_buffering: true,
            https_redirect_status_code: 426,
            tags: Vec::new(),
        };
        let service = Service {
            id: Uuid::from_u128(2),
            name: Some("a-service".to_owned()),
            protocol: Protocol::Http,
            host: "upstream.example".to_owned(),
            port: 80,
            path: self.service_path.map(str::to_owned),
            retries: 5,
            connect_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            tls: None,
            tags: Vec::new(),
            balancing: None,
        };
        Arc::new(Plan { route: Some(route), service: Some(Arc::new(service)), ..Plan::default() })
    }
}

/// A global plugin that marks every response it sees.
struct Mark;

impl Guard for Mark {
    fn check(&self, _: &Context, _: &mut http::request::Parts) -> Verdict {
        Verdict::Pass
    }

    fn respond(&self, _: &Context, head: &mut response::Parts) {
        head.headers.insert(HeaderName::from_static("x-mark"), HeaderValue::from_static("seen"));
    }
}

pub(crate) fn table(routes: &[TestRoute], certificates: Arc<Certificates>) -> Table {
    let rules: Vec<Rule> = routes.iter().map(|route| route.rule.clone()).collect();
    let mark: Arc<dyn Guard> = Arc::new(Mark);
    let guards = vec![Choice::new("mark", vec![Level::Everybody(mark)])];
    Table {
        router: Arc::new(Router::new(rules).unwrap()),
        plans: routes.iter().map(TestRoute::plan).collect(),
        unrouted: Arc::new(Plan::from(Plugins { guards, ..Plugins::default() })),
        generation: Arc::default(),
        certificates,
        asked: towergate_tls::Asked::Nobody,
    }
}

/// A running gateway with a stack that answers with what it knows, as JSON.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) workers: Option<Workers>,
    publisher: Mutex<Publisher<Table>>,
    /// `/…/held` requests end when there are permits here.
    pub(crate) gate: Arc<Semaphore>,
}

impl Gateway {
    pub(crate) fn start(config: ServerConfig, workers: usize, routes: &[TestRoute]) -> Self {
        let listeners = Listeners::bind(&[Listen::on(([127, 0, 0, 1], 0).into())], workers).unwrap();
        Self::start_on(listeners, config, workers, routes)
    }

    /// A gateway whose port clients see as this one.
    pub(crate) fn mapped_to(port: u16, routes: &[TestRoute]) -> Self {
        let listeners = Listeners::bind(&[Listen::on(([127, 0, 0, 1], 0).into())], 1).unwrap();
        let port_maps = [(listeners.addresses()[0].port(), port)].into();
        Self::start_on(listeners, ServerConfig { port_maps, ..ServerConfig::default() }, 1, routes)
    }

    pub(crate) fn on(listeners: Listeners, routes: &[TestRoute]) -> Self {
        Self::start_on(listeners, ServerConfig::default(), 1, routes)
    }

    fn start_on(listeners: Listeners, config: ServerConfig, workers: usize, routes: &[TestRoute]) -> Self {
        Self::start_showing(listeners, config, workers, routes, Arc::default())
    }

    pub(crate) fn start_showing(
        listeners: Listeners,
        config: ServerConfig,
        workers: usize,
        routes: &[TestRoute],
        certificates: Arc<Certificates>,
    ) -> Self {
        let address = ([127, 0, 0, 1], listeners.addresses()[0].port()).into();
        let table = table(routes, certificates);
        let (publisher, watched) = Publisher::new(table.for_workers(workers));
        let gate = Arc::new(Semaphore::new(0));
        let for_stack = gate.clone();
        let workers = Workers::start(config, listeners, watched, move |worker| {
            let gate = for_stack.clone();
            let tell = service_fn(move |request| tell(request, worker, gate.clone()));
            ServiceBuilder::new().layer(GuardLayer::from_plan()).service(tell)
        });
        Self { address, workers: Some(workers.unwrap()), publisher: Mutex::new(publisher), gate }
    }

    pub(crate) fn simple() -> Self {
        Self::start(ServerConfig::default(), 1, &[route("main", "/a")])
    }

    pub(crate) fn publish(&self, routes: &[TestRoute]) {
        self.publish_showing(routes, Arc::default());
    }

    pub(crate) fn publish_showing(&self, routes: &[TestRoute], certificates: Arc<Certificates>) {
        let table = table(routes, certificates);
        let mut publisher = self.publisher.lock().unwrap();
        let copies: Vec<_> = table.for_workers(publisher.watchers()).collect();
        publisher.publish(copies);
    }

    /// How many tables of earlier configurations are still in memory.
    pub(crate) fn kept_tables(&self) -> usize {
        self.publisher.lock().unwrap().sweep()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    pub(crate) fn stats(&self) -> towergate_server::Snapshot {
        self.workers.as_ref().unwrap().stats().snapshot()
    }
}

/// The stack's end: tells what it was given.
async fn tell(
    request: Request<GuardBody<Body>>,
    worker: usize,
    gate: Arc<Semaphore>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (mut head, body) = request.into_parts();
    let cx = Context::of(&mut head);
    if head.uri.path().ends_with("/held") {
        gate.acquire().await.unwrap().forget();
    }
    let body = match body.collect().await {
        Ok(whole) => json!(whole.to_bytes().len()),
        Err(error) if error.is::<ClientBodyError>() => {
            return Ok(Response::builder().status(400).header("x-plugin", "kept").body(Full::default()).unwrap());
        }
        Err(error) => json!(error.to_string()),
    };
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| json!([name.as_str(), value.to_str().ok()])).collect();
    let facts = json!({
        "worker": worker,
        "route": cx.route().and_then(|route| route.name.clone()),
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "host": cx.host,
        "path": cx.matched.path,
        "prefix": cx.matched.prefix,
        "upstream_path": cx.matched.upstream_path,
        "captures": cx.matched.captures,
        "peer": cx.client.peer.map(|peer| peer.ip().to_string()),
        "address": cx.client.address.map(|address| address.to_string()),
        "trusted": cx.client.trusted,
        "scheme": cx.client.scheme.as_str(),
        "server_name": cx.client.server_name,
        "local_port": cx.client.local.map(|local| local.port()),
        "connection": cx.client.connection,
        "request": cx.client.connection_requests,
        "headers": headers,
        "body": body,
    });
    if head.uri.query() == Some("proxied") {
        cx.timing.mark_sent(Instant::now());
        cx.timing.mark_answered(Instant::now());
        cx.mark_proxied();
    }
    let mut response = Response::new(Full::from(facts.to_string()));
    if head.uri.query() == Some("large") {
        // More than the two sockets' buffers hold.
        *response.body_mut() = Full::from(vec![0; 32 << 20]);
    }
    if head.uri.query() == Some("framing") {
        response.headers_mut().insert("content-length", HeaderValue::from_static("3"));
        response.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
    }
    Ok(response)
}

/// A client that says exactly what it is told to.
pub(crate) struct Client<S = TcpStream> {
    reader: BufReader<S>,
}

/// What a client has read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self::over(socket)
    }

    /// Sends nothing more, and reads whatever comes until the other side is done, too.
    pub(crate) fn hang_up(&mut self) {
        self.reader.get_mut().shutdown(Shutdown::Write).ok();
        let _ = self.reader.read_to_end(&mut Vec::new());
    }
}

impl<S: Read + Write> Client<S> {
    /// Over something that was made ready before.
    pub(crate) fn over(stream: S) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn stream(&self) -> &S {
        self.reader.get_ref()
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        self.reader.get_mut()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends a plain GET.
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n")).answer()
    }

    /// Reads one answer; its body must have a length or chunks.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer(false).expect("the connection was closed")
    }

    /// The answer to a HEAD request.
    pub(crate) fn answer_without_body(&mut self) -> Answer {
        self.try_answer(true).expect("the connection was closed")
    }

    fn try_answer(&mut self, is_head: bool) -> Option<Answer> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        if let Some(length) = answer.header("content-length").filter(|_| !is_head) {
            let mut body = vec![0; length.parse().unwrap()];
            self.reader.read_exact(&mut body).unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        Some(answer)
    }

    /// Whether nothing comes any more. A reset counts as an end.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// Waits for something to become true.
pub(crate) fn eventually(what: &str, is_true: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_true() {
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
