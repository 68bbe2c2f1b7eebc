//! Listening sockets: one per address and worker, all bound before any worker starts.

use std::{
    error::Error,
    fmt, io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// One address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Where; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// How many connections may wait to be accepted, at each worker's socket.
    pub backlog: i32,
    /// Whether an IPv6 address takes IPv6 connections only (nginx's `ipv6only`, on by default).
    pub ipv6_only: bool,
    /// Whether connections begin with a PROXY protocol header (`proxy_protocol`).
    pub proxy_protocol: bool,
    /// Whether connections are TLS (`ssl`).
    pub tls: bool,
    /// Whether HTTP/2 is spoken beside HTTP/1 (`http2`): by negotiation with TLS, by prior
    /// knowledge without.
    pub http2: bool,
    /// Whether and how the kernel probes connections on which nothing happens (`so_keepalive`);
    /// `None` leaves that to the system.
    pub keepalive: Option<Keepalive>,
    /// Whether connections to addresses that are not this machine's are taken, as a firewall sends
    /// them here (`transparent`). Needs `CAP_NET_ADMIN`.
    pub transparent: bool,
}

/// TCP keepalive: probes on a connection on which nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keepalive {
    /// No probes.
    Off,
    /// Probes; what is `None` is up to the system.
    On {
        /// After how much silence the first one is sent; in whole seconds.
        idle: Option<Duration>,
        /// How long after one the next is sent; in whole seconds.
        interval: Option<Duration>,
        /// After how many without an answer the connection is given up.
        count: Option<u32>,
    },
}

impl Listen {
    /// This address, with nginx's defaults: a backlog of 511, IPv6 only, HTTP/1 in cleartext.
    pub fn on(address: SocketAddr) -> Self {
        Self {
            address,
            backlog: 511,
            ipv6_only: true,
            proxy_protocol: false,
            tls: false,
            http2: false,
            keepalive: None,
            transparent: false,
        }
    }
}

/// Bound sockets: for each worker one per address, so that the kernel shares connections out.
#[derive(Debug)]
pub struct Listeners {
    addresses: Vec<SocketAddr>,
    listens: Vec<Listen>,
    workers: Vec<Vec<TcpListener>>,
}

impl Listeners {
    /// Binds all of these addresses for so many workers, or none.
    ///
    /// Sockets of one address share it (`SO_REUSEPORT`). That alone would let a second gateway of
    /// the same user join in unnoticed, so an address is first tried without sharing. Connections
    /// that a former owner left behind do not keep it busy (`SO_REUSEADDR`).
    ///
    /// # Errors
    /// The first address that cannot be had, and why.
    pub fn bind(listens: &[Listen], workers: usize) -> Result<Self, ListenError> {
        let mut bound = Self { addresses: Vec::new(), listens: Vec::new(), workers: Vec::new() };
        bound.workers.resize_with(workers.max(1), Vec::new);
        for listen in listens {
            bound.add(*listen).map_err(|source| ListenError { address: listen.address, source })?;
        }
        Ok(bound)
    }

    fn add(&mut self, listen: Listen) -> io::Result<()> {
        if listen.address.port() != 0 {
            drop(socket(listen, Sharing::Alone)?);
        }
        let mut listen = listen;
        for sockets in &mut self.workers {
            let socket = socket(listen, Sharing::WithWorkers)?;
            socket.listen(listen.backlog)?;
            let listener = TcpListener::from(socket);
            // With port 0 the first socket's port is everybody's.
            listen.address = listener.local_addr()?;
            sockets.push(listener);
        }
        self.addresses.push(listen.address);
        self.listens.push(listen);
        Ok(())
    }

    /// The addresses that were bound, in the order asked for, with the port the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many workers there are sockets for.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The sockets, for each worker one per address.
    pub fn into_workers(self) -> Vec<Vec<TcpListener>> {
        self.workers
    }

    /// The same, each socket with how it listens.
    pub fn into_doors(self) -> Vec<Vec<(TcpListener, Listen)>> {
        let doors = |sockets: Vec<TcpListener>| sockets.into_iter().zip(self.listens.iter().copied()).collect();
        self.workers.into_iter().map(doors).collect()
    }
}

#[derive(PartialEq)]
enum Sharing {
    Alone,
    WithWorkers,
}

