//! How ids are made.

use std::{
    cell::RefCell,
    fmt::{self, Write},
    net::{IpAddr, Ipv4Addr},
    process,
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use towergate_core::Context;
use towergate_schema::Schema;
use uuid::Uuid;

/// How an id is made when the client sent none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, Schema)]
pub enum Generator {
    /// A random UUID (version 4) for each request.
    #[serde(rename = "uuid")]
    Uuid,
    /// A UUID for each worker thread, `#`, and how many ids the thread has made, from 1: cheaper
    /// than a UUID for each request, and in order.
    #[default]
    #[serde(rename = "uuid#counter")]
    UuidCounter,
    /// `address-port-pid-connection-request-time`: the address and port that accepted the
    /// connection, the process, the connection's number, the request's number on it, and the
    /// seconds since 1970 with three decimals. Address and port are `0.0.0.0` and `0` when the
    /// service this is embedded in does not tell them.
    #[serde(rename = "tracker")]
    Tracker,
}

impl Generator {
    /// The generator of this name in configuration.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Uuid, Self::UuidCounter, Self::Tracker].into_iter().find(|generator| generator.as_str() == name)
    }

    /// Its name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::UuidCounter => "uuid#counter",
            Self::Tracker => "tracker",
        }
    }

    /// A new id for this request.
    pub(crate) fn id(self, cx: &Context) -> HeaderValue {
        let id = match self {
            Self::Uuid => HeaderValue::from_str(Uuid::new_v4().hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Self::UuidCounter => SERIAL.with_borrow_mut(|serial| HeaderValue::from_str(serial.next())),
            Self::Tracker => HeaderValue::from_str(&tracker(cx)),
        };
        // Hexadecimal digits and punctuation only; the fallback is never taken.
        id.unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

thread_local! {
    static SERIAL: RefCell<Serial> = RefCell::new(Serial::new(Uuid::new_v4()));
}

/// The ids of one worker thread.
struct Serial {
    /// The latest one, which all begin alike.
    id: String,
    prefix: usize,
    count: u64,
}

impl Serial {
    fn new(worker: Uuid) -> Self {
        let id = format!("{worker}#");
        Self { prefix: id.len(), id, count: 0 }
    }

    fn next(&mut self) -> &str {
        self.count = self.count.wrapping_add(1);
        self.id.truncate(self.prefix);
        // Writing to a text does not fail.
        let _ = write!(self.id, "{}", self.count);
        &self.id
    }
}

fn tracker(cx: &Context) -> String {
    let client = &cx.client;
    let (address, port) =
        client.local.map_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), |local| (local.ip(), local.port()));
    let time = cx.timing.started_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!(
        "{address}-{port}-{}-{}-{}-{}.{:03}",
        process::id(),
        client.connection,
        client.connection_requests,
        time.as_secs(),
        time.subsec_millis(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::Request;
    use towergate_core::{Client, Timing};

    use super::*;

    fn cx(client: Client, millis: u64) -> Context {
        let (head, ()) = Request::new(()).into_parts();
        let started_at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        Context::new(client, &head, Timing::at(Instant::now(), started_at), None)
    }

    #[test]
    fn uuid_is_random_version_4() {
        let cx = cx(Client::default(), 0);
        let ids = [(); 2].map(|()| Generator::Uuid.id(&cx));
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            let id = id.to_str().unwrap();
            assert_eq!(Uuid::parse_str(id).unwrap().get_version_num(), 4);
            assert_eq!((id.len(), id), (36, id.to_lowercase().as_str()));
        }
    }

    #[test]
    fn uuid_counter_counts_from_one_in_each_thread() {
        let ids = || {
            let cx = cx(Client::default(), 0);
            [(); 3].map(|()| Generator::UuidCounter.id(&cx).to_str().unwrap().to_owned())
        };
        let [here, there] = [(); 2].map(|()| std::thread::spawn(ids).join().unwrap());
        let (worker, _) = here[0].split_once('#').unwrap();
        assert_eq!(here, ["1", "2", "3"].map(|n| format!("{worker}#{n}")));
        assert!(Uuid::parse_str(worker).is_ok());
        assert_ne!(here[0], there[0]);
        assert!(there[0].ends_with("#1"));
    }

    #[test]
    fn tracker_tells_connection_and_time() {
        let client = Client {
            local: Some("192.0.2.7:8443".parse().unwrap()),
            connection: 12,
            connection_requests: 3,
            ..Client::default()
        };
        let pid = process::id();
        let cases = [
            (client, 1_700_000_000_050, format!("192.0.2.7-8443-{pid}-12-3-1700000000.050")),
            (Client::default(), 999, format!("0.0.0.0-0-{pid}-0-0-0.999")),
        ];
        for (client, millis, expected) in cases {
            assert_eq!(Generator::Tracker.id(&cx(client, millis)), expected);
        }
    }

    #[test]
    fn generators_have_names() {
        for name in ["uuid", "uuid#counter", "tracker"] {
            assert_eq!(Generator::named(name).unwrap().to_string(), name);
        }
        assert_eq!(Generator::named("UUID"), None);
        assert_eq!(Generator::default().as_str(), "uuid#counter");
    }
}
