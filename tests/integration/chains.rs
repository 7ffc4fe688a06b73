//! Chains: web identity → AssumeRole → AssumeRole, each link broken by itself and mended again.

use std::fs;

use serde_json::Value;
use support::process::Signal;
use support::sts::Call;
use support::sts::Fault;
use support::sts::Link;
use support::wait;
use support::world::ROLE_ARN;
use support::world::World;

use crate::sidecar::Sidecar;
use crate::sidecar::credentials;

const INGEST: &str = "arn:aws:iam::444455556666:role/partner-ingest";
const ARCHIVE: &str = "arn:aws:iam::777788889999:role/partner-archive";
const EXTERNAL_ID: &str = "Unique:id/of=us";

/// `default` → partner (two steps, across two accounts), and a second chain from the same source.
fn roles_file(world: &World) -> String {
    let external_id = world.directory().join("external-id");
    fs::write(&external_id, format!("{EXTERNAL_ID}\n")).unwrap();
    let roles = format!(
        r#"roles:
  - name: default
    role_arn: {ROLE_ARN}
  - name: partner
    chain:
      from: default
      steps:
        - role_arn: {INGEST}
          external_id: {{ file: {} }}
          tags: {{ team: data, cost-center: "0042" }}
          transitive_tags: [team]
          source_identity: payments
          session_name: "{{namespace}}-{{service_account}}"
        - role_arn: {ARCHIVE}
          session_duration: 15m
          policy_arns: [arn:aws:iam::aws:policy/ReadOnlyAccess]
  - name: ingest
    chain:
      from: default
      steps:
        - role_arn: {INGEST}
          external_id: {EXTERNAL_ID}
          tags: {{ team: data }}
          source_identity: payments
"#,
        external_id.display()
    );
    let path = world.directory().join("roles.yaml");
    fs::write(&path, roles).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn world() -> World {
    let world = World::start().await.unwrap();
    let ingest = Link::new(INGEST, ROLE_ARN).external_id(EXTERNAL_ID).tag_session().set_source_identity();
    let archive = Link::new(ARCHIVE, INGEST).tag_session().set_source_identity();
    for link in [ingest, archive] {
        world.sts.put_role(link.role().unwrap());
    }
    world
}

async fn start(world: &World) -> Sidecar {
    let file = roles_file(world);
    Sidecar::start_with(world, &["--roles-file", &file], &[]).await
}

async fn served(sidecar: &Sidecar, role: &str) -> (u16, Value) {
    let path = format!("/v1/credentials/{role}");
    let response = support::raw::get(sidecar.container, &path).await.unwrap();
    (response.status, response.json().unwrap())
}

async fn who(world: &World, body: &Value) -> String {
    world.sts.who_is(&credentials(body, "Token")).await.unwrap().text()
}

fn of<'a>(calls: &'a [Call], role_arn: &str) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.role_arn.as_deref() == Some(role_arn)).collect()
}

#[tokio::test]
async fn a_chain_across_accounts_sends_what_its_steps_say_and_gives_what_it_ends_with() {
    let world = world().await;
    let mut sidecar = start(&world).await;
    sidecar.wait_until_ready().await;
    let (status, body) = served(&sidecar, "partner").await;
    assert_eq!(
        (status, &body["RoleArn"], &body["AccountId"]),
        (200, &ARCHIVE.into(), &"777788889999".into())
    );
    let who = who(&world, &body).await;
    assert!(who.contains("arn:aws:sts::777788889999:assumed-role/partner-archive/"), "{who}");

    let calls = world.sts.calls();
    let exchanges = of(&calls, ROLE_ARN);
    assert_eq!(exchanges.len(), 1, "two chains from one source share its exchange: {calls:#?}");
    let steps: Vec<&Call> = of(&calls, INGEST);
    let with_transitive = steps.iter().find(|call| !call.transitive_tag_keys.is_empty()).unwrap();
    assert_eq!(with_transitive.external_id.as_deref(), Some(EXTERNAL_ID), "the file's newline is not sent");
    assert_eq!(with_transitive.tags.get("cost-center").map(String::as_str), Some("0042"));
    assert_eq!(with_transitive.transitive_tag_keys, ["team"]);
    assert_eq!(with_transitive.source_identity.as_deref(), Some("payments"));
    assert_eq!(
        with_transitive.role_session_name.as_deref(),
        Some("shop-legacy-app"),
        "from the token's claims"
    );
    assert_eq!(with_transitive.duration_seconds.as_deref(), Some("3600"));
    let caller = with_transitive.caller_arn.as_deref().unwrap();
    assert!(caller.starts_with("arn:aws:sts::111122223333:assumed-role/legacy-app/"), "{caller}");
    assert_eq!(with_transitive.signing_region.as_deref(), Some("eu-central-1"));
    let [last] = of(&calls, ARCHIVE)[..] else { panic!("{calls:#?}") };
    assert!(last.caller_arn.as_deref().unwrap().contains(":assumed-role/partner-ingest/"));
    assert_eq!(last.duration_seconds.as_deref(), Some("900"));
    assert_eq!(last.policy_arns, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);

    let status = sidecar.status().await;
    let roles = status["roles"].as_array().unwrap();
    let told: Vec<_> =
        roles.iter().map(|role| (role["name"].as_str().unwrap(), role["from"].as_str())).collect();
    assert_eq!(told, [("default", None), ("partner", Some("default")), ("ingest", Some("default"))]);
}

