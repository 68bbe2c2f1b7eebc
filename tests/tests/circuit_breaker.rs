//! circuit-breaker as a whole: in front of upstreams that really fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use towergate_tests::{
    Answer, Gate, Gateway, Port, Reply, Request, SOON, Script, Upstream, eventually, eventually_some, proxying,
    proxying_to,
};

/// The words of the guide.
const REFUSAL: &str = r#"{"message":"Service temporarily unavailable","circuit_state":"OPEN"}"#;

/// The plugin for everything, called `breaker`.
fn breaker(config: &str) -> String {
    format!("plugins:\n- name: circuit-breaker\n  instance_name: breaker\n  config: {{{config}}}\n")
}

fn guarded(upstream: &Upstream, config: &str) -> Gateway {
    Gateway::serving(&format!("{}{}", proxying(upstream), breaker(config)))
}

/// An upstream that answers 500 until it is told to be well.
fn failing() -> (Upstream, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(false));
    let told = is_well.clone();
    (Upstream::answering(move |_| Reply::new(if told.load(SeqCst) { 200 } else { 500 })), is_well)
}

/// A service on several balanced addresses.
fn balanced(addresses: &[SocketAddr], retries: u32) -> String {
    let targets: String = addresses.iter().map(|address| format!("  - {{target: '{address}'}}\n")).collect();
    let service = proxying_to("http://group", &[&format!("retries: {retries}")]);
    format!("{service}upstreams:\n- name: group\n  targets:\n{targets}")
}

fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    (0..count).map(|_| gateway.get("/").status).collect()
}

fn state_of(answer: &Answer) -> Option<&str> {
    answer.header("X-Circuit-State")
}

