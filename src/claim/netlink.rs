//! The door to the kernel's routing socket (rtnetlink): what is there, one more, one less.
//!
//! Blocking, on a socket of one's own, with a bound on every wait: a program that asks five questions and ends needs no
//! runtime. Of an interface only what is needed is decoded, so that an attribute of a newer kernel cannot be in the way.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netlink_packet_core::DecodeError;
use netlink_packet_core::DefaultNla;
use netlink_packet_core::Emitable;
use netlink_packet_core::ErrorBuffer;
use netlink_packet_core::NLM_F_ACK;
use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_core::NLM_F_DUMP_INTR;
use netlink_packet_core::NLM_F_EXCL;
use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_core::NLMSG_DONE;
use netlink_packet_core::NLMSG_ERROR;
use netlink_packet_core::NetlinkBuffer;
use netlink_packet_core::NetlinkHeader;
use netlink_packet_core::NlasIterator;
use netlink_packet_core::Parseable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::address::AddressHeader;
use netlink_packet_route::address::AddressHeaderFlags;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::address::AddressScope;
use netlink_packet_route::link::LinkFlags;
use netlink_packet_route::link::LinkHeader;
use netlink_packet_route::route::RouteHeader;
use netlink_packet_route::route::RouteType;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::Timeout;
use rustix::net::sockopt::set_socket_timeout;
use thiserror::Error;

use crate::claim::plan::Held;
use crate::claim::plan::Interface;
use crate::claim::plan::Seen;
use crate::claim::plan::alone;

#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

#[derive(Debug, Error)]
pub enum NetlinkError {
    #[error("{0}")]
    Refused(Errno),
    #[error("no netlink socket: {0}")]
    Socket(Errno),
    #[error("an answer that cannot be read: {0}")]
    Malformed(String),
    #[error("the interfaces never stand still")]
    Unsteady,
}

/// Where the kernel sends what is for an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    Here,
    Elsewhere,
    Nowhere,
}

/// The question where an address is.
struct Destination {
    header: RouteHeader,
    address: DefaultNla,
}

/// The types of messages, and the one attribute of an interface and of a question, as `linux/rtnetlink.h` and
/// `linux/if_link.h` have them.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const IFLA_IFNAME: u16 = 3;
const RTA_DST: u16 = 1;

const HEADER: usize = 16;
/// The kernel never sends a larger part of a list.
const BUFFER: usize = 32 * 1024;
/// The kernel answers at once, or holds its lock for somebody else.
const PATIENCE: Duration = Duration::from_secs(10);
/// A list during which something changed is asked for again.
const TRIES: usize = 10;

impl Netlink {
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let domain = rustix::net::AddressFamily::NETLINK;
            let socket = rustix::net::socket_with(domain, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
            set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
            // 0 is the kernel: nobody else is heard.
            rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
            Ok(socket)
        };
        let socket = open().map_err(NetlinkError::Socket)?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Every interface and every address of this namespace.
    pub(super) fn see(&mut self) -> Result<Seen, NetlinkError> {
        let mut lo = None;
        let mut others = Vec::new();
        for link in self.list(RTM_GETLINK, &LinkHeader::default())? {
            let header = LinkHeader::parse(&link)?;
            let interface = Interface {
                index: header.index,
                name: name(&link[header.buffer_len()..])?,
                is_up: header.flags.contains(LinkFlags::Up),
            };
            if header.flags.contains(LinkFlags::Loopback) {
                lo = Some(interface)
            } else {
                others.push(interface)
            }
        }
        let addresses = self.list(RTM_GETADDR, &AddressMessage::default())?;
        let held: Result<Vec<_>, _> = addresses.iter().map(|address| held(address)).collect();
        let lo = lo.ok_or_else(|| NetlinkError::Malformed("there is no loopback interface".to_owned()))?;
        Ok(Seen { lo, others, held: held?.into_iter().flatten().collect() })
    }

    pub(super) fn bring_up(&mut self, interface: u32) -> Result<(), NetlinkError> {
        let header = LinkHeader {
            index: interface,
            flags: LinkFlags::Up,
            change_mask: LinkFlags::Up,
            ..LinkHeader::default()
        };
        self.change(RTM_NEWLINK, 0, &header)
    }

