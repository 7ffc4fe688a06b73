//! `chain`: from which role, and the steps from there on.

use crate::config::duration::parse_chained_duration;
use crate::config::mistake::Reason;
use crate::config::role::Chain;
use crate::config::role::ExternalId;
use crate::config::role::Session;
use crate::config::role::SessionDuration;
use crate::config::role::Step;
use crate::config::roles_file::Defaults;
use crate::config::roles_file::fields::Field;
use crate::config::roles_file::fields::Fields;
use crate::config::roles_file::fields::Report;
use crate::config::roles_file::fields::absolute_path;
use crate::config::roles_file::role::template;
use crate::config::roles_file::session::ROLE_ARN_EXAMPLE;
use crate::config::roles_file::session::policies;
use crate::config::roles_file::session::role_arn;
use crate::config::types::SessionName;
use crate::config::yaml::Value;
use crate::contract::DEFAULT_SESSION_DURATION;

const EXAMPLE: &str =
    "chain: { from: default, steps: [{ role_arn: arn:aws:iam::444455556666:role/partner }] }";
const MAX_STEPS: usize = 10;
/// STS's own.
const MAX_TAGS: usize = 50;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;

pub(super) fn chain(field: &Field<'_>, defaults: &Defaults, report: &mut Report<'_>) -> Option<Chain> {
    let mut fields = field.fields(EXAMPLE, report)?;
    let from = fields.take("from", report).and_then(|from| from.text("from: default", report));
    if from.is_none() && !fields.has("from") {
        report.wrong(
            &field.place,
            None,
            Reason::from("it does not say from which role it starts"),
            "from: default",
        );
    }
    let listed = fields.take("steps", report);
    let items = listed.as_ref().map(|field| field.items(EXAMPLE, report)).unwrap_or_default();
    let is_list = listed.as_ref().is_none_or(|listed| matches!(listed.node.value, Value::List(_)));
    if is_list && !(1..=MAX_STEPS).contains(&items.len()) {
        let place = listed.as_ref().map_or(&field.place, |listed| &listed.place);
        let why = format!("it has {} steps; there are 1 to {MAX_STEPS}", items.len());
        report.wrong(place, None, why.into(), EXAMPLE);
    }
    fields.refuse_others(report);
    let mut steps: Vec<Step> = Vec::new();
    let mut is_whole = true;
    for item in &items {
        match step(item, &steps, defaults, report) {
            Some(step) => steps.push(step),
            None => is_whole = false,
        }
    }
    (is_whole && !steps.is_empty()).then_some(Chain { from: from?.to_owned(), steps })
}

fn step(field: &Field<'_>, before: &[Step], defaults: &Defaults, report: &mut Report<'_>) -> Option<Step> {
    let mut fields = field.fields(ROLE_ARN_EXAMPLE, report)?;
    let arn = role_arn(&mut fields, report);
    if !fields.has("role_arn") {
        report.wrong(&field.place, None, "it has no role_arn".into(), ROLE_ARN_EXAMPLE);
    }
    let name = fields.parse("session_name", "session_name: \"{namespace}-{pod}\"", template, report);
    let duration = fields.parse("session_duration", "session_duration: 1h", parse_chained_duration, report);
    let (policy, policy_arns) = policies(&mut fields, report);
    let external_id = fields.take("external_id", report).and_then(|field| external_id(&field, report));
    let tags = tags(&mut fields, report);
    let transitive_tags = transitive_tags(&mut fields, &tags, before, report);
    let source_identity = source_identity(&mut fields, before, report);
    fields.refuse_others(report);
    let session = Session {
        role_arn: arn?,
        name: name.unwrap_or_else(|| defaults.session_name()),
        duration: duration.unwrap_or(SessionDuration::Fixed(DEFAULT_SESSION_DURATION)),
        policy,
        policy_arns,
    };
    Some(Step { session, external_id, tags, transitive_tags, source_identity })
}

fn external_id(field: &Field<'_>, report: &mut Report<'_>) -> Option<ExternalId> {
    let example = "external_id: { file: /etc/irsa-sidecar/external-id }";
    if !matches!(field.node.value, Value::Map(_)) {
        let check = |text: &str| {
            if ExternalId::is_taken(text) {
                return Ok(ExternalId::Value(text.to_owned()));
            }
            Err(Reason::from(ExternalId::RULE).hide_value())
        };
        return field.parse(example, check, report);
    }
    let mut fields = field.fields(example, report)?;
    let file = fields.parse("file", example, absolute_path, report);
    if !fields.has("file") {
        report.wrong(&field.place, None, "it names no file".into(), example);
    }
    fields.refuse_others(report);
    file.map(ExternalId::File)
}

