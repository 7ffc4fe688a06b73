//! Session tags and source identities: what may be sent, and what goes down a chain.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use support::sts::{Credentials, Link, Outcome};
use support::world::{CHAIN, ROLE_ARN, World};

const NO_TAGS: &[(&str, &str)] = &[];

/// Credentials of the world's own role, from which chains start.
async fn started(world: &World) -> Credentials {
    let token = world.token().mint();
    let exchange = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleSessionName", "first"),
        ("RoleArn", ROLE_ARN),
        ("WebIdentityToken", &token),
    ];
    let answer = world.sts.call(&exchange).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    credentials_of(&answer.text())
}

fn credentials_of(xml: &str) -> Credentials {
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
        rest.split_once("</").unwrap().0
    };
    Credentials::new(element("AccessKeyId"), element("SecretAccessKey"), element("SessionToken"))
}

/// The answer's status and its body.
async fn assume(world: &World, role: &str, caller: &Credentials, more: &[(&str, &str)]) -> (u16, String) {
    let basic =
        [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleSessionName", "link"), ("RoleArn", role)];
    let answer = world.sts.call_signed(caller, &[&basic[..], more].concat()).await.unwrap();
    (answer.status, answer.text())
}

async fn assumed(world: &World, role: &str, caller: &Credentials, more: &[(&str, &str)]) -> Credentials {
    let (status, text) = assume(world, role, caller, more).await;
    assert_eq!(status, 200, "{text}");
    credentials_of(&text)
}

#[track_caller]
fn assert_refused((status, text): &(u16, String), code: &str, message: &str) {
    assert!(*status >= 400, "{text}");
    assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
    assert!(text.contains(message), "{text}");
}

#[tokio::test]
async fn transitive_tags_go_down_the_chain_and_the_others_stay_behind() {
    let [hub, partner, archive] = CHAIN;
    let asks = |key, value| Link::new(archive, partner).tag_session().condition("StringEquals", key, value);
    let world = World::builder().chain(CHAIN).start().await.unwrap();
    let tags = [
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "data"),
        ("Tags.member.2.Key", "run"),
        ("Tags.member.2.Value", "7"),
        ("TransitiveTagKeys.member.1", "team"),
    ];
    let hubs = assumed(&world, hub, &started(&world).await, &tags).await;
    let partners = assumed(&world, partner, &hubs, NO_TAGS).await;
    for (key, value, status) in [
        ("aws:PrincipalTag/team", "data", 200),
        ("aws:PrincipalTag/Team", "other", 403),
        ("aws:PrincipalTag/run", "7", 403),
        ("aws:RequestTag/team", "data", 403),
    ] {
        world.sts.put_link(&asks(key, value)).unwrap();
        let answer = assume(&world, archive, &partners, NO_TAGS).await;
        assert_eq!(answer.0, status, "{key}: {}", answer.1);
    }
}

#[tokio::test]
async fn what_is_inherited_cannot_be_said_again_in_any_letter_case() {
    let [hub, partner, _] = CHAIN;
    let world = World::builder().chain(CHAIN).start().await.unwrap();
    let tags = [
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "data"),
        ("TransitiveTagKeys.member.1", "team"),
    ];
    let hubs = assumed(&world, hub, &started(&world).await, &tags).await;
    let again = [("Tags.member.1.Key", "TEAM"), ("Tags.member.1.Value", "data")];
    let refused = assume(&world, partner, &hubs, &again).await;
    let message = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                   key from the calling session.";
    assert_refused(&refused, "InvalidParameterValue", message);
    assumed(&world, partner, &hubs, &[("Tags.member.1.Key", "run"), ("Tags.member.1.Value", "7")]).await;
}

