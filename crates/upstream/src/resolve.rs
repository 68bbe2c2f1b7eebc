//! Names to addresses, remembered for a few seconds.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::OnceCell, time::Instant};
use towergate_balancer::{Address, Answer, Asking, Names};

use crate::error::{Error, Kind};

/// How long an answer is used before the system is asked again.
const FRESH: Duration = Duration::from_secs(5);
/// The same for a name that has no address.
const FRESH_FAILURE: Duration = Duration::from_secs(1);
/// How long an answer is still good when newer ones cannot be had.
const STALE: Duration = Duration::from_secs(3600);
/// Above this many names, those not asked for lately are forgotten.
const NAMES: usize = 1024;

/// Asks the system's resolver, at most once per name and few seconds: requests that come while a
/// question is open wait for its answer. When a name that had addresses cannot be resolved any
/// more, its last addresses are used for up to an hour.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    names: Mutex<HashMap<Box<str>, Arc<Entry>>>,
}

/// One question.
#[derive(Debug)]
struct Entry {
    asked: Instant,
    answer: OnceCell<Option<Arc<[IpAddr]>>>,
    /// The last good answer to an earlier question, and when that was asked.
    previous: Option<(Instant, Arc<[IpAddr]>)>,
    turn: AtomicUsize,
}

impl Resolver {
    /// An address of this name, in turn, preferably none of `tried`.
    pub(crate) async fn resolve(&self, name: &str, port: u16, tried: &[SocketAddr]) -> Result<SocketAddr, Error> {
        let entry = self.entry(name);
        let addresses = entry.addresses(name).await;
        let address = addresses.and_then(|addresses| {
            let turn = entry.turn.fetch_add(1, Ordering::Relaxed).checked_rem(addresses.len())?;
            let (before, from) = addresses.split_at(turn);
            let in_turn = || from.iter().chain(before).map(|ip| SocketAddr::new(*ip, port));
            in_turn().find(|address| !tried.contains(address)).or_else(|| in_turn().next())
        });
        address.ok_or_else(|| Error::new(Kind::Resolve(name.to_owned())))
    }

    /// All addresses of this name, and how long they are good for.
    async fn all(&self, name: &str) -> Answer {
        let addresses = self.entry(name).addresses(name).await;
        let address = |ip: &IpAddr| Address { ip: *ip, port: None, weight: None };
        match addresses {
            Some(found) => Answer { addresses: found.iter().map(address).collect(), ttl: FRESH, kind: "A".into() },
            None => Answer { addresses: Vec::new(), ttl: FRESH_FAILURE, kind: "name resolution failed".into() },
        }
    }

    /// The open or still fresh question for this name; a new one otherwise.
    fn entry(&self, name: &str) -> Arc<Entry> {
        let now = Instant::now();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let last = names.get(name);
        if let Some(entry) = last.filter(|entry| entry.is_fresh(now)) {
            return entry.clone();
        }
        let entry = Arc::new(Entry {
            asked: now,
            answer: OnceCell::new(),
            previous: last.and_then(|entry| entry.good()),
            turn: AtomicUsize::new(last.map_or(0, |entry| entry.turn.load(Ordering::Relaxed))),
        });
        if names.len() >= NAMES {
            names.retain(|_, entry| entry.is_fresh(now));
        }
        names.insert(name.into(), entry.clone());
        entry
    }
}

impl Names for Resolver {
    fn look_up<'a>(&'a self, name: &'a str) -> Asking<'a> {
        Box::pin(self.all(name))
    }
}

impl Entry {
    fn is_fresh(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.asked);
        match self.answer.get() {
            // A question stays open for as long as the system takes.
            None => true,
            Some(Some(_)) => age < FRESH,
            Some(None) => age < FRESH_FAILURE,
        }
    }

    /// The newest good answer and when it was asked for.
    fn good(&self) -> Option<(Instant, Arc<[IpAddr]>)> {
        match self.answer.get() {
            Some(Some(addresses)) => Some((self.asked, addresses.clone())),
            _ => self.previous.clone(),
        }
    }

    async fn addresses(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        let answer = self.answer.get_or_init(|| ask(name)).await;
        if answer.is_some() {
            return answer.clone();
        }
        let (asked, addresses) = self.previous.clone()?;
        (asked.elapsed() < STALE).then_some(addresses)
    }
}

async fn ask(name: &str) -> Option<Arc<[IpAddr]>> {
    match look_up(name).await {
        Ok(addresses) if addresses.is_empty() => None,
        Ok(addresses) => Some(addresses.into()),
        Err(error) => {
            tracing::warn!(name, cause = %error, "Name not resolved");
            None
        }
    }
}

/// All addresses the system knows, each once.
async fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for found in tokio::net::lookup_host((name, 0)).await? {
        if !addresses.contains(&found.ip()) {
            addresses.push(found.ip());
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A resolver that was told these addresses just now.
    fn told(name: &str, addresses: Option<&[[u8; 4]]>, asked: Instant, previous: Option<[u8; 4]>) -> Resolver {
        let list = |bytes: &[[u8; 4]]| bytes.iter().map(|b| IpAddr::from(Ipv4Addr::from(*b))).collect::<Arc<[_]>>();
        let entry = Entry {
            asked,
            answer: OnceCell::new_with(Some(addresses.map(list))),
            previous: previous.map(|bytes| (asked, list(&[bytes]))),
            turn: AtomicUsize::new(0),
        };
        Resolver { names: Mutex::new(HashMap::from([(name.into(), Arc::new(entry))])) }
    }

    #[tokio::test]
    async fn the_addresses_of_a_name_take_turns() {
        let resolver = told("shop.test", Some(&[[10, 0, 0, 1], [10, 0, 0, 2]]), Instant::now(), None);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(resolver.resolve("shop.test", 80, &[]).await.unwrap().to_string());
        }
        assert_eq!(seen, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"]);
        let first = "10.0.0.1:80".parse().unwrap();
        for _ in 0..3 {
            assert_ne!(resolver.resolve("shop.test", 80, &[first]).await.unwrap(), first);
        }
    }

    #[tokio::test]
    async fn localhost_is_found_and_kept() {
        let resolver = Resolver::default();
        assert!(resolver.resolve("localhost", 80, &[]).await.unwrap().ip().is_loopback());
        let before = resolver.entry("localhost");
        resolver.resolve("localhost", 81, &[]).await.unwrap();
        assert!(Arc::ptr_eq(&before, &resolver.entry("localhost")), "not asked again");
    }

    #[tokio::test]
    async fn a_name_without_address_is_said_so_in_the_balancers_words() {
        let error = Resolver::default().resolve("no name.invalid", 80, &[]).await.unwrap_err();
        assert_eq!(error.reply().message(), Some("name resolution failed"));
        assert_eq!(error.status().as_u16(), 503);
    }

    #[tokio::test]
    async fn when_an_answer_cannot_be_renewed_the_last_one_counts() {
        let resolver = told("shop.test", None, Instant::now(), Some([10, 0, 0, 3]));
        assert_eq!(resolver.resolve("shop.test", 1, &[]).await.unwrap().to_string(), "10.0.0.3:1");
    }
}