fn socket(listen: Listen, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::WithWorkers)?;
    if listen.address.is_ipv6() {
        socket.set_only_v6(listen.ipv6_only)?;
    }
    if listen.transparent {
        match listen.address {
            SocketAddr::V4(_) => socket.set_ip_transparent_v4(true)?,
            SocketAddr::V6(_) => socket.set_ip_transparent_v6(true)?,
        }
    }
    if let Some(keepalive) = listen.keepalive {
        // Accepted connections inherit it.
        set_keepalive(&socket, keepalive)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&listen.address.into())?;
    Ok(socket)
}

fn set_keepalive(socket: &Socket, keepalive: Keepalive) -> io::Result<()> {
    let Keepalive::On { idle, interval, count } = keepalive else { return socket.set_keepalive(false) };
    let mut times = TcpKeepalive::new();
    if let Some(idle) = idle {
        times = times.with_time(idle);
    }
    if let Some(interval) = interval {
        times = times.with_interval(interval);
    }
    if let Some(count) = count {
        times = times.with_retries(count);
    }
    socket.set_tcp_keepalive(&times)
}

/// The system's `EPERM`.
const NOT_PERMITTED: i32 = 1;

/// Why an address cannot be listened on; one line that says what to do.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl ListenError {
    /// The address that could not be had.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether somebody else listens there.
    pub fn is_busy(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, source } = self;
        let port = address.port();
        write!(f, "cannot listen on {address}: ")?;
        match source.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, "address already in use; stop whatever listens on port {port} or choose another port")
            }
            // Not what a port that is too low gives.
            io::ErrorKind::PermissionDenied if source.raw_os_error() == Some(NOT_PERMITTED) => {
                write!(f, "operation not permitted; the flag `transparent` needs CAP_NET_ADMIN")
            }
            io::ErrorKind::PermissionDenied => {
                write!(f, "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE, or choose another port")
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "no interface of this machine has this address; choose one that it has, or 0.0.0.0 for all")
            }
            _ => write!(f, "{source}"),
        }
    }
}

impl Error for ListenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Listen {
        Listen::on(([127, 0, 0, 1], 0).into())
    }

    #[test]
    fn every_worker_gets_a_socket_of_the_same_port() {
        let bound = Listeners::bind(&[local(), local()], 3).unwrap();
        assert_eq!(bound.workers(), 3);
        let addresses = bound.addresses().to_vec();
        assert_ne!(addresses[0], addresses[1]);
        for sockets in bound.into_workers() {
            let at: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
            assert_eq!(at, addresses);
        }
    }

    #[test]
    fn a_busy_port_is_one_clear_line() {
        let first = Listeners::bind(&[local()], 2).unwrap();
        let address = first.addresses()[0];
        let error = Listeners::bind(&[Listen::on(address)], 2).unwrap_err();
        assert!(error.is_busy());
        let (address, port) = (error.address(), error.address().port());
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {address}: address already in use; \
                 stop whatever listens on port {port} or choose another port"
            )
        );
    }

    #[test]
    fn a_port_is_free_again_at_once() {
        let first = Listeners::bind(&[local()], 2).unwrap();
        let address = first.addresses()[0];
        let client = std::net::TcpStream::connect(address).unwrap();
        drop(first);
        let again = Listeners::bind(&[Listen::on(address)], 2).unwrap();
        assert_eq!(again.addresses(), [address]);
        drop(client);
    }

    #[test]
    fn keepalive_is_inherited_by_accepted_connections() {
        let on = |idle, interval, count| Keepalive::On {
            idle: Some(Duration::from_secs(idle)),
            interval: Some(Duration::from_secs(interval)),
            count: Some(count),
        };
        for (keepalive, times) in
            [(None, None), (Some(Keepalive::Off), None), (Some(on(1800, 20, 7)), Some((1800, 20, 7)))]
        {
            let bound = Listeners::bind(&[Listen { keepalive, ..local() }], 1).unwrap();
            let address = bound.addresses()[0];
            let listener = &bound.into_workers()[0][0];
            let _client = std::net::TcpStream::connect(address).unwrap();
            listener.set_nonblocking(false).unwrap();
            let accepted = Socket::from(listener.accept().unwrap().0);
            assert_eq!(accepted.keepalive().unwrap(), times.is_some(), "{keepalive:?}");
            if let Some((idle, interval, count)) = times {
                assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(idle));
                assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(interval));
                assert_eq!(accepted.tcp_keepalive_retries().unwrap(), count);
            }
        }
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_one() {
        let error = Listeners::bind(&[Listen::on(([192, 0, 2, 1], 0).into())], 1).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:0: no interface"), "{error}");
        assert!(!error.is_busy());
    }
}
