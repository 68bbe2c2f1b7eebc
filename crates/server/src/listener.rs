//! Listening sockets: one per address and worker, all bound before any worker starts.

use std::{
    error::Error,
    fmt, io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

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
}

impl Listen {
    /// This address, with nginx's defaults: a backlog of 511, IPv6 only, HTTP/1 in cleartext.
    pub fn on(address: SocketAddr) -> Self {
        Self { address, backlog: 511, ipv6_only: true, proxy_protocol: false, tls: false, http2: false }
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
    pub(crate) fn into_doors(self) -> Vec<Vec<(TcpListener, Listen)>> {
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
    socket.set_nonblocking(true)?;
    socket.bind(&listen.address.into())?;
    Ok(socket)
}

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
    fn an_address_of_another_machine_is_said_to_be_one() {
        let error = Listeners::bind(&[Listen::on(([192, 0, 2, 1], 0).into())], 1).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:0: no interface"), "{error}");
        assert!(!error.is_busy());
    }
}
