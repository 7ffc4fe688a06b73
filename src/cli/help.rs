//! What `--help` says beside the flags.

pub(super) const ABOUT: &str =
    "Gives old AWS SDKs the IAM role of their Kubernetes ServiceAccount, from inside the pod";
pub(super) const LONG_ABOUT: &str = "\
Gives old AWS SDKs the IAM role of their Kubernetes ServiceAccount, from inside the pod.

It exchanges the projected token in AWS_WEB_IDENTITY_TOKEN_FILE for temporary credentials of the role in
AWS_ROLE_ARN, keeps them fresh, and serves them where SDKs too old for web identity look for them.";

pub(super) const EXIT_STATUSES: &str = "\
Exit status: 0 fine, 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

pub(super) const AFTER_LONG_HELP: &str = "\
A pod that the EKS webhook has prepared needs no setting: AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION
are there already. The application is pointed here with
  AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/v1/credentials

Examples:
  irsa-sidecar serve
  irsa-sidecar doctor
  irsa-sidecar exec -- aws s3 ls
  irsa-sidecar credentials --format env

Exit status: 0 fine, 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

pub(super) const SERVE: &str = "\
Watch the token, exchange it ahead of time, keep the credentials in memory and serve them, until SIGTERM.

SIGHUP exchanges now, at most once in 10 s. A flag beats its variable. All settings are checked before anything
starts, and all mistakes are told at once.";

pub(super) const SERVE_EXAMPLES: &str = "\
AWS's own variables keep AWS's meaning: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE (both required),
AWS_ROLE_SESSION_NAME, AWS_REGION, AWS_DEFAULT_REGION, AWS_STS_REGIONAL_ENDPOINTS, AWS_USE_FIPS_ENDPOINT,
AWS_USE_DUALSTACK_ENDPOINT, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_CA_BUNDLE, HTTPS_PROXY, NO_PROXY.

What an address serves follows from the address; the link-local ones are claimed by `irsa-sidecar net-init`:
  127.0.0.1:9911, [::1]:9911            container credentials, at /v1/credentials
  169.254.170.2                         container credentials, for AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (ECS)
  169.254.170.23, [fd00:ec2::23]        container credentials, for clients of the EKS Pod Identity Agent
  169.254.169.254, [fd00:ec2::254]      the instance metadata service (IMDS), v1 and v2
  imds=127.0.0.1:9913                   IMDS on loopback, for AWS_EC2_METADATA_SERVICE_ENDPOINT

Examples:
  irsa-sidecar serve
      serves http://127.0.0.1:9911/v1/credentials, and health and metrics on port 9912
  irsa-sidecar serve --listen 127.0.0.1:9911,169.254.169.254,[fd00:ec2::254]
      serves IMDS too; add --imds required for IMDSv2 alone, or --imds off to answer 403 to everything there
  irsa-sidecar serve --session-duration 12h --drain 29s
  irsa-sidecar serve --roles-file /etc/irsa-sidecar/roles.yaml
      serves each role of the file at http://127.0.0.1:9911/v1/credentials/NAME
  irsa-sidecar serve --listen 127.0.0.1:8080 --admin-listen 127.0.0.1:8081 --log debug

Exit status: 0 fine, 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

pub(super) const EXEC: &str = "\
Run a command with the role's credentials: exchange the token, serve the credentials on a free port of 127.0.0.1, keep
them fresh, and end when the command ends, with its exit status. For a laptop, a Job, or a container where no sidecar is
wanted, as its entrypoint.

The command is started once credentials are held. Its environment is this one, with
  AWS_CONTAINER_CREDENTIALS_FULL_URI     the endpoint
  AWS_CONTAINER_AUTHORIZATION_TOKEN      made for this run
  AWS_EC2_METADATA_DISABLED=true         never the node's role
  AWS_REGION, AWS_DEFAULT_REGION         of either, or of the profile
  NO_PROXY, no_proxy                     with 127.0.0.1
  AWS_SHARED_CREDENTIALS_FILE=/dev/null  also AWS_CREDENTIAL_PROFILES_FILE

