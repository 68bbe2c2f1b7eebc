//! Bodies that are larger than the memory they may take, in both directions, with partners of all speeds.

use std::thread;

use towergate_tests::{Bulk, Delimiting, Gateway, Pipe, Progress, SOON, eventually, proxying_to};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What the gateway may need beside its program, whatever passes through it.
const MEMORY: u64 = 32 * MIB;

/// What may be under way in the buffers of two sockets of the gateway and in its own: enough for any system's defaults, and
/// far less than a body.
const UNDER_WAY: u64 = 32 * MIB;

#[track_caller]
fn serving(upstream: &Bulk, route_fields: &str) -> Gateway {
    let document = proxying_to(&upstream.url(), &["retries: 0"]);
    Gateway::with(&format!("{document}{route_fields}")).setting("nginx_worker_processes", "1").start()
}

#[track_caller]
fn assert_small(gateway: &Gateway) {
    let peak = gateway.peak_memory();
    assert!(peak < MEMORY, "{} MiB", peak / MIB);
}

/// Waits until a transfer has come to a halt, because nobody takes anything of it.
#[track_caller]
fn halted(bytes: impl Fn() -> u64) -> u64 {
    let (mut last, mut looks) = (0, 0);
    eventually(SOON, || {
        let now = bytes();
        looks = if now == last && now > 0 { looks + 1 } else { 0 };
        last = now;
        looks == 40
    });
    last
}

// --- a gigabyte ----------------------------------------------------------------------------------------------------------------

#[track_caller]
fn downloads(frames: Delimiting) {
    let upstream = Bulk::serving(GIB, frames);
    let gateway = serving(&upstream, "");
    let mut client = Pipe::open(gateway.proxy(), false);
    client.ask("GET", "/", "").unwrap();
    let whole = client.receive(|_| {}).unwrap();
    assert_eq!((whole.status, whole.bytes), (200, GIB));
    assert_small(&gateway);
}

#[test]
fn a_gigabyte_with_a_length_comes_down() {
    downloads(Delimiting::Length);
}

#[test]
fn a_gigabyte_in_chunks_comes_down() {
    downloads(Delimiting::Chunked);
}

#[test]
fn a_gigabyte_that_ends_with_its_connection_comes_down() {
    downloads(Delimiting::UntilClose);
}

#[track_caller]
fn uploads(frames: Delimiting, route_fields: &str) {
    let upstream = Bulk::serving(0, Delimiting::Length);
    let gateway = serving(&upstream, route_fields);
    let mut client = Pipe::open(gateway.proxy(), false);
    client.upload("/", GIB, frames, &Progress::default()).unwrap();
    let whole = client.receive(|_| {}).unwrap();
    assert_eq!((whole.status, whole.uploaded), (200, Some(GIB)));
    assert_small(&gateway);
}

/// Kong would write it to a file first; here it goes on as it comes.
#[test]
fn a_gigabyte_with_a_length_goes_up() {
    uploads(Delimiting::Length, "");
}

#[test]
fn a_gigabyte_in_chunks_goes_up() {
    uploads(Delimiting::Chunked, "");
}

#[test]
fn a_gigabyte_goes_up_unbuffered() {
    uploads(Delimiting::Chunked, "    request_buffering: false\n");
}

// --- slow partners ---------------------------------------------------------------------------------------------------------------

#[test]
fn a_client_that_reads_in_steps_holds_its_upstream_back() {
    for frames in [Delimiting::Length, Delimiting::Chunked, Delimiting::UntilClose] {
        let bytes = 256 * MIB;
        let upstream = Bulk::serving(bytes, frames);
        let gateway = serving(&upstream, "");
        let mut client = Pipe::open(gateway.proxy(), true);
        client.ask("GET", "/", "").unwrap();
        let mut step = 0;
        let whole = client.receive(|come| {
            if come >= step {
                let sent = halted(|| upstream.sent());
                assert!(sent < come + UNDER_WAY, "{frames:?}: {sent} bytes were taken for a client that has {come}");
                step = if step >= 3 * MIB { u64::MAX } else { step + MIB };
            }
        });
        assert_eq!(whole.map(|whole| whole.bytes), Ok(bytes), "{frames:?}");
        assert_small(&gateway);
    }
}

#[test]
fn an_upstream_that_reads_in_steps_holds_its_client_back() {
    for (frames, route_fields) in
        [(Delimiting::Length, ""), (Delimiting::Chunked, ""), (Delimiting::Chunked, "    request_buffering: false\n")]
    {
        let bytes = 256 * MIB;
        let upstream = Bulk::reluctant();
        let gateway = serving(&upstream, route_fields);
        let mut client = Pipe::open(gateway.proxy(), false);
        let progress = Progress::default();
        let watched = progress.clone();
        let sender = thread::spawn(move || {
            client.upload("/", bytes, frames, &progress).unwrap();
            client.receive(|_| {}).unwrap()
        });
        for step in 1..=3 {
            let sent = halted(|| watched.bytes());
            let taken = upstream.received();
            assert!(sent < taken + UNDER_WAY, "{frames:?}: {sent} bytes were taken for an upstream that has {taken}");
            upstream.let_in(step * MIB);
            eventually(SOON, || upstream.received() >= step * MIB);
        }
        upstream.let_in(u64::MAX);
        assert_eq!(sender.join().unwrap().uploaded, Some(bytes), "{frames:?}");
        assert_small(&gateway);
    }
}

/// Each costs what is under way, not what it asked for.
#[test]
fn many_clients_that_read_nothing_cost_little() {
    let upstream = Bulk::serving(GIB, Delimiting::Length);
    let gateway = serving(&upstream, "");
    let clients: Vec<Pipe> = (0..24)
        .map(|_| {
            let mut client = Pipe::open(gateway.proxy(), true);
            client.ask("GET", "/", "").unwrap();
            client
        })
        .collect();
    halted(|| upstream.sent());
    assert_small(&gateway);
    drop(clients);
}

/// A client that takes nothing for `send_timeout` is cut off, and its upstream is let go.
#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let upstream = Bulk::serving(GIB, Delimiting::Length);
    let document = proxying_to(&upstream.url(), &["retries: 0"]);
    let gateway = Gateway::with(&document).setting("nginx_http_send_timeout", "1").start();
    let mut client = Pipe::open(gateway.proxy(), true);
    client.ask("GET", "/", "").unwrap();
    halted(|| upstream.sent());
    eventually(SOON, || upstream.open_connections() == 0);
    let broken = client.receive(|_| {});
    assert!(broken.is_err(), "{broken:?}");
}
