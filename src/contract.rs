//! Every name that crosses the border of this process: settings, paths, headers, ports, limits.
//!
//! Whoever scripts against irsa-sidecar depends on what is written here; a change is a breaking change.
//! AWS's own variables keep the meaning that the AWS SDKs give them.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

use hyper::header::HeaderName;

// ---- Our settings: flag (without dashes) and variable ----

pub const ENV_LISTEN: &str = "IRSA_SIDECAR_LISTEN";
pub const ENV_PORT: &str = "IRSA_SIDECAR_PORT";
pub const ENV_ADMIN_LISTEN: &str = "IRSA_SIDECAR_ADMIN_LISTEN";
pub const ENV_SESSION_DURATION: &str = "IRSA_SIDECAR_SESSION_DURATION";
pub const ENV_AUTHORIZATION_TOKEN_FILE: &str = "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE";
pub const ENV_AUTHORIZATION_TOKEN: &str = "IRSA_SIDECAR_AUTHORIZATION_TOKEN";
pub const ENV_IMDS: &str = "IRSA_SIDECAR_IMDS";
pub const ENV_ALLOW_UNAUTHENTICATED: &str = "IRSA_SIDECAR_ALLOW_UNAUTHENTICATED";
pub const ENV_IMDS_UPSTREAM: &str = "IRSA_SIDECAR_IMDS_UPSTREAM";
pub const ENV_IMDS_UPSTREAM_ALLOW: &str = "IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW";
pub const ENV_IMDS_AVAILABILITY_ZONE: &str = "IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE";
pub const ENV_IMDS_INSTANCE_ID: &str = "IRSA_SIDECAR_IMDS_INSTANCE_ID";
pub const ENV_IMDS_INSTANCE_TYPE: &str = "IRSA_SIDECAR_IMDS_INSTANCE_TYPE";
pub const ENV_ROLES_FILE: &str = "IRSA_SIDECAR_ROLES_FILE";
pub const ENV_CREDENTIALS_FILE: &str = "IRSA_SIDECAR_CREDENTIALS_FILE";
pub const ENV_DRAIN: &str = "IRSA_SIDECAR_DRAIN";
pub const ENV_LOG: &str = "IRSA_SIDECAR_LOG";
pub const ENV_LOG_FORMAT: &str = "IRSA_SIDECAR_LOG_FORMAT";
/// Every variable of ours starts with this; one that does and is not known is a mistake, named at start.
pub const ENV_PREFIX: &str = "IRSA_SIDECAR_";

// ---- AWS's settings ----

pub const ENV_ROLE_ARN: &str = "AWS_ROLE_ARN";
pub const ENV_WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
pub const ENV_ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
pub const ENV_REGION: &str = "AWS_REGION";
pub const ENV_DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
pub const ENV_STS_REGIONAL_ENDPOINTS: &str = "AWS_STS_REGIONAL_ENDPOINTS";
pub const ENV_USE_FIPS_ENDPOINT: &str = "AWS_USE_FIPS_ENDPOINT";
pub const ENV_USE_DUALSTACK_ENDPOINT: &str = "AWS_USE_DUALSTACK_ENDPOINT";
pub const ENV_ENDPOINT_URL_STS: &str = "AWS_ENDPOINT_URL_STS";
pub const ENV_ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
pub const ENV_CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// EKS Pod Identity's, where the agent is what credentials come from.
pub const ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
pub const ENV_CONTAINER_AUTHORIZATION_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

// ---- The downward API, for the session name ----

pub const ENV_POD_NAME: &str = "POD_NAME";
pub const ENV_POD_NAMESPACE: &str = "POD_NAMESPACE";
pub const ENV_NODE_NAME: &str = "NODE_NAME";
pub const ENV_SERVICE_ACCOUNT: &str = "SERVICE_ACCOUNT";
pub const ENV_HOSTNAME: &str = "HOSTNAME";

// ---- The downward API, for net-init: a pod with its node's address is in its node's network namespace ----

pub const ENV_POD_IP: &str = "POD_IP";
pub const ENV_HOST_IP: &str = "HOST_IP";

// ---- Defaults and bounds ----