and without what an SDK would take in its place: keys, AWS_PROFILE, AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and the
like. Keys in ~/.aws/credentials would come first, hence /dev/null; JavaScript v2 obeys it only with
AWS_SDK_LOAD_CONFIG=1. ~/.aws/config stays: where its [default] has keys, credential_process or sso_…, set
AWS_CONFIG_FILE=/dev/null.

Standard streams and the terminal are the command's. SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and others are passed on to it,
and to it alone; SIGINT, SIGQUIT and SIGWINCH as well, but not in the foreground of a terminal, which has sent them to
the command itself. As process 1 it reaps orphans. Processes that the command leaves behind lose the endpoint.

Nothing of what serve's variables say of listeners, authorization, IMDS, a credentials file or the drain is used.";

pub(super) const EXEC_STATUSES: &str = "\
Exit status: 0 and any other: the command's; 128+N when signal N ended it; 127 no such command, 126 it cannot be run;
before it is started 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

pub(super) const EXEC_ROLE_HELP: &str =
    "The role of the command, where a roles file has several\n[default: default]";

pub(super) const EXEC_NO_TOKEN_HELP: &str = "\
Serve without the authorization token, for SDKs that cannot send it (Go before 1.15.41).
ANY process that reaches this loopback address, of whatever user, is then given the role's credentials";

pub(super) const EXEC_WAIT_HELP: &str =
    "How long to wait for the first credentials before giving up\n[default: 1m]";

pub(super) const EXEC_LOG_HELP: &str =
    "What is logged, to stderr, which is the command's too\n[env: IRSA_SIDECAR_LOG] [default: warn]";

