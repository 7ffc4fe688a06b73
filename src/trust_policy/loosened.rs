//! Whom else a trust policy lets in.

use crate::trust_policy::WILDCARDS;
use crate::trust_policy::condition::never_holds;
use crate::trust_policy::document::Actions;
use crate::trust_policy::document::Condition;
use crate::trust_policy::document::Document;
use crate::trust_policy::document::Principals;
use crate::trust_policy::document::Statement;
use crate::trust_policy::is_wild;
use crate::trust_policy::operator::Test;
use crate::trust_policy::principal::means;
use crate::trust_policy::verdict::Caller;
use crate::trust_policy::verdict::Remark;
use crate::trust_policy::verdict::is_meant;

/// Of the statements that are about this cluster's tokens, what is wider than one ServiceAccount and one audience.
pub(super) fn loosenings(document: &Document, caller: &Caller) -> Vec<Remark> {
    let about_this_cluster = |statement: &&Statement| statement.allows && names(statement, caller);
    document
        .statements
        .iter()
        .filter(about_this_cluster)
        .flat_map(|statement| of(statement, caller))
        .collect()
}

fn names(statement: &Statement, caller: &Caller) -> bool {
    match &statement.principals {
        Principals::Everyone | Principals::AllBut(_) => true,
        Principals::These(these) => means(these, caller),
    }
}

fn of(statement: &Statement, caller: &Caller) -> Vec<Remark> {
    let name = &statement.name;
    let mut remarks = Vec::new();
    let mut tell =
        |code: &'static str, text: String| remarks.push(Remark::new(code, format!("{name}: {text}")));
    let is_everybody = |names: &[String]| names.iter().any(|name| name == "*");
    // What excludes a few lets in all the others, and so does a key that is compared with itself.
    let itself = format!("${{{}:", caller.issuer).to_ascii_lowercase();
    let names_itself = |condition: &&Condition| {
        condition
            .values
            .iter()
            .any(|value| condition.is_variable(value) && value.to_ascii_lowercase().contains(&itself))
    };
    let on = |claim: &str| -> Vec<&Condition> {
        let key = format!("{}:{claim}", caller.issuer).to_ascii_lowercase();
        statement
            .conditions
            .iter()
            .filter(|condition| {
                condition.key.to_ascii_lowercase() == key
                    && condition.operator.restricts()
                    && !names_itself(condition)
            })
            .collect()
    };
    let names_all = match &statement.principals {
        Principals::Everyone | Principals::AllBut(_) => true,
        Principals::These(these) => these.iter().any(|(_, names)| is_everybody(names)),
    };
    if names_all {
        tell("EveryPrincipal", "its Principal is everybody, not this cluster's provider".to_owned());
    }
    match &statement.actions {
        Actions::These(these) => these.iter().filter(|action| is_wild(action)).for_each(|action| {
            tell("WideAction", format!("its Action {action} is more than sts:AssumeRoleWithWebIdentity"));
        }),
        Actions::AllBut(_) => tell("WideAction", "its NotAction allows every other call".to_owned()),
    }
    // What follows is about tokens of this cluster: a statement that lets none in is not too wide, and one that IAM would not
    // take is nobody's.
    let lets_none_in = statement
        .conditions
        .iter()
        .any(|condition| condition.operator.test == Test::Unknown || never_holds(condition, caller));
    if lets_none_in || !is_meant(&statement.actions) {
        return remarks;
    }
    let mut tell =
        |code: &'static str, text: String| remarks.push(Remark::new(code, format!("{name}: {text}")));
    let (subjects, audiences) = (on("sub"), on("aud"));
    if subjects.is_empty() {
        let text = "no condition on sub: every ServiceAccount of this cluster has this role";
        tell("AnyServiceAccount", text.to_owned());
    }
    // All lines must be fulfilled: one that is exact is enough.
    let wild = |condition: &Condition| {
        condition
            .operator
            .is_like()
            .then(|| condition.values.iter().find(|value| is_wild(value)))
            .flatten()
            .cloned()
    };
    let wilds: Vec<String> = subjects.iter().filter_map(|condition| wild(condition)).collect();
    if !wilds.is_empty() && wilds.len() == subjects.len() {
        for subject in wilds {
            tell("WildcardSubject", format!("every ServiceAccount that matches {subject} has this role"));
        }
    }
    let is_any = |condition: &&&Condition| {
        condition.operator.is_like()
            && condition.values.iter().any(|value| value.trim_matches(WILDCARDS).is_empty())
    };
    if audiences.iter().all(|condition| is_any(&condition)) {
        let text = "no condition on aud: a token that was made for another service is taken too";
        tell("AudienceNotChecked", text.to_owned());
    }
    for condition in
        subjects.iter().chain(&audiences).filter(|condition| condition.operator.passes_when_absent())
    {
        let text = format!("{} is fulfilled where the key is not there", condition.operator.written);
        tell("PassesWhenAbsent", text);
    }
    remarks
}
