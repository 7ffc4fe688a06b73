//! Which host is called, and how it is reached: over TLS, through a proxy that leads to the emulator whatever name it is
//! asked for, so that the client believes itself on its way to AWS. Nothing leaves the machine.

use std::collections::BTreeMap;
use std::fs;

use support::proxy::Proxy;
use support::sts::Call;
use support::sts::Link;
use support::tls::Authority;
use support::world::CHAIN;
use support::world::ROLE_ARN;
use support::world::World;

use crate::sidecar::run;

mod direct;
mod proxies;

/// The one role there is, in every partition.
const ROLES: [&str; 7] = [
    ROLE_ARN,
    "arn:aws-cn:iam::111122223333:role/legacy-app",
    "arn:aws-us-gov:iam::111122223333:role/legacy-app",
    "arn:aws-iso:iam::111122223333:role/legacy-app",
    "arn:aws-iso-b:iam::111122223333:role/legacy-app",
    "arn:aws-iso-f:iam::111122223333:role/legacy-app",
    "arn:aws-eusc:iam::111122223333:role/legacy-app",
];
const REGIONAL: &str = "sts.eu-central-1.amazonaws.com";
const VPC_ENDPOINT: &str = "vpce-0a1b2c3d-4e5f.sts.eu-central-1.vpce.amazonaws.com";

/// A pod whose way out is a proxy.
struct Network {
    world: World,
    proxy: Proxy,
}

/// Variables beside the pod's.
type Set<'a> = &'a [(&'a str, &'a str)];

/// The same, what the pod's profile says, and which host is to be called then.
type Case<'a> = (Set<'a>, &'a str, &'a str);

const NO_REGION: (&str, &str) = ("AWS_REGION", "");
const LEGACY: (&str, &str) = ("AWS_STS_REGIONAL_ENDPOINTS", "legacy");
const FIPS: (&str, &str) = ("AWS_USE_FIPS_ENDPOINT", "true");
const DUAL_STACK: (&str, &str) = ("AWS_USE_DUALSTACK_ENDPOINT", "true");

#[tokio::test]
async fn calls_the_sts_that_region_and_settings_lead_to() {
    let cases: &[Case<'_>] = &[
        (&[], "", REGIONAL),
        (&[("AWS_STS_REGIONAL_ENDPOINTS", "regional")], "", REGIONAL),
        (&[NO_REGION, ("AWS_DEFAULT_REGION", "eu-west-1")], "", "sts.eu-west-1.amazonaws.com"),
        // The global endpoint; not in a region that must be opted in to.
        (&[LEGACY], "", "sts.amazonaws.com"),
        (&[LEGACY, ("AWS_REGION", "af-south-1")], "", "sts.af-south-1.amazonaws.com"),
        (&[LEGACY, NO_REGION], "", "sts.amazonaws.com"),
        (&[("AWS_REGION", "aws-global")], "", "sts.amazonaws.com"),
        (&[LEGACY, FIPS, ("AWS_REGION", "us-east-1")], "", "sts-fips.us-east-1.amazonaws.com"),
        (&[FIPS, ("AWS_REGION", "us-east-1")], "", "sts-fips.us-east-1.amazonaws.com"),
        (&[FIPS, DUAL_STACK, ("AWS_REGION", "us-east-1")], "", "sts-fips.us-east-1.api.aws"),
        (&[DUAL_STACK], "", "sts.eu-central-1.api.aws"),
    ];
    Network::of(ROLE_ARN).await.calls_each(cases).await;
}

