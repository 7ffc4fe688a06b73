# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_irsa_sidecar_global_optspecs
    string join \n h/help V/version
end

function __fish_irsa_sidecar_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_irsa_sidecar_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_irsa_sidecar_using_subcommand
    set -l cmd (__fish_irsa_sidecar_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -s V -l version -d 'Print version'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "serve" -d 'Watch the token, keep fresh credentials and serve them, until SIGTERM'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "exec" -d 'Run a command that has the role\'s credentials, fresh for as long as it runs'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "credentials" -d 'Obtain a role\'s credentials once and print them'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "doctor" -d 'Check every link of the chain; say which is broken, and the mend'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "token" -d 'Decode the token: who it is, how long it lasts; never its signature'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "trust-policy" -d 'Print the trust policy that IAM needs for a ServiceAccount'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "healthcheck" -d 'Ask a running sidecar whether it is ready'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "net-init" -d 'Claim the listeners\' link-local addresses on the pod\'s lo, and end'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "inject" -d 'Do to a manifest what the webhook would do to its pods'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_needs_command" -f -a "webhook" -d 'Run the mutating admission webhook, until SIGTERM'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l listen -d 'Where credentials are served: a comma list of loopback and of AWS\'s link-local addresses, with ports [env: IRSA_SIDECAR_LISTEN] [default: 127.0.0.1:9911,[::1]:9911]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l port -d 'Moves the default listeners to another port; not together with a list of listeners [env: IRSA_SIDECAR_PORT] [default: 9911]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l admin-listen -d 'Where health and metrics are served, never a credential; the default is 0.0.0.0 where IPv6 is not [env: IRSA_SIDECAR_ADMIN_LISTEN] [default: [::]:9912]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l session-duration -d 'How long a session lasts, 15m to 12h and not above the role\'s maximum; max asks for the longest that it allows [env: IRSA_SIDECAR_SESSION_DURATION] [default: 1h]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l authorization-token-file -d 'A file, followed as it changes, with the Authorization that requests must carry (several old SDKs cannot) [env: IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l allow-unauthenticated -d 'Those of the listeners that answer without the authorization token although one is set [env: IRSA_SIDECAR_ALLOW_UNAUTHENTICATED]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l imds -d 'What the IMDS listeners answer, in AWS\'s words: nothing (403), v1 and v2, or v2 alone [env: IRSA_SIDECAR_IMDS] [default: optional]' -r -f -a "off\t''
optional\t''
required\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l imds-upstream -d 'The node\'s metadata service, to which other paths are passed on: http://IP[%INTERFACE][:PORT] [env: IRSA_SIDECAR_IMDS_UPSTREAM]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l imds-upstream-allow -d 'The paths that may be, / at the end for all below, default for the default; never iam, user-data [env: IRSA_SIDECAR_IMDS_UPSTREAM_ALLOW] [default: names, place and addresses]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l imds-availability-zone -d 'The availability zone that IMDS tells; 404 without it [env: IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l imds-instance-id -d 'The instance id that IMDS tells; 404 without it [env: IRSA_SIDECAR_IMDS_INSTANCE_ID]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l imds-instance-type -d 'The instance type that IMDS tells; 404 without it [env: IRSA_SIDECAR_IMDS_INSTANCE_TYPE]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l roles-file -d 'A YAML file, followed as it changes, with several roles, chains and session policies [env: IRSA_SIDECAR_ROLES_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l credentials-file -d 'A shared credentials file to keep up to date, for software that reads nothing else: secrets on a volume [env: IRSA_SIDECAR_CREDENTIALS_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l drain -d 'How long to go on serving after SIGTERM [env: IRSA_SIDECAR_DRAIN] [default: 0s]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l log -d 'What is logged, to stderr [env: IRSA_SIDECAR_LOG] [default: info]' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -l log-format -d 'How it is logged [env: IRSA_SIDECAR_LOG_FORMAT] [default: text on a terminal, else json]' -r -f -a "text\t''
json\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l role -d 'The role of the command, where a roles file has several [default: default]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l roles-file -d 'A YAML file, followed as it changes, with several roles, chains and session policies [env: IRSA_SIDECAR_ROLES_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l session-duration -d 'How long a session lasts, 15m to 12h and not above the role\'s maximum; max asks for the longest that it allows [env: IRSA_SIDECAR_SESSION_DURATION] [default: 1h]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l wait -d 'How long to wait for the first credentials before giving up [default: 1m]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l log -d 'What is logged, to stderr, which is the command\'s too [env: IRSA_SIDECAR_LOG] [default: warn]' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l log-format -d 'How it is logged [env: IRSA_SIDECAR_LOG_FORMAT] [default: text on a terminal, else json]' -r -f -a "text\t''
json\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -l no-authorization-token -d 'Serve without the authorization token, for SDKs that cannot send it (Go before 1.15.41). ANY process that reaches this loopback address, of whatever user, is then given the role\'s credentials'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -l format -d 'How they are printed' -r -f -a "process\t'JSON for credential_process in ~/.aws/config'
json\t'JSON as the container endpoint serves it'
env\t'export lines for a POSIX shell'
env-no-export\t'the same without export, as docker run --env-file takes them'
fish\t'set -gx lines for fish'
powershell\t'$Env: lines for PowerShell'"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -l role -d 'The role whose credentials are printed [default: default]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -l roles-file -d 'A YAML file, followed as it changes, with several roles, chains and session policies [env: IRSA_SIDECAR_ROLES_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -l session-duration -d 'How long a session lasts, 15m to 12h and not above the role\'s maximum; max asks for the longest that it allows [env: IRSA_SIDECAR_SESSION_DURATION] [default: 1h]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -l log -d 'What is logged, to stderr [env: IRSA_SIDECAR_LOG] [default: info]' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -l log-format -d 'How it is logged [env: IRSA_SIDECAR_LOG_FORMAT] [default: text on a terminal, else json]' -r -f -a "text\t''
json\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand credentials" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l trust-policy -d 'The role\'s trust policy, or what `aws iam get-role` prints, to be held against the token; - for stdin' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l sdk -d 'The application\'s SDK, as in botocore/1.12.199, or its whole User-Agent: does it find the role here?' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l pid -d 'Look with the variables and files of this process, the application\'s' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l against -d 'The process whose variables are held against these [default: 1]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l role -d 'The role that is looked at [default: default]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l roles-file -d 'A YAML file with several roles, as serve takes it [env: IRSA_SIDECAR_ROLES_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l session-duration -d 'How long a session lasts, 15m to 12h and not above the role\'s maximum; max asks for the longest that it allows [env: IRSA_SIDECAR_SESSION_DURATION] [default: 1h]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l fetch-trust-policy -d 'Fetch the trust policy from IAM (iam:GetRole), with the keys in the environment, else with the role\'s own'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l offline -d 'Ask nobody: look at variables and files alone'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -l json -d 'Print JSON, for scripts'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand token" -l json -d 'Print JSON, for scripts'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l format -d 'How it is printed' -r -f -a "json\t'IAM\'s own JSON'
terraform\t'an aws_iam_policy_document and its aws_iam_role'
cloudformation\t'an AWS::IAM::Role'
eksctl\t'a ClusterConfig with the role alone; eksctl makes the same policy'
aws-cli\t'commands that set it on the role'"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l token-file -d 'A token of the ServiceAccount\'s, or - for stdin [env: AWS_WEB_IDENTITY_TOKEN_FILE]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l role-arn -d 'The role that is to be assumed [env: AWS_ROLE_ARN]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l issuer -d 'A cluster\'s issuer; may be repeated, for clusters that take turns [default: the token\'s]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l namespace -d 'The ServiceAccount\'s namespace [default: the token\'s]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l service-account -d 'The ServiceAccount; may be repeated [default: the token\'s]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l audience -d 'The token\'s audience [default: sts.amazonaws.com, or the token\'s if it has another]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l from-role -d 'Trust this role, the one before in a chain, and no ServiceAccount' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l external-id -d 'What the role before must send along' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l session-tags -d 'Allow session tags: sts:TagSession'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -l source-identity -d 'Allow the role before to say who is behind it: sts:SetSourceIdentity'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand trust-policy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand healthcheck" -l wait -d 'Ask again until it is ready, for so long at most (5m when no duration is given)' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand healthcheck" -l admin -d 'The sidecar\'s admin listener; of [::] and 0.0.0.0 the loopback address is asked [env: IRSA_SIDECAR_ADMIN_LISTEN] [default: [::]:9912]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand healthcheck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand net-init" -l listen -d 'The list that serve is given: of it, the link-local addresses are claimed [env: IRSA_SIDECAR_LISTEN]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand net-init" -l log -d 'What is logged, to stderr [env: IRSA_SIDECAR_LOG] [default: info]' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand net-init" -l log-format -d 'How it is logged [env: IRSA_SIDECAR_LOG_FORMAT] [default: text on a terminal, else json]' -r -f -a "text\t''
json\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand net-init" -l remove -d 'Take the addresses off lo again'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand net-init" -l host -d 'Do it although this is, or looks like, the network namespace of the node'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand net-init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -s f -l filename -d 'A file of manifests, YAML or JSON, or - for stdin; may be repeated' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l sidecar-image -d 'The sidecar\'s image, with its tag or digest; required' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l sidecar-image-pull-policy -d 'When the sidecar\'s image is pulled; Kubernetes decides where it is left out' -r -f -a "Always\t''
IfNotPresent\t''
Never\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l sidecar-resources -d 'Requests and limits of the injected containers, as in a manifest [default: {"requests":{"cpu":"5m","memory":"8Mi"},"limits":{"memory":"32Mi"}}]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l sidecar-env -d 'A further variable for the sidecar, for example AWS_ENDPOINT_URL_STS, HTTPS_PROXY or IRSA_SIDECAR_LOG' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l sidecar-user -d 'The sidecar\'s user and group; none leaves them to the namespace, as on OpenShift [default: 65532]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l region -d 'The AWS region of pods that have no annotation irsa-sidecar/region' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l token-audience -d 'The token\'s audience, where the ServiceAccount says none [default: sts.amazonaws.com]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l token-expiration -d 'How long a token lasts, where the ServiceAccount says nothing [default: 86400]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l kubernetes-version -d 'The cluster\'s version: before 1.29 the sidecar is an ordinary container; a new one where it is left out' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -l check -d 'Print nothing, and end with 1 when something would change'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand inject" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l listen -d 'Where reviews are taken, over TLS; the default is 0.0.0.0 where IPv6 is not [default: [::]:8443]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l tls-cert-file -d 'The serving certificate and its chain (PEM); read again as it changes [default: /etc/irsa-sidecar/tls/tls.crt]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l tls-key-file -d 'Its private key (PEM) [default: /etc/irsa-sidecar/tls/tls.key]' -r -F
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l admin-listen -d 'Where health and metrics are served, never a credential; the default is 0.0.0.0 where IPv6 is not [env: IRSA_SIDECAR_ADMIN_LISTEN] [default: [::]:9912]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l log -d 'What is logged, to stderr [env: IRSA_SIDECAR_LOG] [default: info]' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l log-format -d 'How it is logged [env: IRSA_SIDECAR_LOG_FORMAT] [default: text on a terminal, else json]' -r -f -a "text\t''
json\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l drain -d 'How long to go on serving after SIGTERM, not ready any more [env: IRSA_SIDECAR_DRAIN] [default: 5s]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l sidecar-image -d 'The sidecar\'s image, with its tag or digest; required' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l sidecar-image-pull-policy -d 'When the sidecar\'s image is pulled; Kubernetes decides where it is left out' -r -f -a "Always\t''
IfNotPresent\t''
Never\t''"
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l sidecar-resources -d 'Requests and limits of the injected containers, as in a manifest [default: {"requests":{"cpu":"5m","memory":"8Mi"},"limits":{"memory":"32Mi"}}]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l sidecar-env -d 'A further variable for the sidecar, for example AWS_ENDPOINT_URL_STS, HTTPS_PROXY or IRSA_SIDECAR_LOG' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l sidecar-user -d 'The sidecar\'s user and group; none leaves them to the namespace, as on OpenShift [default: 65532]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l region -d 'The AWS region of pods that have no annotation irsa-sidecar/region' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l token-audience -d 'The token\'s audience, where the ServiceAccount says none [default: sts.amazonaws.com]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -l token-expiration -d 'How long a token lasts, where the ServiceAccount says nothing [default: 86400]' -r -f
complete -c irsa-sidecar -n "__fish_irsa_sidecar_using_subcommand webhook" -s h -l help -d 'Print help (see more with \'--help\')'
