//! What the pod's own annotations ask for.

use crate::config::check_session_duration;
use crate::config::nearest_of;
use crate::contract::ANNOTATION_ADMIN_PORT;
use crate::contract::ANNOTATION_AUTHORIZATION;
use crate::contract::ANNOTATION_ENDPOINTS;
use crate::contract::ANNOTATION_PORT;
use crate::contract::ANNOTATION_PREFIX;
use crate::contract::ANNOTATION_ROLES_CONFIG_MAP;
use crate::contract::ANNOTATION_SESSION_DURATION;
use crate::contract::ANNOTATION_SKIP_CONTAINERS;
use crate::contract::ANNOTATIONS;
use crate::contract::DEFAULT_ADMIN_PORT;
use crate::contract::DEFAULT_PORT;
use crate::contract::LABEL_INJECT;
use crate::inject::Refusal;
use crate::inject::endpoints::Endpoints;
use crate::inject::endpoints::Imds;
use crate::inject::pod::Container;
use crate::inject::pod::Pod;

pub(super) struct Asked<'a> {
    pub(super) endpoints: Endpoints,
    skipped: Vec<&'a str>,
    pub(super) session_duration: Option<&'a str>,
    /// Secret and key.
    pub(super) authorization: Option<(&'a str, &'a str)>,
    pub(super) port: u16,
    pub(super) admin_port: u16,
    pub(super) roles_config_map: Option<&'a str>,
}

/// A user that is not root may have these.
const FIRST_PORT: u16 = 1024;
/// Of a Kubernetes object whose name may stand in a host name.
const MAX_NAME: usize = 253;

impl<'a> Asked<'a> {
    /// All mistakes at once: they are mended in one go.
    pub(super) fn of(pod: &Pod<'a>, warnings: &mut Vec<String>) -> Result<Self, Refusal> {
        let mut mistakes = Vec::new();
        let endpoints = read(pod, ANNOTATION_ENDPOINTS, &mut mistakes, Endpoints::parse);
        let session_duration = read(pod, ANNOTATION_SESSION_DURATION, &mut mistakes, duration);
        let authorization = read(pod, ANNOTATION_AUTHORIZATION, &mut mistakes, secret_and_key);
        let port = read(pod, ANNOTATION_PORT, &mut mistakes, port);
        let admin_port = read(pod, ANNOTATION_ADMIN_PORT, &mut mistakes, self::port);
        let roles_config_map = read(pod, ANNOTATION_ROLES_CONFIG_MAP, &mut mistakes, object_name);
        let asked = Self {
            endpoints: endpoints.unwrap_or(Endpoints::DEFAULT),
            skipped: pod.annotation(ANNOTATION_SKIP_CONTAINERS).map(names).unwrap_or_default(),
            session_duration,
            authorization,
            port: port.unwrap_or(DEFAULT_PORT),
            admin_port: admin_port.unwrap_or(DEFAULT_ADMIN_PORT),
            roles_config_map,
        };
        asked.refuse_contradictions(pod, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(Refusal(mistakes.join("; and ")));
        }
        asked.warn(pod, warnings);
        Ok(asked)
    }

    pub(super) fn skips(&self, container: &Container<'_>) -> bool {
        self.skipped.contains(&container.name())
    }

    fn refuse_contradictions(&self, pod: &Pod<'_>, mistakes: &mut Vec<String>) {
        if self.port == self.admin_port {
            let which = [ANNOTATION_ADMIN_PORT, ANNOTATION_PORT];
            let which = which.into_iter().find(|name| pod.annotation(name).is_some());
            mistakes.push(format!(
                "annotation {} makes the credentials' port and the admin port the same, {}; give one of them another",
                which.unwrap_or(ANNOTATION_PORT),
                self.port
            ));
        }
        if self.authorization.is_some() && self.endpoints.imds == Imds::Served {
            mistakes.push(format!(
                "annotation {ANNOTATION_AUTHORIZATION} asks for a token, and the endpoint imds has no place for one, so \
                 that every process of the pod would have the credentials without it; leave one of them out"
            ));
        }
    }

    fn warn(&self, pod: &Pod<'_>, warnings: &mut Vec<String>) {
        for (name, _) in pod.annotations() {
            let Some(short) = name.strip_prefix(ANNOTATION_PREFIX) else { continue };
            if name == LABEL_INJECT {
                warnings.push(format!("{LABEL_INJECT} is a label, and means nothing as an annotation"));
            } else if !ANNOTATIONS.contains(&name) {
                let near = nearest_of(name, &ANNOTATIONS).map(|near| format!("; did you mean {near}?"));
                let near = near.unwrap_or_else(|| format!("; there are {}", short_names()));
                warnings.push(format!(
                    "annotation irsa-sidecar/{short} is not known, and nothing was done for it{near}"
                ));
            }
        }
        for name in &self.skipped {
            if !pod.others().any(|container| container.name() == *name) {
                let names: Vec<_> = pod.others().map(|container| container.name()).collect();
                warnings.push(format!(
                    "annotation {ANNOTATION_SKIP_CONTAINERS} names {name}, which is no container of the pod; it has {}",
                    names.join(", ")
                ));
            }
        }
        for port in [self.port, self.admin_port] {
            for container in pod.others().filter(|container| container.declares_port(port)) {
                warnings.push(format!(
                    "container {} declares port {port}, which the sidecar listens on; move one of them ({ANNOTATION_PORT}, \
                     {ANNOTATION_ADMIN_PORT})",
                    container.name()
                ));
            }
        }
    }
}

/// The value of an annotation; a wrong one is noted down.
fn read<'a, T>(
    pod: &Pod<'a>,
    name: &str,
    mistakes: &mut Vec<String>,
    parse: impl FnOnce(&'a str) -> Result<T, String>,
) -> Option<T> {
    let value = pod.annotation(name)?;
    parse(value.trim())
        .map_err(|why| mistakes.push(format!("annotation {name} is \"{value}\": it {why}")))
        .ok()
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port >= FIRST_PORT);
    port.ok_or_else(|| format!("is no port from {FIRST_PORT} to 65535, as a user that is not root may have; for example {DEFAULT_PORT}"))
}

fn duration(text: &str) -> Result<&str, String> {
    check_session_duration(text)
        .map(|()| text)
        .map_err(|why| format!("is no session's duration, for example 2h: {why}"))
}

fn secret_and_key(text: &str) -> Result<(&str, &str), String> {
    let mend = "is not SECRET/KEY, the name of a Secret in the pod's namespace and a key in it";
    let (secret, key) = text.split_once('/').ok_or(mend)?;
    let key_is_fine =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !key_is_fine || !is_name(secret) {
        return Err(mend.to_owned());
    }
    Ok((secret, key))
}

fn object_name(text: &str) -> Result<&str, String> {
    let mend = "is not the name of a ConfigMap in the pod's namespace (its key roles.yaml is the roles file)";
    if is_name(text) { Ok(text) } else { Err(mend.to_owned()) }
}

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(inner))
        && text.len() <= MAX_NAME
        && text.bytes().all(|b| inner(b) || b"-.".contains(&b))
}

fn names(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn short_names() -> String {
    ANNOTATIONS.map(|name| name.trim_start_matches(ANNOTATION_PREFIX)).join(", ")
}