fn tags(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<(String, String)> {
    let example = "tags: { team: data }";
    let Some(field) = fields.take("tags", report) else { return Vec::new() };
    let Value::Map(entries) = &field.node.value else {
        let why = format!("it is {}; a mapping of keys to values goes here", field.node.value.kind());
        report.wrong(&field.place, None, why.into(), example);
        return Vec::new();
    };
    if entries.len() > MAX_TAGS {
        let why = format!("it has {} tags; STS takes {MAX_TAGS}", entries.len());
        report.wrong(&field.place, None, why.into(), example);
    }
    let mut tags: Vec<(String, String)> = Vec::new();
    for (key, node) in entries {
        let place = field.place.below(&key.name.escape_debug().to_string(), key.line);
        let value = match &node.value {
            // STS takes an empty value.
            Value::Empty => "",
            Value::Text(text) => text,
            other => {
                report.wrong(&place, None, format!("it is {}; text goes here", other.kind()).into(), example);
                continue;
            }
        };
        let same = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(&key.name);
        if let Some((other, _)) = tags.iter().find(same) {
            let why = format!("{other} is there already, and STS does not tell capitals from small letters");
            report.wrong(&place, None, why.into(), example);
        } else if let Err(why) = check_tag(&key.name, value) {
            report.wrong(&place, Some(value), why.into(), example);
        }
        tags.push((key.name.clone(), value.to_owned()));
    }
    tags
}

fn check_tag(key: &str, value: &str) -> Result<(), String> {
    let is_taken = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if key.is_empty() || key.chars().count() > MAX_TAG_KEY {
        return Err(format!("its key has {} characters; STS takes 1 to {MAX_TAG_KEY}", key.chars().count()));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err("keys that begin with aws: are AWS's own".to_owned());
    }
    if value.chars().count() > MAX_TAG_VALUE {
        return Err(format!("it has {} characters; STS takes {MAX_TAG_VALUE}", value.chars().count()));
    }
    match key.chars().chain(value.chars()).find(|c| !is_taken(*c)) {
        Some(strange) => {
            Err(format!("it contains {strange:?}; STS takes letters, digits, space and _ . : / = + - @"))
        }
        None => Ok(()),
    }
}

/// Each is a tag of this step, and none that an earlier one has passed on already.
fn transitive_tags(
    fields: &mut Fields<'_>,
    tags: &[(String, String)],
    before: &[Step],
    report: &mut Report<'_>,
) -> Vec<String> {
    let example = "transitive_tags: [team]";
    let inherited: Vec<&String> = before.iter().flat_map(|step| &step.transitive_tags).collect();
    for (key, _) in
        tags.iter().filter(|(key, _)| inherited.iter().any(|other| other.eq_ignore_ascii_case(key)))
    {
        let why = format!(
            "the tag {key} comes from an earlier step, where it is transitive, and cannot be set again"
        );
        let reason = Reason::from(why).mend("Leave it out here");
        report.wrong(&fields.place_of("tags"), None, reason, "");
    }
    let Some(field) = fields.take("transitive_tags", report) else { return Vec::new() };
    let items = field.items(example, report);
    let check = |text: &str| match tags.iter().any(|(key, _)| key == text) {
        true => Ok(text.to_owned()),
        false => Err(Reason::from("it is none of this step's tags").mend("Add it to tags, or leave it out")),
    };
    items.iter().filter_map(|item| item.parse(example, check, report)).collect()
}

fn source_identity(fields: &mut Fields<'_>, before: &[Step], report: &mut Report<'_>) -> Option<String> {
    let set = before.iter().find_map(|step| step.source_identity.clone());
    let check = |text: &str| {
        if !(2..=64).contains(&text.len()) || !text.chars().all(SessionName::takes) {
            return Err(Reason::from("STS takes 2 to 64 of A-Z a-z 0-9 _ + = , . @ -"));
        }
        if let Some(set) = set.filter(|set| set != text) {
            let why = format!("an earlier step has set it to {set:?}, and it cannot be changed in a chain");
            return Err(Reason::from(why).mend("Leave it out here: it is inherited"));
        }
        Ok(text.to_owned())
    };
    fields.parse("source_identity", "source_identity: payments", check, report)
}