pub(super) const EXEC_EXAMPLES: &str = "\
Examples:
  irsa-sidecar exec -- aws s3 ls
  On a laptop, with a token of the ServiceAccount:
      kubectl create token legacy-app -n shop --audience sts.amazonaws.com > token
      export AWS_WEB_IDENTITY_TOKEN_FILE=$PWD/token AWS_REGION=eu-west-1
      AWS_ROLE_ARN=arn:aws:iam::111122223333:role/legacy-app irsa-sidecar exec -- bash
  As an entrypoint, in a Dockerfile:
      COPY --from=registry.example/irsa-sidecar:0.1.0 /irsa-sidecar /irsa-sidecar
      ENTRYPOINT [\"/irsa-sidecar\", \"exec\", \"--\", \"/app\"]
  Another role of a roles file:
      irsa-sidecar exec --roles-file roles.yaml --role reports -- ./report

Exit status: 0 and any other: the command's; 128+N when signal N ended it; 127 no such command, 126 it cannot be run;
before it is started 64 bad usage or configuration, 69 something needed is unavailable, 70 a fault of ours";

pub(super) const CREDENTIALS: &str = "\
Obtain one role's credentials once and print them to stdout: from STS, through every step of a chain, or from the EKS Pod
Identity Agent. They are secrets: mind where the output goes.";

pub(super) const CREDENTIALS_EXAMPLES: &str = "\
Examples:
  In ~/.aws/config, for any SDK that knows credential_process, named as a profile (docs/credential-process.md):
      [default]
      credential_process = /usr/local/bin/irsa-sidecar credentials --format process --log-format text
  In a shell:
      eval \"$(irsa-sidecar credentials --format env)\"
  Another role of a roles file, for a container:
      docker run --env-file <(irsa-sidecar credentials --roles-file roles.yaml --role reports --format env-no-export) ...

Exit status: 0 fine, 64 bad usage or configuration, 69 STS or the token is unavailable, 70 a fault of ours";

pub(super) const DOCTOR: &str = "\
Look at every link of the chain, in the order in which data flows: the variables, what an SDK makes of them, the token's
file, the token, its issuer, the way to STS, the exchange, the role's trust policy, who the credentials are, a sidecar in
this pod, and the node's metadata service. Each check says what it found and, where something is wrong, the mend. Where
STS's answer leaves several causes, all are named, likeliest first, with what tells them apart.

It changes nothing and prints no secret. `kubectl debug` and `kubectl exec` are where it is most use.";

pub(super) const DOCTOR_STATUSES: &str = "\
Exit status: 0 fine, 1 warnings, 2 the exchange or a client here cannot work, 64 bad usage, 70 a fault of ours";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  irsa-sidecar doctor
  irsa-sidecar doctor --offline
      variables and files alone
  aws iam get-role --role-name app > role.json; irsa-sidecar doctor --trust-policy role.json
      holds the role's trust policy against this token, to the first character that differs
  irsa-sidecar doctor --sdk botocore/1.12.199
      says whether the application's SDK finds the role here
  irsa-sidecar doctor --json | jq '.checks[] | select(.severity == \"broken\")'

Exit status: 0 fine, 1 warnings, 2 the exchange or a client here cannot work, 64 bad usage, 70 a fault of ours";

pub(super) const TOKEN: &str = "\
Decode a web identity token: its claims and what they mean, its age, the time it has left, and who it is. Nothing is
verified, since STS alone decides. Neither the signature nor the token itself is printed.";

pub(super) const TOKEN_EXAMPLES: &str = "\
Examples:
  irsa-sidecar token
      reads the file in AWS_WEB_IDENTITY_TOKEN_FILE
  irsa-sidecar token --json /var/run/secrets/eks.amazonaws.com/serviceaccount/token
  kubectl create token app --audience sts.amazonaws.com | irsa-sidecar token -

Exit status: 0 fine, 64 bad usage or configuration, 69 there is no token to decode, 70 a fault of ours";

pub(super) const TRUST_POLICY: &str = "\
Print the trust policy that a role needs so that a ServiceAccount may assume it: `sub` and `aud` compared with
StringEquals, and nobody else let in. Who it is comes from the token, or from flags. Whatever is asked for that is wider
is a warning. It asks nobody: neither IAM nor the cluster.";

pub(super) const TRUST_POLICY_EXAMPLES: &str = "\
Examples:
  irsa-sidecar trust-policy
      in a pod: for its token and AWS_ROLE_ARN
  kubectl create token app -n shop --audience sts.amazonaws.com |
    irsa-sidecar trust-policy --token-file - --role-arn arn:aws:iam::111122223333:role/app --format terraform
  irsa-sidecar trust-policy --role-arn arn:aws:iam::111122223333:role/app --namespace shop --service-account app
    --issuer https://oidc.eks.eu-west-1.amazonaws.com/id/BLUE --issuer https://oidc.eks.eu-west-1.amazonaws.com/id/GREEN
      for two clusters that take turns
  irsa-sidecar trust-policy --role-arn arn:aws:iam::444455556666:role/partner --from-role arn:aws:iam::111122223333:role/app
    --external-id shop-1
      for the next role of a chain

Exit status: 0 fine, 64 bad usage, 69 the token cannot be read, 70 a fault of ours";

pub(super) const HEALTHCHECK: &str = "\
Ask the admin listener of a running sidecar whether every role holds valid credentials, and print what is missing.
It is the probe of an image that has no shell.";

pub(super) const HEALTHCHECK_EXAMPLES: &str = "\
Examples:
  A native sidecar's startup probe:
      exec: { command: [irsa-sidecar, healthcheck] }
  A postStart hook that holds the application back for a minute at most:
      exec: { command: [irsa-sidecar, healthcheck, --wait, 1m] }

Exit status: 0 ready, 64 bad usage or configuration, 69 not ready, 70 a fault of ours";

pub(super) const NET_INIT: &str = "\
Claim on lo the link-local addresses that --listen names, and end. IMDS and ECS clients ask at fixed addresses:
once these are on the pod's own lo, what is sent there ends in the pod. It reaches the sidecar, or nobody while
the sidecar is away, but never the node's metadata service and the node's role.

Exactly the addresses that are named are claimed, loopback ones being passed over; to run it again changes
nothing. All is checked before anything is changed, and when one claim fails those before it are taken back.
Where the pod has no IPv6, an IPv6 address is left out with a warning.

It refuses an address that another interface has, and the node's network namespace (hostNetwork): one where an
interface has a device, or where POD_IP and HOST_IP, from the downward API, are the same.

It keeps SDKs from the node, not attackers: a raw socket, or an IPv6 socket that is bound to an interface and its
address, still passes lo by. Against those the node's metadata service has its hop limit: keep it at 1.";

pub(super) const NET_INIT_EXAMPLES: &str = "\
It needs the capability NET_ADMIN, once, and nothing else. Kubernetes gives an added capability to uid 0 alone.
The init container, before the sidecar, with the sidecar's own list of listeners:
  - name: irsa-sidecar-net-init
    image: …
    args: [net-init]
    env:
      - { name: IRSA_SIDECAR_LISTEN, value: \"127.0.0.1:9911,169.254.169.254,[fd00:ec2::254]\" }
      - { name: POD_IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }
      - { name: HOST_IP, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
    securityContext:
      runAsUser: 0
      runAsNonRoot: false
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL], add: [NET_ADMIN] }

Examples:
  irsa-sidecar net-init --listen 169.254.169.254,[fd00:ec2::254]
  irsa-sidecar net-init --listen 169.254.170.2 --remove

Exit status: 0 fine, 64 bad usage or configuration, 69 an address cannot be had, 70 a fault of ours";

pub(super) const NET_INIT_LISTEN_HELP: &str =
    "The list that serve is given: of it, the link-local addresses are claimed\n[env: IRSA_SIDECAR_LISTEN]";

pub(super) const ADMIN_HELP: &str = "The sidecar's admin listener; of [::] and 0.0.0.0 the loopback address is asked\n\
                          [env: IRSA_SIDECAR_ADMIN_LISTEN] [default: [::]:9912]";

pub(super) const INJECT: &str = "\
Print manifests as the webhook would make their pods: those with the label irsa-sidecar/inject: enabled get the
sidecar, the token's volume, and in every container the variables that point an SDK at it. Nothing else changes:
comments, order and layout stay, and where they cannot, a warning says so. What is there already is not added again.

It reads Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs and Lists of them; all else passes
through. The role is in the ServiceAccount's annotation eks.amazonaws.com/role-arn, if it is in one of the files, or in the
pod's own annotation irsa-sidecar/role-arn. Warnings go to stderr. It asks no cluster.";

pub(super) const INJECT_EXAMPLES: &str = "\
Examples:
  See what would change:
      irsa-sidecar inject -f app.yaml --sidecar-image registry.example/irsa-sidecar:0.1.0 --region eu-west-1 |
        diff -u app.yaml -
  A check in a pipeline, with the ServiceAccount in another file:
      irsa-sidecar inject --check -f app.yaml -f account.yaml --sidecar-image … --region eu-west-1

Exit status: 0 fine, 1 with --check when something would change, 64 bad usage or a pod that cannot be injected,
69 the output cannot be written, 70 a fault of ours";

pub(super) const WEBHOOK: &str = "\
Serve POST /inject, which takes AdmissionReviews (admission.k8s.io/v1) over TLS 1.3 and answers with what is to be
added to a pod that has the label irsa-sidecar/inject: enabled. `irsa-sidecar inject` shows the same for a file.

It reads ServiceAccounts (get, list, watch) and the API server's version, with the pod's own ServiceAccount or with
KUBECONFIG, and nothing else. It holds no state: run two.";

pub(super) const WEBHOOK_DRAIN_HELP: &str = "\
How long to go on serving after SIGTERM, not ready any more
[env: IRSA_SIDECAR_DRAIN] [default: 5s]";

pub(super) const WEBHOOK_EXAMPLES: &str = "\
Examples:
  As the chart runs it:
      irsa-sidecar webhook --sidecar-image registry.example/irsa-sidecar:0.1.0 --region eu-west-1
  On a workstation, against a cluster of yours:
      irsa-sidecar webhook --listen 127.0.0.1:8443 --tls-cert-file tls.crt --tls-key-file tls.key
        --sidecar-image registry.example/irsa-sidecar:0.1.0

Its metrics and health are at --admin-listen: /metrics, /live, /ready.

Exit status: 0 after SIGTERM, 64 bad usage or configuration, 69 a port, a certificate or the way to the API server is
missing, 70 a fault of ours";