    pub(super) fn add(&mut self, interface: u32, address: IpAddr) -> Result<(), NetlinkError> {
        let message = message(interface, address, alone(address));
        self.change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &message)
    }

    pub(super) fn remove(&mut self, interface: u32, address: IpAddr, prefix: u8) -> Result<(), NetlinkError> {
        self.change(RTM_DELADDR, 0, &message(interface, address, prefix))
    }

    /// Asks for the route and sends nothing there.
    pub(super) fn way_to(&mut self, address: IpAddr) -> Result<Way, NetlinkError> {
        let question = Destination {
            header: RouteHeader {
                address_family: family(address),
                destination_prefix_length: alone(address),
                ..RouteHeader::default()
            },
            address: DefaultNla::new(RTA_DST, octets(address)),
        };
        match self.ask(RTM_GETROUTE, NLM_F_ACK, &question) {
            Ok((routes, _)) => match RouteHeader::parse(routes.first().map_or(&[], Vec::as_slice))?.kind {
                RouteType::Local => Ok(Way::Here),
                RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit => Ok(Way::Nowhere),
                _ => Ok(Way::Elsewhere),
            },
            // There is no route, or no IPv6 at all.
            Err(NetlinkError::Refused(_)) => Ok(Way::Nowhere),
            Err(error) => Err(error),
        }
    }

    fn change(&mut self, kind: u16, flags: u16, body: &impl Emitable) -> Result<(), NetlinkError> {
        self.ask(kind, NLM_F_ACK | flags, body).map(|_| ())
    }

    fn list(&mut self, kind: u16, body: &impl Emitable) -> Result<Vec<Vec<u8>>, NetlinkError> {
        for _ in 0..TRIES {
            let (parts, is_whole) = self.ask(kind, NLM_F_DUMP, body)?;
            if is_whole {
                return Ok(parts);
            }
        }
        Err(NetlinkError::Unsteady)
    }

    /// The messages of the answer, and whether they were all of one moment.
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        body: &impl Emitable,
    ) -> Result<(Vec<Vec<u8>>, bool), NetlinkError> {
        self.sequence += 1;
        let mut request = vec![0; HEADER + body.buffer_len()];
        let mut header = NetlinkHeader::default();
        header.length = u32::try_from(request.len()).expect("a request must be short");
        header.message_type = kind;
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        header.emit(&mut request[..HEADER]);
        body.emit(&mut request[HEADER..]);
        rustix::net::send(&self.socket, &request, SendFlags::empty()).map_err(NetlinkError::Socket)?;
        let (mut parts, mut is_whole) = (Vec::new(), true);
        loop {
            let received = self.receive()?;
            let mut rest = &self.buffer[..received];
            while !rest.is_empty() {
                let message = NetlinkBuffer::new_checked(rest)?;
                let length = message.length() as usize;
                is_whole &= message.flags() & NLM_F_DUMP_INTR == 0;
                match message.message_type() {
                    // What is left of a question before.
                    _ if message.sequence_number() != self.sequence => {}
                    NLMSG_DONE if message.payload().is_empty() => return Ok((parts, is_whole)),
                    NLMSG_DONE | NLMSG_ERROR => {
                        return refused(message.payload()).map(|()| (parts, is_whole));
                    }
                    _ => parts.push(message.payload().to_vec()),
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }

    fn receive(&mut self) -> Result<usize, NetlinkError> {
        loop {
            match rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((received, whole)) if received == whole => return Ok(received),
                Ok(_) => return Err(NetlinkError::Malformed("it is longer than it may be".to_owned())),
                Err(Errno::INTR) => {}
                Err(error) => return Err(NetlinkError::Socket(error)),
            }
        }
    }
}

impl Emitable for Destination {
    fn buffer_len(&self) -> usize {
        self.header.buffer_len() + self.address.buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let (header, address) = buffer.split_at_mut(self.header.buffer_len());
        self.header.emit(header);
        self.address.emit(address);
    }
}

impl From<DecodeError> for NetlinkError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// An address of this host alone. Duplicates are not looked for, so that it can be bound at once.
fn message(interface: u32, address: IpAddr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: family(address),
        prefix_len: prefix,
        flags: if address.is_ipv4() { AddressHeaderFlags::empty() } else { AddressHeaderFlags::Nodad },
        scope: AddressScope::Host,
        index: interface,
    };
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn held(message: &[u8]) -> Result<Option<Held>, NetlinkError> {
    let message = AddressMessage::parse(message)?;
    let attribute = |of: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(of);
    // `Address` is the other end's where the two differ.
    let local = attribute(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = local.or_else(|| {
        attribute(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    });
    let AddressHeader { index: interface, prefix_len: prefix, .. } = message.header;
    Ok(address.map(|address| Held { interface, address, prefix }))
}

fn name(attributes: &[u8]) -> Result<String, NetlinkError> {
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute?;
        if attribute.kind() == IFLA_IFNAME {
            return Ok(String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned());
        }
    }
    Err(NetlinkError::Malformed("an interface without a name".to_owned()))
}

/// An error of 0 is none: the acknowledgement, or the end of a list.
fn refused(payload: &[u8]) -> Result<(), NetlinkError> {
    match ErrorBuffer::new_checked(payload)?.code() {
        None => Ok(()),
        Some(code) => Err(NetlinkError::Refused(Errno::from_raw_os_error(code.get().saturating_neg()))),
    }
}
