//! The plugin `retry`: when and how attempts are repeated, hedged and paid for.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use towergate_tests::{
    Answer, BlackHole, Gateway, Port, Received, Reply, Request, SOON, Script, Upstream, eventually, proxying_to,
};

/// A document with one route to these targets, and the plugin configured so.
fn document(retries: u32, config: &str, targets: &[SocketAddr]) -> String {
    let targets: String = targets.iter().map(|address| format!("  - {{target: '{address}'}}\n")).collect();
    let service = proxying_to("http://group", &[&format!("retries: {retries}")]);
    format!(
        "{service}upstreams:\n- name: group\n  targets:\n{targets}plugins:\n- name: retry\n  id: \
         0e1d1c53-0000-4000-8000-000000000001\n  config: {{{config}}}\n"
    )
}

fn gateway(retries: u32, config: &str, targets: &[&Upstream]) -> Gateway {
    let targets: Vec<_> = targets.iter().map(|upstream| upstream.address()).collect();
    Gateway::serving(&document(retries, config, &targets))
}

fn always(status: u16) -> Upstream {
    Upstream::answering(move |_| Reply::new(status))
}

fn well() -> Upstream {
    Upstream::answering(|_| Reply::ok("well"))
}

/// What so many clients read, each so many times, one after the other.
fn load(gateway: &Gateway, clients: usize, each: usize) -> Vec<Answer> {
    let client = || {
        let mut connection = gateway.connect();
        (0..each).map(|_| connection.request(&Request::get("/"))).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        running.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}

// --- what is repeated ----------------------------------------------------------------------------------------------------

#[test]
fn an_answer_with_a_status_that_is_named_is_tried_elsewhere() {
    let (ill, sound) = (always(503), well());
    let gateway = gateway(1, "statuses: [502, 503]", &[&ill, &sound]);
    assert!((0..20).all(|_| gateway.get("/").text() == "well"));
    assert_eq!((ill.count() > 0, sound.count()), (true, 20));
}

#[test]
fn the_last_answer_is_passed_on_whatever_it_is() {
    let ill = Upstream::answering(|_| Reply::new(503).header("Retry-After", "7").body("tired"));
    let gateway = gateway(2, "statuses: [503]", &[&ill]);
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.text().as_str(), ill.count()), (503, "tired", 3));
    assert_eq!(answer.headers.one("Retry-After"), Some("7"));
}

#[test]
fn a_status_that_is_not_named_is_an_answer() {
    let ill = always(500);
    assert_eq!((gateway(2, "statuses: [503]", &[&ill]).get("/").status, ill.count()), (500, 1));
}

#[test]
fn methods_decide_what_may_be_sent_twice() {
    for (config, method, attempts) in [
        ("statuses: [503]", "PUT", 3),
        ("statuses: [503]", "POST", 1),
        ("statuses: [503], methods: [GET, POST]", "POST", 3),
        ("statuses: [503], methods: [GET, POST]", "PUT", 1),
    ] {
        let ill = always(503);
        let gateway = gateway(2, config, &[&ill]);
        let answer = gateway.send(&Request::new(method, "/").body("hello"));
        assert_eq!((answer.status, ill.count()), (503, attempts), "{config}: {method}");
        assert!(ill.requests().iter().all(|request| request.body == b"hello"));
    }
}

#[test]
fn a_connection_that_breaks_follows_the_methods_too() {
    for (config, method, attempts) in
        [("methods: [GET]", "PUT", 1), ("methods: [POST]", "POST", 3), ("retries: 0", "GET", 1)]
    {
        let breaking = Upstream::answering(|_| Script::reset());
        let gateway = gateway(2, config, &[&breaking]);
        assert_eq!(gateway.send(&Request::new(method, "/")).status, 502);
        assert_eq!(breaking.count(), attempts, "{config}: {method}");
    }
}