/// Each link of three, broken alone: what is wrong says which link and why, nobody else is disturbed, and SIGHUP after
/// the mend is enough.
#[tokio::test]
async fn a_broken_link_is_named_and_breaks_what_comes_after_it_alone() {
    let cases = [
        (ROLE_ARN, "AssumeRoleWithWebIdentity", ["AccessDenied", "SourceNotReady", "SourceNotReady"]),
        (INGEST, "step 1 of 2", ["", "AccessDenied", "AccessDenied"]),
        (ARCHIVE, "step 2 of 2", ["", "AccessDenied", ""]),
    ];
    for (broken, link, codes) in cases {
        let world = world().await;
        world.sts.inject(Fault::error("AccessDenied").for_role(broken));
        let mut sidecar = start(&world).await;
        sidecar.process.line_with("exchange failed").await.unwrap();
        let expected: String = ["default", "partner", "ingest"]
            .iter()
            .zip(codes)
            .filter(|(_, code)| !code.is_empty())
            .map(|(role, code)| format!("{role}: {code}\n"))
            .collect();
        let ready = async |sidecar: &mut Sidecar| {
            support::raw::get(sidecar.admin, "/ready").await.unwrap().text() == expected
        };
        wait::until(&format!("/ready says {expected}"), async || {
            assert!(sidecar.process.is_running(), "{}", sidecar.process.output());
            ready(&mut sidecar).await
        })
        .await;
        for (role, code) in ["default", "partner", "ingest"].into_iter().zip(codes) {
            let (status, body) = served(&sidecar, role).await;
            if code.is_empty() {
                assert_eq!(status, 200, "{broken}: {role}");
                continue;
            }
            let message = body["message"].as_str().unwrap();
            assert_eq!((status, body["code"].as_str()), (503, Some(code)), "{broken}: {role}: {message}");
            assert!(message.contains("AccessDenied"), "{message}");
            if code == "AccessDenied" && role == "partner" {
                assert!(message.contains(link) && message.contains(broken), "{message}");
                assert!(message.contains("sts:AssumeRole"), "the mend speaks of both sides: {message}");
            }
            if code == "SourceNotReady" {
                assert!(message.contains("role default"), "{message}");
            }
        }
        world.sts.clear().await.unwrap();
        sidecar.process.signal(Signal::HUP).unwrap();
        sidecar.wait_until_ready().await;
        assert_eq!(served(&sidecar, "partner").await.0, 200);
    }
}

/// The last link fails for good: its credentials are served for as long as they last, and the others are refreshed.
#[tokio::test]
async fn a_link_that_breaks_later_takes_nothing_away() {
    let world = world().await;
    let mut sidecar = start(&world).await;
    sidecar.wait_until_ready().await;
    let (_, before) = served(&sidecar, "partner").await;
    world.sts.inject(Fault::error("AccessDenied").for_role(ARCHIVE));
    sidecar.process.signal(Signal::HUP).unwrap();
    sidecar.process.line_with("exchange failed").await.unwrap();
    assert_eq!(served(&sidecar, "partner").await.1, before);
    let (_, others) = served(&sidecar, "ingest").await;
    assert!(who(&world, &others).await.contains("partner-ingest"));
}

/// SIGHUP asks every role anew, and the source before what starts from it.
#[tokio::test]
async fn the_refresh_follows_the_chain() {
    let world = world().await;
    let mut sidecar = start(&world).await;
    sidecar.wait_until_ready().await;
    let begun = world.sts.calls().len();
    sidecar.process.signal(Signal::HUP).unwrap();
    let calls = world.sts.wait_for_calls(begun * 2).await.unwrap();
    let order: Vec<&str> = calls[begun..].iter().map(|call| call.role_arn.as_deref().unwrap()).collect();
    assert_eq!(order[0], ROLE_ARN, "{order:?}");
    let last = calls[begun..].iter().find(|call| call.role_arn.as_deref() == Some(INGEST)).unwrap();
    let fresh = credentials(&served(&sidecar, "default").await.1, "Token");
    assert_eq!(last.access_key_id.as_deref(), Some(fresh.access_key_id.as_str()), "signed with what is new");
}

#[tokio::test]
async fn a_wrong_external_id_is_told_as_what_it_is_and_a_mended_file_is_enough() {
    let world = world().await;
    let file = roles_file(&world);
    fs::write(world.directory().join("external-id"), "another").unwrap();
    let mut sidecar = Sidecar::start_with(&world, &["--roles-file", &file], &[]).await;
    sidecar.process.line_with("step 1 of 2").await.unwrap();
    fs::remove_file(world.directory().join("external-id")).unwrap();
    sidecar.process.signal(Signal::HUP).unwrap();
    sidecar.process.line_with("ExternalIdUnusable").await.unwrap();
    fs::write(world.directory().join("external-id"), EXTERNAL_ID).unwrap();
    // Without another SIGHUP, which is taken once in 10 s: the slow retry finds it.
    sidecar.wait_until_ready().await;
    assert!(!sidecar.process.output().contains(EXTERNAL_ID), "{}", sidecar.process.output());
}
