//! Datagrams.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::UdpSocket, time::timeout};

use super::addresses;

/// Where datagrams go.
#[derive(Debug, Clone)]
pub(crate) struct Udp {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) timeout: Duration,
}

impl Udp {
    /// Sends each of these in a datagram.
    ///
    /// # Errors
    /// The first that could not be sent, after the others were.
    pub(crate) async fn send(&self, messages: &[impl AsRef<[u8]> + Sync]) -> Result<(), String> {
        let (host, port) = (&self.host, self.port);
        let sending = async {
            let socket = self.socket().await?;
            let mut result = Ok(());
            for message in messages {
                let sent = socket.send(message.as_ref()).await;
                result = result.and(sent.map(drop));
            }
            result.map_err(|error| format!("could not send data to {host}:{port}: {error}"))
        };
        timeout(self.timeout, sending)
            .await
            .unwrap_or_else(|_| Err(format!("could not send data to {host}:{port}: timeout")))
    }

    async fn socket(&self) -> Result<UdpSocket, String> {
        let (host, port) = (&self.host, self.port);
        let cannot = |error: std::io::Error| format!("could not connect to {host}:{port}: {error}");
        let addresses = addresses(host, port).await?;
        let local = match addresses.first() {
            Some(SocketAddr::V6(_)) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(local).await.map_err(cannot)?;
        let same: Vec<_> = addresses.into_iter().filter(|address| address.is_ipv6() == local.is_ipv6()).collect();
        socket.connect(same.as_slice()).await.map_err(cannot)?;
        Ok(socket)
    }
}
