//! Names to addresses: what each worker remembers of what the DNS client knows.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use towergate_balancer::{Address, Asking, Names};
use towergate_core::{LookUp, Spans};
use towergate_dns::{Answer, Client, Failure, Found};
use towergate_lb::{Pick, RoundRobin};

use crate::{
    chosen::Tried,
    error::{Error, Kind},
};

/// Above this many names, those whose time is over are forgotten.
const NAMES: usize = 1024;

/// An answer whose time is over is looked at again after so long, if there is no newer one yet.
const LOOK: Duration = Duration::from_secs(1);

/// What a worker knows of names. It asks the DNS client, which all workers share, when the time of an
/// answer is over: that answers at once with what it has, unless it has never heard of the name.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    client: Client,
    known: Mutex<HashMap<Box<str>, Arc<Known>>>,
}

/// An answer, and whose turn it is of its addresses.
#[derive(Debug)]
struct Known {
    answer: Arc<Answer>,
    turns: Arc<RoundRobin>,
}

impl Resolver {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// An address of this name, in turn, preferably none of those tried. A port that a record brings counts
    /// instead of this one, and so does its weight.
    pub(crate) async fn resolve(&self, name: &str, port: u16, tried: &Tried<'_>) -> Result<SocketAddr, Error> {
        let now = Instant::now();
        let (known, has_waited) = self.known(name, now).await;
        let chosen = known.pick(name, port, &tried.addresses);
        if let Some(spans) = tried.spans().filter(|_| has_waited) {
            let why =
                |error: &Error| known.answer.found.as_ref().map_or_else(Failure::to_string, |_| error.to_string());
            let found = chosen.as_ref().map(SocketAddr::ip).map_err(why);
            spans.waited(|| LookUp {
                name: name.to_owned(),
                port: Some(port),
                found,
                began: now,
                ended: Instant::now(),
            });
        }
        chosen
    }

    /// What is known of this name, and whether that had to be waited for.
    async fn known(&self, name: &str, now: Instant) -> (Arc<Known>, bool) {
        let before = self.lock().get(name).cloned();
        if let Some(known) = before.as_ref().filter(|known| now < known.answer.expires) {
            return (known.clone(), false);
        }
        // Boxed: nearly always it is known, and no request is to make room for asking.
        let (answer, has_waited) = Box::pin(self.client.wait_for(name)).await;
        let known = match before {
            Some(known) if Arc::ptr_eq(&known.answer, &answer) => known,
            before => self.remember(name, Arc::new(Known::of(answer, before.as_deref())), now),
        };
        (known, has_waited)
    }

    fn remember(&self, name: &str, known: Arc<Known>, now: Instant) -> Arc<Known> {
        let mut names = self.lock();
        if names.len() >= NAMES {
            names.retain(|_, known| now < known.answer.expires);
        }
        names.insert(name.into(), known.clone());
        known
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// An answer that says the same as the one before goes on with its turns.
    fn of(answer: Arc<Answer>, before: Option<&Self>) -> Self {
        // As in Kong, a weight of 0 counts as 1, and addresses without one as equals.
        let weights = answer.found.iter().flatten().map(|found| found.weight.unwrap_or(1).max(1));
        let turns = match before.filter(|before| before.answer.found == answer.found) {
            Some(before) => before.turns.clone(),
            None => Arc::new(RoundRobin::new(weights)),
        };
        Self { turns, answer }
    }

    /// One of its addresses, in turn, preferably none of those tried.
    fn pick(&self, name: &str, port: u16, tried: &[SocketAddr]) -> Result<SocketAddr, Error> {
        let found = self.answer.found.as_ref().map_err(|failure| {
            let name = name.to_owned();
            let kind =
                if failure.is_certain() { Kind::Resolve(name) } else { Kind::Unresolved(name, failure.to_string()) };
            Error::new(kind)
        })?;
        let address = |found: &Found| SocketAddr::new(found.ip, found.port.unwrap_or(port));
        let is_tried = |(_, found): &(usize, &Found)| tried.contains(&address(found));
        let places: Vec<usize> = match tried {
            [] => Vec::new(),
            _ => found.iter().enumerate().filter(is_tried).map(|(place, _)| place).collect(),
        };
        let chosen = self.turns.pick(0, &places).and_then(|place| found.get(place)).map(address);
        chosen.ok_or_else(|| Error::new(Kind::Resolve(name.to_owned())))
    }
}

/// A resolver of an upstream's targets while a request waits for it: what it waits for is noted.
pub(crate) struct Noting<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) spans: Option<&'a Spans>,
}

impl Names for Noting<'_> {
    fn look_up<'a>(&'a self, name: &'a str) -> Asking<'a> {
        let Some(spans) = self.spans.filter(|spans| spans.is_asked()) else { return self.resolver.look_up(name) };
        Box::pin(async move {
            let began = Instant::now();
            let (answer, has_waited) = self.resolver.client.wait_for(name).await;
            if has_waited {
                let found = match &answer.found {
                    Ok(found) => found.first().map(|found| found.ip).ok_or_else(|| Failure::Empty.to_string()),
                    Err(failure) => Err(failure.to_string()),
                };
                spans.waited(|| LookUp { name: name.to_owned(), port: None, found, began, ended: Instant::now() });
            }
            told(&answer)
        })
    }
}

impl Names for Resolver {
    fn look_up<'a>(&'a self, name: &'a str) -> Asking<'a> {
        Box::pin(async move { told(&*self.client.look_up(name).await) })
    }
}

