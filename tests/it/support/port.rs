//! TCP ports that stay ours from the choice to the end of the test.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket, sockopt};

/// A reserved port of 127.0.0.1.
///
/// The bound socket never listens. With `SO_REUSEADDR` on both sides a server can still listen on
/// the port, while the kernel gives it to nobody who asks for any free port.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _reservation: OwnedFd,
}

impl Port {
    /// Reserves a free port.
    pub fn reserve() -> Self {
        let reservation = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a TCP socket");
        rustix::io::fcntl_setfd(&reservation, rustix::io::FdFlags::CLOEXEC).expect("close on exec");
        sockopt::set_socket_reuseaddr(&reservation, true).expect("SO_REUSEADDR");
        bind(&reservation, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = getsockname(&reservation).expect("own address");
        let number = SocketAddr::try_from(address).expect("an IP address").port();
        Self { number, _reservation: reservation }
    }

    /// The port number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