#[tokio::test]
async fn what_is_inherited_needs_the_next_role_s_leave() {
    let [hub, partner, _] = CHAIN;
    let world = World::builder().chain([hub]).link(Link::new(partner, hub)).start().await.unwrap();
    let first = started(&world).await;
    let tags = [
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "data"),
        ("TransitiveTagKeys.member.1", "team"),
    ];
    for (more, action) in [(&tags[..], "TagSession"), (&[("SourceIdentity", "pay")], "SetSourceIdentity")] {
        let hubs = assumed(&world, hub, &first, more).await;
        let refused = assume(&world, partner, &hubs, NO_TAGS).await;
        assert_refused(&refused, "AccessDenied", &format!("to perform: sts:{action} on resource: {partner}"));
    }
    let hubs = assumed(&world, hub, &first, NO_TAGS).await;
    assumed(&world, partner, &hubs, NO_TAGS).await;
    world.sts.put_link(&Link::new(partner, hub).tag_session_with(&["team"])).unwrap();
    let hubs = assumed(&world, hub, &first, &tags).await;
    assumed(&world, partner, &hubs, NO_TAGS).await;
    let more = [("Tags.member.1.Key", "role"), ("Tags.member.1.Value", "admin")];
    let refused = assume(&world, partner, &hubs, &more).await;
    assert_refused(&refused, "AccessDenied", "is not authorized");
}

#[tokio::test]
async fn a_source_identity_is_set_once_for_the_whole_chain() {
    let [hub, partner, archive] = CHAIN;
    let archived = Link::new(archive, partner).set_source_identity().condition(
        "StringEquals",
        "sts:SourceIdentity",
        "pay",
    );
    let world = World::builder().chain([hub, partner]).link(archived).start().await.unwrap();
    let hubs = assumed(&world, hub, &started(&world).await, &[("SourceIdentity", "pay")]).await;
    let refused = assume(&world, partner, &hubs, &[("SourceIdentity", "other")]).await;
    let message = "The source identity is already set for this assume role session";
    assert_refused(&refused, "ValidationError", message);
    let partners = assumed(&world, partner, &hubs, &[("SourceIdentity", "pay")]).await;
    let (status, text) = assume(&world, archive, &partners, NO_TAGS).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("<SourceIdentity>pay</SourceIdentity>"), "{text}");
}

