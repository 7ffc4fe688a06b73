//! Whether a trust policy lets a token in, statement by statement and line by line. Pure.
//!
//! A Deny that applies beats every Allow, and nothing means no ("Policy evaluation logic"). What only AWS knows, an
//! address or a tag, is neither yes nor no: it is told as such.

use serde::Serialize;

use crate::config::RoleArn;
use crate::contract::DEFAULT_AUDIENCE;
use crate::harmless::harmless;
use crate::token::Claims;
use crate::trust_policy::condition;
use crate::trust_policy::difference::Difference;
use crate::trust_policy::difference::matches;
use crate::trust_policy::document::Actions;
use crate::trust_policy::document::Document;
use crate::trust_policy::document::Statement;
use crate::trust_policy::loosened::loosenings;
use crate::trust_policy::principal;
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
    let mut lines = vec![principal::judge(&statement.principals, caller), action(&statement.actions)];
    lines.extend(statement.conditions.iter().map(|condition| condition::judge(condition, caller)));
    // Where a Deny does not mean the token, nobody has made a slip.
    let fails = |line: &&mut Line| !statement.allows && line.answer == Answer::No;
    lines.iter_mut().filter(fails).for_each(|line| (line.remark, line.difference) = (None, None));
    let applies = lines.iter().map(|line| line.answer).fold(Answer::Yes, Answer::and);
    Evaluation { statement: statement.name.clone(), allows: statement.allows, applies, lines }
}

/// Whether the call is one of these actions, whose case does not count.
pub(super) fn is_meant(actions: &Actions) -> bool {
    let is_named = |names: &[String]| {
        names.iter().any(|name| matches(&name.to_ascii_lowercase(), &CALL.to_ascii_lowercase()))
    };
    match actions {
        Actions::These(these) => is_named(these),
        Actions::AllBut(but) => !is_named(but),
    }
}

fn action(actions: &Actions) -> Line {
    let (Actions::These(wanted) | Actions::AllBut(wanted)) = actions;
    let (wanted, answer) = (wanted.clone(), Answer::of(is_meant(actions)));
    let remark = (answer == Answer::No)
        .then(|| Remark::new("AnotherAction", format!("the call is {CALL}, which this is not")));
    Line { what: "Action".to_owned(), wanted, got: Some(CALL.to_owned()), answer, remark, difference: None }
}

impl Answer {
    pub(super) fn of(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No, Self::No) => Self::No,
        }
    }
}

impl Line {
    /// Whether it is about what the caller calls the session, and nothing of the token.
    pub fn is_session_name(&self) -> bool {
        self.what.to_ascii_lowercase().ends_with(" sts:rolesessionname")
    }
}

impl Remark {
    pub(super) fn new(code: &'static str, text: impl AsRef<str>) -> Self {
        Self { code, text: harmless(text.as_ref()) }
    }
}

impl Verdict {
    /// Whether a statement allows it, be there a Deny or not.
    pub fn is_allowed(&self) -> bool {
        self.statements.iter().any(|judged| judged.allows && judged.applies == Answer::Yes)
    }

    /// A Deny that applies.
    pub fn denied_by(&self) -> Option<&Evaluation> {
        self.statements.iter().find(|judged| !judged.allows && judged.applies == Answer::Yes)
    }
}
