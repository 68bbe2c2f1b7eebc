//! What an upstream does beyond Kong, field by field, with real sockets: coming back, leaving out outliers, warming up, panic,
//! limits; sessions and two choices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use towergate_tests::{Gate, Gateway, Reply, Request, SOON, Script, Upstream, chunk, eventually, proxying_to};

/// A document with one route to an upstream with these fields.
fn document(fields: &str, targets: &[SocketAddr], service_fields: &[&str]) -> String {
    // The Admin API tells of the newest first, and of those as old as each other of the greatest id.
    let target = |(n, address): (usize, &SocketAddr)| {
        format!("  - {{id: 00000000-0000-4000-8000-{:012}, target: '{address}'}}\n", 99 - n)
    };
    let targets: String = targets.iter().enumerate().map(target).collect();
    let service = proxying_to("http://group", service_fields);
    format!("{service}upstreams:\n- name: group\n{fields}  targets:\n{targets}")
}

fn serving(fields: &str, upstreams: &[&Upstream]) -> Gateway {
    let targets: Vec<_> = upstreams.iter().map(|upstream| upstream.address()).collect();
    Gateway::serving(&document(fields, &targets, &["retries: 0"]))
}

/// An upstream whose status may change.
fn switchable(status: u16) -> (Upstream, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    let told = Arc::clone(&status);
    (Upstream::answering(move |_| Reply::new(told.load(Ordering::Relaxed))), status)
}

fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| Reply::ok(name))
}

/// The health of each target, in the order of the document.
fn words(gateway: &Gateway) -> Vec<String> {
    let health = gateway.ask_admin(&Request::get("/upstreams/group/health")).json();
    let targets = health["data"].as_array().expect("targets");
    targets.iter().map(|target| target["health"].as_str().expect("a word").to_owned()).collect()
}

fn decide(gateway: &Gateway, target: &Upstream, word: &str) {
    let path = format!("/upstreams/group/targets/{}/{word}", target.address());
    assert_eq!(gateway.ask_admin(&Request::new("PUT", &path)).status, 204);
}

/// Lets a person decide about targets, and nothing else.
const PASSIVE: &str = "  healthchecks: {passive: {unhealthy: {http_failures: 3}}}\n";

// --- coming back and being left out --------------------------------------------------------------------------------------

