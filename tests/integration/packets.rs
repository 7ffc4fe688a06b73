//! What really goes over `lo`: the packets, as the kernel sends them.

use std::io::Read;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

/// Every protocol, in the order of the network.
const EVERYTHING: i32 = 0x0300;
const TCP: u8 = 6;
const SYN_ACK: u8 = 0x12;

/// Sees every packet of its network namespace from now on.
pub(crate) struct Packets(Socket);

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) from: IpAddr,
    /// IPv4's TTL, IPv6's hop limit.
    pub(crate) hops: u8,
    pub(crate) is_first_answer: bool,
}

impl Packets {
    pub(crate) fn watch() -> Self {
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(EVERYTHING))).unwrap();
        socket.set_recv_buffer_size(8 << 20).unwrap();
        // What was sent before this call lies ready; the time is only for the end of it.
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self(socket)
    }

    /// All that came since.
    pub(crate) fn seen(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        let mut bytes = [0; 65_536];
        while let Ok(length) = self.0.read(&mut bytes) {
            packets.extend(parse(&bytes[..length]));
        }
        packets
    }
}

fn parse(bytes: &[u8]) -> Option<Packet> {
    let (from, hops, protocol, segment): (IpAddr, _, _, _) = match bytes.first()? >> 4 {
        4 => {
            let from: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
            let head = usize::from(bytes[0] & 0xf) * 4;
            (Ipv4Addr::from(from).into(), bytes[8], bytes[9], bytes.get(head..)?)
        }
        6 => {
            let from: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            (Ipv6Addr::from(from).into(), bytes[7], bytes[6], bytes.get(40..)?)
        }
        _ => return None,
    };
    (protocol == TCP).then_some(())?;
    Some(Packet { from, hops, is_first_answer: segment.get(13)? & 0x3f == SYN_ACK })
}