pub const DEFAULT_PORT: u16 = 9911;
pub const DEFAULT_ADMIN_PORT: u16 = 9912;
pub const DEFAULT_SESSION_DURATION: Duration = Duration::from_secs(3600);
/// STS's own bounds on `DurationSeconds`.
pub const MIN_SESSION_DURATION: Duration = Duration::from_secs(900);
pub const MAX_SESSION_DURATION: Duration = Duration::from_secs(43_200);
/// The same where one role assumes another, whatever that one's own maximum is.
pub const MAX_CHAINED_DURATION: Duration = Duration::from_secs(3600);
/// STS's own bound on `WebIdentityToken`, in characters.
pub const MAX_TOKEN_BYTES: usize = 20_000;
/// The EKS Pod Identity Agent's own, and the token that EKS mounts for it.
pub const POD_IDENTITY_PATH: &str = "/v1/credentials";
pub const POD_IDENTITY_TOKEN_FILE: &str =
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token";
/// A ConfigMap holds no more.
pub const MAX_ROLES_FILE_BYTES: usize = 1024 * 1024;
/// The webhook's.
pub const DEFAULT_WEBHOOK_PORT: u16 = 8443;
/// Longer than it takes until no endpoint of a Service names the pod any more.
pub const DEFAULT_WEBHOOK_DRAIN: Duration = Duration::from_secs(5);
/// How long `exec` waits for the first credentials before it gives up.
pub const DEFAULT_EXEC_WAIT: Duration = Duration::from_secs(60);
/// The role that is kept when there is no roles file.
pub const DEFAULT_ROLE: &str = "default";

// ---- The addresses that SDKs have built in ----

/// Of the instance metadata service (IMDS).
pub const IMDS_ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// Of the ECS agent, and of the EKS Pod Identity Agent.
pub const CONTAINER_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
/// The port of all of them.
pub const LINK_LOCAL_PORT: u16 = 80;

// ---- What of the node's metadata may be passed on, below the version ----

/// What SDKs and agents ask for to know where they run. It names the node and its place, and gives no right to anything.
/// Left out: `meta-data/network/` (the account's networks), `meta-data/tags/` (whatever somebody wrote there), `spot` and
/// `events` (the node's fate, polled without end), and beside the identity document its signatures, which are taken as
/// proof of being the node.
pub const DEFAULT_UPSTREAM_ALLOW: [&str; 12] = [
    // Region and zone: every SDK. The trailing slash admits all that is below.
    "meta-data/placement/",
    // Old Terraform and the AWS SDK for Go v1 ask for it to know that this is EC2 at all.
    "meta-data/instance-id",
    // Fluent Bit, the CloudWatch agent and other agents that say where a log line or a figure comes from.
    "meta-data/instance-type",
    "meta-data/instance-life-cycle",
    "meta-data/ami-id",
    "meta-data/mac",
    "meta-data/hostname",
    "meta-data/local-hostname",
    "meta-data/local-ipv4",
    "meta-data/ipv6",
    // The partition and its domain: the SSM agent, the node's own scripts and their like.
    "meta-data/services/",
    // The region, for the AWS SDK for Go v1 and v2; the account, for Fluent Bit.
    "dynamic/instance-identity/document",
];
/// Whatever a list says: the node's credentials, and what its owner wrote for the node alone.
pub const NEVER_PASSED_ON: [&str; 3] = ["iam", "identity-credentials", "user-data"];

// ---- Paths ----

pub const PATH_CREDENTIALS: &str = "/v1/credentials";
pub const PATH_LIVE: &str = "/live";
pub const PATH_READY: &str = "/ready";
pub const PATH_METRICS: &str = "/metrics";
pub const PATH_STATUS: &str = "/status";
/// Grows when a field of it changes its meaning.
pub const STATUS_SCHEMA: u32 = 1;
/// The status page.
pub const PATH_PAGE: &str = "/";
/// The webhook's one.
pub const PATH_INJECT: &str = "/inject";

// ---- Headers ----

/// IMDSv2: how long a session is asked to last, and how long it lasts.
pub const HEADER_METADATA_TOKEN_TTL: HeaderName =
    HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