#[test]
fn a_target_comes_back_by_itself_after_its_time() {
    let ((ill, status), well) = (switchable(500), named("well"));
    let gateway = serving(&format!("{PASSIVE}  resilience: {{readmit_after: 2}}\n"), &[&ill, &well]);
    eventually(SOON, || {
        gateway.get("/");
        words(&gateway) == ["UNHEALTHY", "HEALTHY"]
    });
    assert_eq!(ill.count(), 3);
    // Once more it is tried and found ill; well, it stays.
    eventually(SOON, || words(&gateway) == ["HEALTHY", "HEALTHY"]);
    status.store(200, Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(words(&gateway), ["HEALTHY", "HEALTHY"]);
    eventually(SOON, || gateway.log().contains("its time is over"));
}

#[test]
fn an_outlier_gets_nothing_for_a_while() {
    let ((outlier, status), well, other) = (switchable(500), named("well"), named("other"));
    let rules = "{error_percentage: 50, min_requests: 5, window: 60, ejection_time: 3}";
    let fields = format!("  resilience: {{outlier_ejection: {rules}}}\n");
    let gateway = serving(&fields, &[&outlier, &well, &other]);
    let failed = (0..60).filter(|_| gateway.get("/").status == 500).count();
    assert!((5..=12).contains(&failed), "{failed} requests failed, with five an outlier");
    status.store(200, Ordering::Relaxed);
    eventually(SOON, || words(&gateway) == ["HEALTHY", "HEALTHY", "HEALTHY"]);
    let before = outlier.count();
    assert!((0..30).all(|_| gateway.get("/").status == 200));
    assert!(outlier.count() > before);
}

#[test]
fn not_all_targets_become_outliers() {
    let ((one, _), (other, _)) = (switchable(500), switchable(500));
    let rules = "{error_percentage: 50, min_requests: 3, window: 60, ejection_time: 60}";
    let gateway = serving(&format!("  resilience: {{outlier_ejection: {rules}}}\n"), &[&one, &other]);
    assert!((0..30).all(|_| gateway.get("/").status == 500), "one of two is left, as bad as it is");
    let words = words(&gateway);
    assert_eq!(words.iter().filter(|word| *word == "UNHEALTHY").count(), 1, "{words:?}");
}

// --- warming up, panic ---------------------------------------------------------------------------------------------------

#[test]
fn a_target_that_is_well_again_warms_up() {
    const WINDOW: f64 = 4.0;
    let (cold, warm) = (named("cold"), named("warm"));
    let gateway = serving(&format!("{PASSIVE}  resilience: {{slow_start: {WINDOW}}}\n"), &[&cold, &warm]);
    let mut connection = gateway.connect();
    let mut is_cold = || connection.request(&Request::get("/")).text() == "cold";
    let share = (0..200).filter(|_| is_cold()).count();
    assert!(share.abs_diff(100) <= 10, "{share} of 200: from the beginning all are warm");
    decide(&gateway, &cold, "unhealthy");
    assert!((0..50).all(|_| !is_cold()));
    decide(&gateway, &cold, "healthy");
    let begun = Instant::now();
    let (mut expected, mut met, mut all, mut early) = (0.0, 0.0, 0.0, 0.0);
    while begun.elapsed().as_secs_f64() < WINDOW {
        let part = (begun.elapsed().as_secs_f64() / WINDOW).clamp(0.1, 1.0);
        expected += part / (1.0 + part);
        all += 1.0;
        met += f64::from(u8::from(is_cold()));
        if part < 0.25 {
            early = met / all;
        }
        // Not too many, so that the clock of the test and that of the gateway agree on each.
        thread::sleep(Duration::from_millis(2));
    }
    let (expected, met) = (expected / all, met / all);
    assert!(early < 0.25, "{early:.2} of the requests of the first quarter");
    assert!((met - expected).abs() < 0.08, "{met:.2} of {all} requests came to it, {expected:.2} expected");
    let share = (0..200).filter(|_| is_cold()).count();
    assert!(share.abs_diff(100) <= 10, "{share} of 200 afterwards");
}

#[test]
fn with_too_few_healthy_all_are_used() {
    let [one, two, three] = ["one", "two", "three"].map(named);
    let gateway = serving(&format!("{PASSIVE}  resilience: {{panic_threshold: 50}}\n"), &[&one, &two, &three]);
    let used = || {
        let before = [&one, &two, &three].map(Upstream::count);
        assert!((0..30).all(|_| gateway.get("/").status == 200));
        [&one, &two, &three].map(Upstream::count).iter().zip(before).filter(|(after, before)| *after > before).count()
    };
    for (target, expected) in [(&one, 2), (&two, 3), (&three, 3)] {
        decide(&gateway, target, "unhealthy");
        assert_eq!(used(), expected);
    }
    decide(&gateway, &one, "healthy");
    decide(&gateway, &two, "healthy");
    assert_eq!(used(), 2);
}

// --- limits --------------------------------------------------------------------------------------------------------------

#[test]
fn so_many_at_once_so_many_wait_and_the_rest_are_told_to_come_back() {
    let gate = Gate::closed();
    let closed = gate.clone();
    let busy = Upstream::answering(move |_| Script::from(Reply::ok("done")).behind(&closed));
    let limit = "  resilience: {max_in_flight: 2, max_pending: 2, pending_timeout: 30}\n";
    let gateway = serving(limit, &[&busy]);
    let refused = AtomicUsize::new(0);
    let client = || {
        let answer = gateway.send(&Request::get("/").header("Accept", "application/json"));
        refused.fetch_add(usize::from(answer.status == 503), Ordering::Relaxed);
        answer
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..7).map(|_| scope.spawn(client)).collect();
        // Two are there, two wait, three are told; only then does anybody get an answer.
        eventually(SOON, || busy.count() == 2 && refused.load(Ordering::Relaxed) == 3);
        gate.open();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    let (done, told): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((done.len(), told.len()), (4, 3));
    assert!(done.iter().all(|answer| answer.text() == "done"));
    for answer in told {
        assert_eq!(answer.message(), "The upstream server is currently unavailable");
        assert_eq!(answer.headers.one("Retry-After"), Some("30"));
    }
    assert_eq!(gateway.get("/").text(), "done");
}

#[test]
fn nobody_waits_longer_than_told() {
    let busy = Upstream::answering(|_| Script::hang());
    let limit = "  resilience: {max_in_flight: 1, max_pending: 5, pending_timeout: 0.3}\n";
    let gateway = serving(limit, &[&busy]);
    let mut first = gateway.connect();
    first.send(Request::get("/").bytes());
    eventually(SOON, || busy.count() == 1);
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.headers.one("Retry-After")), (503, Some("1")));
    assert!((300..5_000).contains(&answer.took.as_millis()), "{:?}", answer.took);
    // A client that leaves makes room.
    drop(first);
    let mut next = gateway.connect();
    eventually(SOON, || {
        next = gateway.connect();
        next.send(Request::get("/").bytes());
        thread::sleep(Duration::from_millis(50));
        // One more than waited for may have had its turn.
        busy.count() > 1
    });
}

