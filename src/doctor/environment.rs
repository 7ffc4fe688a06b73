//! The variables: which are set, who set them, what they shadow.

use crate::config::STATIC_KEYS_IGNORED;
use crate::config::TOKEN_FILE_RELATIVE;
use crate::config::quoted;
use crate::contract::EKS_TOKEN_FILE;
use crate::contract::ENV_CONTAINER_CREDENTIALS_FULL_URI;
use crate::contract::ENV_CONTAINER_CREDENTIALS_RELATIVE_URI;
use crate::contract::ENV_DEFAULT_REGION;
use crate::contract::ENV_KUBERNETES_SERVICE_HOST;
use crate::contract::ENV_REGION;
use crate::contract::ENV_ROLE_ARN;
use crate::contract::ENV_ROLE_SESSION_NAME;
use crate::contract::ENV_WEB_IDENTITY_TOKEN_FILE;
use crate::contract::KUBERNETES_TOKEN_FILE;
use crate::doctor::endpoint;
use crate::doctor::facts::Facts;
use crate::doctor::finding::Cause;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::doctor::keys;
use crate::doctor::sdk::mend_of_missing;
use crate::sts::client::Sts;

const LOOKED_AT: &str = "the AWS_ and IRSA_SIDECAR_ variables";
const PASS_ON: &str = "Whatever started this process took them away: sudo, su -, env -i, a supervisor or a shell script. Have it pass AWS_* \
                       on (sudo --preserve-env, su without -).";
/// Those that say where credentials come from.
const SOURCES: [&str; 4] = [
    ENV_ROLE_ARN,
    ENV_WEB_IDENTITY_TOKEN_FILE,
    ENV_CONTAINER_CREDENTIALS_FULL_URI,
    ENV_CONTAINER_CREDENTIALS_RELATIVE_URI,
];
/// What is said by `config` of these is said better here.
const TOLD_HERE: [&str; 3] = [ENV_ROLE_ARN, ENV_WEB_IDENTITY_TOKEN_FILE, ENV_CONTAINER_CREDENTIALS_FULL_URI];

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = sources(facts).into_iter().collect();
    findings.extend(mistakes(facts));
    findings.extend(overridden(facts));
    findings.extend(not_compared(facts));
    findings.extend(keys::check(facts));
    findings.extend(profile(facts));
    findings.extend(regions(facts));
    findings.extend(endpoint::check(facts));
    let told = facts.asked.roles.as_ref().map(|(_, warnings)| warnings.clone()).unwrap_or_default();
    // It is told as what it does to the application.
    let told = told.into_iter().filter(|warning| warning.code != STATIC_KEYS_IGNORED);
    // Looked at from another root, every path of the process is made relative.
    let told = told.filter(|warning| !facts.asked.is_below_root || warning.code != TOKEN_FILE_RELATIVE);
    let of_profile = facts.sts.as_ref().ok().filter(|_| facts.asks_sts()).and_then(Sts::warning);
    findings.extend(
        told.chain(of_profile)
            .map(|warning| Check::Environment.finding(Warning, warning.code, LOOKED_AT, warning.message)),
    );
    findings
}