#[tokio::test]
async fn what_no_tag_may_be_is_refused_in_sts_s_words() {
    let [hub, ..] = CHAIN;
    let world = World::builder().chain(CHAIN).start().await.unwrap();
    let first = started(&world).await;
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    let one = |key, value| vec![("Tags.member.1.Key", key), ("Tags.member.1.Value", value)];
    let with = |more: (&'static str, &'static str)| [one("team", "data"), vec![more]].concat();
    let no_value = vec![("Tags.member.1.Key", "team")];
    let twice =
        [one("team", "data"), vec![("Tags.member.2.Key", "TEAM"), ("Tags.member.2.Value", "x")]].concat();
    for (parameters, code, message) in [
        (
            one("", "x"),
            "ValidationError",
            "'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            one(&long_key, "x"),
            "ValidationError",
            "'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128",
        ),
        (
            one("k", &long_value),
            "ValidationError",
            "'tags.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 256",
        ),
        (one("a;b", "x"), "ValidationError", r"pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+"),
        (one("a", "<x>"), "ValidationError", r"pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*"),
        (no_value, "ValidationError", "Value null at 'tags.1.member.value'"),
        (
            twice,
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            with(("TransitiveTagKeys.member.1", "run")),
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            with(("SourceIdentity", "p")),
            "ValidationError",
            "'sourceIdentity' failed to satisfy constraint: Member must have length greater than or equal to 2",
        ),
        (
            with(("ExternalId", "a b")),
            "ValidationError",
            "'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
    ] {
        assert_refused(&assume(&world, hub, &first, &parameters).await, code, message);
    }
    assumed(&world, hub, &first, &one("Kostenstelle: Überbau", "")).await;
}

#[tokio::test]
async fn fifty_tags_are_taken_and_no_more_and_all_must_fit() {
    let [hub, ..] = CHAIN;
    let world = World::builder().chain(CHAIN).start().await.unwrap();
    let first = started(&world).await;
    let tags = |count: usize, length: usize| -> Vec<(String, String)> {
        let of = |n: usize| {
            let value = "v".repeat(length);
            [(format!("Tags.member.{n}.Key"), format!("k{n:02}")), (format!("Tags.member.{n}.Value"), value)]
        };
        (1..=count).flat_map(of).collect()
    };
    let send = async |count, length, policy: &str| {
        let tags = tags(count, length);
        let mut parameters: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        if !policy.is_empty() {
            parameters.push(("Policy", policy));
        }
        assume(&world, hub, &first, &parameters).await
    };
    let (status, text) = send(50, 7, "").await;
    assert_eq!(status, 200);
    assert!(text.contains("<PackedPolicySize>25</PackedPolicySize>"), "{text}");
    assert_refused(&send(51, 1, "").await, "ValidationError", "Value at 'tags' failed to satisfy constraint");
    let message = "Packed size of session tags consumes 252% of allotted space.";
    assert_refused(&send(50, 100, "").await, "PackedPolicyTooLarge", message);
    let policy = format!(r#"{{"Statement":"{}"}}"#, "x".repeat(1984));
    assert_eq!(send(1, 1, &policy).await.0, 200);
    let message = "Packed policy consumes 123% of allotted space, please use smaller policy.";
    assert_refused(&send(50, 7, &policy).await, "PackedPolicyTooLarge", message);
}

#[tokio::test]
async fn the_log_shows_what_each_link_was_asked_and_by_whom() {
    let [hub, ..] = CHAIN;
    let guarded = Link::new(hub, ROLE_ARN).external_id("b+c/d").tag_session().set_source_identity();
    let world = World::builder().link(guarded).start().await.unwrap();
    let first = started(&world).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let more = [
        ("ExternalId", "b+c/d"),
        ("SourceIdentity", "pay"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "data"),
        ("TransitiveTagKeys.member.1", "team"),
        ("Policy", policy),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ];
    assumed(&world, hub, &first, &more).await;
    let calls = world.sts.calls();
    let call = calls.last().unwrap();
    assert!(call.is("AssumeRole") && call.is_for(hub) && call.outcome == Outcome::Ok);
    assert_eq!(call.external_id.as_deref(), Some("b+c/d"));
    assert_eq!(call.source_identity.as_deref(), Some("pay"));
    assert_eq!(call.tags, BTreeMap::from([("team".to_owned(), "data".to_owned())]));
    assert_eq!(call.transitive_tag_keys, ["team"]);
    assert_eq!(call.policy.as_deref(), Some(policy));
    assert_eq!(call.policy_arns, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    assert_eq!(call.access_key_id.as_ref(), Some(&first.access_key_id));
    let caller = "arn:aws:sts::111122223333:assumed-role/legacy-app/first";
    assert_eq!(call.caller_arn.as_deref(), Some(caller));
    assert_eq!(call.signing_region.as_deref(), Some("eu-central-1"));
    assert_eq!(call.signing_service.as_deref(), Some("sts"));
    assert_eq!(call.host, Some(world.sts.address().to_string()));
    let exchange = &calls[0];
    assert_eq!((&exchange.access_key_id, &exchange.caller_arn, exchange.signed), (&None, &None, false));
}

#[tokio::test]
async fn an_administrator_can_change_how_long_sessions_may_be() {
    use std::time::Duration;
    let world = World::start().await.unwrap();
    world.sts.set_max_session(ROLE_ARN, Duration::from_secs(7200)).unwrap();
    let token = world.token().mint();
    let mut status = Vec::new();
    for seconds in ["7200", "7201"] {
        let exchange = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleSessionName", "first"),
            ("RoleArn", ROLE_ARN),
            ("DurationSeconds", seconds),
            ("WebIdentityToken", &token),
        ];
        status.push(world.sts.call(&exchange).await.unwrap().status);
    }
    assert_eq!(status, [200, 400]);
    assert!(world.sts.set_max_session(ROLE_ARN, Duration::from_secs(60)).is_err());
}
