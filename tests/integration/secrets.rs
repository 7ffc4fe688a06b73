//! No secret is ever shown: everything that the process lets out, at the most talkative level, is searched for them.

use std::fs;
use std::time::Duration;

use support::pod_identity::PodFault;
use support::pod_identity::PodFaultKind;
use support::pod_identity::PodIdentity;
use support::process::Signal;
use support::raw;
use support::raw::RawClient;
use support::sts::Fault;
use support::sts::Link;
use support::world::ROLE_ARN;
use support::world::World;

use crate::sidecar::Sidecar;

const AUTHORIZATION: &str = "AUTHORIZATION-MARKER-1f7c";

#[tokio::test]
async fn no_secret_leaves_the_process_but_in_the_answer_to_who_may_have_it() {
    let world = World::builder().session_life(Duration::from_secs(4)).tls().start().await.unwrap();
    let token = world.rotate_token().unwrap();
    let variables = [("IRSA_SIDECAR_AUTHORIZATION_TOKEN", AUTHORIZATION)];
    let mut sidecar = Sidecar::start_with(&world, &["--log=trace"], &variables).await;
    sidecar.wait_until_ready().await;

    let mut shown = String::new();
    for headers in [
        vec![],
        vec![("Authorization", "AUTHORIZATION-MARKER-wrong")],
        vec![("Authorization", AUTHORIZATION), ("X-Forwarded-For", "10.0.0.1")],
    ] {
        let mut connection = RawClient::connect(sidecar.container).await.unwrap();
        let refused = connection.request("GET", "/v1/credentials", &headers).await.unwrap();
        assert_eq!(refused.status, 403, "{headers:?}");
        shown += &refused.text();
    }
    let mut connection = RawClient::connect(sidecar.container).await.unwrap();
    let allowed =
        connection.request("GET", "/v1/credentials", &[("Authorization", AUTHORIZATION)]).await.unwrap();
    assert_eq!(allowed.status, 200);

    world.sts.wait_for_calls(3).await.unwrap();
    // Each of them is retried soon; the last waits for another token.
    for code in ["InvalidIdentityToken", "AccessDenied", "ExpiredTokenException"] {
        world.sts.inject(Fault::error(code));
        sidecar.process.line_with(code).await.unwrap();
        world.sts.clear().await.unwrap();
    }
    world.volume.corrupt_in_place(support::kubelet::Corruption::HalfWritten).unwrap();
    sidecar.process.line_with("last good one is kept").await.unwrap();
    for path in ["/status", "/metrics", "/ready", "/live", "/"] {
        shown += &raw::get(sidecar.admin, path).await.unwrap().text();
    }
    sidecar.process.signal(Signal::TERM).unwrap();
    sidecar.process.exit().await.unwrap();
    shown += &sidecar.process.output();

    let signature = token.rsplit('.').next().unwrap();
    let issued = world.sts.issued();
    assert!(issued.len() >= 2);
    let mut secrets = vec![token.as_str(), signature, AUTHORIZATION, "AUTHORIZATION-MARKER-wrong"];
    for credentials in &issued {
        secrets.extend([
            credentials.access_key_id.as_str(),
            &credentials.secret_access_key,
            &credentials.session_token,
            &credentials.session_token[..40],
        ]);
    }
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} is in\n{shown}");
    }
}

/// The same of what several roles bring: tokens of their own, external ids, what lies between the links of a chain, what an
/// agent was sent and gave.
#[tokio::test]
async fn no_secret_of_a_roles_file_leaves_the_process_either() {
    const PARTNER: &str = "arn:aws:iam::444455556666:role/partner";
    const LAST: &str = "arn:aws:iam::444455556666:role/last";
    let world = World::builder().session_life(Duration::from_secs(4)).tls().start().await.unwrap();
    let first = Link::new(PARTNER, ROLE_ARN).external_id("EXTERNAL-ID-MARKER-5e2a").tag_session();
    world.sts.put_role(first.role().unwrap());
    world.sts.put_role(Link::new(LAST, PARTNER).role().unwrap());
    let agent = PodIdentity::builder().container().authorization("AGENT-MARKER-77ad").start().await.unwrap();
    let file = |name: &str, content: &str| {
        let path = world.directory().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own = file("own-token", "ROLE-TOKEN-MARKER-9b31");
    let agents = file("agent-token", "AGENT-MARKER-77ad");
    let external_id = file("external-id", "EXTERNAL-ID-MARKER-5e2a");
    let roles = file(
        "roles.yaml",
        &format!(
            "roles:\n  - {{ name: default, role_arn: \"{ROLE_ARN}\", authorization_token_file: {own} }}\n  - name: agent\n    \
             source: {{ pod_identity: {{ endpoint: \"{}\", authorization_token_file: {agents} }} }}\n  - name: partner\n    \
             chain:\n      from: default\n      steps:\n        - {{ role_arn: \"{PARTNER}\", external_id: {{ file: \
             {external_id} }} }}\n        - {{ role_arn: \"{LAST}\" }}\n",
            agent.url()
        ),
    );
    let mut sidecar = Sidecar::start_with(&world, &["--log=trace", "--roles-file", &roles], &[]).await;
    sidecar.wait_until_ready().await;
    // Each way in which something can go wrong says something.
    for broken in [ROLE_ARN, PARTNER, LAST] {
        world.sts.inject(Fault::error("AccessDenied").for_role(broken));
        sidecar.process.line_with(&format!("role/{}", broken.rsplit('/').next().unwrap())).await.unwrap();
        sidecar.process.lines_with("exchange failed", 1).await.unwrap();
        world.sts.clear().await.unwrap();
    }
    file("external-id", "EXTERNAL ID MARKER WRONG");
    sidecar.process.line_with("ExternalIdUnusable").await.unwrap();
    file("own-token", "ROLE-TOKEN-MARKER WRONG\n\n");
    agent.inject(PodFault::always(PodFaultKind::Text {
        status: 403,
        body: "AGENT-MARKER-77ad is wrong".to_owned(),
    }));
    sidecar.process.signal(Signal::HUP).unwrap();
    sidecar.process.line_with("repeats a secret").await.unwrap();
    file(
        "roles.yaml",
        "roles: [{ name: a, external_id: EXTERNAL-ID-MARKER-5e2a, policy: ROLE-TOKEN-MARKER-9b31 }]",
    );
    sidecar.process.line_with("RolesFileUnusable").await.unwrap();
    let mut shown = String::new();
    for path in ["/status", "/metrics", "/ready"] {
        shown += &raw::get(sidecar.admin, path).await.unwrap().text();
    }
    for role in ["default", "agent", "partner"] {
        let path = format!("/v1/credentials/{role}");
        let answer = raw::get(sidecar.container, &path).await.unwrap();
        shown += if answer.status == 200 { String::new() } else { answer.text() }.as_str();
    }
    sidecar.process.signal(Signal::TERM).unwrap();
    sidecar.process.exit().await.unwrap();
    shown += &sidecar.process.output();

    let mut secrets: Vec<String> =
        ["EXTERNAL-ID-MARKER", "EXTERNAL ID MARKER", "AGENT-MARKER", "ROLE-TOKEN-MARKER-9b31 WRONG"]
            .map(str::to_owned)
            .to_vec();
    for credentials in world.sts.issued().into_iter().chain(agent.issued()) {
        secrets.extend([credentials.access_key_id, credentials.secret_access_key, credentials.session_token]);
    }
    assert!(secrets.len() >= 4 + 3 * 4, "{}", secrets.len());
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} is in\n{shown}");
    }
}
