//! One request through a gateway of its own, seen from either end.

use crate::{Answer, Gateway, Received, Reply, Request, Script, Upstream, proxying};

/// An upstream that follows `script`, behind a gateway with these settings.
#[track_caller]
pub fn answering<S: Into<Script>>(
    settings: &[(&str, &str)],
    script: impl Fn(&Received) -> S + Send + Sync + 'static,
) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(script);
    let setup = Gateway::with(&proxying(&upstream));
    let gateway = settings.iter().fold(setup, |setup, (key, value)| setup.setting(key, value)).start();
    (upstream, gateway)
}

/// An echoing upstream behind a gateway with these settings.
#[track_caller]
pub fn echoing(settings: &[(&str, &str)]) -> (Upstream, Gateway) {
    answering(settings, |_| Script::echo())
}

/// What the upstream receives when the client sends this.
///
/// # Panics
/// When it is not forwarded exactly once.
#[track_caller]
pub fn forwarded(settings: &[(&str, &str)], request: &Request) -> Received {
    let (upstream, gateway) = echoing(settings);
    let answer = gateway.send(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    upstream.only()
}

/// What the client receives when the upstream sends this.
#[track_caller]
pub fn returned(settings: &[(&str, &str)], reply: Reply) -> Answer {
    let (_upstream, gateway) = answering(settings, move |_| reply.clone());
    gateway.get("/")
}
