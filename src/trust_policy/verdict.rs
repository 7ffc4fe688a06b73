//! Whether a trust policy lets a token in, statement by statement and line by line. Pure.
//!
//! A Deny that applies beats every Allow, and nothing means no ("Policy evaluation logic"). What only AWS knows, an
//! address or a tag, is neither yes nor no: it is told as such.

use serde::Serialize;

use crate::config::RoleArn;
use crate::contract::DEFAULT_AUDIENCE;
use crate::harmless::harmless;
use crate::token::Claims;
use crate::trust_policy::condition::judge;
use crate::trust_policy::difference::Difference;
use crate::trust_policy::difference::matches;
use crate::trust_policy::document::Actions;
use crate::trust_policy::document::Document;
use crate::trust_policy::document::Principals;
use crate::trust_policy::document::Statement;
use crate::trust_policy::issuer::same_kind_of_cluster;
use crate::trust_policy::loosened::loosenings;
use crate::trust_policy::provider;

/// Who calls `AssumeRoleWithWebIdentity`, as IAM sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The ARN of the identity provider in the role's account.
    pub provider: String,
    /// Without its scheme.
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    pub session_name: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No,
    Unknown,
}

/// What is to be said about a line or a statement, under a stable name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Remark {
    pub code: &'static str,
    pub text: String,
}

/// One line of a statement, held against the call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// `Principal`, `Action`, or an operator and its key.
    pub what: String,
    pub wanted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    #[serde(rename = "fulfilled")]
    pub answer: Answer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<Remark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    pub statement: String,
    pub allows: bool,
    pub applies: Answer,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    #[serde(rename = "lets_in")]
    pub answer: Answer,
    pub statements: Vec<Evaluation>,
    /// Whom else it lets in.
    pub loosenings: Vec<Remark>,
}

const CALL: &str = "sts:AssumeRoleWithWebIdentity";

impl Caller {
    /// None while the token does not say who it is.
    pub fn new(role: &RoleArn, claims: &Claims, session_name: &str) -> Option<Self> {
        let issuer = claims.issuer()?;
        let issuer = issuer.split_once("://").map_or(issuer, |(_, host)| host).to_owned();
        let audiences = claims.audiences();
        let audience =
            audiences.iter().find(|audience| **audience == DEFAULT_AUDIENCE).or(audiences.first())?;
        Some(Self {
            provider: provider(role, &issuer),
            subject: claims.subject()?.to_owned(),
            audience: (*audience).to_owned(),
            session_name: session_name.to_owned(),
            issuer,
        })
    }
}

/// Whether the policy lets the caller in, and why.
pub fn verdict(document: &Document, caller: &Caller) -> Verdict {
    let statements: Vec<Evaluation> =
        document.statements.iter().map(|statement| judged(statement, caller)).collect();
    let any = |allows: bool, applies: Answer| {
        statements.iter().any(|judged| judged.allows == allows && judged.applies == applies)
    };
    let answer = if any(false, Answer::Yes) {
        Answer::No
    } else if any(true, Answer::Yes) {
        if any(false, Answer::Unknown) { Answer::Unknown } else { Answer::Yes }
    } else if any(true, Answer::Unknown) {
        Answer::Unknown
    } else {
        Answer::No
    };
    Verdict { answer, statements, loosenings: loosenings(document, caller) }
}

fn judged(statement: &Statement, caller: &Caller) -> Evaluation {
    let mut lines = vec![principal(&statement.principals, caller), action(&statement.actions)];
    lines.extend(statement.conditions.iter().map(|condition| judge(condition, caller)));
    let applies = if lines.iter().any(|line| line.answer == Answer::No) {
        Answer::No
    } else if lines.iter().any(|line| line.answer == Answer::Unknown) {
        Answer::Unknown
    } else {
        Answer::Yes
    };
    Evaluation { statement: statement.name.clone(), allows: statement.allows, applies, lines }
}

