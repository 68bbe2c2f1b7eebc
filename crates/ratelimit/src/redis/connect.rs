//! Making connections to one server, to the master that sentinels name, or to a cluster.

use std::net::SocketAddr;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisFuture, RedisResult, TlsMode, Value,
    aio::MultiplexedConnection,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::AsyncDNSResolver,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use super::settings::{Node, Settings, Tls, Topology};

/// A connection; requests share it, each clone writes to the same one.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Sends a command and waits for its answer.
    pub(super) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

/// Makes connections.
pub(super) enum Connector {
    Single(Client, AsyncConnectionConfig),
    Sentinel(Box<SentinelClient>, AsyncConnectionConfig),
    Cluster(ClusterClient),
}

impl Connector {
    /// With these settings.
    pub(super) fn new(settings: &Settings) -> RedisResult<Self> {
        if settings.tls.is_some() {
            // Only if the process has not chosen one: redis asks for the default.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.answer_timeout));
        match &settings.topology {
            Topology::Single(node) => {
                let (address, config) = named(node, settings, config);
                Ok(Self::Single(Client::open(info(address, settings)?)?, config))
            }
            Topology::Sentinel { nodes, master, username, password } => {
                let own = [username, password];
                Ok(Self::Sentinel(Box::new(sentinel(nodes, master, own, settings)?), config))
            }
            Topology::Cluster(nodes) => Ok(Self::Cluster(cluster(nodes, settings)?)),
        }
    }

    /// A new connection.
    pub(super) async fn connect(&mut self) -> RedisResult<Connection> {
        match self {
            Self::Single(client, config) => {
                client.get_multiplexed_async_connection_with_config(config).await.map(Connection::One)
            }
            Self::Sentinel(client, config) => {
                client.get_async_connection_with_config(config).await.map(Connection::One)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

fn info(address: ConnectionAddr, settings: &Settings) -> RedisResult<ConnectionInfo> {
    let mut own = RedisConnectionInfo::default().set_db(settings.database);
    if let Some(username) = &settings.username {
        own = own.set_username(username);
    }
    if let Some(password) = &settings.password {
        own = own.set_password(password);
    }
    Ok(address.into_connection_info()?.set_redis_settings(own))
}

fn address(node: &Node, tls: Option<&Tls>) -> ConnectionAddr {
    match tls {
        None => ConnectionAddr::Tcp(node.host.clone(), node.port),
        Some(tls) => {
            ConnectionAddr::TcpTls { host: node.host.clone(), port: node.port, insecure: !tls.verify, tls_params: None }
        }
    }
}

/// The address of a server that may show itself under another name: redis is told that name, and
/// finds it at the server's own.
fn named(node: &Node, settings: &Settings, config: AsyncConnectionConfig) -> (ConnectionAddr, AsyncConnectionConfig) {
    let name = settings.tls.as_ref().and_then(|tls| tls.server_name.clone());
    let Some(name) = name else { return (address(node, settings.tls.as_ref()), config) };
    let shown = Node { host: name, port: node.port };
    (address(&shown, settings.tls.as_ref()), config.set_dns_resolver(Fixed(node.host.clone())))
}

/// Resolves every name to that of one server.
struct Fixed(String);

impl AsyncDNSResolver for Fixed {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((self.0.as_str(), port)).await;
            let addresses: Vec<_> = found.map_err(RedisError::from)?.collect();
            Ok(Box::new(addresses.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

fn tls_mode(tls: &Tls) -> TlsMode {
    if tls.verify { TlsMode::Secure } else { TlsMode::Insecure }
}

/// A client of sentinels, which have a user and password of their own.
fn sentinel(
    nodes: &[Node],
    master: &str,
    [username, password]: [&Option<String>; 2],
    settings: &Settings,
) -> RedisResult<SentinelClient> {
    let addresses: Vec<_> = nodes.iter().map(|node| address(node, settings.tls.as_ref())).collect();
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.database);
    if let Some(username) = &settings.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if let Some(tls) = &settings.tls {
        builder = builder.set_client_to_redis_tls_mode(tls_mode(tls)).set_client_to_sentinel_tls_mode(tls_mode(tls));
    }
    builder.build()
}

/// A client of a cluster. It finds moved slots and new masters itself; what it cannot do at once is
/// a failure, so that a request does not wait longer than the settings say.
fn cluster(nodes: &[Node], settings: &Settings) -> RedisResult<ClusterClient> {
    let infos: Vec<_> = nodes
        .iter()
        .map(|node| address(node, settings.tls.as_ref()).into_connection_info())
        .collect::<RedisResult<_>>()?;
    let mut builder = ClusterClient::builder(infos)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.answer_timeout)
        .overall_response_timeout(Some(settings.answer_timeout))
        .retries(3)
        .min_retry_wait(10)
        .max_retry_wait(100);
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.password(password);
    }
    if let Some(tls) = &settings.tls {
        builder = builder.tls(tls_mode(tls));
    }
    builder.build()
}