#[test]
fn nothing_goes_to_a_bad_target_twice_while_another_is_left() {
    let bad = [always(503), Upstream::answering(|_| Script::reset()), always(503)];
    let sound = well();
    let nobody = Port::free();
    let targets: Vec<_> = bad.iter().chain([&sound]).map(Upstream::address).chain([nobody.address()]).collect();
    let gateway = Gateway::serving(&document(4, "statuses: [503]", &targets));
    let requests = 30;
    assert!((0..requests).all(|_| gateway.get("/").text() == "well"));
    for upstream in &bad {
        assert!(upstream.count() <= requests, "{} attempts for {requests} requests", upstream.count());
    }
    assert_eq!(sound.count(), requests);
}

// --- limits --------------------------------------------------------------------------------------------------------------

#[test]
fn an_attempt_that_takes_too_long_is_given_up_for_another() {
    let (hanging, hole, sound) = (Upstream::answering(|_| Script::hang()), BlackHole::open(), well());
    let targets = [hanging.address(), hole.address(), sound.address()];
    let gateway = Gateway::serving(&document(2, "try_timeout: 0.2", &targets));
    assert!((0..6).all(|_| gateway.get("/").text() == "well"));
    assert!(hanging.count() > 0);
    eventually(SOON, || hanging.open_connections() == 0);
}

#[test]
fn a_deadline_ends_all_attempts() {
    let hanging = Upstream::answering(|_| Script::hang());
    let gateway = gateway(50, "try_timeout: 0.5, deadline: 1.8", &[&hanging]);
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.text().lines().next()), (504, Some("The upstream server is timing out")));
    assert!((1_800..6_000).contains(&answer.took.as_millis()), "{:?}", answer.took);
    assert!((2..=4).contains(&hanging.count()), "{} attempts", hanging.count());
}

#[test]
fn a_deadline_is_no_limit_for_the_body() {
    let head = Reply::new(200).head_only().header("Content-Length", "6").bytes();
    let slow = Upstream::answering(move |_| {
        Script::raw([head.clone(), b"abc".to_vec()].concat()).then_wait(Duration::from_millis(900)).then_send("def")
    });
    let answer = gateway(1, "deadline: 0.5", &[&slow]).get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcdef"));
}

#[test]
fn a_pause_comes_before_another_attempt() {
    let ill = always(503);
    let gateway = gateway(3, "statuses: [503], backoff: 0.2, backoff_limit: 0.4", &[&ill]);
    let answers = load(&gateway, 12, 1);
    let all: Duration = answers.iter().map(|answer| answer.took).sum();
    // Random parts of 200, 400 and 400 ms: half a second on average, of which a third is far from chance.
    assert!(all / 12 > Duration::from_millis(170), "{:?} on average", all / 12);
    assert_eq!(ill.count(), 48);
}

#[test]
fn a_pause_that_would_outlast_the_deadline_is_not_begun() {
    let ill = always(503);
    let gateway = gateway(50, "statuses: [503], backoff: 3600, backoff_limit: 3600, deadline: 0.3", &[&ill]);
    let answer = gateway.get("/");
    assert_eq!((answer.status, ill.count()), (503, 1));
    assert!(answer.took < Duration::from_secs(10), "{:?}", answer.took);
}

// --- budget --------------------------------------------------------------------------------------------------------------

#[test]
fn a_budget_stops_a_storm() {
    let attempts = |config: &str| {
        let ill = always(503);
        let answers = load(&gateway(5, &format!("statuses: [503]{config}"), &[&ill]), 8, 25);
        assert!(answers.iter().all(|answer| answer.status == 503));
        ill.count()
    };
    assert_eq!(attempts(""), 1_200, "five further ones for each of 200 requests");
    let budgeted = attempts(", budget_percentage: 20, budget_min_per_second: 0, budget_window: 600");
    // A fifth of 200; clients that ask at the very same moment may take one too many.
    assert!((230..=248).contains(&budgeted), "{budgeted} attempts");
}

#[test]
fn what_is_left_of_a_budget_is_shown() {
    let ill = always(503);
    let gateway =
        gateway(5, "statuses: [503], budget_percentage: 1, budget_min_per_second: 1, budget_window: 600", &[&ill]);
    let left = || {
        let state = gateway.ask_admin(&Request::get("/plugins/0e1d1c53-0000-4000-8000-000000000001/state")).json();
        state["state"]["budget"]["attempts_left"].as_f64().unwrap_or_else(|| panic!("no budget in {state}"))
    };
    assert_eq!(left(), 600.0);
    gateway.get("/");
    assert_eq!(left(), 595.0);
}

