//! rate-limiting with a real Redis: exact over nodes, and what happens without it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towergate_tests::{Authority, Gateway, Port, Redis, Request, SOON, Setup, Upstream, eventually, proxying};

/// A document with `rate-limiting` of this configuration for everything.
fn document(upstream: &Upstream, config: &str) -> String {
    format!("{}plugins: [{{name: rate-limiting, config: {{{config}}}}}]\n", proxying(upstream))
}

/// A gateway with a limit of so many a day, counted in this Redis, and more configuration.
fn setup(upstream: &Upstream, redis: &Redis, day: u32, more: &str) -> Setup {
    let port = redis.port();
    Gateway::with(&document(
        upstream,
        &format!("day: {day}, policy: redis, redis: {{host: 127.0.0.1, port: {port}}}{more}"),
    ))
}

/// When this day began, in milliseconds since 1970.
fn today() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    (now - now % 86_400) * 1000
}

/// Waits for the next day if this one is nearly over, so that a test does not lie across midnight.
fn within_one_day() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    if now % 86_400 > 86_400 - 60 {
        thread::sleep(Duration::from_secs(61));
    }
}

/// How many of `requests` requests by each of `clients` clients at the same time are let through.
fn admitted(gateways: &[&Gateway], clients: usize, requests: usize) -> usize {
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..clients {
            let (gateway, admitted) = (gateways[client % gateways.len()], &admitted);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for _ in 0..requests {
                    let status = connection.request(&Request::get("/")).status;
                    assert!(status == 200 || status == 429, "{status}");
                    admitted.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn not_one_more_than_the_limit_gets_through_two_gateways() {
    within_one_day();
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let gateways = [(); 2].map(|()| setup(&upstream, &redis, 100, "").start());
    assert_eq!(admitted(&[&gateways[0], &gateways[1]], 24, 10), 100);
    // Others with a higher limit go on counting where these ended, in two windows at once.
    let others = [(); 2].map(|()| setup(&upstream, &redis, 250, ", month: 300").start());
    assert_eq!(admitted(&[&others[0], &others[1]], 32, 12), 150);
    assert_eq!(upstream.count(), 250);
}

#[test]
fn counters_have_kongs_names_and_end_with_their_window() {
    within_one_day();
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let gateway = setup(&upstream, &redis, 5, "").start();
    let answers = [gateway.get("/"), gateway.get("/")];
    assert_eq!(
        answers.map(|answer| answer.header("X-RateLimit-Remaining-Day").map(str::to_owned)),
        [Some("4".into()), Some("3".into())]
    );
    let nobody = "00000000-0000-0000-0000-000000000000";
    let key = format!("ratelimit:{nobody}:{nobody}:127.0.0.1:{}:day", today());
    assert_eq!(redis.ask(&["KEYS", "*"]), key);
    assert_eq!(redis.ask(&["GET", &key]), "2");
    let life: u64 = redis.ask(&["TTL", &key]).parse().expect("seconds");
    assert!(life <= 86_402, "{life}");
}

#[test]
fn a_request_costs_one_round_trip_on_its_workers_only_connection() {
    within_one_day();
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let port = redis.port();
    let limits = format!("day: 500, month: 1000, year: 2000, policy: redis, redis: {{host: 127.0.0.1, port: {port}}}");
    let plugins = format!(
        "plugins: [{{name: rate-limiting, config: {{{limits}}}}}, \
         {{name: rate-limiting, route: everything, config: {{{limits}, hide_client_headers: true}}}}]\n"
    );
    let gateway =
        Gateway::with(&format!("{}{plugins}", proxying(&upstream))).setting("nginx_worker_processes", "2").start();
    assert_eq!(admitted(&[&gateway], 16, 10), 160);
    // Each worker asks once by a hash that Redis does not know yet, and then brings the script.
    let scripts = redis.calls("eval");
    assert!((1..=32).contains(&scripts), "{scripts}");
    assert_eq!(redis.calls("evalsha"), 160);
    let clients = redis.ask(&["CLIENT", "LIST", "TYPE", "normal"]);
    let ours = clients.lines().filter(|line| !line.contains("cmd=client")).count();
    assert!((1..=2).contains(&ours), "{clients}");
}

#[test]
fn what_is_refused_is_not_counted() {
    within_one_day();
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let gateway = setup(&upstream, &redis, 2, ", year: 100").start();
    let statuses: Vec<_> = (0..5).map(|_| gateway.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 429, 429, 429]);
    let refused = gateway.get("/");
    assert_eq!(refused.header("X-RateLimit-Remaining-Year"), Some("98"));
    assert_eq!(
        (refused.message().as_str(), refused.header("RateLimit-Remaining")),
        ("API rate limit exceeded", Some("0"))
    );
    assert!(refused.headers.has("Retry-After"));
}

#[test]
fn without_redis_requests_pass_without_a_limit_and_one_line_tells_so() {
    within_one_day();
    let upstream = Upstream::echo();
    let mut redis = Redis::prepared(&[]);
    let gateway = setup(&upstream, &redis, 1, "").start();
    for _ in 0..50 {
        let answer = gateway.get("/");
        assert_eq!(answer.status, 200);
        let about: Vec<_> =
            answer.headers.names().into_iter().filter(|name| name.to_lowercase().contains("ratelimit")).collect();
        assert!(about.is_empty(), "{about:?}");
    }
    eventually(SOON, || gateway.log().contains("does not answer"));
    let lines: Vec<_> =
        gateway.log().lines().filter(|line| line.contains("does not answer")).map(str::to_owned).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains(&format!("Redis at 127.0.0.1:{}", redis.port())), "{lines:?}");
    // Once it is there, limits are kept again, and a line says that, too.
    redis.launch();
    eventually(SOON, || gateway.get("/").status == 429);
    eventually(SOON, || gateway.log().contains("answers again"));
}

#[test]
fn without_redis_requests_are_refused_if_that_is_not_tolerated() {
    let upstream = Upstream::echo();
    let redis = Redis::prepared(&[]);
    let gateway = setup(&upstream, &redis, 1, ", fault_tolerant: false").start();
    for _ in 0..3 {
        let answer = gateway.get("/");
        assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"message":"An unexpected error occurred"}"#));
        assert!(!answer.headers.has("RateLimit-Limit"));
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_server_that_hangs_costs_the_time_out_once() {
    within_one_day();
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let port = redis.port();
    let config = format!("day: 100, policy: redis, redis: {{host: 127.0.0.1, port: {port}, timeout: 300}}");
    let gateway = Gateway::with(&document(&upstream, &config)).setting("nginx_worker_processes", "1").start();
    assert_eq!(gateway.get("/").status, 200);
    redis.ask(&["CLIENT", "PAUSE", "3000"]);
    let slow = gateway.get("/");
    assert_eq!((slow.status, slow.headers.has("RateLimit-Limit")), (200, false));
    assert!(slow.took >= Duration::from_millis(250) && slow.took < Duration::from_millis(2_900), "{:?}", slow.took);
    eventually(SOON, || gateway.get("/").headers.has("RateLimit-Limit"));
}

#[test]
fn a_server_that_was_started_again_is_found_by_the_next_request() {
    within_one_day();
    let (upstream, mut redis) = (Upstream::echo(), Redis::start());
    let gateway = setup(&upstream, &redis, 100, "").start();
    assert_eq!(gateway.get("/").header("RateLimit-Remaining"), Some("99"));
    redis.stop();
    redis.launch();
    // Neither the connection nor the script is there any more.
    assert_eq!(gateway.get("/").header("RateLimit-Remaining"), Some("99"), "it has forgotten its counters, too");
}

#[test]
fn a_user_a_password_and_a_database_may_be_needed() {
    within_one_day();
    let upstream = Upstream::echo();
    let redis = Redis::with(&["--requirepass", "sesame", "--user", "limits", "on", ">open", "~ratelimit:*", "+@all"])
        .asking_with(&["--pass", "sesame", "-n", "3"]);
    let port = redis.port();
    let with = |more: &str| {
        let config = format!(
            "day: 5, policy: redis, redis: {{host: 127.0.0.1, port: {port}, database: 3{more}}}, fault_tolerant: false"
        );
        Gateway::serving(&document(&upstream, &config))
    };
    assert_eq!(with(", password: sesame").get("/").header("RateLimit-Remaining"), Some("4"));
    assert_eq!(with(", username: limits, password: open").get("/").header("RateLimit-Remaining"), Some("3"));
    assert!(redis.ask(&["KEYS", "*"]).starts_with("ratelimit:"));
    let refused = with(", password: secret-sauce");
    assert_eq!(refused.get("/").status, 500);
    eventually(SOON, || refused.log().contains("does not answer"));
    assert!(!refused.log().contains("secret-sauce"), "{}", refused.log());
}

#[test]
fn redis_may_speak_tls_and_its_certificate_is_checked_if_that_is_said() {
    within_one_day();
    let upstream = Upstream::echo();
    let (authority, port) = (Authority::new("Redis CA"), Port::free());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [certificate, key] = authority.issue(&["redis.test"]).write(folder.path(), "redis");
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, &authority.pem).expect("a certificate can be written");
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let number = port.number().to_string();
    let _redis = Redis::with(&[
        "--tls-port",
        &number,
        "--tls-cert-file",
        &path(&certificate),
        "--tls-key-file",
        &path(&key),
        "--tls-auth-clients",
        "no",
    ]);
    let with = |more: &str, trusted: &str| {
        let redis = format!("redis: {{host: 127.0.0.1, port: {number}, ssl: true{more}}}");
        let config = format!("day: 5, policy: redis, {redis}, fault_tolerant: false");
        Gateway::with(&document(&upstream, &config)).environment("SSL_CERT_FILE", trusted).start()
    };
    let nobody = folder.path().join("nobody.pem");
    std::fs::write(&nobody, &Authority::new("Nobody").pem).expect("a certificate can be written");
    assert_eq!(with("", &path(&nobody)).get("/").header("RateLimit-Remaining"), Some("4"), "not checked unless said");
    let checked = ", ssl_verify: true, server_name: redis.test";
    assert_eq!(with(checked, &path(&trusted)).get("/").header("RateLimit-Remaining"), Some("3"));
    assert_eq!(with(", ssl_verify: true", &path(&trusted)).get("/").status, 500, "127.0.0.1 is not its name");
    assert_eq!(with(checked, &path(&nobody)).get("/").status, 500, "nobody vouches for it");
}

#[test]
fn counters_may_be_exchanged_every_so_often() {
    within_one_day();
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let gateways = [(); 2].map(|()| setup(&upstream, &redis, 10, ", sync_rate: 0.05").start());
    for _ in 0..6 {
        assert_eq!(gateways[0].get("/").status, 200);
    }
    // The other one learns of them when it has something to tell itself.
    assert_eq!(gateways[1].get("/").header("RateLimit-Remaining"), Some("9"));
    let key = format!("ratelimit:{0}:{0}:127.0.0.1:{1}:day", "00000000-0000-0000-0000-000000000000", today());
    eventually(SOON, || redis.ask(&["GET", &key]) == "7");
    // A second exchange begins when the answer to the first is in: then seven are known there.
    assert_eq!(gateways[1].get("/").status, 200);
    eventually(SOON, || redis.ask(&["GET", &key]) == "8");
    let mut through = 1;
    eventually(SOON, || {
        let answer = gateways[1].get("/");
        through += u32::from(answer.status == 200);
        answer.status == 429
    });
    assert!(through <= 3, "{through}: seven were known");
    eventually(SOON, || redis.ask(&["GET", &key]) == "10");
}

#[test]
fn while_exchanging_a_node_counts_for_itself_without_redis() {
    within_one_day();
    let upstream = Upstream::echo();
    let redis = Redis::prepared(&[]);
    let gateway = setup(&upstream, &redis, 3, ", sync_rate: 0.05").start();
    let statuses: Vec<_> = (0..5).map(|_| gateway.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    eventually(SOON, || gateway.log().contains("does not answer"));
    let strict = setup(&upstream, &redis, 100, ", sync_rate: 0.05, fault_tolerant: false").start();
    eventually(SOON, || strict.get("/").status == 500);
}
