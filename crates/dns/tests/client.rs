//! Names against a real DNS server (dnsmasq), and against servers that fail or say nothing.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use towergate_dns::{Answer, Client, Failure, Found, Kind, Settings};

const SOON: Duration = Duration::from_secs(10);

/// A dnsmasq that knows what its hosts file says, with a TTL of one second, and is asked for nothing else.
struct Server {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Server {
    fn start(hosts: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hosts"), hosts).unwrap();
        let address = free();
        let hosts = format!("--addn-hosts={}", folder.path().join("hosts").display());
        let child = Command::new("dnsmasq")
            .args(["-C", "/dev/null", "-k", "--no-resolv", "--no-hosts", "--local-ttl=1", "--local=/test/"])
            .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--user=", &hosts])
            .arg(format!("--port={}", address.port()))
            .args(more)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq runs (Debian's dnsmasq-base)");
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < SOON, "dnsmasq does not listen on {address}");
            thread::sleep(Duration::from_millis(5));
        }
        Self { child, folder, address }
    }

    /// From now on other hosts.
    fn change(&self, hosts: &str) {
        fs::write(self.folder.path().join("hosts"), hosts).unwrap();
        let told = Command::new("kill").args(["-s", "HUP", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that is free for both protocols. Its port lies below those that the system gives to sockets that ask for none,
/// such as the questions of other tests, and is given out once.
fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = process::id().wrapping_mul(2_654_435_761).wrapping_add(step.into()) % 20_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 12_000 + u16::try_from(place).unwrap()));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Asks this server and nobody else, and remembers failures shortly.
fn settings(server: SocketAddr) -> Settings {
    let resolv_conf = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/resolv.conf"));
    let hosts_file = PathBuf::from("/nonexistent");
    let error_ttl = Duration::from_millis(100);
    Settings { servers: vec![server], resolv_conf, hosts_file, error_ttl, ..Settings::default() }
}

fn client(server: SocketAddr) -> Client {
    Client::new(settings(server))
}

fn ips(answer: &Arc<Answer>) -> Vec<String> {
    let mut ips: Vec<_> = answer.found.iter().flatten().map(|found| found.ip.to_string()).collect();
    ips.sort();
    ips
}

async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < SOON, "waited for a condition that did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_name_has_all_its_addresses() {
    let server = Server::start("10.0.0.1 web.test\n10.0.0.2 web.test\nfd00::1 web.test\nfd00::2 six.test\n", &[]);
    let answer = client(server.address).look_up("web.test").await;
    assert_eq!((ips(&answer), answer.kind), (vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()], "A"));
    let six = client(server.address).look_up("six.test").await;
    assert_eq!(six.found, Err(Failure::Empty), "IPv6 only where the order says so, as in Kong");
    let order = vec![Kind::A, Kind::Aaaa];
    let both = Client::new(Settings { order, ..settings(server.address) });
    let six = both.look_up("six.test").await;
    assert_eq!((ips(&six), six.kind), (vec!["fd00::2".to_owned()], "AAAA"));
}

#[tokio::test]
async fn of_services_those_of_the_highest_priority_count() {
    let services =
        ["a.test,8001,1,3", "b.test,8002,1,0", "c.test,8003,2,9"].map(|s| format!("--srv-host=shop.test,{s}"));
    let more: Vec<_> = services.iter().map(String::as_str).collect();
    let server = Server::start("10.0.0.1 a.test\n10.0.0.2 b.test\n10.0.0.3 c.test\n10.0.0.9 shop.test\n", &more);
    let answer = client(server.address).look_up("shop.test").await;
    let mut found = answer.found.clone().unwrap();
    found.sort_by_key(|found| found.port);
    let service = |name: &str, ip: [u8; 4], port, weight| Found {
        ip: ip.into(),
        port: Some(port),
        weight: Some(weight),
        name: Some(name.into()),
    };
    assert_eq!(found, [service("a.test", [10, 0, 0, 1], 8001, 3), service("b.test", [10, 0, 0, 2], 8002, 0)]);
    assert_eq!(answer.kind, "SRV", "asked for before A");
    let order = vec![Kind::A, Kind::Srv];
    let plain = Client::new(Settings { order, ..settings(server.address) });
    assert_eq!(ips(&plain.look_up("shop.test").await), ["10.0.0.9"]);
}

