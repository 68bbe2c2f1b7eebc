//! The plugin `statsd`.

use std::{sync::Arc, time::Duration};

use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};

use super::{
    config::StatsdConfig,
    metrics::{Facts, Metrics},
};
use crate::{legacy, network::udp::Udp};

/// How long sending may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Sends numbers of each request to a StatsD server: the policy of the plugin `statsd`.
#[derive(Debug)]
pub struct Statsd {
    queue: Queue<Facts>,
    queues: Arc<Queues>,
    server: Arc<Server>,
    /// The statuses of the requests that count; `None` is all.
    statuses: Option<Vec<(u16, u16)>>,
}

#[derive(Debug)]
struct Server {
    metrics: Metrics,
    udp: Udp,
    packet_size: usize,
    over_tcp: bool,
}

impl Plugin for Statsd {
    const NAME: &'static str = "statsd";
    const PRIORITY: i32 = 11;

    type Config = StatsdConfig;

    fn new(config: StatsdConfig, env: &Env) -> Result<Self, PluginError> {
        let settings = legacy::settings(&config.queue, config.queue_size, config.flush_timeout);
        let host = config.host.clone().unwrap_or_else(|| "localhost".into());
        let server = Server {
            metrics: Metrics::new(&config),
            udp: Udp { host, port: config.port.unwrap_or(8125), timeout: TIMEOUT },
            packet_size: packet_size(config.udp_packet_size),
            over_tcp: config.use_tcp == Some(true),
        };
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), settings),
            queues: env.shared.of(),
            server: Arc::new(server),
            statuses: config
                .allow_status_codes
                .map(|ranges| ranges.iter().filter_map(|range| statuses(range)).collect()),
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.server.clone()))
    }
}

impl Observe for Statsd {
    fn observe(&self, cx: &Context, ended: &Ended) {
        let counts = |(low, high): &(u16, u16)| (*low..=*high).contains(&ended.status);
        if self.statuses.as_ref().is_none_or(|ranges| ranges.iter().any(counts)) {
            self.queue.push(Facts::of(cx, ended));
        }
    }
}

impl Deliver<Facts> for Server {
    async fn deliver(&self, batch: &[Facts]) -> Result<(), String> {
        let mut lines = Vec::new();
        batch.iter().for_each(|facts| self.metrics.lines(facts, &mut lines));
        if self.over_tcp {
            return self.send_tcp(&lines).await;
        }
        let packets = packets(lines, self.packet_size);
        self.udp.send(&packets).await
    }
}

impl Server {
    async fn send_tcp(&self, lines: &[String]) -> Result<(), String> {
        let (host, port) = (&self.udp.host, self.udp.port);
        let sending = async {
            let addresses = crate::network::addresses(host, port).await?;
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            let send = async {
                let mut stream = tokio::net::TcpStream::connect(addresses.as_slice()).await?;
                tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut stream).await
            };
            send.await.map_err(|error| format!("failed to connect to {host}:{port}: {error}"))
        };
        let late = |_| Err(format!("failed to send data to {host}:{port}: timeout"));
        tokio::time::timeout(TIMEOUT, sending).await.unwrap_or_else(late)
    }
}

fn packet_size(written: Option<f64>) -> usize {
    let whole = written.filter(|size| (0.0..=65507.0).contains(size)).unwrap_or_default();
    format!("{whole:.0}").parse().unwrap_or_default()
}

/// `200-299`.
fn statuses(range: &str) -> Option<(u16, u16)> {
    let (low, high) = range.split_once('-')?;
    Some((low.parse().ok()?, high.parse().unwrap_or(u16::MAX)))
}

/// Lines put together, as many as go into a packet; one in each if it has no size.
fn packets(lines: Vec<String>, size: usize) -> Vec<String> {
    if size == 0 {
        return lines;
    }
    let mut packets: Vec<String> = Vec::new();
    for line in lines {
        match packets.last_mut() {
            Some(last) if last.len().saturating_add(line.len()) < size => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => packets.push(line),
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_filled_up_to_their_size() {
        let lines = || ["aaaa", "bbbb", "cccc", "far too large"].map(str::to_owned).to_vec();
        assert_eq!(packets(lines(), 0).len(), 4);
        assert_eq!(packets(lines(), 9), ["aaaa\nbbbb", "cccc", "far too large"]);
        assert_eq!(packets(lines(), 65507).len(), 1);
    }

    #[test]
    fn ranges_of_statuses_include_their_ends() {
        assert_eq!(
            (statuses("200-299"), statuses("500-99999"), statuses("x")),
            (Some((200, 299)), Some((500, u16::MAX)), None)
        );
    }
}
