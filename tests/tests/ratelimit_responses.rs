//! response-ratelimiting as a whole: the upstream says what its responses cost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towergate_tests::{Answer, Gateway, Redis, Reply, Request, SOON, Upstream, eventually, proxying};

/// An upstream whose responses cost what the query says: `/?video=2, image=1`.
fn costly() -> Upstream {
    Upstream::answering(|request| {
        let (_, costs) = request.path.split_once('?').unwrap_or(("", ""));
        let reply = Reply::ok("a film").header("X-Film", "yes").header("Content-Type", "video/mp4");
        costs.split('&').filter(|cost| !cost.is_empty()).fold(reply, |reply, cost| reply.header("x-kong-limit", cost))
    })
}

fn limited(upstream: &Upstream, config: &str) -> Gateway {
    within_one_day();
    Gateway::serving(&format!(
        "{}plugins: [{{name: response-ratelimiting, config: {{{config}}}}}]\n",
        proxying(upstream)
    ))
}

/// Waits for the next day if this one is nearly over, so that a test does not lie across midnight.
fn within_one_day() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    if now % 86_400 > 86_400 - 30 {
        thread::sleep(Duration::from_secs(31));
    }
}

/// The headers about limits, by name in lower case.
fn told(answer: &Answer) -> Vec<String> {
    let about = |name: &str| name.contains("ratelimit");
    let lines = answer.headers.iter().map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()));
    let mut told: Vec<_> = lines.filter(|line| about(line)).collect();
    told.sort();
    told
}

#[test]
fn what_responses_cost_is_taken_from_what_is_left() {
    let upstream = costly();
    let gateway = limited(&upstream, "limits: {video: {day: 5, year: 10}, image: {day: 3}}");
    let first = gateway.get("/?video=2,image=1");
    assert_eq!((first.status, first.text().as_str()), (200, "a film"));
    assert!(!first.headers.has("x-kong-limit"), "what it costs is between us and the upstream");
    let expected = [
        "x-ratelimit-limit-image-day: 3",
        "x-ratelimit-limit-video-day: 5",
        "x-ratelimit-limit-video-year: 10",
        "x-ratelimit-remaining-image-day: 2",
        // What was left before this response, without a period: as in Kong 3.9.
        "x-ratelimit-remaining-image: 3",
        "x-ratelimit-remaining-video-day: 3",
        "x-ratelimit-remaining-video-year: 8",
        "x-ratelimit-remaining-video: 5",
    ];
    assert_eq!(told(&first), expected);
    assert!(!upstream.last().headers.iter().any(|(name, _)| name.to_lowercase().contains("ratelimit")));

    let free = gateway.get("/");
    assert_eq!((free.status, free.header("x-ratelimit-remaining-video-day")), (200, Some("3")));
    assert_eq!(free.header("x-ratelimit-remaining-video"), Some("3"));
}

#[test]
fn a_response_that_costs_while_nothing_is_left_is_replaced() {
    let upstream = costly();
    let gateway = limited(&upstream, "limits: {video: {day: 3}, image: {day: 1}}");
    // Something is left, so a response may cost more than that.
    let over = gateway.get("/?video=5");
    assert_eq!((over.status, over.header("x-ratelimit-remaining-video-day")), (200, Some("0")));
    let refused = gateway.get("/?video=1&image=1");
    assert_eq!((refused.status, refused.body.len()), (429, 0));
    assert_eq!(refused.header("Content-Length"), Some("0"));
    assert_eq!((refused.header("X-Film"), refused.header("Content-Type")), (Some("yes"), None));
    assert!(!refused.headers.has("x-kong-limit"));
    assert_eq!(upstream.count(), 2, "only the upstream knows what it costs");
    // What was refused costs nothing, of no name.
    assert_eq!(gateway.get("/").header("x-ratelimit-remaining-image-day"), Some("1"));
    // What is free may still be had, and a negative cost gives back.
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(gateway.get("/?video=-4").status, 200);
    assert_eq!(gateway.get("/?video=1").status, 200);
}

#[test]
fn the_first_violation_may_stop_a_request() {
    let upstream = costly();
    let gateway = limited(&upstream, "block_on_first_violation: true, limits: {video: {day: 10}, image: {day: 4}}");
    assert_eq!(gateway.get("/?video=2,image=5").status, 200);
    let refused = gateway.get("/?video=2");
    assert_eq!((refused.status, refused.message().as_str()), (429, "API rate limit exceeded for 'image'"));
    assert_eq!(told(&refused), [""; 0]);
    assert_eq!(upstream.count(), 1);
}