#[tokio::test]
async fn calls_the_sts_of_every_partition() {
    let cases: [(&str, Case<'_>); 9] = [
        (ROLES[1], (&[("AWS_REGION", "cn-north-1")], "", "sts.cn-north-1.amazonaws.com.cn")),
        (ROLES[2], (&[("AWS_REGION", "us-gov-west-1")], "", "sts.us-gov-west-1.amazonaws.com")),
        (ROLES[2], (&[("AWS_REGION", "us-gov-west-1"), FIPS], "", "sts.us-gov-west-1.amazonaws.com")),
        (ROLES[2], (&[("AWS_REGION", "us-gov-west-1"), DUAL_STACK], "", "sts.us-gov-west-1.api.aws")),
        (ROLES[3], (&[("AWS_REGION", "us-iso-east-1")], "", "sts.us-iso-east-1.c2s.ic.gov")),
        (ROLES[4], (&[("AWS_REGION", "us-isob-east-1")], "", "sts.us-isob-east-1.sc2s.sgov.gov")),
        (ROLES[5], (&[("AWS_REGION", "us-isof-south-1")], "", "sts.us-isof-south-1.csp.hci.ic.gov")),
        (ROLES[6], (&[("AWS_REGION", "eusc-de-east-1")], "", "sts.eusc-de-east-1.amazonaws.eu")),
        (ROLES[6], (&[("AWS_REGION", "eusc-de-east-1"), LEGACY], "", "sts.eusc-de-east-1.amazonaws.eu")),
    ];
    for (role_arn, case) in cases {
        Network::of(role_arn).await.calls_each(&[case]).await;
    }
}

#[tokio::test]
async fn calls_the_endpoint_that_is_given() {
    let (vpc, other) = (format!("https://{VPC_ENDPOINT}"), "https://sts.corp.example/");
    let cases: &[Case<'_>] = &[
        (&[("AWS_ENDPOINT_URL_STS", &vpc)], "", VPC_ENDPOINT),
        (&[("AWS_ENDPOINT_URL_STS", &vpc), NO_REGION], "", VPC_ENDPOINT),
        (&[("AWS_ENDPOINT_URL_STS", &vpc), LEGACY], "", VPC_ENDPOINT),
        (&[("AWS_ENDPOINT_URL_STS", &vpc), ("AWS_ENDPOINT_URL", other)], "", VPC_ENDPOINT),
        (&[("AWS_ENDPOINT_URL", other)], "", "sts.corp.example"),
        (&[("AWS_ENDPOINT_URL_STS", ""), ("AWS_ENDPOINT_URL", other)], "", "sts.corp.example"),
        (&[("AWS_ENDPOINT_URL", other), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], "", REGIONAL),
    ];
    Network::of(ROLE_ARN).await.calls_each(cases).await;
}

#[tokio::test]
async fn a_profile_says_what_the_variables_do_not() {
    let vpc = format!(
        "[default]\nservices = private\n[services private]\nsts =\n  endpoint_url = https://{VPC_ENDPOINT}\n"
    );
    let cases: &[Case<'_>] = &[
        (&[NO_REGION], "[default]\nregion = eu-west-3\n", "sts.eu-west-3.amazonaws.com"),
        (&[], "[default]\nregion = eu-west-3\n", REGIONAL),
        (
            &[NO_REGION, ("AWS_PROFILE", "shop")],
            "[default]\nregion = eu-west-3\n[profile shop]\nregion = eu-west-2\n",
            "sts.eu-west-2.amazonaws.com",
        ),
        (&[], "[default]\nsts_regional_endpoints = legacy\n", "sts.amazonaws.com"),
        (&[NO_REGION], "[default]\nsts_regional_endpoints = legacy\n", "sts.amazonaws.com"),
        (
            &[("AWS_STS_REGIONAL_ENDPOINTS", "regional")],
            "[default]\nsts_regional_endpoints = legacy\n",
            REGIONAL,
        ),
        (
            &[("AWS_STS_REGIONAL_ENDPOINTS", "")],
            "[default]\nsts_regional_endpoints = legacy\n",
            "sts.amazonaws.com",
        ),
        (&[], "[default]\nuse_dualstack_endpoint = true\n", "sts.eu-central-1.api.aws"),
        (&[], &vpc, VPC_ENDPOINT),
        (&[("AWS_ENDPOINT_URL_STS", "")], &vpc, VPC_ENDPOINT),
    ];
    Network::of(ROLE_ARN).await.calls_each(cases).await;
}

/// The first call needs no signature, those after it do; the global endpoint has a region of its own for them.
#[tokio::test]
async fn a_chain_is_signed_for_the_region_of_the_sts_that_is_called() {
    let network = Network::of(ROLE_ARN).await;
    network.world.sts.put_link(&Link::new(CHAIN[1], ROLE_ARN)).unwrap();
    let roles = network.world.directory().join("roles.yaml");
    let partner =
        format!("{{ name: partner, chain: {{ from: default, steps: [{{ role_arn: \"{}\" }}] }} }}", CHAIN[1]);
    fs::write(&roles, format!("roles: [{{ name: default, role_arn: \"{ROLE_ARN}\" }}, {partner}]\n"))
        .unwrap();
    let roles = ("IRSA_SIDECAR_ROLES_FILE", roles.to_str().unwrap());
    let vpc = format!("https://{VPC_ENDPOINT}");
    let cases: [(Set<'_>, &str, &str); 6] = [
        (&[], REGIONAL, "eu-central-1"),
        (&[LEGACY], "sts.amazonaws.com", "us-east-1"),
        (&[LEGACY, NO_REGION], "sts.amazonaws.com", "us-east-1"),
        (&[LEGACY, ("AWS_REGION", "af-south-1")], "sts.af-south-1.amazonaws.com", "af-south-1"),
        (&[FIPS, ("AWS_REGION", "us-west-2")], "sts-fips.us-west-2.amazonaws.com", "us-west-2"),
        (&[("AWS_ENDPOINT_URL_STS", &vpc)], VPC_ENDPOINT, "eu-central-1"),
    ];
    for (variables, host, region) in cases {
        network.presents(&[host]);
        let variables = [variables, &[roles]].concat();
        let env = network.env(&variables, "");
        let (status, output) = run(&["credentials", "--role=partner"], env).await;
        assert_eq!(status, 0, "{variables:?}: {output}");
        let calls = network.world.sts.calls();
        let [.., first, chained] = calls.as_slice() else { panic!("{calls:?}") };
        assert!(!first.signed && chained.signed, "{variables:?}: {calls:?}");
        assert_eq!(chained.signing_region.as_deref(), Some(region), "{variables:?}");
        assert_eq!(chained.signing_service.as_deref(), Some("sts"), "{variables:?}");
        assert_eq!((first.host.as_deref(), chained.host.as_deref()), (Some(host), Some(host)));
    }
}

#[tokio::test]
async fn what_does_not_go_together_is_a_mistake_before_anything_is_called() {
    let network = Network::of(ROLE_ARN).await;
    let endpoint = ("AWS_ENDPOINT_URL_STS", "https://sts.corp.example");
    let cases: [(Set<'_>, &str, &[&str]); 6] = [
        (&[endpoint, FIPS], "", &["AWS_ENDPOINT_URL_STS", "AWS_USE_FIPS_ENDPOINT"]),
        (
            &[endpoint],
            "[default]\nuse_fips_endpoint = true\n",
            &["AWS_ENDPOINT_URL_STS", "AWS_USE_FIPS_ENDPOINT"],
        ),
        (&[NO_REGION, LEGACY, DUAL_STACK], "", &["AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_DUALSTACK_ENDPOINT"]),
        (&[("AWS_REGION", "aws-cn-global")], "", &["AWS_REGION=aws-cn-global"]),
        (
            &[],
            "[default]\nsts_regional_endpoints = global\n",
            &["sts_regional_endpoints", "regional, legacy"],
        ),
        (&[NO_REGION], "", &["AWS_REGION: not set"]),
    ];
    for (variables, profile, words) in cases {
        let (status, output) = network.exchange(variables, profile).await;
        assert_eq!(status, 64, "{variables:?}: {output}");
        assert!(words.iter().all(|word| output.contains(word)), "{variables:?}: {output}");
    }
    assert!(network.proxy.asked().is_empty() && network.world.sts.calls().is_empty());
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_is_not_in_the_bundle_is_refused() {
    let network = Network::of(ROLE_ARN).await;
    network.presents(&[REGIONAL]);
    let stranger = network.world.directory().join("stranger.pem");
    fs::write(&stranger, Authority::generate().unwrap().pem()).unwrap();
    let (status, output) = network.exchange(&[("AWS_CA_BUNDLE", stranger.to_str().unwrap())], "").await;
    assert_eq!(status, 69, "{output}");
    assert!(output.contains("CertificateUntrusted") && output.contains(REGIONAL), "{output}");
    assert_eq!(network.proxy.tunnels(), [format!("{REGIONAL}:443")]);
    assert!(network.world.sts.calls().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let network = Network::of(ROLE_ARN).await;
    for other in ["sts.eu-west-1.amazonaws.com", "*.amazonaws.com", "eu-central-1.amazonaws.com"] {
        network.presents(&[other]);
        let (status, output) = network.exchange(&[], "").await;
        assert_eq!(status, 69, "{other}: {output}");
        assert!(output.contains("CertificateUntrusted") && output.contains(REGIONAL), "{other}: {output}");
    }
    assert!(network.world.sts.calls().is_empty());
    network.presents(&["*.eu-central-1.amazonaws.com"]);
    network.exchanges(&[]).await;
}

impl Network {
    async fn of(role_arn: &str) -> Self {
        let world = World::builder().roles([role_arn]).tls().start().await.unwrap();
        let proxy = Proxy::start(world.sts.address()).await.unwrap();
        Self { world, proxy }
    }

    /// From now on STS has a certificate for these names.
    fn presents(&self, names: &[&str]) {
        self.world.sts.tls().unwrap().present(names).unwrap();
    }

    /// What a pod behind this proxy has in its environment, and this.
    fn env(&self, variables: Set<'_>, profile: &str) -> BTreeMap<String, String> {
        let mut env = self.world.env();
        env.remove("AWS_ENDPOINT_URL_STS");
        env.insert("HTTPS_PROXY".to_owned(), self.proxy.url());
        if !profile.is_empty() {
            let path = self.world.directory().join("config");
            fs::write(&path, profile).unwrap();
            env.insert("AWS_CONFIG_FILE".to_owned(), path.to_str().unwrap().to_owned());
        }
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        env
    }

    /// `irsa-sidecar credentials` there.
    async fn exchange(&self, variables: Set<'_>, profile: &str) -> (i32, String) {
        run(&["credentials"], self.env(variables, profile)).await
    }

    /// The same, which must succeed; gives the one call that STS saw.
    async fn exchanges(&self, variables: Set<'_>) -> Call {
        self.exchanges_with(variables, "").await
    }

    async fn exchanges_with(&self, variables: Set<'_>, profile: &str) -> Call {
        let before = self.world.sts.calls().len();
        let (status, output) = self.exchange(variables, profile).await;
        assert_eq!(status, 0, "{variables:?} {profile}: {output}");
        let mut calls = self.world.sts.calls().split_off(before);
        assert_eq!(calls.len(), 1, "{variables:?} {profile}: {calls:?}");
        calls.remove(0)
    }

    /// Each host is asked for by name, at the port of TLS, and has to show a certificate for that name and no other.
    async fn calls_each(&self, cases: &[Case<'_>]) {
        for (variables, profile, host) in cases {
            self.presents(&[host]);
            let call = self.exchanges_with(variables, profile).await;
            let case = format!("{variables:?} {profile}");
            assert_eq!(self.proxy.tunnels().last(), Some(&format!("{host}:443")), "{case}");
            assert_eq!((call.tls, call.server_name.as_deref()), (true, Some(*host)), "{case}");
            assert_eq!(call.host.as_deref(), Some(*host), "{case}");
        }
        assert_eq!(self.proxy.asked().len(), cases.len());
    }
}
