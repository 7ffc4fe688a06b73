//! The role's trust policy, held against this token.

use crate::config::RoleArn;
use crate::config::SessionDuration;
use crate::config::types::format_duration;
use crate::contract::DEFAULT_SESSION_DURATION;
use crate::doctor::facts::Facts;
use crate::doctor::facts::Outcome;
use crate::doctor::facts::Policy;
use crate::doctor::finding::Check;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Severity::Broken;
use crate::doctor::finding::Severity::Note;
use crate::doctor::finding::Severity::Warning;
use crate::sts::client::names;
use crate::trust_policy::Answer;
use crate::trust_policy::Caller;
use crate::trust_policy::Evaluation;
use crate::trust_policy::Line;
use crate::trust_policy::Verdict;
use crate::trust_policy::verdict;

mod text;

pub(super) use text::lines;

pub(super) struct Trust {
    pub(super) findings: Vec<Finding>,
    /// None where the policy says nothing of this token.
    pub(super) answer: Option<Answer>,
    /// Whether it is known to be of a role of this very ARN.
    pub(super) is_same_role: bool,
    /// Whether a statement of it allows the call, so that only a Deny could keep it out.
    pub(super) is_allowed: bool,
}

impl Trust {
    /// STS has let the token in: what refuses it cannot be the policy that the role has.
    pub(super) fn beside(mut self, outcome: &Outcome) -> Self {
        if matches!(outcome, Outcome::Held(_)) && self.answer == Some(Answer::No) {
            self.findings.iter_mut().filter(|finding| finding.trust_policy.is_some()).for_each(|finding| {
                finding.found = "STS has let this token in, so this is not the policy that the role has now; with this one it \
                                 would not."
                    .to_owned();
            });
        }
        if matches!(outcome, Outcome::Held(_)) && self.answer == Some(Answer::Unknown) {
            self.findings.iter_mut().filter(|finding| finding.trust_policy.is_some()).for_each(|finding| {
                finding.severity = Note;
                finding.found.push_str(" In this moment it does: STS has let it in.");
            });
        }
        self
    }

    fn skipped(looked_at: &str, why: &str) -> Self {
        Self::from(Box::new(Check::TrustPolicy.skipped(looked_at, why)))
    }
}

impl From<Box<Finding>> for Trust {
    fn from(finding: Box<Finding>) -> Self {
        Self { findings: vec![*finding], answer: None, is_same_role: false, is_allowed: false }
    }
}

pub(super) fn check(facts: &Facts<'_>, policy: &Policy) -> Trust {
    let Policy { shown: looked_at, document } = policy;
    let (Some(web_identity), Ok(((roles, _), _))) = (facts.web_identity(), &facts.asked.roles) else {
        return Trust::skipped(looked_at, "There is no role of a web identity token to hold it against.");
    };
    let session = &web_identity.session;
    let mut findings = Vec::new();
    if let Some(told) = document.role_arn.as_deref().filter(|told| *told != session.role_arn.as_str()) {
        match another_role(looked_at, told, &session.role_arn) {
            Ok(wrong_path) => findings.push(wrong_path),
            Err(another) => return Trust::from(another),
        }
    }
    let wanted = match session.duration {
        SessionDuration::Fixed(duration) => duration,
        SessionDuration::Max => DEFAULT_SESSION_DURATION,
    };
    if let Some(longest) = document.longest_session.filter(|longest| *longest < wanted.as_secs()) {
        let found = format!(
            "The role allows sessions of {longest} s at most, and {} are asked for.",
            format_duration(wanted)
        );
        let mend = "Ask for less (IRSA_SIDECAR_SESSION_DURATION), or raise the role's MaxSessionDuration.";
        let finding = Check::TrustPolicy.finding(Broken, "SessionDurationTooLong", looked_at.clone(), found);
        findings.push(finding.mend(mend));
    }
    let caller = facts.claims().and_then(|claims| {
        let name = session.name.fill(&names(&roles.pod, claims));
        Caller::new(&session.role_arn, claims, name.as_str())
    });
    let Some(caller) = caller else {
        return Trust::skipped(
            looked_at,
            "There is no token with an issuer, a subject and an audience to hold it against.",
        );
    };
    let judged = verdict(document, &caller);
    let (answer, is_allowed) = (Some(judged.answer), judged.is_allowed());
    for loosening in &judged.loosenings {
        let found = format!("{}.", loosening.text);
        let finding = Check::TrustPolicy.finding(Warning, loosening.code, looked_at.clone(), found);
        findings.push(
            finding.mend("irsa-sidecar trust-policy prints one that lets in this ServiceAccount alone."),
        );
    }
    findings.insert(0, of(looked_at, judged));
    let is_same_role = document.role_arn.as_deref() == Some(session.role_arn.as_str());
    Trust { findings, answer, is_same_role, is_allowed }
}