#[test]
fn headers_of_periods_may_be_hidden() {
    let upstream = costly();
    let gateway = limited(&upstream, "hide_client_headers: true, limits: {video: {day: 1}}");
    // As in Kong 3.9, the one without a period is told all the same.
    assert_eq!(told(&gateway.get("/?video=1")), ["x-ratelimit-remaining-video: 1"]);
    let refused = gateway.get("/?video=1");
    assert_eq!((refused.status, told(&refused)), (429, vec!["x-ratelimit-remaining-video: 0".to_owned()]));
}

#[test]
fn another_header_may_say_the_cost_and_consumers_count_by_themselves() {
    let upstream = Upstream::answering(|_| Reply::ok("x").header("X-Cost", "units=1"));
    let document = format!(
        "{}plugins:\n- {{name: key-auth}}\n- {{name: response-ratelimiting, config: {{header_name: X-Cost, limits: {{units: {{day: 1}}}}}}}}\n\
         consumers:\n- {{username: alice, keyauth_credentials: [{{key: a}}]}}\n- {{username: bob, keyauth_credentials: [{{key: b}}]}}\n",
        proxying(&upstream)
    );
    within_one_day();
    let gateway = Gateway::serving(&document);
    let by = |key: &str| gateway.send(&Request::get("/").header("apikey", key)).status;
    assert_eq!(["a", "b", "a", "b"].map(by), [200, 200, 429, 429]);
    assert_eq!(gateway.get("/").status, 401);
}

#[test]
fn what_the_gateway_answers_itself_costs_nothing() {
    let upstream = Upstream::answering(|_| towergate_tests::Script::close());
    let gateway = limited(&upstream, "limits: {video: {day: 2}}");
    let failed = gateway.get("/");
    assert_eq!((failed.status, failed.header("x-ratelimit-remaining-video-day")), (502, Some("2")));
}

/// How many of `requests` requests by each of `clients` clients at the same time get their response.
fn served(gateways: &[Gateway], clients: usize, requests: usize) -> usize {
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..clients {
            let (gateway, served) = (&gateways[client % gateways.len()], &served);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for _ in 0..requests {
                    let status = connection.request(&Request::get("/?video=1")).status;
                    assert!(status == 200 || status == 429, "{status}");
                    served.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    served.into_inner()
}

#[test]
fn not_one_response_more_than_the_limit_is_given_out() {
    let upstream = costly();
    let gateways = [limited(&upstream, "limits: {video: {day: 30}}")];
    assert_eq!(served(&gateways, 16, 5), 30);
}

#[test]
fn nodes_count_together_in_redis() {
    let (upstream, redis) = (costly(), Redis::start());
    let config = format!(
        "limits: {{video: {{day: 30, month: 100}}}}, policy: redis, redis_host: 127.0.0.1, redis_port: {}",
        redis.port()
    );
    let gateways = [(); 2].map(|()| limited(&upstream, &config));
    assert_eq!(served(&gateways, 16, 5), 30);
    let keys = redis.ask(&["KEYS", "*:video:day"]);
    assert!(keys.starts_with("response-ratelimit:00000000-0000-0000-0000-000000000000:"), "{keys}");
    assert_eq!(redis.ask(&["GET", &keys]), "30");
}

#[test]
fn without_redis_responses_are_free_or_requests_are_refused() {
    let (upstream, redis) = (costly(), Redis::prepared(&[]));
    let config =
        format!("limits: {{video: {{day: 1}}}}, policy: redis, redis: {{host: 127.0.0.1, port: {}}}", redis.port());
    let tolerant = limited(&upstream, &config);
    for _ in 0..3 {
        let answer = tolerant.get("/?video=1");
        assert_eq!((answer.status, told(&answer)), (200, vec![]));
        assert!(!answer.headers.has("x-kong-limit"));
    }
    eventually(SOON, || tolerant.log().contains("does not answer"));
    let strict = limited(&upstream, &format!("{config}, fault_tolerant: false"));
    let refused = strict.get("/?video=1");
    assert_eq!((refused.status, refused.text().as_str()), (500, r#"{"message":"An unexpected error occurred"}"#));
}