/// The circuits as the Admin API shows them.
fn circuits(gateway: &Gateway) -> Vec<Value> {
    let answer = gateway.ask_admin(&Request::get("/plugins/breaker/state"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["state"]["circuits"].as_array().expect("circuits").clone()
}

#[track_caller]
fn circuit(gateway: &Gateway) -> Value {
    let mut circuits = circuits(gateway);
    assert_eq!(circuits.len(), 1, "{circuits:?}");
    circuits.remove(0)
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (503, REFUSAL));
}

// --- opening and closing -------------------------------------------------------------------------------------------------

#[test]
fn after_failures_in_a_row_the_upstream_is_left_alone() {
    let (upstream, _) = failing();
    let gateway = guarded(&upstream, "failure_threshold: 3, reset_timeout: 600");
    assert_eq!(statuses(&gateway, 3), [500; 3]);
    for request in
        [Request::get("/"), Request::post("/", vec![b'x'; 100_000]), Request::get("/").header("Accept", "text/html")]
    {
        let refused = gateway.send(&request);
        assert_refused(&refused);
        assert_eq!(refused.header("Content-Type"), Some("application/json; charset=utf-8"));
        assert_eq!((state_of(&refused), refused.header("X-Kong-Upstream-Latency")), (Some("OPEN"), None));
        let wait: u64 = refused.header("Retry-After").expect("when to come back").parse().expect("seconds");
        assert!((500..=600).contains(&wait), "{wait}");
    }
    let head = gateway.send(&Request::new("HEAD", "/"));
    assert_eq!((head.status, head.text().as_str()), (503, ""));
    assert_eq!(upstream.count(), 3);
    eventually(SOON, || gateway.log().contains("Circuit opened"));
    let log = gateway.log();
    let told = log.lines().find(|line| line.contains("Circuit opened")).expect("a line");
    assert!(told.contains("[warn]"), "{told}");
    assert!(told.ends_with("Circuit opened, service: echo, reason: 3 failures in a row"), "{told}");
    assert_eq!(log.matches("Circuit opened").count(), 1, "{log}");
}

#[test]
fn a_success_between_failures_begins_the_row_again() {
    let upstream = Upstream::answering(|request| Reply::new(if request.path == "/well" { 200 } else { 500 }));
    let gateway = guarded(&upstream, "failure_threshold: 2");
    for _ in 0..4 {
        assert_eq!((gateway.get("/").status, gateway.get("/well").status), (500, 200));
    }
    assert_eq!(statuses(&gateway, 3), [500, 500, 503]);
}

#[test]
fn a_trial_call_that_succeeds_closes_the_circuit() {
    let (upstream, is_well) = failing();
    let gateway = guarded(&upstream, "failure_threshold: 3, reset_timeout: 0.3");
    assert_eq!(statuses(&gateway, 3), [500; 3]);
    is_well.store(true, SeqCst);
    let trial = eventually_some(SOON, || Some(gateway.get("/")).filter(|answer| answer.status == 200));
    assert_eq!((state_of(&trial), upstream.count()), (Some("HALF_OPEN"), 4));
    let next = gateway.get("/");
    assert_eq!((next.status, state_of(&next), next.header("Retry-After")), (200, None, None));
    let shown = circuit(&gateway);
    assert_eq!(json!([shown["state"], shown["reason"]]), json!(["closed", "a trial call succeeded"]));
    assert_eq!(json!([shown["requests"], shown["failures"]]), json!([1, 0]));
    eventually(SOON, || gateway.log().contains("Circuit closed"));
    let log = gateway.log();
    let order = ["Circuit opened", "Circuit half open", "Circuit closed"].map(|text| log.find(text));
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{log}");
}

#[test]
fn a_trial_call_that_fails_opens_it_again() {
    let (upstream, _) = failing();
    let gateway = guarded(&upstream, "failure_threshold: 3, reset_timeout: 0.3");
    assert_eq!(statuses(&gateway, 3), [500; 3]);
    let trial = eventually_some(SOON, || Some(gateway.get("/")).filter(|answer| answer.status == 500));
    assert_eq!((state_of(&trial), upstream.count()), (Some("HALF_OPEN"), 4));
    let shown = circuit(&gateway);
    assert_eq!(json!([shown["state"], shown["reason"]]), json!(["open", "a trial call failed"]));
}

#[test]
fn several_trial_calls_may_have_to_succeed() {
    let (upstream, is_well) = failing();
    let gateway = guarded(&upstream, "failure_threshold: 1, reset_timeout: 0.2, success_threshold: 3");
    assert_eq!(statuses(&gateway, 1), [500]);
    is_well.store(true, SeqCst);
    eventually(SOON, || gateway.get("/").status == 200);
    let states: Vec<_> = (0..3).map(|_| state_of(&gateway.get("/")).map(str::to_owned)).collect();
    assert_eq!(states, [Some("HALF_OPEN".into()), Some("HALF_OPEN".into()), None]);
}

#[test]
fn a_share_of_failures_opens_it() {
    let upstream = Upstream::answering(|request| Reply::new(if request.path == "/well" { 200 } else { 500 }));
    let gateway = guarded(&upstream, "failure_threshold: null, error_percentage: 50, min_requests: 6");
    for _ in 0..2 {
        assert_eq!((gateway.get("/").status, gateway.get("/well").status), (500, 200));
    }
    assert_eq!(gateway.get("/").status, 500, "three of five, which are too few");
    assert_eq!(gateway.get("/").status, 500);
    assert_refused(&gateway.get("/well"));
    assert_eq!(circuit(&gateway)["reason"], "4 of the last 6 calls failed");
}

// --- what counts ---------------------------------------------------------------------------------------------------------

#[test]
fn only_the_statuses_that_are_named_are_failures() {
    let upstream = Upstream::answering(|request| Reply::new(request.path[1..].parse().expect("a status")));
    let gateway = guarded(&upstream, "failure_threshold: 1, failure_statuses: [429, 503]");
    for status in [404, 500, 502, 504] {
        assert_eq!(gateway.get(&format!("/{status}")).status, status);
    }
    assert_eq!(gateway.get("/429").status, 429);
    assert_refused(&gateway.get("/200"));
}

#[test]
fn refused_connections_are_failures() {
    let nobody = Port::free();
    let document = proxying_to(&format!("http://{}", nobody.address()), &["retries: 2"]);
    let gateway = Gateway::serving(&format!("{document}{}", breaker("failure_threshold: 2")));
    assert_eq!(statuses(&gateway, 3), [502, 502, 503], "what counts is a request, not each of its attempts");
    let tolerant = breaker("failure_threshold: 2, failure_errors: [timeout, response]");
    let gateway = Gateway::serving(&format!("{document}{tolerant}"));
    assert_eq!(statuses(&gateway, 4), [502; 4]);
}

#[test]
fn timeouts_are_failures() {
    let upstream = Upstream::answering(|_| Script::hang());
    let document = proxying_to(&upstream.url(), &["retries: 0", "read_timeout: 150"]);
    let gateway = Gateway::serving(&format!("{document}{}", breaker("failure_threshold: 2")));
    assert_eq!(statuses(&gateway, 3), [504, 504, 503]);
    let tolerant = breaker("failure_threshold: 2, failure_errors: [connect, response]");
    let gateway = Gateway::serving(&format!("{document}{tolerant}"));
    assert_eq!(statuses(&gateway, 3), [504; 3]);
}

#[test]
fn broken_connections_and_answers_that_are_not_http_are_failures() {
    let upstream = Upstream::answering(|request| match request.path.as_str() {
        "/reset" => Script::reset(),
        _ => Script::raw("what is this?\r\n\r\n").then_close(),
    });
    let gateway = guarded(&upstream, "failure_threshold: 2");
    assert_eq!((gateway.get("/reset").status, gateway.get("/noise").status), (502, 502));
    assert_refused(&gateway.get("/reset"));
}

#[test]
fn slow_calls_are_failures() {
    let upstream = Upstream::answering(|request| {
        let wait = if request.path == "/slow" { 400 } else { 0 };
        Script::from(Reply::ok("well")).after(Duration::from_millis(wait))
    });
    let gateway = guarded(&upstream, "failure_threshold: 2, slow_call_duration: 0.3, reset_timeout: 600");
    assert_eq!((gateway.get("/slow").status, gateway.get("/slow").status), (200, 200));
    assert_refused(&gateway.get("/"));
    assert_eq!(upstream.count(), 2);
}

#[test]
fn what_the_client_broke_off_says_nothing() {
    let upstream = Upstream::answering(|request| match request.path.as_str() {
        "/hang" => Script::hang(),
        _ => Script::echo(),
    });
    let gateway = guarded(&upstream, "failure_threshold: 1");
    for calls in 1..=3 {
        let mut connection = gateway.connect();
        connection.send(Request::get("/hang").bytes());
        eventually(SOON, || upstream.count() == calls);
        drop(connection);
    }
    eventually(SOON, || upstream.open_connections() == 0);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n");
    assert_eq!(connection.answer().status, 400);
    assert_eq!(gateway.get("/").status, 200);
    let shown = circuit(&gateway);
    assert_eq!(json!([shown["state"], shown["requests"], shown["failures"]]), json!(["closed", 1, 0]));
}

#[test]
fn what_a_guard_refuses_is_no_call() {
    let (upstream, is_well) = failing();
    let key = "consumers: [{username: alice, keyauth_credentials: [{key: secret}]}]\n";
    let document = format!(
        "{}{key}{}- name: key-auth\n",
        proxying(&upstream),
        breaker("failure_threshold: 1, reset_timeout: 0.2")
    );
    let gateway = Gateway::serving(&document);
    let with_key = Request::get("/").header("apikey", "secret");
    assert_eq!(gateway.send(&with_key).status, 500);
    assert_eq!(gateway.get("/").status, 401, "guards decide first");
    is_well.store(true, SeqCst);
    eventually(SOON, || {
        assert_eq!(gateway.get("/").status, 401, "and take no trial call's place");
        gateway.send(&with_key).status == 200
    });
}

// --- trial calls ---------------------------------------------------------------------------------------------------------

/// An upstream that answers 500 at first, then waits at a gate and is well.
fn recovering(failures: usize) -> (Upstream, Gate) {
    let gate = Gate::closed();
    let behind = gate.clone();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let upstream = Upstream::answering(move |_| match calls.fetch_add(1, SeqCst) < failures {
        true => Script::from(Reply::new(500)),
        false => Script::from(Reply::ok("well")).behind(&behind),
    });
    (upstream, gate)
}

#[test]
fn of_64_clients_at_once_exactly_so_many_are_let_through() {
    for places in [1, 5] {
        let (upstream, gate) = recovering(2);
        let config = format!(
            "failure_threshold: 2, reset_timeout: 0.2, half_open_max_requests: {places}, success_threshold: {places}"
        );
        let gateway = guarded(&upstream, &config);
        assert_eq!(statuses(&gateway, 2), [500; 2]);
        eventually(SOON, || circuit(&gateway)["retry_after"] == 0.0);
        let answers: Vec<Answer> = thread::scope(|scope| {
            let clients: Vec<_> = (0..64).map(|_| scope.spawn(|| gateway.get("/"))).collect();
            // Those that are refused are answered while the trial calls still wait.
            eventually(SOON, || clients.iter().filter(|client| client.is_finished()).count() == 64 - places);
            gate.open();
            clients.into_iter().map(|client| client.join().expect("an answer")).collect()
        });
        let (through, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((through.len(), refused.len(), upstream.count()), (places, 64 - places, 2 + places));
        assert!(through.iter().all(|answer| state_of(answer) == Some("HALF_OPEN")));
        for answer in refused {
            assert_refused(answer);
            assert_eq!((state_of(answer), answer.header("Retry-After")), (Some("HALF_OPEN"), Some("1")));
        }
        assert_eq!(circuit(&gateway)["state"], "closed");
    }
}

#[test]
fn a_trial_call_whose_client_leaves_gives_its_place_back() {
    let (upstream, gate) = recovering(1);
    let gateway = guarded(&upstream, "failure_threshold: 1, reset_timeout: 0.2");
    assert_eq!(gateway.get("/").status, 500);
    eventually(SOON, || circuit(&gateway)["retry_after"] == 0.0);
    for calls in 2..=4 {
        let mut trial = gateway.connect();
        trial.send(Request::get("/").bytes());
        eventually(SOON, || upstream.count() == calls);
        let refused = gateway.get("/");
        assert_refused(&refused);
        assert_eq!(state_of(&refused), Some("HALF_OPEN"));
        assert_eq!(circuit(&gateway)["trials_under_way"], 1);
        drop(trial);
        eventually(SOON, || circuit(&gateway)["trials_under_way"] == 0);
    }
    gate.open();
    let trial = gateway.get("/");
    assert_eq!(
        (trial.status, state_of(&trial), circuit(&gateway)["state"].as_str()),
        (200, Some("HALF_OPEN"), Some("closed"))
    );
}

// --- scopes --------------------------------------------------------------------------------------------------------------

/// Two services; `orders` has two routes.
fn two_services(users: &Upstream, orders: &Upstream) -> String {
    format!(
        r#"_format_version: "3.0"
services:
- name: users
  url: {}
  retries: 0
  routes:
  - {{name: users, paths: [/users]}}
- name: orders
  url: {}
  retries: 0
  routes:
  - {{name: open, paths: [/orders/open]}}
  - {{name: done, paths: [/orders/done]}}
"#,
        users.url(),
        orders.url()
    )
}

#[test]
fn each_service_has_a_circuit_of_its_own() {
    let (users, orders) = (Upstream::echo(), Upstream::answering(|_| Reply::new(500)));
    let gateway = Gateway::serving(&format!("{}{}", two_services(&users, &orders), breaker("failure_threshold: 1")));
    assert_eq!(gateway.get("/orders/open").status, 500);
    assert_eq!(["/orders/open", "/orders/done", "/users"].map(|path| gateway.get(path).status), [503, 503, 200]);
    let shown: Vec<_> = circuits(&gateway).iter().map(|shown| json!([shown["service"], shown["state"]])).collect();
    assert_eq!(shown, [json!(["orders", "open"]), json!(["users", "closed"])]);
}

#[test]
fn each_route_has_one_if_told_so() {
    let (users, orders) = (Upstream::echo(), Upstream::answering(|_| Reply::new(500)));
    let document = format!("{}{}", two_services(&users, &orders), breaker("failure_threshold: 1, scope: route"));
    let gateway = Gateway::serving(&document);
    assert_eq!(gateway.get("/orders/open").status, 500);
    assert_eq!(["/orders/open", "/orders/done", "/users"].map(|path| gateway.get(path).status), [503, 500, 200]);
    let shown: Vec<_> = circuits(&gateway).iter().map(|shown| json!([shown["route"], shown["state"]])).collect();
    assert_eq!(shown, [json!(["done", "open"]), json!(["open", "open"]), json!(["users", "closed"])]);
}

#[test]
fn a_bad_target_is_passed_over_and_comes_back() {
    let ((bad, is_well), good) = (failing(), Upstream::echo());
    let document = balanced(&[bad.address(), good.address()], 0);
    let gateway =
        Gateway::serving(&format!("{document}{}", breaker("scope: target, failure_threshold: 2, reset_timeout: 1")));
    eventually(SOON, || {
        gateway.get("/");
        bad.count() == 2
    });
    // It stays away for a second; a slow machine may see a trial call after that, which fails.
    let failed = statuses(&gateway, 20).iter().filter(|status| **status != 200).count();
    assert!(failed + 2 == bad.count() && failed <= 2, "{failed} of 20 failed, {} at the bad target", bad.count());
    let states: Vec<_> = circuits(&gateway).iter().map(|shown| json!([shown["target"], shown["service"]])).collect();
    assert!(states.contains(&json!([bad.address().to_string(), "echo"])), "{states:?}");
    is_well.store(true, SeqCst);
    let before = bad.count();
    eventually(SOON, || {
        gateway.get("/");
        bad.count() > before + 5
    });
    assert!(circuits(&gateway).iter().all(|shown| shown["state"] == "closed"));
}

#[test]
fn a_dead_target_costs_retries_only_until_its_circuit_is_open() {
    let (dead, good) = (Port::free(), Upstream::echo());
    let document = balanced(&[dead.address(), good.address()], 1);
    let gateway =
        Gateway::serving(&format!("{document}{}", breaker("scope: target, failure_threshold: 3, reset_timeout: 600")));
    assert_eq!(statuses(&gateway, 30), [200; 30]);
    let shown = circuits(&gateway);
    let of_dead = shown.iter().find(|shown| shown["target"] == dead.address().to_string()).expect("its circuit");
    assert_eq!(json!([of_dead["state"], of_dead["failures"]]), json!(["open", 3]));
}

#[test]
fn without_a_target_left_the_answer_is_the_circuits() {
    let upstreams = [failing().0, failing().0];
    let document = balanced(&upstreams.each_ref().map(Upstream::address), 5);
    let gateway =
        Gateway::serving(&format!("{document}{}", breaker("scope: target, failure_threshold: 1, reset_timeout: 600")));
    assert_eq!(statuses(&gateway, 2), [500; 2]);
    let refused = gateway.get("/");
    assert_refused(&refused);
    assert_eq!(state_of(&refused), Some("OPEN"));
    let wait: u64 = refused.header("Retry-After").expect("when to come back").parse().expect("seconds");
    assert!((500..=600).contains(&wait), "{wait}");
    assert_eq!(upstreams.map(|upstream| upstream.count()), [1, 1]);
}

#[test]
fn a_request_that_has_tried_a_target_is_told_of_that() {
    let dead = Port::free();
    let document = proxying_to(&format!("http://{}", dead.address()), &["retries: 3"]);
    let gateway = Gateway::serving(&format!("{document}{}", breaker("scope: target, failure_threshold: 2")));
    let answers = [gateway.get("/"), gateway.get("/")];
    assert_eq!((answers[0].status, circuit(&gateway)["failures"].clone()), (502, json!(2)), "two attempts of four");
    assert_refused(&answers[1]);
}

// --- configuration -------------------------------------------------------------------------------------------------------

#[test]
fn state_survives_a_reload_that_leaves_the_plugin_as_it_is() {
    let (upstream, _) = failing();
    let plugin = |threshold| breaker(&format!("failure_threshold: {threshold}, reset_timeout: 600"));
    let document = |threshold| format!("{}{}", proxying(&upstream), plugin(threshold));
    let gateway = Gateway::serving(&document(2));
    assert_eq!(statuses(&gateway, 2), [500; 2]);
    let before = circuit(&gateway);
    gateway.reload(&format!("{}consumers: [{{username: alice}}]\n", document(2)));
    assert_refused(&gateway.get("/"));
    let after = circuit(&gateway);
    assert_eq!([&before["since"], &before["failures"]], [&after["since"], &after["failures"]]);
    // The service is another now, but the plugin and the service's id are the same.
    gateway.reload(&document(2).replace("retries: 0", "retries: 1"));
    assert_refused(&gateway.get("/"));
    assert_eq!(upstream.count(), 2);
    gateway.reload(&document(3));
    assert_eq!(statuses(&gateway, 4), [500, 500, 500, 503], "another configuration begins anew");
}

#[test]
fn headers_can_be_hidden() {
    let (upstream, _) = failing();
    let gateway = guarded(&upstream, "failure_threshold: 1, hide_client_headers: true");
    assert_eq!(gateway.get("/").status, 500);
    let refused = gateway.get("/");
    assert_refused(&refused);
    assert_eq!((state_of(&refused), refused.header("Retry-After")), (None, None));
}

#[test]
fn the_guides_two_lines_are_a_configuration() {
    let (upstream, _) = failing();
    let document = format!(
        "{}plugins:\n- name: circuit-breaker\n  service: echo\n  config:\n    reset_timeout: 30\n",
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    assert_eq!(statuses(&gateway, 6), [500, 500, 500, 500, 500, 503]);
}

#[test]
fn nonsense_is_refused() {
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    for (plugin, expected) in [
        ("config: {reset_timeout: 0}", "value must be greater than 0"),
        ("config: {threshold: 1}", "unknown field"),
        ("config: {scope: consumer}", "expected one of: service, route, target"),
        ("config: {failure_threshold: null}", "at least one of these fields must be non-empty"),
        ("consumer: alice", "value must be null"),
    ] {
        let document = format!(
            "_format_version: \"3.0\"\nconsumers: [{{username: alice}}]\nplugins:\n- name: circuit-breaker\n  {plugin}\n"
        );
        let answer = gateway.post_document(&document);
        assert_eq!(answer.status, 400, "{plugin}: {}", answer.text());
        let texts = answer.json()["fields"].to_string();
        assert!(texts.contains(expected), "{plugin}: {texts}");
    }
}
