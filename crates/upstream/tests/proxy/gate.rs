//! A gate that says which targets may be tried, and what it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use towergate_core::{Attempt, Context, Fault, Gate, Pass, Reply, Service};

use crate::support::{Gateway, OK, Upstream, balanced, get, refusing, service, text, tries, within};

pub(crate) type Told = (String, Option<Attempt>);

/// Bars some targets and writes down what it is told of the others; `None`: the attempt was given up.
#[derive(Debug, Default, Clone)]
pub(crate) struct Notes {
    barred: Vec<SocketAddr>,
    told: Arc<Mutex<Vec<Told>>>,
}

struct Note<'a> {
    target: &'a str,
    attempt: Option<Attempt>,
    notes: &'a Notes,
}

impl Gate for Notes {
    fn admit<'a>(&'a self, _: &'a Context, target: &'a str) -> Option<Box<dyn Pass + 'a>> {
        let is_barred = self.barred.iter().any(|barred| barred.to_string() == target);
        (!is_barred).then(|| Box::new(Note { target, attempt: None, notes: self }) as Box<dyn Pass>)
    }

    fn refusal(&self, _: &Context) -> Reply {
        Reply::exit(StatusCode::SERVICE_UNAVAILABLE, "not now")
    }
}

impl Pass for Note<'_> {
    fn report(mut self: Box<Self>, attempt: Attempt) {
        self.attempt = Some(attempt);
    }
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        self.notes.told.lock().unwrap().push((self.target.to_owned(), self.attempt));
    }
}

impl Notes {
    fn barring(barred: &[SocketAddr]) -> Self {
        Self { barred: barred.to_vec(), ..Self::default() }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Sends a request through this gate.
    fn spawn(
        &self,
        gateway: &Gateway,
    ) -> tokio::task::JoinHandle<(Arc<Context>, http::Response<towergate_core::Body>)> {
        let (cx, request) = gateway.context(get("/"));
        assert!(cx.set_gate(Box::new(self.clone())));
        let proxy = gateway.proxy.clone();
        tokio::spawn(async move { (cx, within(tower::ServiceExt::oneshot(proxy, request)).await.unwrap()) })
    }
}

#[tokio::test]
async fn a_barred_target_is_passed_over_while_another_is_left() {
    let (barred, upstream) = (Upstream::bind().await, Upstream::bind().await);
    let gateway = Gateway::to(balanced(&[barred.address, upstream.address]));
    for _ in 0..4 {
        let notes = Notes::barring(&[barred.address]);
        let call = notes.spawn(&gateway);
        upstream.accept().await.answer(&OK.replace("Content", "Connection: close\r\nContent")).await;
        let (cx, response) = call.await.unwrap();
        assert_eq!((response.status(), cx.fault()), (StatusCode::OK, None));
        assert_eq!(notes.told(), [(upstream.address.to_string(), Some(Attempt::Answered(StatusCode::OK)))]);
    }
    assert!(!barred.is_called().await);
}

#[tokio::test]
async fn without_a_target_left_the_gate_words_the_answer() {
    let upstreams = [Upstream::bind().await, Upstream::bind().await];
    let notes = Notes::barring(&[upstreams[0].address, upstreams[1].address]);
    for service in [service(upstreams[0].address), balanced(&notes.barred)] {
        let (cx, response) = notes.spawn(&Gateway::to(service)).await.unwrap();
        assert_eq!((response.status(), cx.fault()), (StatusCode::SERVICE_UNAVAILABLE, Some(Fault::Gateway)));
        assert_eq!(text(response).await, r#"{"message":"not now"}"#);
        assert_eq!((tries(&cx), notes.told()), (vec![], vec![]));
    }
    assert!(!upstreams[0].is_called().await && !upstreams[1].is_called().await);
}

#[tokio::test]
async fn each_attempt_is_told_of() {
    let (dead, upstream) = (refusing().await, Upstream::bind().await);
    // Its turns are random at first: until the dead one was first.
    for _ in 0..64 {
        let notes = Notes::default();
        let call = notes.spawn(&Gateway::to(balanced(&[dead, upstream.address])));
        upstream.accept().await.answer(OK).await;
        assert_eq!(call.await.unwrap().1.status(), StatusCode::OK);
        let answered = (upstream.address.to_string(), Some(Attempt::Answered(StatusCode::OK)));
        let told = notes.told();
        assert_eq!(told.last(), Some(&answered));
        if told.len() > 1 {
            assert_eq!(told, [(dead.to_string(), Some(Attempt::Failed(Fault::Connect))), answered]);
            return;
        }
    }
    panic!("the dead target never had its turn");
}

#[tokio::test]
async fn the_answer_to_what_was_tried_and_is_barred_then_tells_of_the_attempt() {
    let dead = refusing().await;
    let gateway = Gateway::to(Service { retries: 3, ..service(dead) });
    let (cx, request) = gateway.context(get("/"));
    assert!(cx.set_gate(Box::new(Once::default())));
    let response = within(tower::ServiceExt::oneshot(gateway.proxy.clone(), request)).await.unwrap();
    assert_eq!((response.status(), cx.fault()), (StatusCode::BAD_GATEWAY, Some(Fault::Connect)));
    assert_eq!(tries(&cx), [(dead.port(), 502)]);
}

/// Lets one attempt through and no other.
#[derive(Debug, Default)]
struct Once(std::sync::atomic::AtomicBool);

struct Leave;

impl Pass for Leave {
    fn report(self: Box<Self>, _: Attempt) {}
}

impl Gate for Once {
    fn admit<'a>(&'a self, _: &'a Context, _: &'a str) -> Option<Box<dyn Pass + 'a>> {
        let is_first = !self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
        is_first.then(|| Box::new(Leave) as Box<dyn Pass>)
    }

    fn refusal(&self, _: &Context) -> Reply {
        Reply::exit(StatusCode::SERVICE_UNAVAILABLE, "not now")
    }
}

#[tokio::test]
async fn an_attempt_of_a_client_that_leaves_is_given_back() {
    let upstream = Upstream::bind().await;
    let notes = Notes::default();
    let call = notes.spawn(&Gateway::to(service(upstream.address)));
    let mut peer = upstream.accept().await;
    peer.head().await;
    assert_eq!(notes.told(), []);
    call.abort();
    peer.closed().await;
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(notes.told(), [(upstream.address.to_string(), None)]);
}

#[tokio::test]
async fn what_a_slow_upstream_did_is_told() {
    let upstream = Upstream::bind().await;
    let notes = Notes::default();
    let slow = Service { retries: 0, read_timeout: Duration::from_millis(50), ..service(upstream.address) };
    let call = notes.spawn(&Gateway::to(slow));
    upstream.accept().await.closed().await;
    let (cx, response) = call.await.unwrap();
    assert_eq!((response.status(), cx.fault()), (StatusCode::GATEWAY_TIMEOUT, Some(Fault::Timeout)));
    assert_eq!(notes.told(), [(upstream.address.to_string(), Some(Attempt::Failed(Fault::Timeout)))]);
}