/// IMDSv2: the session's token.
pub const HEADER_METADATA_TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
/// Why the metadata service refuses, which EC2's own bodies do not say.
pub const HEADER_ERROR: HeaderName = HeaderName::from_static("x-irsa-sidecar-error");
/// What EC2's metadata service calls itself. Old Terraform takes nothing else for it.
pub const IMDS_SERVER: &str = "EC2ws";

// ---- What an application is given ----

pub const ENV_CONTAINER_CREDENTIALS_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub const ENV_CONTAINER_CREDENTIALS_RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// Most SDKs obey it and never ask the metadata service; boto 2, rusoto, s3cmd, s3fs, fog and GDAL do not.
pub const ENV_EC2_METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
pub const ENV_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub const ENV_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
pub const ENV_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
pub const ENV_PROFILE: &str = "AWS_PROFILE";
/// botocore and the AWS CLI know it too, and Java v1 and Go v1 with AWS_SDK_LOAD_CONFIG.
pub const ENV_DEFAULT_PROFILE: &str = "AWS_DEFAULT_PROFILE";
pub const ENV_CONFIG_FILE: &str = "AWS_CONFIG_FILE";
pub const ENV_HOME: &str = "HOME";
/// JavaScript v2 and Go v1 read the config file with it alone.
pub const ENV_LOAD_CONFIG: &str = "AWS_SDK_LOAD_CONFIG";
/// What stands before the container's endpoint in the chain of some SDK: `exec` takes them from its child.
pub const SHADOWING: [&str; 19] = [
    ENV_ACCESS_KEY_ID,
    ENV_SECRET_ACCESS_KEY,
    ENV_SESSION_TOKEN,
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    // The same to Java v1, Go v1, and Ruby.
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
    "AMAZON_SESSION_TOKEN",
    // Of the AWS command line tools before the CLI, and of boto 2.
    "AWS_CREDENTIAL_FILE",
    ENV_PROFILE,
    ENV_DEFAULT_PROFILE,
    ENV_ROLE_ARN,
    ENV_WEB_IDENTITY_TOKEN_FILE,
    ENV_ROLE_SESSION_NAME,
    ENV_CONTAINER_CREDENTIALS_RELATIVE_URI,
    ENV_CONTAINER_AUTHORIZATION_TOKEN,
    ENV_CONTAINER_AUTHORIZATION_TOKEN_FILE,
];
/// Which shared credentials file an SDK reads; the second is Java v1's. It too comes before the container's endpoint.
pub const ENV_CREDENTIALS_FILES: [&str; 2] = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CREDENTIAL_PROFILES_FILE"];
/// A file that every SDK takes for an empty one.
pub const NO_CREDENTIALS_FILE: &str = "/dev/null";
/// Both are in use: Go reads the first first, curl and Python the second.
pub const ENV_NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

// ---- What else doctor looks for ----

/// Where EKS's webhook mounts the token, and Kubernetes the one for its own API.
pub const EKS_TOKEN_FILE: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
pub const KUBERNETES_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
pub const ENV_KUBERNETES_SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";
/// What SDKs ask in place of IMDS's own address.
pub const ENV_EC2_METADATA_SERVICE_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// `IPv4` or `IPv6`: which of IMDS's own addresses SDKs ask.
pub const ENV_EC2_METADATA_SERVICE_ENDPOINT_MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";

// ---- Injection: what a pod and its ServiceAccount say ----