// --- hedging -------------------------------------------------------------------------------------------------------------

/// How long a slow target takes.
const SLOW: Duration = Duration::from_millis(1500);

fn slow() -> Upstream {
    Upstream::answering(|_| Script::from(Reply::ok("slow")).after(SLOW))
}

/// The time within which 99 of 100 were answered.
fn p99(answers: &[Answer]) -> Duration {
    let mut times: Vec<_> = answers.iter().map(|answer| answer.took).collect();
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

#[test]
fn hedging_cuts_the_tail_of_a_slow_target() {
    let run = |config: &str| {
        let (slow, fast) = (slow(), well());
        let answers = load(&gateway(1, config, &[&slow, &fast]), 8, 10);
        assert!(answers.iter().all(|answer| answer.status == 200));
        (p99(&answers), answers.len(), slow.count(), fast.count())
    };
    let (without, ..) = run("");
    let (with, answers, slow, fast) = run("hedge_after: 0.3");
    assert!(without >= SLOW, "{without:?}");
    assert!(with < SLOW, "p99 {with:?}, without hedging {without:?}");
    assert_eq!((answers, fast), (80, 80), "all answers are the fast one's");
    assert!((20..=60).contains(&slow), "{slow} of 80 came to the slow one first");
}

#[test]
fn the_slower_one_is_given_up() {
    let (slow, fast) = (Upstream::answering(|_| Script::hang()), well());
    let gateway = gateway(1, "hedge_after: 0.05", &[&slow, &fast]);
    assert!((0..4).all(|_| gateway.get("/").text() == "well"));
    eventually(SOON, || slow.open_connections() == 0);
}

#[test]
fn what_must_not_be_sent_twice_is_not_hedged() {
    let (slow, fast) =
        (Upstream::answering(|_| Script::from(Reply::ok("slow")).after(Duration::from_millis(300))), well());
    let gateway = gateway(1, "hedge_after: 0.05", &[&slow, &fast]);
    for _ in 0..6 {
        assert_eq!(gateway.send(&Request::post("/", "x")).status, 200);
    }
    assert_eq!(slow.count() + fast.count(), 6);
}

#[test]
fn with_one_target_there_is_nothing_to_hedge_with() {
    let only = Upstream::answering(|_| Script::from(Reply::ok("slow")).after(Duration::from_millis(300)));
    assert_eq!((gateway(5, "hedge_after: 0.05", &[&only]).get("/").status, only.count()), (200, 1));
}

#[test]
fn a_hedge_that_fails_leaves_the_first_its_time() {
    let breaking = Upstream::answering(|_| Script::reset());
    let late = Upstream::answering(|_| Script::from(Reply::ok("late")).after(Duration::from_millis(400)));
    let gateway = gateway(1, "hedge_after: 0.1", &[&late, &breaking]);
    assert!((0..4).all(|_| gateway.get("/").text() == "late"));
}

#[test]
fn hedges_are_paid_from_the_budget() {
    let upstream = || Upstream::answering(|_| Script::from(Reply::ok("slow")).after(Duration::from_millis(200)));
    let (one, other) = (upstream(), upstream());
    let config = "hedge_after: 0.02, budget_percentage: 10, budget_min_per_second: 0, budget_window: 600";
    let gateway = gateway(5, config, &[&one, &other]);
    // The tenth request pays for a hedge and the twentieth for another, which may come with one of the next.
    assert!((0..26).all(|_| gateway.get("/").status == 200));
    assert_eq!(one.count() + other.count(), 28, "a tenth of 26 requests are two hedges");
}

// --- and nothing else ----------------------------------------------------------------------------------------------------

#[test]
fn a_plugin_that_says_nothing_changes_nothing() {
    let breaking = Upstream::answering(|request: &Received| match request.connection {
        0 | 1 => Script::reset(),
        _ => Script::echo(),
    });
    let answer = gateway(2, "", &[&breaking]).send(&Request::new("PUT", "/x").body("hello"));
    assert_eq!((answer.status, breaking.count()), (200, 3));
}
