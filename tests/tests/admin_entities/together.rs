//! Several who write while requests are served.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use serde_json::json;
use towergate_tests::{Request, Upstream};

use crate::setup::{ask, gateway, put};

#[test]
fn writers_lose_nothing_and_requests_notice_nothing() {
    let (upstream, gateway) = (Upstream::echo(), gateway());
    put(&gateway, "POST", "/services", &json!({"name": "echo", "url": upstream.url()}));
    put(&gateway, "POST", "/services/echo/routes", &json!({"paths": ["/steady"]}));
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let steady = scope.spawn(|| {
            let mut connection = gateway.connect();
            while !done.load(SeqCst) {
                assert_eq!(connection.request(&Request::get("/steady")).status, 200);
                served.fetch_add(1, SeqCst);
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let gateway = &gateway;
                scope.spawn(move || {
                    for number in 0..15 {
                        let name = format!("w{writer}-{number}");
                        let route = json!({"name": name, "paths": [format!("/{name}")], "service": {"name": "echo"}});
                        put(gateway, "POST", "/routes", &route);
                        assert_eq!(gateway.get(&format!("/{name}")).status, 200, "{name}");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("a writer that succeeds");
        }
        done.store(true, SeqCst);
        steady.join().expect("every request is served");
    });
    assert!(served.load(SeqCst) > 0);
    assert_eq!(ask(&gateway, "GET", "/routes?size=1000").json()["data"].as_array().map(Vec::len), Some(61));
}