fn principal(principals: &Principals, caller: &Caller) -> Line {
    let federated = |these: &[(String, Vec<String>)]| -> Vec<String> {
        let of_kind = these.iter().filter(|(kind, _)| kind == "Federated");
        of_kind.flat_map(|(_, names)| names.clone()).collect()
    };
    let (wanted, answer) = match principals {
        Principals::Everyone => (vec!["*".to_owned()], Answer::Yes),
        Principals::These(these) => (federated(these), Answer::of(means(these, caller))),
        Principals::AllBut(but) => (federated(but), Answer::of(!means(but, caller))),
    };
    let got = Some(caller.provider.clone());
    let is_list = matches!(principals, Principals::These(_));
    let difference =
        (answer == Answer::No && is_list).then(|| Difference::nearest(&wanted, &caller.provider)).flatten();
    let remark = (answer == Answer::No).then(|| other_principal(&wanted, is_list, caller));
    let what = if is_list { "Principal Federated" } else { "Principal" };
    Line { what: what.to_owned(), wanted, got, answer, remark, difference }
}

/// Whether this list has the caller's provider, or everybody: `{"AWS": "*"}` is the same as `"*"` ("AWS JSON policy
/// elements: Principal").
pub(super) fn means(these: &[(String, Vec<String>)], caller: &Caller) -> bool {
    let of_kind = |wanted: &str, test: &dyn Fn(&str) -> bool| {
        these.iter().any(|(kind, names)| kind == wanted && names.iter().any(|name| test(name)))
    };
    of_kind("Federated", &|name| name == caller.provider || name == "*")
        || of_kind("AWS", &|name| name == "*")
}

fn other_principal(wanted: &[String], is_list: bool, caller: &Caller) -> Remark {
    if !is_list {
        return Remark::new("PrincipalExcluded", "NotPrincipal excludes this cluster's provider");
    }
    let Some(nearest) = Difference::nearest(wanted, &caller.provider) else {
        let text = format!("it trusts no OIDC provider; this token's is {}", caller.provider);
        return Remark::new("NotForWebIdentity", text);
    };
    let issuer = |arn: &str| arn.split_once(":oidc-provider/").map(|(_, issuer)| issuer.to_owned());
    let Some(theirs) = issuer(&nearest.wanted) else {
        return Remark::new("NotAnOidcProvider", "it is not the ARN of an OIDC provider");
    };
    if theirs.contains("://") {
        return Remark::new("SchemeInProvider", "a provider's ARN has the issuer without http(s)://");
    }
    if theirs.trim_end_matches('/') == caller.issuer.trim_end_matches('/') {
        if theirs == caller.issuer {
            let text = "it is a provider of another account or partition than the role's";
            return Remark::new("ProviderOfAnotherAccount", text);
        }
        return Remark::new("TrailingSlash", "only the slash at the end differs");
    }
    if same_kind_of_cluster(&theirs, &caller.issuer) {
        let text = "it is another cluster's provider; each cluster has an id of its own";
        return Remark::new("ProviderOfAnotherCluster", text);
    }
    Remark::new(
        "ProviderOfAnotherIssuer",
        format!("it is another issuer's provider; this token's is {}", caller.issuer),
    )
}

fn action(actions: &Actions) -> Line {
    let is_named = |names: &[String]| {
        names.iter().any(|name| matches(&name.to_ascii_lowercase(), &CALL.to_ascii_lowercase()))
    };
    let (wanted, answer) = match actions {
        Actions::These(these) => (these.clone(), Answer::of(is_named(these))),
        Actions::AllBut(but) => (but.clone(), Answer::of(!is_named(but))),
    };
    let remark = (answer == Answer::No)
        .then(|| Remark::new("AnotherAction", format!("the call is {CALL}, which this is not")));
    Line { what: "Action".to_owned(), wanted, got: Some(CALL.to_owned()), answer, remark, difference: None }
}

impl Answer {
    pub(super) fn of(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

impl Remark {
    pub(super) fn new(code: &'static str, text: impl AsRef<str>) -> Self {
        Self { code, text: harmless(text.as_ref()) }
    }
}

impl Verdict {
    /// A Deny that applies.
    pub fn denied_by(&self) -> Option<&Evaluation> {
        self.statements.iter().find(|judged| !judged.allows && judged.applies == Answer::Yes)
    }
}