/// Where credentials are to come from, or why nothing says so.
fn sources(facts: &Facts<'_>) -> Option<Finding> {
    let (role, token) = (facts.var(ENV_ROLE_ARN), facts.var(ENV_WEB_IDENTITY_TOKEN_FILE));
    let broken = |code, found: &str| Check::Environment.finding(Broken, code, LOOKED_AT, found);
    Some(match (role, token) {
        (Some(_), Some(token)) => {
            let whose = facts.asked.pid.map(|pid| format!(" in process {pid}")).unwrap_or_default();
            let who =
                if token.ends_with(EKS_TOKEN_FILE) { ", as EKS's webhook, or irsa-sidecar's, sets them" } else { "" };
            let beside = match facts.endpoint_is_agents() {
                true => ", and so are those of EKS Pod Identity, which SDKs that know web identity pass by",
                false => "",
            };
            let found =
                format!("{ENV_ROLE_ARN} and {ENV_WEB_IDENTITY_TOKEN_FILE} are set{whose}{who}{beside}.");
            Check::Environment.fine(LOOKED_AT, found)
        }
        _ if facts.asked.has_roles_file => {
            // What is wrong with the file is told as what it is.
            facts.asked.roles.as_ref().ok()?;
            Check::Environment.fine(LOOKED_AT, "The roles file says where credentials come from.")
        }
        // It is told with what is wrong with it.
        (None, None) if endpoint::is_unusable(facts) => return None,
        (None, None) if facts.has_endpoint() => Check::Environment.fine(LOOKED_AT, endpoint::whose(facts)),
        (None, None) if facts.profile.source.is_some() => in_the_profile(facts),
        (None, None) => nothing(facts),
        (None, Some(_)) => broken("RoleArnMissing", "There is a token, and no AWS_ROLE_ARN to exchange it for.").mend(
            "Annotate the ServiceAccount with eks.amazonaws.com/role-arn and recreate the pod, or set AWS_ROLE_ARN.",
        ),
        (Some(_), None) => {
            let found = "AWS_ROLE_ARN is set, and no AWS_WEB_IDENTITY_TOKEN_FILE: SDKs then take neither.";
            broken("TokenFileMissing", found).mend(
                "Leave AWS_ROLE_ARN to the EKS webhook, which sets both where the ServiceAccount has the annotation \
                 eks.amazonaws.com/role-arn; or mount a projected token and name its path in AWS_WEB_IDENTITY_TOKEN_FILE.",
            )
        }
    })
}

/// What this program does not go by.
fn in_the_profile(facts: &Facts<'_>) -> Finding {
    let found = format!(
        "No variable says where credentials come from; {} does. It is not looked into: to have a role and a token's file examined, \
         set {ENV_ROLE_ARN} and {ENV_WEB_IDENTITY_TOKEN_FILE} to what it names.",
        facts.profile.shown()
    );
    Check::Environment.finding(Note, "SourceInProfile", LOOKED_AT, found)
}

/// Nothing says where credentials come from: a question with several answers, which other traces narrow down.
fn nothing(facts: &Facts<'_>) -> Finding {
    let broken = |code, found: String| Check::Environment.finding(Broken, code, LOOKED_AT, found);
    if let Some((pid, _)) = &facts.other
        && SOURCES.iter().any(|name| facts.other_var(name).is_some())
    {
        let found =
            format!("Process {pid} has the variables that name a role or an endpoint; this one does not.");
        return broken("VariablesRemoved", found).mend(PASS_ON);
    }
    if facts.seen(EKS_TOKEN_FILE).exists() {
        let found = format!(
            "The EKS webhook has prepared this pod ({EKS_TOKEN_FILE} is there), and its variables are gone."
        );
        return broken("VariablesRemoved", found).mend(PASS_ON);
    }
    if facts.var(ENV_KUBERNETES_SERVICE_HOST).is_none() && !facts.seen(KUBERNETES_TOKEN_FILE).exists() {
        let found = "Nothing says where credentials come from, and this is no pod.".to_owned();
        return broken("SettingsMissing", found)
            .mend("Set AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION, as in the pod that is looked into.");
    }
    let found =
        "This is a pod, and nothing in it says where credentials come from: no webhook has changed it."
            .to_owned();
    broken("AnnotationMissing", found).causes(vec![
        Cause::new(
            "AnnotationMissing",
            "The pod's ServiceAccount has no annotation eks.amazonaws.com/role-arn.",
            "kubectl annotate serviceaccount NAME eks.amazonaws.com/role-arn=arn:aws:iam::ACCOUNT:role/NAME, then recreate \
             the pods.",
            "kubectl get serviceaccount NAME -o yaml",
        ),
        Cause::new(
            "PodOlderThanAnnotation",
            "The pod was made before its ServiceAccount was annotated.",
            "kubectl rollout restart deployment NAME",
            "the pod's creationTimestamp",
        ),
        Cause::new(
            "AnotherServiceAccount",
            "The pod runs as another ServiceAccount than the one that was annotated (default, most often).",
            "Set spec.serviceAccountName in the pod's template.",
            "kubectl get pod NAME -o jsonpath={.spec.serviceAccountName}",
        ),
        Cause::new(
            "WebhookAbsent",
            "No webhook ran: on clusters of your own it must be installed, and with failurePolicy Ignore its absence is not \
             noticed.",
            "Install the pod identity webhook, or irsa-sidecar's own (docs/install.md).",
            "kubectl get mutatingwebhookconfigurations",
        ),
    ])
}

