//! No secret is ever shown: everything that the process lets out, at the most talkative level, is searched for them.

use std::time::Duration;

use support::process::Signal;
use support::raw;
use support::raw::RawClient;
use support::sts::Fault;
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