#[test]
fn an_answer_counts_until_its_end() {
    let gate = Gate::closed();
    let closed = gate.clone();
    let head = Reply::new(200).head_only().header("Transfer-Encoding", "chunked").bytes();
    let begun = [head, chunk("begun")].concat();
    let streaming = Upstream::answering(move |request: &towergate_tests::Received| match request.path.as_str() {
        "/stream" => Script::raw(begun.clone()).then_pass(&closed).then_send(towergate_tests::LAST_CHUNK),
        _ => Script::from(Reply::ok("done")),
    });
    let gateway = serving("  resilience: {max_in_flight: 1}\n", &[&streaming]);
    let mut client = gateway.connect();
    client.send(Request::get("/stream").bytes());
    assert_eq!(client.head(), 200);
    assert_eq!(gateway.get("/").status, 503, "without max_pending nobody waits");
    gate.open();
    client.chunks_until(|body| body == b"begun");
    eventually(SOON, || gateway.get("/").status == 200);
}

#[test]
fn a_reload_keeps_count() {
    let busy = Upstream::answering(|_| Script::hang());
    let fields = "  resilience: {max_in_flight: 1}\n";
    let gateway = serving(fields, &[&busy]);
    let mut first = gateway.connect();
    first.send(Request::get("/").bytes());
    eventually(SOON, || busy.count() == 1);
    gateway.reload(&document(&format!("{fields}  slots: 500\n"), &[busy.address()], &["retries: 0"]));
    assert_eq!((gateway.get("/").status, busy.count()), (503, 1));
}

// --- algorithms ----------------------------------------------------------------------------------------------------------

const STICKY: &str = "  algorithm: sticky-sessions\n  sticky_sessions_cookie: session\n";

#[test]
fn a_session_stays_at_its_target_over_restarts() {
    let [one, two, three] = ["one", "two", "three"].map(named);
    let fields = format!("{STICKY}  sticky_sessions_cookie_path: /shop\n");
    let mut gateway = serving(&fields, &[&one, &two, &three]);
    let mut sessions = Vec::new();
    for _ in 0..6 {
        let first = gateway.get("/");
        let cookie = first.headers.one("Set-Cookie").expect("a cookie").to_owned();
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        assert!(pair.starts_with("session="), "{pair}");
        assert_eq!(attributes, "Path=/shop; SameSite=Lax; HttpOnly");
        sessions.push((pair.to_owned(), first.text()));
    }
    let stay = |gateway: &Gateway| {
        for (cookie, target) in &sessions {
            for _ in 0..4 {
                let again = gateway.send(&Request::get("/").header("Cookie", &format!("a=b; {cookie}")));
                assert_eq!((&again.text(), again.headers.one("Set-Cookie")), (target, None));
            }
        }
    };
    stay(&gateway);
    assert!(sessions.iter().any(|(_, target)| *target != sessions[0].1), "new sessions are shared out: {sessions:?}");
    gateway.terminate();
    let targets = [&one, &two, &three].map(Upstream::address);
    let restarted = Gateway::with(&document(&fields, &targets, &["retries: 0"])).on_the_ports_of(&gateway).start();
    stay(&restarted);
}