/// What cannot be used at all.
fn mistakes(facts: &Facts<'_>) -> Vec<Finding> {
    let Err(mistakes) = &facts.asked.roles else { return Vec::new() };
    // What is missing is told as the whole that it is part of.
    let is_told = |setting: &str| TOLD_HERE.contains(&setting);
    // An application's endpoint is judged as SDKs judge it, by the check sidecar.
    let is_the_applications = |setting: &str| facts.is_client() && setting.starts_with("AWS_CONTAINER_");
    let own_words = mistakes
        .iter()
        .filter(|mistake| mistake.value.is_some() || !is_told(&mistake.setting))
        .filter(|mistake| !is_the_applications(&mistake.setting));
    own_words
        .map(|mistake| {
            let value = mistake.value.as_deref().map(|value| format!(" {value}")).unwrap_or_default();
            let found = format!("{}{value}: {}.", mistake.setting, mistake.reason);
            let finding =
                Check::Environment.finding(Broken, code(&mistake.setting), mistake.setting.clone(), found);
            finding.mend(mistake.mend.clone())
        })
        .collect()
}

fn code(setting: &str) -> &'static str {
    match setting {
        ENV_ROLE_ARN => "RoleArnUnusable",
        ENV_ROLE_SESSION_NAME => "SessionNameRefused",
        _ => "SettingUnusable",
    }
}

fn overridden(facts: &Facts<'_>) -> Option<Finding> {
    // Another process's paths are seen from elsewhere.
    let (pid, _) = facts.other.as_ref().filter(|_| facts.asked.pid.is_none())?;
    let differs = |name: &&&str| {
        let (ours, theirs) = (facts.var(name), facts.other_var(name));
        ours.is_some() && theirs.is_some() && ours != theirs
    };
    let names: Vec<&str> = SOURCES.iter().filter(differs).copied().collect();
    let found = format!(
        "{} differ from those of process {pid}: this one has been given others.",
        names.join(" and ")
    );
    let finding =
        Check::Environment.finding(Warning, "VariablesOverridden", format!("/proc/{pid}/environ"), found);
    (!names.is_empty()).then(|| {
        finding.mend(
            "Look for them in the pod's env, in a start script and in .env files: what is set there beats what the webhook \
             would set.",
        )
    })
}

/// Who is named is to be compared with.
fn not_compared(facts: &Facts<'_>) -> Option<Finding> {
    let pid = facts.asked.against.filter(|_| facts.other.is_none())?;
    let found = format!(
        "Not compared with process {pid}: there is none, or its variables are not to be read by this user."
    );
    Some(Check::Environment.finding(Note, "NotCompared", format!("/proc/{pid}/environ"), found))
}

/// A profile that a variable names, and that is in neither file.
fn profile(facts: &Facts<'_>) -> Option<Finding> {
    let profile = &facts.profile;
    let named_by = profile.named_by?;
    let name = quoted(&profile.name);
    // Of one SDK that is known, its chain tells what it makes of that.
    if !profile.exists && facts.knows_sdk() {
        return None;
    }
    if !profile.exists {
        let found = format!(
            "{named_by} is {name}, and there is no such profile: boto3, the AWS CLI and Go's v2 fail at once, whatever else is \
             set."
        );
        let finding = Check::Environment.finding(Broken, "ProfileMissing", named_by, found);
        return Some(finding.mend(mend_of_missing(named_by)));
    }
    let found = format!("{named_by} is {name}: SDKs take region and endpoint from that profile.");
    Some(Check::Environment.finding(Note, "ProfileNamed", named_by, found))
}

/// Some SDKs read the one, some the other.
fn regions(facts: &Facts<'_>) -> Option<Finding> {
    let (region, default) = (facts.var(ENV_REGION)?, facts.var(ENV_DEFAULT_REGION)?);
    let found = format!(
        "AWS_REGION is {}, AWS_DEFAULT_REGION {}: boto3 and the AWS CLI v1 take the second, others the first.",
        quoted(&region),
        quoted(&default)
    );
    let finding = Check::Environment.finding(Warning, "RegionsDiffer", ENV_REGION, found);
    (region != default).then(|| finding.mend("Set both to the region that is meant."))
}
