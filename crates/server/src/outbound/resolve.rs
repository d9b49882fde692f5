//! From a name to the addresses a fetch may go to. The connection goes to these very addresses: nobody asks again.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::address;

/// So many names are looked up at once. The system's resolver cannot be interrupted: one that nobody waits for any more
/// still counts.
const LOOKUPS: usize = 64;

/// What answers for a name: the system's resolver, or a test.
pub(super) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Why a name gives no address to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAddress {
    /// It is not in DNS, or DNS does not answer.
    #[error("the name is not found")]
    Unknown,
    /// It is, and leads only where no fetch goes.
    #[error("the name leads to no public address")]
    Forbidden,
}

/// Looks names up and leaves out what is not allowed.
pub(super) struct Resolver {
    private: bool,
    lookup: Lookup,
    slots: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(private: bool, lookup: Lookup) -> Self {
        Self { private, lookup, slots: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    /// The system's resolver: `/etc/hosts`, then DNS.
    pub(super) fn system() -> Lookup {
        Arc::new(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (private, lookup, slots) = (self.private, Arc::clone(&self.lookup), Arc::clone(&self.slots));
        Box::pin(async move {
            let slot = slots.acquire_owned().await?;
            let name = name.as_str().to_owned();
            let local = is_localhost(&name);
            let found = tokio::task::spawn_blocking(move || {
                let found = lookup(&name);
                drop(slot);
                found
            });
            let found = found.await?.map_err(|_| NoAddress::Unknown)?;
            let good = choose(&found, local, private)?;
            Ok(Box::new(good.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// What of the addresses found may be gone to.
fn choose(found: &[IpAddr], local: bool, private: bool) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
    if found.is_empty() {
        return Err(NoAddress::Unknown.into());
    }
    // RFC 6761 §6.3: `localhost` is this machine, whatever DNS says.
    let fits = |address: &IpAddr| address::allowed(*address, private) && (!local || address.is_loopback());
    let good: Vec<IpAddr> = found.iter().copied().filter(fits).collect();
    if good.is_empty() { Err(NoAddress::Forbidden.into()) } else { Ok(good) }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// O1: of what a name leads to only what is allowed is left, and `localhost` never leaves this machine.
    #[test]
    fn what_is_left() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let chosen = |found: &[&str], local, private| {
            choose(&addresses(found), local, private).map_err(|error| *error.downcast_ref::<NoAddress>().unwrap())
        };
        let forbidden = Err(NoAddress::Forbidden);
        assert_eq!(chosen(&["1.1.1.1", "127.0.0.1", "10.0.0.1"], false, false), Ok(addresses(&["1.1.1.1"])));
        assert_eq!(chosen(&["1.1.1.1", "127.0.0.1"], false, true), Ok(addresses(&["1.1.1.1", "127.0.0.1"])));
        assert_eq!(chosen(&["127.0.0.1", "::1"], false, false), forbidden);
        assert_eq!(chosen(&["169.254.169.254"], false, true), forbidden);
        assert_eq!(chosen(&["1.1.1.1", "::1"], true, true), Ok(addresses(&["::1"])));
        assert_eq!(chosen(&["1.1.1.1"], true, true), forbidden);
        assert_eq!(chosen(&["127.0.0.1"], true, false), forbidden);
        assert_eq!(chosen(&[], false, false), Err(NoAddress::Unknown));
        for (name, local) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("a.localhost", true),
            ("alocalhost", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_localhost(name), local, "{name}");
        }
    }
}
