//! Roles that ask for authorization tokens of their own: whoever has the one's does not get the other's credentials.

use crate::serve_server::*;

const HOST: &str = "Host: localhost\r\n";
const ALL: &str = "the token that holds for all, 32 b";
const OF_REPORTS: &str = "the token of the reports container";
const OF_INGEST: &str = "the token of the ingest container!";

/// `default` asks for what holds for all; two ask for tokens of their own.
fn server(authorization: Option<&str>, is_second_open: bool) -> Server {
    let roles = [("default", None), ("reports", Some(OF_REPORTS)), ("ingest", Some(OF_INGEST))];
    let server = start_each(&roles, authorization, is_second_open);
    (0..roles.len()).for_each(|role| server.publish(role));
    server
}

async fn asked(server: &Server, listener: usize, role: &str, token: Option<&str>) -> (u16, String) {
    let authorization = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
    let request = format!("GET /v1/credentials/{role} HTTP/1.1\r\n{HOST}{authorization}\r\n");
    let response = exchange(server.addresses[listener], request).await;
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    (status(&response), body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn each_role_is_given_for_its_own_token_alone() {
    let server = server(Some(ALL), false);
    for (role, right) in [("default", ALL), ("reports", OF_REPORTS), ("ingest", OF_INGEST)] {
        for token in [ALL, OF_REPORTS, OF_INGEST] {
            let expected = if token == right { (200, "") } else { (403, "AuthorizationTokenMismatch") };
            let (status, code) = asked(&server, 0, role, Some(token)).await;
            assert_eq!((status, code.as_str()), expected, "{role} with {token}");
        }
        let (status, code) = asked(&server, 0, role, None).await;
        assert_eq!((status, code.as_str()), (403, "AuthorizationTokenMissing"), "{role}");
    }
}

#[tokio::test]
async fn a_listener_that_is_open_is_open_for_what_holds_for_all_and_no_further() {
    let server = server(Some(ALL), true);
    assert_eq!(asked(&server, 1, "default", None).await.0, 200);
    assert_eq!(asked(&server, 1, "reports", None).await.0, 403);
    assert_eq!(asked(&server, 1, "reports", Some(ALL)).await.0, 403);
    assert_eq!(asked(&server, 1, "reports", Some(OF_REPORTS)).await.0, 200);
}

#[tokio::test]
async fn where_nothing_holds_for_all_the_others_are_open() {
    let server = server(None, false);
    assert_eq!(asked(&server, 0, "default", None).await.0, 200);
    assert_eq!(asked(&server, 0, "default", Some("any other")).await.0, 200);
    assert_eq!(asked(&server, 0, "ingest", None).await.0, 403);
    assert_eq!(asked(&server, 0, "ingest", Some(OF_INGEST)).await.0, 200);
}

/// Which roles there are, only those may find out that may have one.
#[tokio::test]
async fn a_role_that_is_not_there_asks_for_what_holds_for_all() {
    let server = server(Some(ALL), false);
    assert_eq!(asked(&server, 0, "nobody", None).await, (403, "AuthorizationTokenMissing".to_owned()));
    assert_eq!(asked(&server, 0, "nobody", Some(OF_REPORTS)).await.0, 403);
    assert_eq!(asked(&server, 0, "nobody", Some(ALL)).await, (404, "RoleUnknown".to_owned()));
}

#[tokio::test]
async fn where_none_of_several_roles_is_called_default_one_must_be_named() {
    let server = start_each(&[("a", None), ("b", None)], None, false);
    (0..2).for_each(|role| server.publish(role));
    let response = get(server.addresses[0], "/v1/credentials").await;
    assert_eq!(status(&response), 404);
    assert!(response.contains("RoleNotNamed") && response.contains("/v1/credentials/ROLE"), "{response}");
    assert_eq!(status(&get(server.addresses[0], "/v1/credentials/b").await), 200);
}