/// On the pod: `enabled`, or `disabled`.
pub const LABEL_INJECT: &str = "irsa-sidecar/inject";
pub const INJECT_ENABLED: &str = "enabled";
pub const INJECT_DISABLED: &str = "disabled";
/// Before every annotation of ours.
pub const ANNOTATION_PREFIX: &str = "irsa-sidecar/";
pub const ANNOTATION_ROLE_ARN: &str = "irsa-sidecar/role-arn";
pub const ANNOTATION_REGION: &str = "irsa-sidecar/region";
/// A comma list of `container`, `ecs`, `imds`, `block-imds`.
pub const ANNOTATION_ENDPOINTS: &str = "irsa-sidecar/endpoints";
/// A comma list of containers' names.
pub const ANNOTATION_SKIP_CONTAINERS: &str = "irsa-sidecar/skip-containers";
pub const ANNOTATION_SESSION_DURATION: &str = "irsa-sidecar/session-duration";
/// `SECRET/KEY`
pub const ANNOTATION_AUTHORIZATION: &str = "irsa-sidecar/authorization";
pub const ANNOTATION_PORT: &str = "irsa-sidecar/port";
pub const ANNOTATION_ADMIN_PORT: &str = "irsa-sidecar/admin-port";
/// A ConfigMap whose key `roles.yaml` is the roles file.
pub const ANNOTATION_ROLES_CONFIG_MAP: &str = "irsa-sidecar/roles-config-map";
pub const ANNOTATIONS: [&str; 9] = [
    ANNOTATION_ROLE_ARN,
    ANNOTATION_REGION,
    ANNOTATION_ENDPOINTS,
    ANNOTATION_SKIP_CONTAINERS,
    ANNOTATION_SESSION_DURATION,
    ANNOTATION_AUTHORIZATION,
    ANNOTATION_PORT,
    ANNOTATION_ADMIN_PORT,
    ANNOTATION_ROLES_CONFIG_MAP,
];
/// The EKS webhook's, on the ServiceAccount.
pub const EKS_ANNOTATION_PREFIX: &str = "eks.amazonaws.com/";
pub const EKS_ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
pub const EKS_AUDIENCE: &str = "eks.amazonaws.com/audience";
pub const EKS_STS_REGIONAL_ENDPOINTS: &str = "eks.amazonaws.com/sts-regional-endpoints";
/// In seconds; on the pod too, where it beats the ServiceAccount's.
pub const EKS_TOKEN_EXPIRATION: &str = "eks.amazonaws.com/token-expiration";
/// Kubernetes' own: which container `kubectl logs` and `kubectl exec` take.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

// ---- Injection: what a pod is given ----

pub const SIDECAR_CONTAINER: &str = "irsa-sidecar";
pub const NET_INIT_CONTAINER: &str = "irsa-sidecar-net-init";
/// The EKS webhook's own volume and path, so that whoever comes second finds the first one's.
pub const TOKEN_VOLUME: &str = "aws-iam-token";
pub const TOKEN_DIRECTORY: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
pub const TOKEN_NAME: &str = "token";
pub const ROLES_VOLUME: &str = "irsa-sidecar-roles";
pub const ROLES_DIRECTORY: &str = "/etc/irsa-sidecar/roles";
pub const ROLES_NAME: &str = "roles.yaml";
/// Lets a user that is not root listen on port 80; a safe sysctl, in Kubernetes' sense.
pub const PORT_SYSCTL: &str = "net.ipv4.ip_unprivileged_port_start";
/// Before `NAMESPACE:NAME` in the `sub` of a ServiceAccount's token.
pub const SERVICE_ACCOUNT_SUBJECT: &str = "system:serviceaccount:";
pub const DEFAULT_AUDIENCE: &str = "sts.amazonaws.com";
pub const DEFAULT_TOKEN_EXPIRATION: u64 = 86_400;
/// The API server's own bound.
pub const MIN_TOKEN_EXPIRATION: u64 = 600;
/// The user of the image.
pub const DEFAULT_USER: u32 = 65_532;
/// The first version of Kubernetes that has native sidecars without a feature gate.
pub const NATIVE_SIDECARS_SINCE: (u32, u32) = (1, 29);

/// Where the kubelet takes a container's last words from.
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// Exit statuses, after BSD's `sysexits.h`.
pub mod exit {
    /// Bad usage or configuration: mend it and start again.
    pub const USAGE: u8 = 64;
    /// Something needed is unavailable: STS, a port, a running sidecar.
    pub const UNAVAILABLE: u8 = 69;
    /// A fault of ours.
    pub const SOFTWARE: u8 = 70;
}

/// `exec`'s own, as of `env` and of shells; else it is the command's.
pub mod exec_exit {
    /// The command is there and cannot be run.
    pub const NOT_EXECUTABLE: u8 = 126;
    pub const NOT_FOUND: u8 = 127;
    /// To this the number of the signal is added that ended the command.
    pub const SIGNALLED: u8 = 128;
}

/// `doctor`'s own, beside 0 for fine.
pub mod doctor_exit {
    pub const WARNINGS: u8 = 1;
    /// The exchange, or a client in this environment, cannot work.
    pub const BROKEN: u8 = 2;
}