fn of(looked_at: &str, judged: Verdict) -> Finding {
    let (severity, code, found, mend) = match judged.answer {
        Answer::Yes => {
            return Finding {
                trust_policy: Some(judged),
                ..Check::TrustPolicy.fine(looked_at, "It lets this token in.")
            };
        }
        Answer::Unknown => (
            Warning,
            "TrustPolicyUndecided",
            "Whether it lets this token in hangs on the lines with a question mark, which cannot be told from here.",
            "Look at the lines with a question mark.".to_owned(),
        ),
        Answer::No if judged.denied_by().is_some() => (
            Broken,
            "TrustPolicyDenies",
            "A Deny keeps this token out, whatever else allows it.",
            "Narrow the Deny in IAM, so that it does not mean this token.".to_owned(),
        ),
        Answer::No => {
            (Broken, "TrustPolicyRefuses", "It does not let this token in.", mend_of_refusal(&judged))
        }
    };
    let finding = Check::TrustPolicy.finding(severity, code, looked_at, found).mend(mend);
    Finding { trust_policy: Some(judged), ..finding }
}

/// What the caller calls the session can be changed without IAM.
fn mend_of_refusal(judged: &Verdict) -> String {
    let fails_by_name_alone =
        |lines: &[Line]| lines.iter().filter(|line| line.answer == Answer::No).all(Line::is_session_name);
    if judged.statements.iter().any(|judged| judged.allows && fails_by_name_alone(&judged.lines)) {
        return "Set AWS_ROLE_SESSION_NAME, or session_name in the roles file, to one that the policy takes; or, in IAM, change the \
                line marked ✗."
            .to_owned();
    }
    let of_another_issuer = |line: &Line| {
        line.answer == Answer::No
            && line.remark.as_ref().is_some_and(|remark| remark.code == "ProviderOfAnotherIssuer")
    };
    let mut allowing = judged.statements.iter().filter(|judged| judged.allows).peekable();
    if allowing.peek().is_some() && allowing.all(|judged| judged.lines.iter().any(of_another_issuer)) {
        return "The token is not verified here: see first that its issuer is this cluster's own (kubectl get --raw \
                /.well-known/openid-configuration). Then add the statement that irsa-sidecar trust-policy prints to those that are \
                there; what its --format aws-cli prints replaces the whole policy, statements for others included."
            .to_owned();
    }
    let wrong = |judged: &&Evaluation| judged.lines.iter().filter(|line| line.answer == Answer::No).count();
    let nearest = judged.statements.iter().filter(|judged| judged.allows).min_by_key(wrong);
    let of = nearest.map(|judged| format!(" of {}", judged.statement)).unwrap_or_default();
    format!(
        "In IAM, change what is marked ✗{of} to what the token has; or, if that is meant for others, add the statement that \
         irsa-sidecar trust-policy prints to those that are there. What --format aws-cli prints replaces the whole policy, \
         statements for others included."
    )
}

/// The same role under another path, which is then the matter; or, as the error, another role altogether.
fn another_role(looked_at: &str, told: &str, wanted: &RoleArn) -> Result<Finding, Box<Finding>> {
    let told_arn: Option<RoleArn> = told.parse().ok();
    let is_path =
        told_arn.is_some_and(|told| told.name() == wanted.name() && told.account() == wanted.account());
    if is_path {
        let found =
            format!("The role is {told}, and AWS_ROLE_ARN is {wanted}: its path is missing or another.");
        let mend = format!("Set AWS_ROLE_ARN, and the annotation eks.amazonaws.com/role-arn, to {told}.");
        return Ok(Check::TrustPolicy.finding(Broken, "RolePathWrong", looked_at, found).mend(mend));
    }
    let found = format!("It is of another role: {told}. AWS_ROLE_ARN is {wanted}.");
    let mend = format!("Give what aws iam get-role --role-name {} prints.", wanted.name());
    Err(Box::new(Check::TrustPolicy.finding(Warning, "AnotherRole", looked_at, found).mend(mend)))
}
