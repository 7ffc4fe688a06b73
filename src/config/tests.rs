//! Settings as data: what is set, and what is then said.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::env::Variables;
use super::settings::AWS_SETTINGS;
use super::settings::SETTINGS;
use super::settings::Setting;
use super::*;
use crate::secret::Secret;

const TOKEN_FILE: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";

/// What is set beside the prepared pod.
type Set<'a> = &'a [(&'a str, &'a str)];

/// What the EKS webhook sets.
fn prepared() -> Variables {
    Variables::from_iter([
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/shop/app"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", TOKEN_FILE),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
        ("HOSTNAME", "app-0"),
        ("PATH", "/usr/bin"),
    ])
}

fn parse(variables: &Variables) -> Parsed<Config> {
    Config::parse(&Flags::default(), variables)
}

fn parsed(variables: &Variables) -> (Config, Vec<&'static str>) {
    let (config, warnings) = parse(variables).map_err(|mistakes| mistakes.to_string()).unwrap();
    (config, warnings.iter().map(|warning| warning.code).collect())
}

fn mistakes(variables: &Variables) -> Vec<Mistake> {
    parse(variables).err().map(|mistakes| mistakes.iter().cloned().collect()).unwrap_or_default()
}

/// A file that is there for one test.
struct Content(PathBuf);