#[test]
fn a_session_whose_target_is_ill_moves_and_stays_there() {
    let [one, two] = ["one", "two"].map(named);
    let gateway = serving(&format!("{STICKY}{PASSIVE}"), &[&one, &two]);
    let first = gateway.get("/");
    let cookie = |answer: &towergate_tests::Answer| {
        let line = answer.headers.one("Set-Cookie").expect("a cookie");
        line.split_once("; ").expect("attributes").0.to_owned()
    };
    let (mine, other, old) =
        if first.text() == "one" { (&one, "two", cookie(&first)) } else { (&two, "one", cookie(&first)) };
    decide(&gateway, mine, "unhealthy");
    let moved = gateway.send(&Request::get("/").header("Cookie", &old));
    assert_eq!(moved.text(), other);
    decide(&gateway, mine, "healthy");
    let again = gateway.send(&Request::get("/").header("Cookie", &cookie(&moved)));
    assert_eq!((again.text().as_str(), again.headers.one("Set-Cookie")), (other, None));
}

#[test]
fn a_retry_of_a_session_goes_elsewhere_and_takes_it_along() {
    let (broken, sound) = (Upstream::answering(|_| Script::reset()), named("sound"));
    let targets = [broken.address(), sound.address()];
    let gateway = Gateway::serving(&document(STICKY, &targets, &["retries: 1"]));
    for _ in 0..6 {
        let answer = gateway.get("/");
        assert_eq!(answer.text(), "sound");
        let cookie = answer.headers.one("Set-Cookie").expect("that of the sound one").to_owned();
        let seen = broken.count();
        let pair = cookie.split_once("; ").expect("attributes").0;
        assert_eq!(gateway.send(&Request::get("/").header("Cookie", pair)).text(), "sound");
        assert_eq!(broken.count(), seen);
    }
}

#[test]
fn of_two_choices_the_less_busy_is_taken() {
    let gate = Gate::closed();
    let closed = gate.clone();
    let busy = Upstream::answering(move |_| Script::from(Reply::ok("slow")).behind(&closed));
    let free = named("free");
    let gateway = serving("  algorithm: power-of-two-choices\n", &[&busy, &free]);
    let mut waiting = Vec::new();
    while busy.count() < 4 {
        let mut connection = gateway.connect();
        connection.send(Request::get("/").bytes());
        waiting.push(connection);
        eventually(SOON, || busy.count() + free.count() == waiting.len());
    }
    let before = free.count();
    for _ in 0..60 {
        let mut connection = gateway.connect();
        connection.send(Request::get("/").bytes());
        waiting.push(connection);
        eventually(SOON, || busy.count() + free.count() == waiting.len());
    }
    // It is taken only when drawn three times in a row.
    assert!(free.count() - before >= 40, "{} of 60 to the free one", free.count() - before);
    gate.open();
}

// --- as Kong where it is not asked for -----------------------------------------------------------------------------------

#[test]
fn fields_of_our_own_are_shown_only_where_they_are_set() {
    let upstream = named("one");
    let gateway = serving("", &[&upstream]);
    let shown = |fields: &str| {
        let answer = gateway.post_document(&document(fields, &[upstream.address()], &[]));
        assert_eq!(answer.status, 201, "{}", answer.text());
        let all = answer.json()["upstreams"].clone();
        all.as_object().expect("upstreams").values().next().expect("one").clone()
    };
    let plain = shown("");
    for field in ["resilience", "sticky_sessions_cookie", "sticky_sessions_cookie_path"] {
        assert!(plain.get(field).is_none(), "{field} in {plain}");
    }
    let set = shown("  resilience: {max_in_flight: 7}\n");
    assert_eq!(set["resilience"]["max_in_flight"], 7);
    assert_eq!(set["resilience"]["pending_timeout"], 1);
}

#[test]
fn what_is_wrong_or_without_effect_is_refused() {
    let upstream = named("one");
    let gateway = serving("", &[&upstream]);
    for (fields, expected) in [
        ("  resilience: {panic: 5}\n", "unknown field"),
        ("  resilience: {slow_start: 0}\n", "value must be greater than 0"),
        (
            "  resilience: {readmit_after: 30}\n",
            "needs a limit in healthchecks.passive.unhealthy: nothing else takes an address out",
        ),
        (
            "  resilience: {panic_threshold: 30}\n",
            "needs healthchecks or outlier_ejection: without them every address is healthy",
        ),
        ("  resilience: {max_pending: 5}\n", "max_in_flight"),
        ("  algorithm: sticky-sessions\n", "required field missing"),
    ] {
        let answer = gateway.post_document(&document(fields, &[upstream.address()], &[]));
        assert_eq!(answer.status, 400, "{fields}");
        assert!(answer.text().contains(expected), "{fields}: {}", answer.text());
    }
    assert_eq!(gateway.get("/").status, 200);
}
