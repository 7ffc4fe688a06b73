//! Where container credentials come from: the EKS Pod Identity Agent, as EKS's own variables name it.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::CredentialsEndpoint;
use crate::config::PodIdentity;
use crate::config::mistake::Mistake;
use crate::config::mistake::Reason;
use crate::config::parser::Given;
use crate::config::parser::Parser;
use crate::config::roles_file::Surroundings;
use crate::config::roles_file::absolute_path;
use crate::config::settings::CONTAINER_AUTHORIZATION_TOKEN;
use crate::config::settings::CONTAINER_AUTHORIZATION_TOKEN_FILE;
use crate::config::settings::CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::CONTAINER_ADDRESSES;
use crate::contract::ENV_CREDENTIALS_FILES;
use crate::contract::LINK_LOCAL_PORT;
use crate::contract::NO_CREDENTIALS_FILE;
use crate::contract::POD_IDENTITY_PATH;
use crate::contract::POD_IDENTITY_TOKEN_FILE;

/// What the variables say, and the agent's own address and token where they say nothing. They may be the application's,
/// by `envFrom`, and mean nothing here: what is wrong with them is told to those alone who use them.
pub(super) fn agent(parser: &mut Parser<'_>) -> Result<PodIdentity, Mistake> {
    let endpoint = parser.given(&CONTAINER_CREDENTIALS_FULL_URI);
    let endpoint = endpoint.map(|given| parse_endpoint(&given.value).map_err(|reason| wrong(&given, reason)));
    let file = parser.given(&CONTAINER_AUTHORIZATION_TOKEN_FILE);
    let file = file.map(|given| absolute_path(&given.value).map_err(|reason| wrong(&given, reason)));
    let (endpoint, file) = (endpoint.transpose()?, file.transpose()?);
    let usual = PodIdentity {
        endpoint: CredentialsEndpoint {
            address: SocketAddr::new(CONTAINER_ADDRESSES[1], LINK_LOCAL_PORT),
            path: POD_IDENTITY_PATH.to_owned(),
        },
        authorization_token_file: Some(PathBuf::from(POD_IDENTITY_TOKEN_FILE)),
        role_arn: None,
    };
    Ok(match endpoint {
        Some(endpoint) => PodIdentity { endpoint, authorization_token_file: file, role_arn: None },
        None => PodIdentity { authorization_token_file: file.or(usual.authorization_token_file), ..usual },
    })
}

fn wrong(given: &Given, reason: Reason) -> Mistake {
    Mistake::wrong(given.setting, given.spelling, &given.value, reason)
}

/// The agent where nothing else is set: no other source, and the variables that EKS sets for it.
pub(super) fn sole_source(parser: &mut Parser<'_>, surroundings: &Surroundings) -> Option<PodIdentity> {
    let given = parser.given(&CONTAINER_CREDENTIALS_FULL_URI)?;
    let settings = agent(parser).map_err(|mistake| parser.tell(mistake)).ok()?;
    if surroundings.is_own(&settings) {
        let reason =
            "it names a listener of irsa-sidecar itself: its credentials cannot come from there".to_owned();
        let mend =
            "It is the application's; set AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE here".to_owned();
        parser.conflict(&given, reason, mend);
        return None;
    }
    if tell_of_exec_around(parser) {
        return None;
    }
    if settings.authorization_token_file.is_none()
        && let Some(value) = parser.given(&CONTAINER_AUTHORIZATION_TOKEN)
    {
        let reason = "a token that is a value cannot be rotated, and is not taken".to_owned();
        let mend =
            format!("Put it into a file, and name that in {}", CONTAINER_AUTHORIZATION_TOKEN_FILE.variable);
        parser.conflict(&value, reason, mend);
        return None;
    }
    Some(settings)
}

/// Whether this runs inside an `irsa-sidecar exec`, which is told: by its endpoint on loopback, its token, and the files with
/// keys that it has put out of sight.
pub(super) fn tell_of_exec_around(parser: &mut Parser<'_>) -> bool {
    let value = |name: &str| parser.strings().var(name).ok().flatten();
    let has_token = value(CONTAINER_AUTHORIZATION_TOKEN.variable).is_some();
    let has_no_files =
        ENV_CREDENTIALS_FILES.iter().all(|name| value(name).as_deref() == Some(NO_CREDENTIALS_FILE));
    let given = parser.given(&CONTAINER_CREDENTIALS_FULL_URI).filter(|_| has_token && has_no_files);
    let is_on_loopback = |given: &Given| {
        parse_endpoint(&given.value).is_ok_and(|endpoint| endpoint.address.ip().is_loopback())
    };
    let Some(given) = given.filter(is_on_loopback) else { return false };
    let reason =
        "this runs inside an `irsa-sidecar exec`, which serves its command the role here and has taken the \
                  variables of the web identity away"
            .to_owned();
    let mend =
        "The command has the role already: run it without another irsa-sidecar. For another role, start \
                `irsa-sidecar exec --role NAME -- COMMAND` outside of this one"
            .to_owned();
    parser.conflict(&given, reason, mend);
    true
}

/// `http://IP[:PORT]/PATH` with an address to which AWS's SDKs would send an authorization token in clear.
pub(super) fn parse_endpoint(text: &str) -> Result<CredentialsEndpoint, Reason> {
    if let Some(strange) = text.chars().find(|c| !c.is_ascii_graphic() || "\"'`<>{}#\\@".contains(*c)) {
        return Err(format!("it contains {strange:?}, which no such URL does").into());
    }
    if text.starts_with("https://") {
        return Err(
            "it begins with https://; what serves container credentials in a pod or on its node speaks http"
                .into(),
        );
    }
    let rest = text.strip_prefix("http://").ok_or_else(|| Reason::from("it does not begin with http://"))?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let without_port =
        || Some(SocketAddr::new(authority.trim_matches(['[', ']']).parse().ok()?, LINK_LOCAL_PORT));
    let address: Option<SocketAddr> = authority.parse().ok().or_else(without_port);
    let address =
        address.ok_or_else(|| Reason::from("its host is not an IP address; names are not looked up"))?;
    if !is_trusted(address.ip()) {
        let known = CONTAINER_ADDRESSES.map(|address| address.to_string()).join(", ");
        let why = format!(
            "{} is neither a loopback address nor one of {known}: whoever is there would be sent the token",
            address.ip()
        );
        return Err(why.into());
    }
    if path.is_empty() {
        return Err("it has no path after the host".into());
    }
    Ok(CredentialsEndpoint { address, path: path.to_owned() })
}

fn is_trusted(ip: IpAddr) -> bool {
    ip.is_loopback() || CONTAINER_ADDRESSES.contains(&ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_addresses_that_sdks_take_and_no_others() {
        for (text, shown) in [
            ("http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials"),
            ("http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"),
            ("http://127.0.0.1:8080/get?id=1", "http://127.0.0.1:8080/get?id=1"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
            ("http://169.254.170.2:80/v2/credentials/id", "http://169.254.170.2/v2/credentials/id"),
        ] {
            assert_eq!(parse_endpoint(text).unwrap().to_string(), shown);
        }
        for wrong in [
            "https://169.254.170.23/v1/credentials",
            "169.254.170.23/v1/credentials",
            "http://10.0.0.1/v1/credentials",
            "http://169.254.169.254/latest",
            "http://localhost:8080/x",
            "http://127.0.0.1:8080",
            "http://user@127.0.0.1/x",
            "http://127.0.0.1:99999/x",
            "http://127.0.0.1/x y",
            "",
        ] {
            assert!(parse_endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