/// An answer as an upstream takes it.
fn told(answer: &Answer) -> towergate_balancer::Answer {
    let ttl = answer.expires.saturating_duration_since(Instant::now()).max(LOOK);
    let address =
        |found: &Found| Address { ip: found.ip, port: found.port, weight: found.weight, name: found.name.clone() };
    let (addresses, kind) = match &answer.found {
        Ok(found) => (found.iter().map(address).collect(), answer.kind.to_owned()),
        Err(failure) => (Vec::new(), failure.to_string()),
    };
    towergate_balancer::Answer { addresses, ttl, kind }
}

#[cfg(test)]
mod tests {
    use towergate_core::Context;

    use super::*;
    use crate::chosen::Affinity;

    /// A resolver that was told these addresses just now.
    fn told(name: &str, found: &[([u8; 4], Option<u16>, Option<u16>)]) -> Resolver {
        let found =
            found.iter().map(|(ip, port, weight)| Found { ip: (*ip).into(), port: *port, weight: *weight, name: None });
        let answer =
            Answer { found: Ok(found.collect()), kind: "A", expires: Instant::now() + Duration::from_secs(60) };
        let resolver = Resolver::default();
        resolver.remember(name, Arc::new(Known::of(Arc::new(answer), None)), Instant::now());
        resolver
    }

    #[tokio::test]
    async fn the_addresses_of_a_name_take_turns() {
        let resolver = told("shop.test", &[([10, 0, 0, 1], None, None), ([10, 0, 0, 2], None, None)]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(resolver.resolve("shop.test", 80, &Tried::default()).await.unwrap().to_string());
        }
        seen.sort();
        assert_eq!(seen, ["10.0.0.1:80", "10.0.0.1:80", "10.0.0.2:80", "10.0.0.2:80"]);
        let first = "10.0.0.1:80".parse().unwrap();
        let mut tried = Tried::default();
        tried.addresses.push(first);
        for _ in 0..3 {
            assert_ne!(resolver.resolve("shop.test", 80, &tried).await.unwrap(), first);
        }
    }

    #[tokio::test]
    async fn services_bring_port_and_weight() {
        let resolver = told("shop.test", &[([10, 0, 0, 1], Some(81), Some(3)), ([10, 0, 0, 2], Some(82), Some(0))]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(resolver.resolve("shop.test", 80, &Tried::default()).await.unwrap().to_string());
        }
        seen.sort();
        assert_eq!(seen, ["10.0.0.1:81", "10.0.0.1:81", "10.0.0.1:81", "10.0.0.2:82"]);
    }

    #[test]
    fn turns_go_on_over_answers_that_say_the_same() {
        let answer = |last| {
            let found = [1, last].map(|n| Found { ip: [10, 0, 0, n].into(), port: None, weight: None, name: None });
            Arc::new(Answer { found: Ok(found.into()), kind: "A", expires: Instant::now() })
        };
        let first = Known::of(answer(2), None);
        assert!(Arc::ptr_eq(&Known::of(answer(2), Some(&first)).turns, &first.turns));
        assert!(!Arc::ptr_eq(&Known::of(answer(3), Some(&first)).turns, &first.turns));
    }

    #[tokio::test]
    async fn localhost_is_found_and_kept() {
        let resolver = Resolver::default();
        assert!(resolver.resolve("localhost", 80, &Tried::default()).await.unwrap().ip().is_loopback());
        let (before, _) = resolver.known("localhost", Instant::now()).await;
        resolver.resolve("localhost", 81, &Tried::default()).await.unwrap();
        let (after, has_waited) = resolver.known("localhost", Instant::now()).await;
        assert!(Arc::ptr_eq(&before, &after) && !has_waited, "not asked again");
    }

    /// Only what was waited for is noted, and only if somebody asks.
    #[tokio::test]
    async fn waiting_for_a_name_is_noted() {
        let (mut head, ()) = http::Request::new(()).into_parts();
        let (cx, resolver) = (Context::of(&mut head), Resolver::default());
        let tried = Tried::new(&cx, Affinity::default());
        resolver.resolve("localhost", 80, &tried).await.unwrap();
        assert!(cx.spans.look_ups().is_empty());
        cx.spans.ask();
        resolver.resolve("localhost", 80, &tried).await.unwrap();
        assert!(cx.spans.look_ups().is_empty(), "it was known");
        assert!(resolver.resolve("no name.invalid", 80, &tried).await.is_err());
        let noting = Noting { resolver: &Resolver::default(), spans: Some(&cx.spans) };
        noting.look_up("localhost").await;
        let [failed, found] = &cx.spans.look_ups()[..] else { panic!("{:?}", cx.spans) };
        assert_eq!((&*failed.name, failed.port), ("no name.invalid", Some(80)));
        assert!(failed.found.is_err() && failed.ended >= failed.began);
        assert_eq!((&*found.name, found.port), ("localhost", None));
        assert!(found.found.as_ref().is_ok_and(std::net::IpAddr::is_loopback));
    }

    #[tokio::test]
    async fn a_name_without_address_is_said_so_in_the_balancers_words() {
        let error = Resolver::default().resolve("no name.invalid", 80, &Tried::default()).await.unwrap_err();
        assert_eq!(error.reply().message(), Some("name resolution failed"));
        assert_eq!(error.status().as_u16(), 503);
    }
}
