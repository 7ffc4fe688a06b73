//! What `net-init` runs on: those of the listeners' addresses that are link-local, and whose namespace it may be in.

use std::net::IpAddr;

use crate::config::Flags;
use crate::config::Log;
use crate::config::Parsed;
use crate::config::env::Strings;
use crate::config::listen;
use crate::config::mistake::Reason;
use crate::config::parser::Parser;
use crate::config::settings::HOST;
use crate::config::settings::HOST_IP;
use crate::config::settings::LISTEN;
use crate::config::settings::POD_IP;
use crate::config::settings::REMOVE;
use crate::config::settings::Setting;

/// What `net-init` is to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetInit {
    /// Each once, in the order in which they were written.
    pub addresses: Vec<IpAddr>,
    pub remove: bool,
    /// In the node's own network namespace too.
    pub host: bool,
    pub pod_ip: Option<IpAddr>,
    pub host_ip: Option<IpAddr>,
    pub log: Log,
}

const EXAMPLE: &str = "127.0.0.1:9911,169.254.169.254,[fd00:ec2::254]";

/// The same list that `serve` is given, so that both can have it from one place.
pub fn parse_net_init(flags: &Flags, strings: &dyn Strings) -> Parsed<NetInit> {
    let mut parser = Parser::new(flags, strings);
    let addresses = addresses(&mut parser);
    let pod_ip = ip(&mut parser, &POD_IP);
    let host_ip = ip(&mut parser, &HOST_IP);
    let remove = parser.given(&REMOVE).is_some();
    let host = parser.given(&HOST).is_some();
    let log = Log::read(&mut parser);
    parser.refuse_unknown_variables();
    let net_init = addresses.map(|addresses| NetInit { addresses, remove, host, pod_ip, host_ip, log });
    parser.finish(net_init)
}

fn addresses(parser: &mut Parser<'_>) -> Option<Vec<IpAddr>> {
    let listeners = listen::listeners(parser)?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for listener in listeners {
        let ip = listener.address.ip();
        if !ip.is_loopback() && !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    if !addresses.is_empty() {
        return Some(addresses);
    }
    match parser.given(&LISTEN) {
        Some(given) => {
            let reason = Reason::from("it names no link-local address, so that there is nothing to claim");
            let mend = format!("Leave net-init out, or name one: {}", given.spelling.assign(EXAMPLE));
            parser.mistake(&given, reason.mend(mend));
        }
        None => {
            let mend = format!("Name the link-local addresses to claim: {}={EXAMPLE}", LISTEN.variable);
            parser.missing(&LISTEN, mend);
        }
    }
    None
}

fn ip(parser: &mut Parser<'_>, setting: &'static Setting) -> Option<IpAddr> {
    parser.value(setting, |text| {
        text.parse().map_err(|_| Reason::from("it is not an IP address").mend(setting.meaning))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::env::Variables;

    fn parsed(listen: &str) -> Result<Vec<String>, String> {
        let variables = Variables::default().with("IRSA_SIDECAR_LISTEN", listen);
        let (net_init, _) =
            parse_net_init(&Flags::default(), &variables).map_err(|mistakes| mistakes.to_string())?;
        Ok(net_init.addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn takes_the_link_local_addresses_alone_and_each_once() {
        let listen =
            "127.0.0.1:9911,[fd00:ec2::254],169.254.169.254,imds=127.0.0.1:9913,169.254.169.254:8080,[::1]:1";
        assert_eq!(parsed(listen).unwrap(), ["fd00:ec2::254", "169.254.169.254"]);
    }

    #[test]
    fn nothing_to_claim_is_a_mistake() {
        let mistake = parsed("127.0.0.1:9911").unwrap_err();
        assert!(mistake.contains("names no link-local address"), "{mistake}");
        let unset = parse_net_init(&Flags::default(), &Variables::default()).unwrap_err().to_string();
        assert!(unset.contains("IRSA_SIDECAR_LISTEN") && unset.contains("it is not set"), "{unset}");
    }

    #[test]
    fn takes_the_addresses_of_the_downward_api_and_refuses_several_at_once() {
        let variables = Variables::from_iter([
            ("IRSA_SIDECAR_LISTEN", "169.254.170.2"),
            ("POD_IP", "10.0.0.7"),
            ("HOST_IP", ""),
        ]);
        let flags = Flags::default().with(&REMOVE, "true");
        let (net_init, _) = parse_net_init(&flags, &variables).unwrap();
        assert_eq!((net_init.pod_ip, net_init.host_ip), ("10.0.0.7".parse().ok(), None));
        assert!(net_init.remove && !net_init.host);
        let several = variables.with("POD_IP", "10.0.0.7,fd00::7");
        let mistake = parse_net_init(&Flags::default(), &several).unwrap_err().to_string();
        assert!(mistake.contains("POD_IP") && mistake.contains("status.podIP"), "{mistake}");
    }
}
