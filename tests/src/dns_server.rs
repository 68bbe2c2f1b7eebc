//! A real DNS server: dnsmasq with a hosts file of the test's.

use std::fs;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Port, eventually};

/// The server, running until dropped. It knows names below `test` only, each with a TTL of one second.
#[derive(Debug)]
pub struct DnsServer {
    child: Child,
    folder: TempDir,
    port: Port,
}

impl DnsServer {
    /// Starts it with these lines of a hosts file and these SRV records, written `name,target,port,priority,weight`.
    ///
    /// # Panics
    /// When Debian's `dnsmasq-base` is not installed.
    pub fn start(hosts: &str, services: &[String]) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), Port::free());
        let file = folder.path().join("hosts");
        fs::write(&file, hosts).expect("the hosts file can be written");
        let child = Command::new("dnsmasq")
            .args(["-C", "/dev/null", "-k", "--no-resolv", "--no-hosts", "--local-ttl=1", "--local=/test/"])
            .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--user="])
            .args(services.iter().map(|service| format!("--srv-host={service}")))
            .arg(format!("--addn-hosts={}", file.display()))
            .arg(format!("--port={}", port.number()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq runs (Debian's dnsmasq-base)");
        let server = Self { child, folder, port };
        eventually(Duration::from_secs(60), || TcpStream::connect(server.address()).is_ok());
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Replaces the lines of the hosts file.
    pub fn change(&self, hosts: &str) {
        fs::write(self.folder.path().join("hosts"), hosts).expect("the hosts file can be written");
        let told = Command::new("kill").args(["-s", "HUP", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(told.success(), "{told}");
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        // Ours by handle.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