impl Content {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("irsa-sidecar-config-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Of the only role.
fn session_name(config: &Config) -> String {
    let Source::WebIdentity(web_identity) = &config.roles.roles[0].source else { panic!("another source") };
    web_identity.session.name.fill(&config.roles.pod).as_str().to_owned()
}

#[test]
fn a_pod_that_the_eks_webhook_prepared_needs_no_setting_of_ours() {
    let (config, warnings) = parsed(&prepared());
    assert_eq!(warnings, [""; 0]);
    let [role] = &config.roles.roles[..] else { panic!("one role must be there") };
    assert_eq!((role.name.as_str(), role.arn().unwrap().name()), ("default", "app"));
    let Source::WebIdentity(web_identity) = &role.source else { panic!("{}", role.source.kind()) };
    assert_eq!(web_identity.token_file, PathBuf::from(TOKEN_FILE));
    assert_eq!(session_name(&config), "irsa-sidecar-app-0");
    assert_eq!(web_identity.session.duration, SessionDuration::Fixed(Duration::from_secs(3600)));
    assert_eq!(config.roles.ca_bundle, None);
    let listening: Vec<String> = config.listeners.listeners.iter().map(|l| l.address.to_string()).collect();
    assert_eq!(listening, ["127.0.0.1:9911", "[::1]:9911"]);
    assert!(config.listeners.listeners.iter().all(|l| l.is_default && !l.allow_unauthenticated));
    assert!(config.listeners.authorization.is_none());
    assert_eq!(
        (config.admin.unwrap().address.to_string().as_str(), config.admin.unwrap().is_default),
        ("[::]:9912", true)
    );
    assert_eq!(config.drain, Duration::ZERO);
    assert_eq!(config.log, Log { level: LevelFilter::INFO, format: LogFormat::Json });
}

#[test]
fn every_setting_does_what_it_says() {
    let token = Content::new("token", b"a token with 32 bytes, or so....");
    let pem = Content::new("pem", include_bytes!("../../tests/data/authority.pem"));
    let variables = prepared()
        .with("AWS_ROLE_SESSION_NAME", "shop=app@0")
        .with("AWS_CA_BUNDLE", pem.path())
        .with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:8080")
        .with("HTTPS_PROXY", "http://me:secret@proxy:3128")
        .with("IRSA_SIDECAR_LISTEN", "127.0.0.1:8001, 127.0.0.9:8001,[::1]:0")
        .with("IRSA_SIDECAR_ADMIN_LISTEN", "10.0.0.1:8002")
        .with("IRSA_SIDECAR_SESSION_DURATION", "12h")
        .with("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", token.path())
        .with("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", "127.0.0.9:8001")
        .with("IRSA_SIDECAR_IMDS", "off")
        .with("IRSA_SIDECAR_DRAIN", "1m 5s")
        .with("IRSA_SIDECAR_LOG", "debug")
        .with("IRSA_SIDECAR_LOG_FORMAT", "text");
    let (config, warnings) = parsed(&variables);
    assert_eq!(warnings, [""; 0]);
    let listeners: Vec<_> =
        config.listeners.listeners.iter().map(|l| (l.address.to_string(), l.allow_unauthenticated)).collect();
    let expected = [("127.0.0.1:8001", false), ("127.0.0.9:8001", true), ("[::1]:0", false)]
        .map(|(a, b)| (a.to_owned(), b));
    assert_eq!(listeners, expected);
    assert_eq!(config.admin.unwrap().address.to_string(), "10.0.0.1:8002");
    let Source::WebIdentity(web_identity) = &config.roles.roles[0].source else { panic!("another source") };
    assert_eq!(web_identity.session.duration, SessionDuration::Fixed(Duration::from_secs(12 * 3600)));
    assert_eq!(session_name(&config), "shop=app@0");
    assert_eq!(config.roles.ca_bundle, Some(pem.0.clone()));
    assert!(config.listeners.authorization.unwrap().token.matches(b"a token with 32 bytes, or so...."));
    assert_eq!(config.drain, Duration::from_secs(65));
    assert_eq!(config.log, Log { level: LevelFilter::DEBUG, format: LogFormat::Text });
}

#[test]
fn an_upstream_needs_a_listener_that_serves_the_metadata_service() {
    let variables = prepared()
        .with("IRSA_SIDECAR_LISTEN", "imds=127.0.0.1:1338")
        .with("IRSA_SIDECAR_IMDS_UPSTREAM", "http://[fd00:ec2::254%eth0]:8080")
        .with("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW", "meta-data/tags/,meta-data/mac");
    let (config, warnings) = parsed(&variables);
    assert_eq!(warnings, [""; 0]);
    let upstream = config.upstream.unwrap();
    assert_eq!(upstream.address.to_string(), "[fd00:ec2::254]:8080");
    assert_eq!(upstream.interface.as_deref(), Some("eth0"));
    let allowed: Vec<_> = upstream.allow.iter().map(|rule| (rule.path.as_str(), rule.is_tree)).collect();
    assert_eq!(allowed, [("meta-data/tags", true), ("meta-data/mac", false)]);
}

#[test]
fn what_an_address_serves_follows_from_the_address() {
    let list = "127.0.0.1:1,imds=127.0.0.1:2,169.254.169.254,[fd00:ec2::254]:8080,169.254.170.2,169.254.170.23:80,\
                fd00:ec2::23,[fd00:ec2::254]";
    let (config, warnings) = parsed(&prepared().with("IRSA_SIDECAR_LISTEN", list));
    assert_eq!(warnings, [""; 0]);
    let listeners = &config.listeners.listeners;
    let found: Vec<_> = listeners.iter().map(|l| (l.address.to_string(), l.serves)).collect();
    let expected = [
        ("127.0.0.1:1", Serves::Container),
        ("127.0.0.1:2", Serves::Imds),
        ("169.254.169.254:80", Serves::Imds),
        ("[fd00:ec2::254]:8080", Serves::Imds),
        ("169.254.170.2:80", Serves::Container),
        ("169.254.170.23:80", Serves::Container),
        ("[fd00:ec2::23]:80", Serves::Container),
        ("[fd00:ec2::254]:80", Serves::Imds),
    ];
    assert_eq!(found, expected.map(|(address, serves)| (address.to_owned(), serves)));
}

#[test]
fn the_metadata_service_tells_what_the_settings_say_and_no_more() {
    let (config, warnings) = parsed(
        &prepared()
            .with("IRSA_SIDECAR_LISTEN", "169.254.169.254,fd00:ec2::254")
            .with("IRSA_SIDECAR_IMDS", "required")
            .with("IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE", "eu-central-1a")
            .with("IRSA_SIDECAR_IMDS_INSTANCE_ID", "i-0123456789abcdef0")
            .with("IRSA_SIDECAR_IMDS_INSTANCE_TYPE", "u-6tb1.112xlarge"),
    );
    assert_eq!(warnings, [""; 0]);
    let some = |text: &str| Some(text.to_owned());
    let expected = Imds {
        mode: ImdsMode::Required,
        region: some("eu-central-1"),
        availability_zone: some("eu-central-1a"),
        instance_id: some("i-0123456789abcdef0"),
        instance_type: some("u-6tb1.112xlarge"),
    };
    assert_eq!(config.imds, expected);
    let (config, _) = parsed(&prepared().with("AWS_REGION", "").with("AWS_DEFAULT_REGION", "us-east-1"));
    assert_eq!(config.imds, Imds { region: some("us-east-1"), ..Imds::default() });
}

#[test]
fn a_switched_off_metadata_service_is_no_open_door() {
    let (config, warnings) = parsed(
        &prepared()
            .with("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "0123456789abcdef")
            .with("IRSA_SIDECAR_LISTEN", "127.0.0.1:1,169.254.169.254,fd00:ec2::254")
            .with("IRSA_SIDECAR_IMDS", "off"),
    );
    assert_eq!((config.imds.mode, warnings), (ImdsMode::Off, vec![]));
}

/// Each with the setting and a part of the reason. `setting=value`; the rest is the prepared pod.
#[test]
fn every_wrong_value_has_its_own_reason() {
    let cases = [
        ("IRSA_SIDECAR_LISTEN=0.0.0.0:9911", "neither a loopback address"),
        ("IRSA_SIDECAR_LISTEN=[::]:9911", "over the network would be given the role's credentials"),
        ("IRSA_SIDECAR_LISTEN=10.1.2.3:9911", "neither a loopback address"),
        ("IRSA_SIDECAR_LISTEN=169.254.1.1:80", "neither a loopback address"),
        ("IRSA_SIDECAR_LISTEN=[fe80::1]:80", "neither a loopback address"),
        ("IRSA_SIDECAR_LISTEN=[::1%1]:80", "zone"),
        ("IRSA_SIDECAR_LISTEN=[::ffff:127.0.0.1]:80", "IPv6 clothes"),
        ("IRSA_SIDECAR_LISTEN=localhost:9911", "localhost is a name"),
        ("IRSA_SIDECAR_LISTEN=localhost", "localhost is a name"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1", "names no port"),
        ("IRSA_SIDECAR_LISTEN=::1", "names no port"),
        ("IRSA_SIDECAR_LISTEN=[::1]", "names no port"),
        ("IRSA_SIDECAR_LISTEN=::1:9911", "without its brackets"),
        ("IRSA_SIDECAR_LISTEN=:9911", "names no address"),
        ("IRSA_SIDECAR_LISTEN=*:9911", "names no address"),
        ("IRSA_SIDECAR_LISTEN=9911", "names no address"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:99999", "port is not a number"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:http", "port is not a number"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:9911,", "empty entry"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:9911,127.0.0.1:9911", "twice"),
        ("IRSA_SIDECAR_LISTEN=http://127.0.0.1:9911", "is a URL"),
        ("IRSA_SIDECAR_LISTEN=sidecar:9911", "names are not looked up"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:9911;[::1]:9911", "not an IP address and a port"),
        ("IRSA_SIDECAR_LISTEN=169.254.170.2,169.254.170.2:80", "twice"),
        ("IRSA_SIDECAR_LISTEN=169.254.170.2:http", "port is not a number"),
        ("IRSA_SIDECAR_LISTEN=imds=169.254.169.254", "goes before a loopback address alone"),
        ("IRSA_SIDECAR_LISTEN=imds=10.0.0.1:1338", "neither a loopback address"),
        ("IRSA_SIDECAR_LISTEN=imds=127.0.0.1", "names no port"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:1,imds=127.0.0.1:1", "twice"),
        ("IRSA_SIDECAR_LISTEN=127.0.0.1:9912", "port 9912 is the admin listener's"),
        ("IRSA_SIDECAR_PORT=9912", "port 9912 is the admin listener's"),
        ("IRSA_SIDECAR_PORT=65536", "a port is a number"),
        ("IRSA_SIDECAR_PORT=-1", "a port is a number"),
        ("IRSA_SIDECAR_PORT=http", "a port is a number"),
        ("IRSA_SIDECAR_ADMIN_LISTEN=127.0.0.1:9911", "port 9911 is the admin listener's"),
        ("IRSA_SIDECAR_ADMIN_LISTEN=:9912", "names no address"),
        ("IRSA_SIDECAR_ADMIN_LISTEN=0.0.0.0", "names no port"),
        ("IRSA_SIDECAR_ADMIN_LISTEN=localhost:9912", "localhost is a name"),
        ("IRSA_SIDECAR_SESSION_DURATION=3600", "no unit"),
        ("IRSA_SIDECAR_SESSION_DURATION=1", "no unit"),
        ("IRSA_SIDECAR_SESSION_DURATION=0", "15m to 12h"),
        ("IRSA_SIDECAR_SESSION_DURATION=899s", "15m to 12h"),
        ("IRSA_SIDECAR_SESSION_DURATION=12h 1s", "15m to 12h"),
        ("IRSA_SIDECAR_SESSION_DURATION=1h 1ms", "whole seconds"),
        ("IRSA_SIDECAR_SESSION_DURATION=-1h", "negative"),
        ("IRSA_SIDECAR_SESSION_DURATION=an hour", "not a duration"),
        ("IRSA_SIDECAR_SESSION_DURATION=99999999999999999999h", "not a duration"),
        ("IRSA_SIDECAR_DRAIN=30", "no unit"),
        ("IRSA_SIDECAR_DRAIN=soon", "not a duration"),
        ("IRSA_SIDECAR_DRAIN=25h", "longer than a day"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE=/nowhere/at/all", "no such file"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE=/dev/zero", "not a file"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE=/", "not a file"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE=Zm9vYmFy", "does not begin with /"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN=line\nbreak", "byte 5 is a line break"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN=ends\n", "byte 5 is a line break"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN=a\tb", "byte 2 is a control character"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN=grün", "byte 3 is a byte outside ASCII"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN= lead", "begins or ends with a space"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN=trail ", "begins or ends with a space"),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED=127.0.0.1:1", "not one of the listeners"),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED=0.0.0.0:9911", "not one of the listeners"),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED=all", "not an IP address and a port"),
        ("IRSA_SIDECAR_IMDS=on", "not one of off, optional, required"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM=http://127.0.0.1:8080", "is this pod"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM=http://imds.local", "names are not looked up"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM=169.254.169.254", "no http:// before the address"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM=https://169.254.169.254", "http:// alone"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW=instance-id", "begins with neither meta-data/ nor dynamic/"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW=/", "empty entry"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW=meta-data/iam/info", "never passed on"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW=user-data", "never passed on"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW=meta-data/../user-data", "empty, . or .."),
        ("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW=meta-data/%69am", "not a plain path"),
        ("IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE=us-east-1-wl1-bos-wlz-1", "not a zone of eu-central-1"),
        ("IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE=eu-central-1", "is a region"),
        ("IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE=Frankfurt", "a region and a letter"),
        ("IRSA_SIDECAR_IMDS_INSTANCE_ID=0123456789abcdef0", "hexadecimal digits"),
        ("IRSA_SIDECAR_IMDS_INSTANCE_ID=i-0123456789ABCDEF0", "hexadecimal digits"),
        ("IRSA_SIDECAR_IMDS_INSTANCE_TYPE=large", "a dot between them"),
        ("IRSA_SIDECAR_ROLES_FILE=/nowhere/roles.yaml", "no such file"),
        ("IRSA_SIDECAR_ROLES_FILE=/etc/roles.yaml\n", "white space"),
        ("IRSA_SIDECAR_LOG=INFO", "not one of off, error"),
        ("IRSA_SIDECAR_LOG=irsa_sidecar=debug", "not one of off, error"),
        ("IRSA_SIDECAR_LOG_FORMAT=pretty", "not one of text, json"),
        ("IRSA_SIDECAR_LISTENS=127.0.0.1:9911", "no such setting"),
        ("AWS_ROLE_ARN=", "not set"),
        ("AWS_ROLE_ARN=app", "a role's name alone"),
        ("AWS_ROLE_ARN=system:serviceaccount:shop:app", "the name of a ServiceAccount"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:instance-profile/app", "an instance profile"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:user/app", "of a user"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:oidc-provider/oidc.eks", "an identity provider"),
        (
            "AWS_ROLE_ARN=arn:aws:sts::111122223333:assumed-role/app/s",
            "begins with arn:aws:iam::111122223333:role/",
        ),
        ("AWS_ROLE_ARN=arn:aws:s3:::bucket", "its service is \"s3\""),
        ("AWS_ROLE_ARN=arn:aws:iam:eu-central-1:111122223333:role/app", "IAM is global"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:app", "no role/"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:role/", "name is missing"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:role/path/", "name is missing"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:role/a*", "is not made of"),
        ("AWS_ROLE_ARN=arn:aws:iam::11112222333:role/app", "leading zeros"),
        ("AWS_ROLE_ARN=arn:aws:iam::1111-2222-3333:role/app", "without anything between"),
        ("AWS_ROLE_ARN=arn:aws:iam::1111222233334:role/app", "not 12 digits"),
        ("AWS_ROLE_ARN=arn:aws:iam:111122223333:role/app", "five of six"),
        ("AWS_ROLE_ARN=arn:AWS:iam::111122223333:role/app", "its partition"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app\n", "white space"),
        ("AWS_ROLE_ARN=\"arn:aws:iam::111122223333:role/app\"", "in quotes"),
        ("AWS_ROLE_ARN=arn:aws:iam::${ACCOUNT}:role/app", "placeholder"),
        ("AWS_ROLE_ARN=arn:aws:iam::111122223333:role/äpp", "which no ARN does"),
        ("AWS_ROLE_ARN=arn:x:iam:::role/a", "18 characters"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE=", "not set"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE=eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "not the path of a file"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE=/token\n", "white space"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE=file:///token", "is a URL"),
        ("AWS_ROLE_SESSION_NAME=shop app", "contains ' '"),
        ("AWS_ROLE_SESSION_NAME=a", "1 characters"),
        (
            "AWS_ROLE_SESSION_NAME=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "65 characters",
        ),
        ("AWS_REGION=eu-central-1a", "is an availability zone"),
        ("AWS_REGION=EU_CENTRAL_1", "a-z, 0-9 and - alone"),
        ("AWS_REGION=Frankfurt", "a-z, 0-9 and - alone"),
        ("AWS_STS_REGIONAL_ENDPOINTS=global", "not one of regional, legacy"),
        ("AWS_USE_FIPS_ENDPOINT=yes", "not one of true, false"),
        ("AWS_USE_DUALSTACK_ENDPOINT=1", "not one of true, false"),
        ("AWS_ENDPOINT_URL_STS=sts.amazonaws.com", "no https:// before the host"),
        ("AWS_ENDPOINT_URL_STS=ftp://sts.amazonaws.com", "does not begin with https://"),
        ("AWS_ENDPOINT_URL_STS=https://", "names no host"),
        ("AWS_ENDPOINT_URL_STS=https://u:p@sts", "a user name or a password"),
        ("AWS_ENDPOINT_URL_STS=https://sts?a=b", "a query"),
        ("AWS_ENDPOINT_URL=https://sts:0", "its port"),
        ("AWS_CA_BUNDLE=/nowhere/at/all", "no such file"),
        ("AWS_CA_BUNDLE=/", "not a file"),
        ("AWS_CA_BUNDLE=/dev/null", "not a file"),
        ("HTTPS_PROXY=socks5://proxy", "no other proxies"),
        ("https_proxy=proxy:port", "its port"),
        ("HTTP_PROXY=http://", "names no host"),
    ];
    for (assignment, reason) in cases {
        let (setting, value) = assignment.split_once('=').unwrap();
        let mistakes = mistakes(&prepared().with(setting, value));
        let [mistake] = &mistakes[..] else { panic!("{assignment}: {mistakes:#?}") };
        assert_eq!(mistake.setting, setting, "{assignment}");
        let reason = reason.replace("five of six", "has 5 of the six parts");
        assert!(mistake.reason.contains(&reason), "{assignment}: {}", mistake.reason);
        assert!(!mistake.mend.is_empty(), "{assignment}");
    }
}

#[test]
fn what_is_right_alone_may_be_wrong_together() {
    let secret = "0123456789abcdef";
    let cases: [(Set<'_>, &str, &str); 6] = [
        (
            &[
                ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", secret),
                ("IRSA_SIDECAR_LISTEN", "127.0.0.1:1,169.254.169.254,imds=127.0.0.1:2"),
                ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", "imds=127.0.0.1:2"),
            ],
            "IRSA_SIDECAR_LISTEN",
            "169.254.169.254:80 would give the role's credentials to whoever asks without it",
        ),
        (
            &[("IRSA_SIDECAR_PORT", "1"), ("IRSA_SIDECAR_LISTEN", "127.0.0.1:2")],
            "IRSA_SIDECAR_PORT",
            "IRSA_SIDECAR_LISTEN names others",
        ),
        (
            &[
                ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", secret),
                ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", "/etc/hostname"),
            ],
            "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE",
            "IRSA_SIDECAR_AUTHORIZATION_TOKEN is set too",
        ),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_ENDPOINT_URL_STS", "https://sts")],
            "AWS_USE_FIPS_ENDPOINT",
            "AWS_ENDPOINT_URL_STS names another",
        ),
        (
            &[("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"), ("AWS_ENDPOINT_URL", "https://sts")],
            "AWS_USE_DUALSTACK_ENDPOINT",
            "AWS_ENDPOINT_URL names another",
        ),
        (
            &[("IRSA_SIDECAR_LISTEN", "127.0.0.1:7000"), ("IRSA_SIDECAR_ADMIN_LISTEN", "10.0.0.1:7000")],
            "IRSA_SIDECAR_ADMIN_LISTEN",
            "port 7000",
        ),
    ];
    for (assignments, setting, reason) in cases {
        let variables = assignments.iter().fold(prepared(), |all, (name, value)| all.with(name, *value));
        let mistakes = mistakes(&variables);
        let [mistake] = &mistakes[..] else { panic!("{assignments:?}: {mistakes:#?}") };
        assert_eq!(mistake.setting, setting);
        assert!(mistake.reason.contains(reason), "{}", mistake.reason);
    }
}

#[test]
fn what_works_but_hardly_as_meant_is_a_warning() {
    let newline = Content::new("newline", b"0123456789abcdef\n");
    let cases: [(Set<'_>, &str); 20] = [
        (&[("IRSA_SIDECAR_IMDS", "required")], "ImdsIdle"),
        (&[("IRSA_SIDECAR_LISTEN", "127.0.0.1:1,169.254.169.254")], "ImdsHalfClaimed"),
        (&[("IRSA_SIDECAR_LISTEN", "127.0.0.1:1,[fd00:ec2::254]")], "ImdsHalfClaimed"),
        (&[("IRSA_SIDECAR_IMDS_UPSTREAM", "http://10.0.0.1:8080")], "ImdsUpstreamIdle"),
        (&[("IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW", "default")], "ImdsUpstreamAllowIdle"),
        (&[("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", "127.0.0.1:9911")], "AllowUnauthenticatedIdle"),
        (
            &[
                ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", "127.0.0.1:9911,[::1]:9911"),
                ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "0123456789abcdef"),
            ],
            "AuthorizationTokenIdle",
        ),
        (&[("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "short")], "AuthorizationTokenShort"),
        (&[("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", newline.path())], "AuthorizationTokenNewline"),
        (&[("IRSA_SIDECAR_SESSION_DURATION", "15m")], "SessionShort"),
        (&[("IRSA_SIDECAR_SESSION_DURATION", "49m")], "SessionShort"),
        (&[("IRSA_SIDECAR_PORT", "tcp://10.0.0.1:443")], "ServiceLinkIgnored"),
        (&[("AWS_ROLE_ARN", "arn:minio:iam:::role/idp-app")], "PartitionUnknown"),
        (&[("AWS_ROLE_ARN", "arn:aws:iam:::role/app")], "AccountMissing"),
        (&[("AWS_WEB_IDENTITY_TOKEN_FILE", "token")], "TokenFileRelative"),
        (&[("AWS_ENDPOINT_URL_STS", "http://minio:9000")], "EndpointInClear"),
        (&[("AWS_ENDPOINT_URL", "http://minio:9000")], "EndpointInClear"),
        (&[("HTTPS_PROXY", "proxy:3128"), ("no_proxy", ".svc,*.amazonaws.com")], "NoProxyUnclear"),
        (&[("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")], "StaticKeysIgnored"),
        (&[("AWS_SESSION_TOKEN", "x")], "StaticKeysIgnored"),
    ];
    for (assignments, warning) in cases {
        let variables = assignments.iter().fold(prepared(), |all, (name, value)| all.with(name, *value));
        assert_eq!(parsed(&variables).1, [warning], "{assignments:?}");
    }
}

#[test]
fn is_silent_about_what_is_fine() {
    let cases: [Set<'_>; 11] = [
        &[("IRSA_SIDECAR_SESSION_DURATION", "50m")],
        &[("IRSA_SIDECAR_PORT", "0")],
        &[("IRSA_SIDECAR_DRAIN", "0")],
        &[("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "Basic 0123456789abcdef")],
        &[("AWS_ENDPOINT_URL_STS", "https://sts"), ("AWS_ENDPOINT_URL", "http://not-asked")],
        &[("AWS_ENDPOINT_URL_STS", "http://[::1]:1"), ("AWS_USE_FIPS_ENDPOINT", "false")],
        &[("AWS_STS_REGIONAL_ENDPOINTS", "Legacy"), ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE")],
        &[("NO_PROXY", "*.amazonaws.com")],
        &[("AWS_ROLE_ARN", "arn:aws-eusc:iam::111122223333:role/app"), ("AWS_REGION", "eusc-de-east-1")],
        // The general one is not read where the specific one is set.
        &[("AWS_DEFAULT_REGION", "Frankfurt"), ("AWS_ACCESS_KEY_ID", "")],
        &[("IRSA_SIDECAR_WEBHOOK_PORT_443_TCP_PROTO", "tcp"), ("IRSA_SIDECAR_COMMIT", "0123456789ab")],
    ];
    for assignments in cases {
        let variables = assignments.iter().fold(prepared(), |all, (name, value)| all.with(name, *value));
        assert_eq!(parsed(&variables).1, [""; 0], "{assignments:?}");
    }
}

#[test]
fn an_empty_variable_of_awss_is_unset_and_an_empty_one_of_ours_is_a_mistake() {
    for setting in AWS_SETTINGS {
        let is_required = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"].contains(&setting.variable);
        let variables = prepared().with(setting.variable, "");
        let reasons: Vec<String> = mistakes(&variables).into_iter().map(|mistake| mistake.reason).collect();
        let unset = prepared().without(setting.variable);
        let reasons_unset: Vec<String> = mistakes(&unset).into_iter().map(|mistake| mistake.reason).collect();
        assert_eq!(reasons, reasons_unset);
        assert_eq!(reasons, if is_required { vec!["it is not set".to_owned()] } else { vec![] });
    }
    for setting in SETTINGS {
        let mistakes = mistakes(&prepared().with(setting.variable, ""));
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        assert_eq!(
            (mistakes[0].setting.as_str(), mistakes[0].reason.as_str()),
            (setting.variable, "it is empty")
        );
    }
}

#[test]
fn every_setting_refuses_nonsense_under_the_name_it_was_given() {
    for setting in SETTINGS {
        let by_variable = mistakes(&prepared().with(setting.variable, "\u{1}\n"));
        assert_eq!(by_variable.len(), 1, "{by_variable:#?}");
        assert_eq!(by_variable[0].setting, setting.variable);

        let not_text = mistakes(&prepared().with(setting.variable, OsString::from_vec(vec![0xff])));
        assert_eq!(not_text.len(), 1, "{not_text:#?}");
        assert_eq!(not_text[0].reason, "its value is not UTF-8 text");

        let Some(flag) = setting.flag else { continue };
        let by_flag = Config::parse(&Flags::default().with(setting, "\u{1}\n"), &prepared()).err().unwrap();
        let by_flag: Vec<&Mistake> = by_flag.iter().collect();
        assert_eq!(by_flag.len(), 1, "{by_flag:#?}");
        assert_eq!(by_flag[0].setting, format!("--{flag}"));
    }
    // What is not read is not judged: a region behind another, the agent where there is a web identity.
    let is_read = |setting: &&&Setting| !setting.variable.contains("CONTAINER");
    for setting in AWS_SETTINGS.iter().filter(is_read) {
        let variables =
            prepared().without("AWS_REGION").with(setting.variable, OsString::from_vec(vec![0xff]));
        let mistakes = mistakes(&variables);
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        assert_eq!(mistakes[0].setting, setting.variable);
    }
}

#[test]
fn every_example_is_right() {
    let is_about_a_file =
        |setting: &Setting| setting.variable.ends_with("_FILE") || setting.variable == "AWS_CA_BUNDLE";
    for setting in SETTINGS.into_iter().chain(AWS_SETTINGS).filter(|setting| !is_about_a_file(setting)) {
        assert_eq!(mistakes(&prepared().with(setting.variable, setting.example)), []);
    }
}

#[test]
fn a_flag_beats_its_variable() {
    for setting in SETTINGS {
        if setting.flag.is_none() || setting.variable.ends_with("_FILE") {
            continue;
        }
        let variables = prepared().with(setting.variable, "\u{1}\n");
        let flags = Flags::default().with(setting, setting.example);
        assert!(Config::parse(&flags, &variables).is_ok(), "{}", setting.variable);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let wrong = Variables::from_iter(SETTINGS.map(|setting| (setting.variable, "\u{1}")))
        .with("IRSA_SIDECAR_NONE_OF_OURS", "x")
        .with("AWS_ROLE_ARN", "x")
        .with("AWS_REGION", "X")
        .with("AWS_CA_BUNDLE", "/nowhere");
    let told = parse(&wrong).err().unwrap();
    let text = told.to_string();
    for setting in SETTINGS {
        assert!(text.contains(setting.variable), "{} is not in\n{text}", setting.variable);
    }
    for setting in ["IRSA_SIDECAR_NONE_OF_OURS", "AWS_ROLE_ARN", "AWS_REGION", "AWS_CA_BUNDLE"] {
        assert!(text.contains(setting), "{setting} is not in\n{text}");
    }
    // With a roles file nothing of the kind need be set.
    let without_a_file = parse(&wrong.without("IRSA_SIDECAR_ROLES_FILE")).err().unwrap().to_string();
    assert!(without_a_file.contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{without_a_file}");
    assert!(text.starts_with(&format!("{} mistakes in the settings:\n", told.iter().count())), "{text}");
}

#[test]
fn one_list_with_several_wrong_entries_has_several_mistakes() {
    let mistakes = mistakes(&prepared().with("IRSA_SIDECAR_LISTEN", "0.0.0.0:1,localhost:2,127.0.0.1:3,:4"));
    assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
}

#[test]
fn no_secret_is_ever_told() {
    const MARKER: &str = "PLANTED";
    let file = Content::new("planted", b"PLANTED\nPLANTED");
    let cases = [
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "PLANTED\n"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "PLANTED"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", file.path()),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", "PLANTED"),
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", "PLANTED/+a=="),
        ("IRSA_SIDECAR_AUTHORISATION_TOKEN", "PLANTED"),
        ("IRSA_SIDECAR_PASSWORD", "PLANTED"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.PLANTED"),
        ("AWS_ROLE_ARN", "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.PLANTED"),
        ("AWS_ENDPOINT_URL_STS", "https://PLANTED:PLANTED@sts"),
        ("AWS_ENDPOINT_URL_STS", "https://u:PLAN/PLANTED@sts:99999"),
        ("AWS_ENDPOINT_URL_STS", "sts:PLANTED@sts"),
        ("AWS_ENDPOINT_URL_STS", "https://sts/?X-Amz-Security-Token=PLANTED"),
        ("AWS_ENDPOINT_URL", "ftp://u:PLANTED@sts"),
        ("HTTPS_PROXY", "http://me:PLANTED@proxy:99999"),
        ("HTTPS_PROXY", "http://me:PLANTED/PLANTED@proxy:1"),
        ("HTTPS_PROXY", "http://me:PLANTED@proxy:1/path"),
        ("http_proxy", "me:PLANTED@pro xy"),
        ("IRSA_SIDECAR_IMDS_UPSTREAM", "http://u:PLANTED@169.254.169.254"),
        ("AWS_ACCESS_KEY_ID", "PLANTED"),
        ("AWS_SECRET_ACCESS_KEY", "PLANTED"),
        ("AWS_SESSION_TOKEN", "PLANTED"),
    ];
    for (name, value) in cases {
        let told = match parse(&prepared().with(name, value)) {
            Ok((_, warnings)) => format!("{warnings:?}"),
            Err(mistakes) => {
                let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
                format!("{mistakes} {mistakes:?} {lines:?}")
            }
        };
        assert!(told.len() > 2, "nothing is told of {name}");
        assert!(!told.replace(file.path(), "").contains(MARKER), "{name}={value}: {told}");
    }
}

#[test]
fn the_authorization_token_is_what_the_file_holds_without_its_last_newline() {
    for (content, token) in [
        (&b"0123456789abcdef"[..], Some("0123456789abcdef")),
        (b"0123456789abcdef\n", Some("0123456789abcdef")),
        (b"0123456789abcdef\r\n", Some("0123456789abcdef")),
        (b"0123456789abcdef\n\n", None),
        (b"01234567\n89abcdef", None),
        (b"0123456789abcdef\0", None),
        (b"0123456789abcdef \n", None),
        (b"\n", None),
        (b"", None),
        (b"\xff", None),
        (&[b'a'; 4096], Some(&"a".repeat(4096))),
        (&[b'a'; 4097], None),
    ] {
        let file = Content::new("newlines", content);
        let parsed = parse(&prepared().with("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", file.path()));
        let secret = parsed.ok().map(|(config, _)| config.listeners.authorization.unwrap().token);
        assert_eq!(secret.as_ref().map(Secret::expose), token, "{:?}", String::from_utf8_lossy(content));
    }
}

#[test]
fn the_session_name_comes_from_what_is_known_of_the_pod() {
    let long = "a".repeat(70);
    let cases: [(Set<'_>, &str); 6] = [
        (&[("POD_NAMESPACE", "shop"), ("POD_NAME", "app-0")], "shop-app-0"),
        (&[("POD_NAMESPACE", "shop")], "irsa-sidecar-app-0"),
        (&[("POD_NAMESPACE", ""), ("POD_NAME", "app-0")], "irsa-sidecar-app-0"),
        (&[("POD_NAMESPACE", "shop"), ("POD_NAME", &long)], &long[..64]),
        (&[("HOSTNAME", "größe:1")], "irsa-sidecar-gr--e-1"),
        (&[("HOSTNAME", "")], "irsa-sidecar"),
    ];
    for (assignments, name) in cases {
        let variables = assignments.iter().fold(prepared(), |all, (name, value)| all.with(name, *value));
        assert_eq!(session_name(&parsed(&variables).0), name);
    }
}

#[test]
fn a_role_tells_its_parts() {
    let arn: RoleArn = "arn:aws-us-gov:iam::111122223333:role/a/b:c/app+x=y".parse().unwrap();
    assert_eq!((arn.partition(), arn.account(), arn.name()), ("aws-us-gov", Some("111122223333"), "app+x=y"));
    let foreign: RoleArn = "arn:minio:iam:::role/idp".parse().unwrap();
    assert_eq!((foreign.account(), foreign.has_known_partition()), (None, false));
    let longest = format!("arn:aws:iam::111122223333:role/{}", "a/".repeat(1008));
    assert!(format!("{longest}a").parse::<RoleArn>().is_ok());
    assert_eq!(format!("{longest}ab").parse::<RoleArn>().err(), Some(types::InvalidRoleArn::Length(2049)));
}

#[test]
fn each_command_asks_for_what_it_needs_and_no_more() {
    let nothing = Variables::default().with("IRSA_SIDECAR_LISTEN", "nonsense");
    let (healthcheck, _) = parse_healthcheck(&Flags::default(), &nothing).unwrap();
    assert_eq!((healthcheck.admin.to_string().as_str(), healthcheck.wait), ("[::]:9912", None));
    assert!(parse_token_file(&nothing).is_err());
    let token_only = nothing.with("AWS_WEB_IDENTITY_TOKEN_FILE", TOKEN_FILE);
    assert_eq!(parse_token_file(&token_only).unwrap().0, PathBuf::from(TOKEN_FILE));
    let with_role = token_only.with("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/app");
    assert!(parse_roles(&Flags::default(), &with_role).is_ok());
    let misspelt = with_role.clone().with("IRSA_SIDECAR_SESION_DURATION", "2h");
    assert!(parse_roles(&Flags::default(), &misspelt).is_err());
    let another = Flags::default().with(&settings::ROLE, "reports");
    assert!(parse_roles(&another, &with_role).err().unwrap().to_string().contains("--role \"reports\""));
}

#[test]
fn healthcheck_tells_both_of_its_mistakes() {
    let mut flags = Flags::default().with(&settings::WAIT, "5");
    flags.set_as("admin", &settings::ADMIN_LISTEN, "127.0.0.1:0".to_owned());
    let mistakes = parse_healthcheck(&flags, &Variables::default()).err().unwrap();
    let told: Vec<_> = mistakes.iter().map(|mistake| mistake.setting.as_str()).collect();
    assert_eq!(told, ["--admin", "--wait"]);
}
