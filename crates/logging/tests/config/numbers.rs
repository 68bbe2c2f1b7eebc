//! What the fields of statsd and datadog do.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use towergate_logging::{Datadog, Statsd};

use crate::scene::{CONSUMER, Connections, Datagrams, ROUTE, SERVICE, Told};

const WORKSPACE: &str = "0dc6f45b-8f8d-40d2-a504-473544ee190b";

/// The lines that statsd sends of one request with these fields.
#[track_caller]
fn statsd(fields: Value) -> Vec<String> {
    let collector = Datagrams::new();
    let mut config = json!({"udp_packet_size": 65507});
    config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let told = Told::<Statsd>::of(collector.config(config));
    told.ended(200);
    collector.next().lines().map(str::to_owned).collect()
}

/// The one line that it sends of this metric.
#[track_caller]
fn one(metric: Value, mut fields: Value) -> String {
    fields["metrics"] = json!([metric]);
    let mut lines = statsd(fields);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn each_metric_of_statsd_has_kongs_name() {
    for (name, line) in [
        ("request_count", "kong.service.or_ders.request.count:1|c".to_owned()),
        ("request_size", "kong.service.or_ders.request.size:120|c".to_owned()),
        ("response_size", "kong.service.or_ders.response.size:340|c".to_owned()),
        ("latency", "kong.service.or_ders.latency:12|c".to_owned()),
        ("upstream_latency", "kong.service.or_ders.upstream_latency:7|c".to_owned()),
        ("kong_latency", "kong.service.or_ders.kong_latency:3|c".to_owned()),
        ("status_count", "kong.service.or_ders.status.200:1|c".to_owned()),
        ("unique_users", "kong.service.or_ders.user.uniques:a-1|s".to_owned()),
        ("request_per_user", "kong.service.or_ders.user.a-1.request.count:1|c".to_owned()),
        ("status_count_per_user", "kong.service.or_ders.user.a-1.status.200:1|c".to_owned()),
        ("status_count_per_workspace", format!("kong.service.or_ders.workspace.{WORKSPACE}.status.200:1|c")),
        ("status_count_per_user_per_route", format!("kong.route.{ROUTE}.user.a-1.status.200:1|c")),
    ] {
        let metric = json!({"name": name, "stat_type": "counter", "sample_rate": 1});
        assert_eq!(one(metric, json!({})), line, "{name}");
    }
    // Kong's shared memory, which is not there.
    let gauge = json!({"name": "shdict_usage", "stat_type": "gauge", "sample_rate": 1});
    let count = json!({"name": "request_count", "stat_type": "counter", "sample_rate": 1});
    assert_eq!(statsd(json!({"metrics": [gauge, count]})).len(), 1);
}

#[test]
fn types_rates_and_identifiers_of_statsds_metrics() {
    for (kind, short) in
        [("counter", "c"), ("gauge", "g"), ("histogram", "h"), ("meter", "m"), ("set", "s"), ("timer", "ms")]
    {
        let metric = json!({"name": "latency", "stat_type": kind, "sample_rate": 1});
        assert_eq!(one(metric, json!({})), format!("kong.service.or_ders.latency:12|{short}"));
    }
    let user = |identifier: Value| json!({"name": "request_per_user", "stat_type": "counter", "sample_rate": 1, "consumer_identifier": identifier});
    let count = |identifier: Value| json!({"name": "request_count", "stat_type": "counter", "sample_rate": 1, "service_identifier": identifier});
    let status = |identifier: Value| {
        json!({"name": "status_count_per_workspace", "stat_type": "counter", "sample_rate": 1,
               "workspace_identifier": identifier})
    };
    // By the metric, or else by what is said for all.
    for (said, field, metric) in [
        (json!("consumer_id"), "consumer_identifier_default", &user as &dyn Fn(Value) -> Value),
        (json!("custom_id"), "consumer_identifier_default", &user),
        (json!("username"), "consumer_identifier_default", &user),
        (json!("service_id"), "service_identifier_default", &count),
        (json!("service_name"), "service_identifier_default", &count),
        (json!("service_host"), "service_identifier_default", &count),
        (json!("service_name_or_host"), "service_identifier_default", &count),
        (json!("workspace_id"), "workspace_identifier_default", &status),
        (json!("workspace_name"), "workspace_identifier_default", &status),
    ] {
        let line = match said.as_str().unwrap() {
            "consumer_id" => format!("kong.service.or_ders.user.{CONSUMER}.request.count:1|c"),
            "custom_id" => "kong.service.or_ders.user.a-1.request.count:1|c".to_owned(),
            "username" => "kong.service.or_ders.user.alice.request.count:1|c".to_owned(),
            "service_id" => format!("kong.service.{SERVICE}.request.count:1|c"),
            "service_host" => "kong.service.orders_test.request.count:1|c".to_owned(),
            "workspace_id" => format!("kong.service.or_ders.workspace.{WORKSPACE}.status.200:1|c"),
            "workspace_name" => "kong.service.or_ders.workspace.default.status.200:1|c".to_owned(),
            _ => "kong.service.or_ders.request.count:1|c".to_owned(),
        };
        assert_eq!(one(metric(said.clone()), json!({})), line, "{said}");
        assert_eq!(one(metric(json!(null)), json!({ field: said })), line, "{field}: {said}");
    }
    // Those that come say how many there were; a set is whole.
    let rated = json!({"name": "request_count", "stat_type": "counter", "sample_rate": 0.5});
    let users = json!({"name": "unique_users", "stat_type": "set", "sample_rate": 0.000001});
    let lines = statsd(json!({"metrics": vec![rated; 100].into_iter().chain([users]).collect::<Vec<_>>()}));
    assert!((20..=80).contains(&lines.len()), "{}", lines.len());
    assert_eq!(lines[0], "kong.service.or_ders.request.count:1|c|@0.5");
    assert_eq!(lines.last().unwrap(), "kong.service.or_ders.user.uniques:a-1|s");
}

#[test]
fn prefix_and_tags_of_statsd() {
    let count = || json!({"name": "request_count", "stat_type": "counter", "sample_rate": 1});
    let node = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().replace('.', "_");
    assert_eq!(one(count(), json!({"prefix": "gw"})), "gw.service.or_ders.request.count:1|c");
    assert_eq!(
        one(count(), json!({"hostname_in_prefix": true})),
        format!("kong.node.{node}.service.or_ders.request.count:1|c")
    );
    let tags = |sign: char| {
        let tags = [
            ("service", "or.ders"),
            ("route", "orders-route"),
            ("workspace", WORKSPACE),
            ("consumer", "a-1"),
            ("node", &node),
            ("status", "200"),
        ];
        tags.map(|(name, value)| format!("{name}{sign}{value}")).join(",")
    };
    for (style, line) in [
        ("dogstatsd", format!("kong.request.count:1|c|#{}", tags(':'))),
        ("influxdb", format!("kong.request.count,{}:1|c", tags('='))),
        ("librato", format!("kong.request.count#{}:1|c", tags('='))),
        ("signalfx", format!("kong.request.count[{}]:1|c", tags('='))),
    ] {
        assert_eq!(one(count(), json!({"tag_style": style})), line);
        // Where there are tags the node is one, and what stands in names elsewhere is left out.
        let lines = statsd(json!({"tag_style": style, "hostname_in_prefix": true}));
        assert_eq!(lines.len(), 6, "{lines:?}");
    }
}

#[test]
fn statuses_packets_tcp_and_batches_of_statsd() {
    let count = json!([{"name": "status_count", "stat_type": "counter", "sample_rate": 1}]);
    for (ranges, told_of) in [
        (json!(null), vec![200, 404, 500]),
        (json!(["200-299", "500-500"]), vec![200, 500]),
        (json!(["404-404"]), vec![404]),
    ] {
        let collector = Datagrams::new();
        let told = Told::<Statsd>::of(collector.config(json!({"metrics": count, "allow_status_codes": ranges})));
        told.ended(200).ended(404).ended(500);
        for status in told_of {
            assert_eq!(collector.next(), format!("kong.service.or_ders.status.{status}:1|c"));
        }
    }
    // Without a packet size each has a datagram of its own.
    let collector = Datagrams::new();
    Told::<Statsd>::of(collector.config(json!({}))).ended(200);
    let single: Vec<_> = (0..12).map(|_| collector.next()).collect();
    assert!(single.iter().all(|line| !line.contains('\n')), "{single:?}");

    let collector = Connections::new();
    let told = Told::<Statsd>::of(collector.config(json!({"use_tcp": true, "metrics": count})));
    told.ended(200);
    let line = BufReader::new(collector.next()).lines().next().unwrap().unwrap();
    assert_eq!(line, "kong.service.or_ders.status.200:1|c");

    // Requests that are sent together share packets.
    for fields in [
        json!({"queue": {"max_batch_size": 2, "max_coalescing_delay": 20}}),
        json!({"queue_size": 2, "flush_timeout": 20, "retry_count": 3}),
    ] {
        let collector = Datagrams::new();
        let mut config = json!({"metrics": count, "udp_packet_size": 1000});
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let told = Told::<Statsd>::of(collector.config(config));
        told.ended(200).ended(201);
        assert_eq!(collector.next().lines().count(), 2);
    }
}

#[test]
fn a_request_without_a_service_is_unmatched_in_statsd_and_has_no_name_in_datadog() {
    let collector = Datagrams::new();
    let count = json!([{"name": "request_count", "stat_type": "counter", "sample_rate": 1}]);
    Told::<Statsd>::of(collector.config(json!({"metrics": count}))).unmatched();
    assert_eq!(collector.next(), "kong.global.unmatched.request.count:1|c");
    Told::<Statsd>::of(collector.config(json!({"metrics": count, "tag_style": "dogstatsd"}))).unmatched();
    assert_eq!(collector.next(), "kong.request.count:1|c");
    Told::<Datadog>::of(collector.config(json!({"metrics": count}))).unmatched();
    assert_eq!(collector.next(), "kong.request.count:1|c|#name:,status:404");
}

/// The line that datadog sends of one request with this metric.
#[track_caller]
fn datadog(metric: Value, mut fields: Value) -> String {
    let collector = Datagrams::new();
    fields["metrics"] = json!([metric]);
    let told = Told::<Datadog>::of(collector.config(fields));
    told.ended(200);
    collector.next()
}

#[test]
fn each_metric_of_datadog_has_kongs_name_type_and_tags() {
    let tags = "|#name:or_ders,status:200";
    for (name, value) in [
        ("request_count", "request.count:1"),
        ("request_size", "request.size:120"),
        ("response_size", "response.size:340"),
        ("latency", "latency:12"),
        ("upstream_latency", "upstream_latency:7"),
        ("kong_latency", "kong_latency:3"),
    ] {
        assert_eq!(datadog(json!({"name": name, "stat_type": "timer"}), json!({})), format!("kong.{value}|ms{tags}"));
    }
    for (kind, short) in [
        ("counter", "c"),
        ("gauge", "g"),
        ("histogram", "h"),
        ("meter", "m"),
        ("set", "s"),
        ("timer", "ms"),
        ("distribution", "d"),
    ] {
        let metric = json!({"name": "latency", "stat_type": kind, "sample_rate": 1});
        assert_eq!(datadog(metric, json!({})), format!("kong.latency:12|{short}{tags}"));
    }
    let consumer = |identifier: &str| json!({"name": "latency", "stat_type": "timer", "tags": ["app:kong", "x"], "consumer_identifier": identifier});
    let dashless = CONSUMER.to_string().replace('-', "_");
    for (identifier, name) in [("consumer_id", dashless.as_str()), ("custom_id", "a-1"), ("username", "alice")] {
        assert_eq!(
            datadog(consumer(identifier), json!({})),
            format!("kong.latency:12|ms{tags},consumer:{name},app:kong,x")
        );
    }
    assert_eq!(
        datadog(
            consumer("username"),
            json!({"prefix": "gw", "service_name_tag": "svc", "status_tag": "code", "consumer_tag": "who"})
        ),
        "gw.latency:12|ms|#svc:or_ders,code:200,who:alice,app:kong,x"
    );
}

#[test]
fn rates_and_batches_of_datadog() {
    let collector = Datagrams::new();
    let rated = json!({"name": "request_count", "stat_type": "counter", "sample_rate": 0.5});
    let never = json!({"name": "request_size", "stat_type": "counter", "sample_rate": 0});
    let last = json!({"name": "latency", "stat_type": "timer"});
    let metrics: Vec<_> = vec![rated; 100].into_iter().chain([never, last]).collect();
    Told::<Datadog>::of(collector.config(json!({"metrics": metrics}))).ended(200);
    let mut count = 0;
    loop {
        let line = collector.next();
        if line.starts_with("kong.latency") {
            break;
        }
        assert_eq!(line, "kong.request.count:1|c|@0.5|#name:or_ders,status:200");
        count += 1;
    }
    assert!((20..=80).contains(&count), "{count}");
    // Two are sent together.
    for fields in [
        json!({"queue": {"max_batch_size": 2, "max_coalescing_delay": 20}}),
        json!({"queue_size": 2, "flush_timeout": 20, "retry_count": 3}),
    ] {
        let collector = Datagrams::new();
        let told = Told::<Datadog>::of(collector.config(fields));
        told.ended(200);
        told.ended(201);
        assert!(collector.next().contains("status:200"));
        let others: Vec<_> = (0..11).map(|_| collector.next()).collect();
        assert!(others[10].contains("status:201"), "{others:?}");
    }
}
