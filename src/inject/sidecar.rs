//! The containers that are injected.

use serde_json::Value;
use serde_json::json;

use crate::contract::DEFAULT_ADMIN_PORT;
use crate::contract::DEFAULT_PORT;
use crate::contract::ENV_ADMIN_LISTEN;
use crate::contract::ENV_AUTHORIZATION_TOKEN;
use crate::contract::ENV_DRAIN;
use crate::contract::ENV_HOST_IP;
use crate::contract::ENV_IMDS;
use crate::contract::ENV_LISTEN;
use crate::contract::ENV_POD_IP;
use crate::contract::ENV_POD_NAME;
use crate::contract::ENV_POD_NAMESPACE;
use crate::contract::ENV_PORT;
use crate::contract::ENV_REGION;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_ROLES_FILE;
use crate::contract::ENV_SESSION_DURATION;
use crate::contract::ENV_STS_REGIONAL_ENDPOINTS;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;
use crate::contract::NET_INIT_CONTAINER;
use crate::contract::ROLES_DIRECTORY;
use crate::contract::ROLES_NAME;
use crate::contract::ROLES_VOLUME;
use crate::contract::SIDECAR_CONTAINER;
use crate::contract::TOKEN_DIRECTORY;
use crate::contract::TOKEN_NAME;
use crate::contract::TOKEN_VOLUME;
use crate::inject::Settings;
use crate::inject::asked::Asked;
use crate::inject::endpoints::Imds;
use crate::inject::identity::Identity;

pub(super) struct Sidecar<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) identity: &'a Identity,
    pub(super) settings: &'a Settings,
}

const PROGRAM: &str = "irsa-sidecar";
/// As long as `healthcheck --wait` can: lack of credentials restarts nothing.
const HOLD: &str = "24h";

impl Sidecar<'_> {
    /// An init container that goes on running: what comes after it starts once it holds credentials, and it ends after
    /// the last container has. No other probe: losing STS must not take the application out of its Service.
    pub(super) fn native(&self) -> Value {
        let mut container = self.container(Vec::new());
        container["restartPolicy"] = json!("Always");
        container["startupProbe"] = json!({
            "exec": { "command": [PROGRAM, "healthcheck"] },
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 86_400,
        });
        container
    }

    /// A container beside the others, for clusters before native sidecars: the hook holds back the containers after
    /// it, and after SIGTERM it serves as long as the pod may go on.
    pub(super) fn ordinary(&self, grace_seconds: u64) -> Value {
        let drain = format!("{}s", grace_seconds.saturating_sub(1));
        let mut container = self.container(vec![variable(ENV_DRAIN, drain)]);
        container["lifecycle"] =
            json!({ "postStart": { "exec": { "command": [PROGRAM, "healthcheck", "--wait", HOLD] } } });
        container
    }

    fn container(&self, more: Vec<Value>) -> Value {
        let Self { asked, settings, .. } = self;
        let env: Vec<Value> = self.env().into_iter().chain(more).collect();
        let mut mounts =
            vec![json!({ "name": TOKEN_VOLUME, "mountPath": TOKEN_DIRECTORY, "readOnly": true })];
        if asked.roles_config_map.is_some() {
            mounts.push(json!({ "name": ROLES_VOLUME, "mountPath": ROLES_DIRECTORY, "readOnly": true }));
        }
        let mut context = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "seccompProfile": { "type": "RuntimeDefault" },
        });
        if let Some(user) = settings.user {
            context["runAsUser"] = json!(user);
            context["runAsGroup"] = json!(user);
        }
        let mut container = self.image(SIDECAR_CONTAINER, "serve");
        container["env"] = env.into();
        container["volumeMounts"] = mounts.into();
        container["ports"] =
            json!([{ "name": "irsa-admin", "containerPort": asked.admin_port, "protocol": "TCP" }]);
        container["securityContext"] = context;
        container
    }

    fn env(&self) -> Vec<Value> {
        let Self { asked, identity, settings } = self;
        let mut env = vec![
            from_field(ENV_POD_NAMESPACE, "metadata.namespace"),
            from_field(ENV_POD_NAME, "metadata.name"),
            variable(ENV_REGION, &identity.region),
        ];
        env.extend(identity.role_arn.as_ref().map(|arn| variable(ENV_ROLE_ARN, arn)));
        env.push(variable(ENV_WEB_IDENTITY_TOKEN_FILE, format!("{TOKEN_DIRECTORY}/{TOKEN_NAME}")));
        if identity.sts_regional_endpoints {
            env.push(variable(ENV_STS_REGIONAL_ENDPOINTS, "regional"));
        }
        match asked.endpoints.listen(asked.port) {
            Some(listen) => env.push(variable(ENV_LISTEN, listen)),
            None if asked.port != DEFAULT_PORT => env.push(variable(ENV_PORT, asked.port.to_string())),
            None => {}
        }
        if asked.admin_port != DEFAULT_ADMIN_PORT {
            env.push(variable(ENV_ADMIN_LISTEN, format!("[::]:{}", asked.admin_port)));
        }
        if asked.endpoints.imds == Imds::Blocked {
            env.push(variable(ENV_IMDS, "off"));
        }
        env.extend(asked.session_duration.map(|duration| variable(ENV_SESSION_DURATION, duration)));
        env.extend(
            asked.authorization.map(|secret_and_key| from_secret(ENV_AUTHORIZATION_TOKEN, secret_and_key)),
        );
        if asked.roles_config_map.is_some() {
            env.push(variable(ENV_ROLES_FILE, format!("{ROLES_DIRECTORY}/{ROLES_NAME}")));
        }
        env.extend(settings.env.iter().map(|(name, value)| variable(name, value)));
        env
    }

    /// Claims addresses, once. Kubernetes gives an added capability to uid 0 alone.
    pub(super) fn net_init(&self) -> Value {
        let listen = self.asked.endpoints.listen(self.asked.port).unwrap_or_default();
        let mut container = self.image(NET_INIT_CONTAINER, "net-init");
        container["env"] = json!([
            variable(ENV_LISTEN, listen),
            from_field(ENV_POD_IP, "status.podIP"),
            from_field(ENV_HOST_IP, "status.hostIP"),
        ]);
        container["securityContext"] = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"], "add": ["NET_ADMIN"] },
            "readOnlyRootFilesystem": true,
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "seccompProfile": { "type": "RuntimeDefault" },
        });
        container
    }

    fn image(&self, name: &str, command: &str) -> Value {
        let Self { settings, .. } = self;
        let mut container = json!({
            "name": name,
            "image": settings.image,
            "args": [command],
            "resources": settings.resources,
            // What is wrong with the settings is said in the log alone, and `kubectl describe` shows it then.
            "terminationMessagePolicy": "FallbackToLogsOnError",
        });
        if let Some(policy) = &settings.image_pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        container
    }
}

pub(super) fn variable(name: &str, value: impl AsRef<str>) -> Value {
    json!({ "name": name, "value": value.as_ref() })
}

pub(super) fn from_secret(name: &str, (secret, key): (&str, &str)) -> Value {
    json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
}

fn from_field(name: &str, path: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } })
}