#[tokio::test]
async fn other_names_are_followed() {
    let server = Server::start("10.0.0.1 real.test\n", &["--cname=alias.test,real.test"]);
    assert_eq!(ips(&client(server.address).look_up("alias.test").await), ["10.0.0.1"]);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_remembered_as_such() {
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let not_found_ttl = Duration::from_secs(2);
    let client = Client::new(Settings { not_found_ttl, ..settings(server.address) });
    let answer = client.look_up("none.test").await;
    assert_eq!(answer.found, Err(Failure::NoSuchName));
    assert_eq!(answer.found.as_ref().unwrap_err().to_string(), "dns server error: 3 name error");
    server.change("10.0.0.7 none.test\n");
    assert_eq!(client.look_up("none.test").await, answer, "for as long as it is set");
    eventually(async || client.look_up("none.test").await.found.is_ok()).await;
    assert!(Instant::now() >= answer.expires);
}

#[tokio::test]
async fn an_answer_is_renewed_beside_those_who_ask() {
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let client = client(server.address);
    let first = client.look_up("web.test").await;
    let lifetime = first.expires.saturating_duration_since(Instant::now());
    assert!(lifetime <= Duration::from_secs(1), "its own TTL counts: {lifetime:?}");
    server.change("10.0.0.2 web.test\n");
    assert_eq!(client.look_up("web.test").await, first);
    tokio::time::sleep_until(first.expires.into()).await;
    assert_eq!(client.look_up("web.test").await, first, "at once, while the new one is fetched");
    eventually(async || ips(&client.look_up("web.test").await) == ["10.0.0.2"]).await;
}

#[tokio::test]
async fn without_a_server_the_last_answer_goes_on_to_count() {
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let address = server.address;
    let valid_ttl = Some(Duration::from_millis(100));
    let client = Client::new(Settings { valid_ttl, ..settings(address) });
    let first = client.look_up("web.test").await;
    drop(server);
    tokio::time::sleep_until(first.expires.into()).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(600) {
        assert_eq!(client.look_up("web.test").await, first, "over several failures");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn answers_that_are_not_to_get_stale_do_not() {
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let (stale_ttl, valid_ttl) = (Duration::ZERO, Some(Duration::from_millis(100)));
    let client = Client::new(Settings { stale_ttl, valid_ttl, ..settings(server.address) });
    let first = client.look_up("web.test").await;
    drop(server);
    tokio::time::sleep_until(first.expires.into()).await;
    assert!(matches!(client.look_up("web.test").await.found, Err(Failure::Failed(_))));
}

#[tokio::test]
async fn a_name_that_goes_is_believed_to_be_gone() {
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let client = client(server.address);
    assert!(client.look_up("web.test").await.found.is_ok());
    server.change("");
    eventually(async || client.look_up("web.test").await.found == Err(Failure::NoSuchName)).await;
}

/// A server that counts questions and answers each with what `answer` makes of it.
fn fake(answer: fn(&mut [u8]) -> bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, questions) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = questions.clone();
    // It ends with the process.
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut bytes) {
            counted.fetch_add(1, Ordering::Relaxed);
            let message = bytes.get_mut(..count).unwrap();
            if answer(message) {
                let _ = socket.send_to(message, from);
            }
        }
    });
    (address, questions)
}

/// Turns a question into an answer with this code (RFC 1035 section 4.1.1).
fn code(message: &mut [u8], code: u8) -> bool {
    *message.get_mut(2).unwrap() |= 0x80;
    *message.get_mut(3).unwrap() = 0x80 | code;
    true
}

#[tokio::test]
async fn a_servers_failure_is_told_in_kongs_words() {
    let (failing, _) = fake(|message| code(message, 2));
    let (refusing, _) = fake(|message| code(message, 5));
    for (server, words) in [(failing, "dns server error: 2 server failure"), (refusing, "dns server error: 5 refused")]
    {
        let answer = client(server).look_up("web.test").await;
        assert_eq!(answer.found, Err(Failure::Failed(words.into())));
        assert!(answer.expires <= Instant::now() + Duration::from_millis(100), "asked again soon");
    }
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_for_ever_and_the_next_is_asked() {
    let (silent, _) = fake(|_| false);
    let order = vec![Kind::A];
    let only = Settings { order, ..settings(silent) };
    let start = Instant::now();
    let answer = Client::new(only.clone()).look_up("web.test").await;
    assert!(matches!(&answer.found, Err(Failure::Failed(why)) if why.contains("time")), "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let two = Settings { servers: vec![silent, server.address], ..only };
    assert_eq!(ips(&Client::new(two).look_up("web.test").await), ["10.0.0.1"]);
}

#[tokio::test]
async fn many_who_ask_at_once_ask_once() {
    let (server, questions) = fake(|message| {
        thread::sleep(Duration::from_millis(50));
        code(message, 3)
    });
    let order = vec![Kind::A];
    let client = Client::new(Settings { order, ..settings(server) });
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.look_up("web.test").await })
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap().found, Err(Failure::NoSuchName));
    }
    assert_eq!(questions.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn search_domains_and_dots_count_as_in_resolv_conf() {
    let server = Server::start("10.0.0.1 web.shop.test\n10.0.0.2 a.b.shop.test\n10.0.0.3 a.b\n", &["--local=/b/"]);
    let folder = tempfile::tempdir().unwrap();
    let resolv_conf = folder.path().join("resolv.conf");
    for (ndots, dotted) in [(1, "10.0.0.3"), (2, "10.0.0.2")] {
        fs::write(&resolv_conf, format!("search shop.test\noptions ndots:{ndots} timeout:1\n")).unwrap();
        let client = Client::new(Settings { resolv_conf: resolv_conf.clone(), ..settings(server.address) });
        assert_eq!(ips(&client.look_up("web").await), ["10.0.0.1"]);
        assert_eq!(ips(&client.look_up("a.b").await), [dotted], "ndots:{ndots}");
    }
}

#[tokio::test]
async fn the_hosts_file_comes_first() {
    let server = Server::start("10.0.0.1 web.test\n", &[]);
    let folder = tempfile::tempdir().unwrap();
    let hosts_file = folder.path().join("hosts");
    fs::write(&hosts_file, "# ours\n127.0.0.5 web.test Other\n::1 six\n").unwrap();
    let client = Client::new(Settings { hosts_file, ..settings(server.address) });
    for name in ["web.test", "other", "OTHER"] {
        assert_eq!(client.look_up(name).await.found, Ok(vec![plain([127, 0, 0, 5])]), "{name}");
    }
    assert!(client.look_up("six").await.found.is_err());
}

fn plain(ip: [u8; 4]) -> Found {
    Found { ip: IpAddr::from(ip), port: None, weight: None, name: None }
}

#[tokio::test]
async fn what_is_no_name_is_a_failure() {
    let server = Server::start("", &[]);
    for name in ["", "no name", "a..b", &"x".repeat(300)] {
        assert!(client(server.address).look_up(name).await.found.is_err(), "{name:?}");
    }
}
