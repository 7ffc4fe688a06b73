//! The rules that a server must obey so that every SDK works, each by its number, over raw sockets at the real program.
//!
//! They were measured with real clients, old and new; what each of them does when a rule is broken stands beside it.

use std::fs;
use std::time::Duration;
use std::time::SystemTime;

use irsa_sidecar::contract::CONTAINER_ADDRESSES;
use irsa_sidecar::contract::IMDS_ADDRESSES;
use irsa_sidecar::credentials::Lifetime;
use serde_json::Value;
use support::in_a_namespace;
use support::process::Signal;
use support::raw;
use support::raw::RawClient;
use support::raw::RawResponse;
use support::world::World;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::pod::*;
use crate::sidecar::credentials;
use crate::sidecar::run;

const CONTAINER: &str = "127.0.0.1:9911";
const CREDENTIALS: &str = "/v1/credentials";

// ---- Addressing ----

/// botocore before 1.32, JavaScript v2 and Java v1 compare the host with a list; Ruby needs a path.
#[tokio::test]
async fn rule_01_the_full_uri_that_the_documentation_gives_is_the_one_that_all_accept() {
    in_a_namespace!();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let uri = format!("http://{CONTAINER}{CREDENTIALS}");
    let given: Vec<&str> = readme
        .split_whitespace()
        .map(|word| word.trim_matches(['`', '"', ',']))
        .filter(|word| word.starts_with("http://") && word.contains(":9911"))
        .collect();
    // A role's own is the same with its name behind.
    let is_it = |found: &&str| found.strip_suffix("/NAME").unwrap_or(found) == uri;
    assert!(!given.is_empty() && given.iter().all(is_it), "{given:?}");
    let _pod = Pod::start().await;
    assert_eq!(raw::get(CONTAINER.parse().unwrap(), CREDENTIALS).await.unwrap().status, 200);
}

/// C++ tried ::1 first for `localhost`.
#[tokio::test]
async fn rule_02_ipv6_loopback_is_served_too() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for host in ["[::1]:9911", "localhost:9911", "localhost"] {
        let mut client = RawClient::connect("[::1]:9911".parse().unwrap()).await.unwrap();
        assert_eq!(
            client.request("GET", CREDENTIALS, &[("Host", host)]).await.unwrap().status,
            200,
            "{host}"
        );
    }
}

/// Ruby before 3.171, PHP before 2022 and .NET before late 2023 know RELATIVE_URI alone; boto 2 IMDS alone.
#[tokio::test]
async fn rule_03_the_addresses_that_sdks_have_built_in_are_served() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for address in link_local() {
        let path = if metadata_is_at(address) { role_path().await } else { CREDENTIALS.to_owned() };
        let answer = raw::get(address, &path).await.unwrap();
        assert_eq!(answer.status, 200, "{address}: {answer:?}");
        assert!(answer.json().unwrap()["SecretAccessKey"].is_string());
    }
}

/// With both set Go and GDAL take the full one, all others the relative one.
#[tokio::test]
async fn rule_04_every_address_gives_the_same_identity() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let full = raw::get(CONTAINER.parse().unwrap(), CREDENTIALS).await.unwrap().text();
    for address in link_local().into_iter().filter(|address| !metadata_is_at(*address)) {
        assert_eq!(raw::get(address, CREDENTIALS).await.unwrap().text(), full, "{address}");
    }
    let full: Value = serde_json::from_str(&full).unwrap();
    let metadata = metadata(&role_path().await).await.json().unwrap();
    assert_eq!(metadata["AccessKeyId"], full["AccessKeyId"]);
}

/// JavaScript v2 goes to IMDS after any failure; others never look anywhere else.
#[tokio::test]
async fn rule_05_a_claimed_imds_that_is_switched_off_says_403_to_everything() {
    in_a_namespace!();
    let _pod = Pod::start_with(World::start().await.unwrap(), &[("IRSA_SIDECAR_IMDS", "off")]).await;
    for path in ["/", ROLE_LIST, "/latest/api/token", "/latest/user-data", "/nowhere"] {
        for method in ["GET", "HEAD", "PUT", "POST"] {
            let answer = asked(method, path, &[(TTL, "60")]).await;
            assert_eq!(answer.status, 403, "{method} {path}");
        }
    }
    // Nor is a body waited for.
    for method in ["GET", "PUT"] {
        let mut client = RawClient::connect(imds()).await.unwrap();
        let head = format!("{method} /latest/api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
        client.send(head).await.unwrap();
        assert_eq!(client.response().await.unwrap().status, 403, "{method}");
    }
    // The other addresses are another matter.
    assert_eq!(raw::get(ecs(), CREDENTIALS).await.unwrap().status, 200);
}

/// Old botocore, Rust and all IMDS clients but four send even these addresses through a proxy.
#[test]
fn rule_06_the_documented_manifests_keep_the_proxy_away() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut after_name = readme.split("name: NO_PROXY").skip(1);
    let value = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();
    let values: Vec<String> = after_name.by_ref().map(value).collect();
    assert!(!values.is_empty());
    for value in values {
        let known = IMDS_ADDRESSES.into_iter().chain(CONTAINER_ADDRESSES).map(|address| address.to_string());
        for address in ["127.0.0.1", "localhost", "::1"].map(str::to_owned).into_iter().chain(known) {
            let mut named = value.split([' ', ',']);
            assert!(named.any(|name| name == address), "{address} is not in {value}");
        }
    }
}

// ---- Request handling ----

/// botocore 1.12, JavaScript v3, rusoto, s3cmd and GDAL send no User-Agent, half of all no Accept.
#[tokio::test]
async fn rule_07_nothing_but_a_host_is_asked_of_a_request() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let role = role_path().await;
    for (address, path) in [(ecs(), CREDENTIALS), (imds(), ROLE_LIST), (imds(), role.as_str())] {
        for headers in
            ["hOST: {}\r\n", "aCCept: */*\r\nHOST: {}\r\nuser-AGENT: x\r\nACCEPT-encoding: identity\r\n"]
        {
            let headers = headers.replace("{}", &address.ip().to_string());
            let answer = sent(address, &format!("GET {path} HTTP/1.1\r\n{headers}\r\n")).await;
            assert_eq!(answer.status, 200, "{path} {headers:?}");
        }
    }
}

/// Go v1 before 1.15.41, GDAL and Ruby before 3.171 send none; others only on loopback.
#[tokio::test]
async fn rule_08_authorization_is_the_raw_value_where_it_is_asked_for() {
    in_a_namespace!();
    let token = "Basic is no scheme/+=";
    let open: Vec<String> = link_local()
        .into_iter()
        .filter(|address| *address != ecs())
        .map(|address| address.to_string())
        .collect();
    let settings = [
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", token),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", &open.join(",")),
    ];
    let _pod = Pod::start_with(World::start().await.unwrap(), &settings).await;
    for address in [CONTAINER.parse().unwrap(), ecs()] {
        for (headers, status) in [
            (vec![("Authorization", token)], 200),
            (vec![], 403),
            (vec![("Authorization", "Bearer Basic is no scheme/+=")], 403),
            (vec![("Authorization", "basic is no scheme/+=")], 403),
            (vec![("Authorization", token), ("Authorization", token)], 403),
        ] {
            let mut client = RawClient::connect(address).await.unwrap();
            let answer = client.request("GET", CREDENTIALS, &headers).await.unwrap();
            assert_eq!(answer.status, status, "{address} {headers:?}");
        }
    }
    assert_eq!(metadata(&role_path().await).await.status, 200, "IMDS has no place for it");
    assert_eq!(raw::get("169.254.170.23:80".parse().unwrap(), CREDENTIALS).await.unwrap().status, 200);
}

/// botocore raises on a newline in the file, Go, Rust and JavaScript v2 fail, v3 goes on without the header.
#[tokio::test]
async fn rule_09_a_newline_at_the_end_of_the_token_file_is_dropped_and_told() {
    in_a_namespace!();
    let world = World::start().await.unwrap();
    let file = world.directory().join("authorization");
    fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
    let open: Vec<String> = link_local().iter().map(ToString::to_string).collect();
    let settings = [
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", &open.join(",")),
    ];
    let pod = Pod::start_with(world, &settings).await;
    assert_eq!(pod.sidecar.log_lines_with("AuthorizationTokenNewline"), 1);
    let mut client = RawClient::connect(CONTAINER.parse().unwrap()).await.unwrap();
    let headers = [("Authorization", "0123456789abcdef0123456789abcdef")];
    assert_eq!(client.request("GET", CREDENTIALS, &headers).await.unwrap().status, 200);
}

/// excon and fog write the port of every address.
#[tokio::test]
async fn rule_10_a_host_may_have_a_port_or_none() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for (address, hosts) in [
        ("169.254.169.254:80", vec!["169.254.169.254", "169.254.169.254:80"]),
        ("[fd00:ec2::254]:80", vec!["[fd00:ec2::254]", "[fd00:ec2::254]:80", "[FD00:EC2:0::254]"]),
        ("169.254.170.2:80", vec!["169.254.170.2", "169.254.170.2:80"]),
        ("169.254.170.23:80", vec!["169.254.170.23", "169.254.170.23:80"]),
        ("[fd00:ec2::23]:80", vec!["[fd00:ec2::23]", "[fd00:ec2::23]:80"]),
        (CONTAINER, vec!["127.0.0.1:9911", "127.0.0.1", "localhost:9911", "localhost"]),
    ] {
        let address = address.parse().unwrap();
        let path = if metadata_is_at(address) { ROLE_LIST } else { CREDENTIALS };
        for host in hosts {
            let mut client = RawClient::connect(address).await.unwrap();
            let answer = client.request("GET", path, &[("Host", host)]).await.unwrap();
            assert_eq!(answer.status, 200, "{host}");
        }
    }
}

/// boto 2 sends `a%2Bb%40c`, C++ `a%2Bb%3Dc…`, all others send what they were told.
#[tokio::test]
async fn rule_11_a_role_in_a_path_may_be_percent_encoded() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for path in ["legacy-app", "legacy%2Dapp", "%6cegacy%2dapp", "legacy-app/"] {
        assert_eq!(metadata(&format!("{ROLE_LIST}{path}")).await.status, 200, "{path}");
    }
    for path in ["default", "d%65fault"] {
        assert_eq!(raw::get(ecs(), &format!("{CREDENTIALS}/{path}")).await.unwrap().status, 200, "{path}");
    }
    assert_eq!(metadata(&format!("{ROLE_LIST}legacy%app")).await.status, 400);
}

/// s3fs sends chunks and expects a 100; an unread body would be taken for the next request. Ruby sends a form's type.
#[tokio::test]
async fn rule_12_a_session_is_opened_however_the_empty_body_is_announced() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let host = "Host: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
    let chunked = format!("{host}Transfer-Encoding: chunked\r\n");
    let expecting = format!("{chunked}Expect: 100-continue\r\n");
    for (headers, body) in [
        (format!("{host}Content-Length: 0\r\n"), ""),
        (host.to_owned(), ""),
        (format!("{host}Content-Length: 0\r\nContent-Type: application/x-www-form-urlencoded\r\n"), ""),
        (chunked, "0\r\n\r\n"),
        (expecting.clone(), "0\r\n\r\n"),
    ] {
        let mut client = RawClient::connect(imds()).await.unwrap();
        client.send(format!("PUT /latest/api/token HTTP/1.1\r\n{headers}\r\n{body}")).await.unwrap();
        let token = client.response().await.unwrap();
        assert_eq!(token.status, 200, "{headers:?}");
        // The same connection, and the session.
        let answer = client.request("GET", ROLE_LIST, &[(TOKEN, &token.text())]).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "legacy-app"), "{headers:?}");
    }
    // As it is meant: the body only after the 100.
    let mut stream = TcpStream::connect(imds()).await.unwrap();
    let head = format!("PUT /latest/api/token HTTP/1.1\r\n{expecting}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 256];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 100 "), "{:?}", &answer[..read]);
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{:?}", &answer[..read]);
}

/// Terraform waited 100 ms, Go v2 500 ms, most others a second: no request may wait for STS.
#[tokio::test]
async fn rule_13_answers_come_from_memory_while_sts_hangs() {
    in_a_namespace!();
    let pod = Pod::start().await;
    pod.world.sts.inject(support::sts::Fault::always(support::sts::FaultKind::Hang));
    pod.sidecar.process.signal(Signal::HUP).unwrap();
    pod.world.sts.wait_for_calls(1).await.unwrap();
    let role = role_path().await;
    for _ in 0..20 {
        assert_eq!(raw::get(ecs(), CREDENTIALS).await.unwrap().status, 200);
        assert_eq!(metadata(&role).await.status, 200);
    }
    assert_eq!(pod.world.sts.issued().len(), 1);
}

/// Head and body in two writes cost 40 ms on a connection that is used again; botocore fails on a redirect, C++ loops.
#[tokio::test]
async fn rule_14_connections_are_kept_and_an_answer_is_one_write_as_it_is() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let role = role_path().await;
    for (address, path) in [(ecs(), CREDENTIALS), (imds(), ROLE_LIST), (imds(), role.as_str())] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let host = address.ip();
        for last in ["", "", "Connection: close\r\n"] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip, deflate\r\n{last}\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = [0; 16_384];
            let read = stream.read(&mut answer).await.unwrap();
            let text = std::str::from_utf8(&answer[..read]).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = format!("content-length: {}", body.len());
            assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(&length), "{head}");
            assert!(!head.contains("content-encoding"), "{head}");
        }
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it was asked to close");
    }
    for path in ["/latest/meta-data", "/latest/meta-data/", "/latest//meta-data", "/latest", "//latest/"] {
        assert_eq!(metadata(path).await.status, 200, "{path}");
    }
}

// ---- IMDS ----

/// Go, Ruby and Rust have no session without the header.
#[tokio::test]
async fn rule_15_a_session_is_a_token_without_a_newline_and_the_ttl_that_was_granted() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let answer = asked("PUT", "/latest/api/token", &[(TTL, "21600")]).await;
    assert_eq!((answer.status, answer.header(TTL)), (200, Some("21600")));
    let token = answer.text();
    assert!(token.len() == 56 && token.bytes().all(|byte| byte.is_ascii_graphic()), "{token:?}");
    let answer = asked("GET", ROLE_LIST, &[(TOKEN, &token)]).await;
    assert_eq!(answer.status, 200);
    let left: u64 = answer.header(TTL).unwrap().parse().unwrap();
    assert!((21_000..=21_600).contains(&left), "{left}");
}

/// minio-go, object_store and Rust never fall back to v1; JavaScript v2 and Java v1 fail on a 5xx.
#[tokio::test]
async fn rule_16_a_session_is_given_even_while_there_are_no_credentials() {
    in_a_namespace!();
    let pod = Pod::started(World::builder().without_token().start().await.unwrap(), &[]).await;
    pod.sidecar.process.line_with("TokenMissing").await.unwrap();
    let token = session("300").await;
    assert_eq!(asked("GET", ROLE_LIST, &[(TOKEN, &token)]).await.text(), "legacy-app");
    let answer = asked("GET", &role_path().await, &[(TOKEN, &token)]).await;
    assert_eq!(answer.status, 503);
}

/// GDAL asks for 10 s, Go v2 and fog for 300, object_store for 600, all others for 21,600.
#[tokio::test]
async fn rule_17_a_ttl_is_from_1_to_21600_and_else_400() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for good in ["1", "10", "300", "600", "21600"] {
        let answer = asked("PUT", "/latest/api/token", &[(TTL, good)]).await;
        assert_eq!((answer.status, answer.header(TTL)), (200, Some(good)));
    }
    for bad in ["0", "-1", "21601", "text", "", "1.5", "60, 60", "99999999999999999999999"] {
        let answer = asked("PUT", "/latest/api/token", &[(TTL, bad)]).await;
        assert_eq!((answer.status, answer.header(TTL)), (400, None), "{bad}");
        assert!(answer.text().contains("<title>400 - Bad Request</title>"), "{answer:?}");
    }
    assert_eq!(asked("PUT", "/latest/api/token", &[]).await.status, 400);
    assert_eq!(asked("PUT", "/latest/api/token", &[(TTL, "60"), (TTL, "60")]).await.status, 400);
}

/// What an open proxy adds; no client does.
#[tokio::test]
async fn rule_18_no_session_is_given_through_a_proxy() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let answer = asked("PUT", "/latest/api/token", &[(TTL, "60"), ("X-Forwarded-For", "127.0.0.1")]).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("<title>403 - Forbidden</title>"), "{answer:?}");
}

/// Fluent Bit probes `/` with the token INVALID; Go, JavaScript, Ruby and C++ renew their session on a 401.
#[tokio::test]
async fn rule_19_an_unknown_session_is_401_on_every_path() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let mut tampered = session("60").await.into_bytes();
    tampered[3] ^= 1;
    let tampered = String::from_utf8(tampered).unwrap();
    let long = "x".repeat(4000);
    for token in ["INVALID", "", &tampered, &long] {
        for path in ["/", "/latest", ROLE_LIST, "/latest/meta-data/nowhere", "/latest/user-data", "/%zz"] {
            let answer = asked("GET", path, &[(TOKEN, token)]).await;
            assert_eq!(answer.status, 401, "{path}");
            assert!(answer.text().contains("<title>401 - Unauthorized</title>"), "{answer:?}");
        }
    }
    let good = session("60").await;
    assert_eq!(asked("GET", "/", &[(TOKEN, &good), (TOKEN, &good)]).await.status, 401);
}

/// Rust's aws-config and Go v1 keep their token for six hours, whatever the answer.
#[tokio::test]
async fn rule_19_a_session_outlives_a_restart_of_the_sidecar() {
    in_a_namespace!();
    let mut pod = Pod::start().await;
    let token = session("21600").await;
    pod.world.rotate_token().unwrap();
    pod.restart(&[]).await;
    assert_eq!(asked("GET", "/", &[(TOKEN, &token)]).await.status, 200);
    pod.restart(&["--imds=required"]).await;
    assert_eq!(asked("GET", "/", &[(TOKEN, &token)]).await.status, 200);
}

/// Another pod's shared memory is another.
#[tokio::test]
async fn rule_19_a_session_of_another_pod_is_401() {
    in_a_namespace!();
    let mut pod = Pod::start().await;
    let token = session("21600").await;
    fs::remove_file(format!(
        "/dev/shm/irsa-sidecar-imds-session-key-{}",
        rustix::process::geteuid().as_raw()
    ))
    .unwrap();
    pod.restart(&[]).await;
    assert_eq!(asked("GET", "/", &[(TOKEN, &token)]).await.status, 401);
    let token = session("21600").await;
    assert_eq!(asked("GET", "/", &[(TOKEN, &token)]).await.status, 200);
}

/// boto 2, botocore before 1.13.21, Java v1 before 1.11.678 and Go v1 before 1.25.38 know no session.
#[tokio::test]
async fn rule_20_without_a_session_version_1_answers_unless_version_2_is_required() {
    in_a_namespace!();
    let mut pod = Pod::start().await;
    assert_eq!(metadata(&role_path().await).await.status, 200);
    pod.restart(&["--imds=required"]).await;
    for path in ["/", ROLE_LIST, "/nowhere"] {
        assert_eq!(metadata(path).await.status, 401, "{path}");
    }
    let token = session("60").await;
    assert_eq!(asked("GET", ROLE_LIST, &[(TOKEN, &token)]).await.text(), "legacy-app");
}

/// Go before 1.14.26 and C++ leave the slash out; C++ follows a redirect thirty times.
#[tokio::test]
async fn rule_21_the_root_is_200_and_the_list_needs_no_slash() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    assert_eq!(metadata("/").await.text(), "latest");
    for version in ["latest", "1.0", "2009-04-04", "2021-03-23"] {
        for slash in ["", "/", "//"] {
            let path = format!("/{version}/meta-data/iam/security-credentials{slash}");
            let answer = metadata(&path).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "legacy-app"), "{path}");
        }
    }
}

/// Rust's aws-config and object_store panic on a newline; rusoto, GDAL, fog and s3cmd find no role.
#[tokio::test]
async fn rule_22_the_list_is_one_name_without_a_newline() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let answer = metadata(ROLE_LIST).await;
    assert_eq!(answer.body, b"legacy-app");
    assert_eq!(
        (answer.header("content-type"), answer.header("content-length")),
        (Some("text/plain"), Some("10"))
    );
}

/// `=` makes boto 2 ask for a public key; IAM allows `+=,.@-` and `_`.
#[tokio::test]
async fn rule_23_the_listed_name_is_one_that_every_client_can_ask_for() {
    in_a_namespace!();
    let role = "arn:aws:iam::111122223333:role/some/path/a+b=c,d.e@f-g_h";
    let _pod = Pod::start_with(World::builder().roles([role]).start().await.unwrap(), &[]).await;
    assert_eq!(metadata(ROLE_LIST).await.text(), "a-b-c-d.e-f-g_h");
    assert_eq!(metadata(&role_path().await).await.status, 200);
    let info = metadata("/latest/meta-data/iam/info").await.json().unwrap();
    assert_eq!(info["InstanceProfileArn"], "arn:aws:iam::111122223333:instance-profile/a+b=c,d.e@f-g_h");
}

/// s3fs asks for the role of its option, rusoto for the text of an error.
#[tokio::test]
async fn rule_24_another_role_is_404_and_no_error_is_200() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for role in ["other", "default", "Legacy-app", "Unauthorized", "legacy-app/x"] {
        let answer = metadata(&format!("{ROLE_LIST}{role}")).await;
        assert_eq!(answer.status, 404, "{role}");
        assert!(answer.text().contains("<title>404 - Not Found</title>"), "{answer:?}");
    }
    assert_eq!(raw::get(ecs(), "/v1/credentials/other").await.unwrap().status, 404);
}

/// boto 2 wants `{` first, Go, PHP and minio `Code`, minio and .NET a valid `LastUpdated`; s3fs counts four fields.
#[tokio::test]
async fn rule_25_the_role_document_has_what_each_parser_looks_for() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let answer = metadata(&role_path().await).await;
    assert_eq!(answer.body[0], b'{');
    let body = answer.json().unwrap();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    let expected = ["AccessKeyId", "Code", "Expiration", "LastUpdated", "SecretAccessKey", "Token", "Type"];
    assert_eq!(fields, expected);
    assert_eq!((&body["Code"], &body["Type"]), (&"Success".into(), &"AWS-HMAC".into()));
    assert!(is_zulu(&body["LastUpdated"]) && is_zulu(&body["Expiration"]), "{body}");
    check_flat(&answer);
}

/// Terraform asks for the instance id first, botocore and C++ for the zone; most take any failure for "not EC2".
#[tokio::test]
async fn rule_26_the_rest_of_the_metadata_is_what_is_known_and_else_404() {
    in_a_namespace!();
    let known = [
        ("IRSA_SIDECAR_IMDS_INSTANCE_ID", "i-0123456789abcdef0"),
        ("IRSA_SIDECAR_IMDS_INSTANCE_TYPE", "m7g.large"),
        ("IRSA_SIDECAR_IMDS_AVAILABILITY_ZONE", "eu-central-1b"),
    ];
    let _pod = Pod::start_with(World::start().await.unwrap(), &known).await;
    for slash in ["", "/"] {
        for (path, expected) in [
            ("meta-data/instance-id", "i-0123456789abcdef0"),
            ("meta-data/instance-type", "m7g.large"),
            ("meta-data/placement/availability-zone", "eu-central-1b"),
            ("meta-data/placement/region", "eu-central-1"),
            ("meta-data/placement", "availability-zone\nregion"),
            ("meta-data/iam", "info\nsecurity-credentials/"),
            ("meta-data", "iam/\ninstance-id\ninstance-type\nplacement/"),
            ("dynamic", "instance-identity/"),
            ("", "dynamic\nmeta-data"),
        ] {
            assert_eq!(metadata(&format!("/latest/{path}{slash}")).await.text(), expected, "{path}{slash}");
        }
        let info = metadata(&format!("/latest/meta-data/iam/info{slash}")).await.json().unwrap();
        assert_eq!(info["Code"], "Success");
        assert!(is_zulu(&info["LastUpdated"]));
        assert_eq!(info["InstanceProfileArn"], "arn:aws:iam::111122223333:instance-profile/legacy-app");
        let path = format!("/latest/dynamic/instance-identity/document{slash}");
        let document = metadata(&path).await.json().unwrap();
        assert_eq!(document["region"], "eu-central-1");
        assert_eq!(document["instanceId"], "i-0123456789abcdef0");
        assert!(document.get("accountId").is_none(), "whose account the node is in, nobody has said");
    }
    for path in [
        "/latest/meta-data/iam/security-credentials-extended/",
        "/latest/meta-data/iam/security-credentials-extended/legacy-app",
        "/latest/meta-data/mac",
        "/latest/meta-data/local-ipv4",
        "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "/latest/user-data",
        "/latest/dynamic/instance-identity/pkcs7",
        "/nowhere/meta-data/iam/security-credentials/",
    ] {
        assert_eq!(metadata(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn rule_26_what_nobody_has_said_is_not_invented() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    for path in ["instance-id", "instance-type", "placement/availability-zone"] {
        assert_eq!(metadata(&format!("/latest/meta-data/{path}")).await.status, 404, "{path}");
    }
    assert_eq!(metadata("/latest/meta-data/").await.text(), "iam/\nplacement/");
    assert_eq!(
        metadata("/latest/dynamic/instance-identity/document")
            .await
            .json()
            .unwrap()
            .as_object()
            .unwrap()
            .len(),
        1
    );
}

// ---- Container answers ----

/// botocore, Ruby and JavaScript v3 refuse any other 2xx.
#[tokio::test]
async fn rule_27_success_is_exactly_200_with_a_type_and_a_length() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let answer = raw::get(ecs(), CREDENTIALS).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert_eq!(answer.header("transfer-encoding"), None);
}

/// s3fs `-o ecs` counts five fields, `RoleArn` among them; a key `credentials` would replace all in JavaScript v2.
#[tokio::test]
async fn rule_28_the_container_answer_has_the_fields_that_all_need() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let body = raw::get(ecs(), CREDENTIALS).await.unwrap().json().unwrap();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    let expected = ["AccessKeyId", "AccountId", "Code", "Expiration", "RoleArn", "SecretAccessKey", "Token"];
    assert_eq!(fields, expected);
    assert_eq!(body["Code"], "Success");
}

/// Fluent Bit takes an empty value for a key, s3fs cuts at commas, GDAL reads `\/` as it stands, CRT stops at 10,000 bytes.
#[tokio::test]
async fn rule_29_an_answer_is_flat_and_plain_and_short() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    check_flat(&raw::get(ecs(), CREDENTIALS).await.unwrap());
    check_flat(&metadata(&role_path().await).await);
}

/// boto 2, botocore's IMDS, Fluent Bit and GDAL read this one form; Go refuses `+0000`, JavaScript v3 and Rust `+00:00`.
#[tokio::test]
async fn rule_30_expiration_is_utc_in_whole_seconds() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    assert!(is_zulu(&raw::get(ecs(), CREDENTIALS).await.unwrap().json().unwrap()["Expiration"]));
    assert!(is_zulu(&metadata(&role_path().await).await.json().unwrap()["Expiration"]));
}

// ---- Lifetime and stability ----

/// s3fs fails under 20 min, botocore prolongs by itself under 25, most ask at each call under 15.
#[test]
fn rule_31_an_hours_credentials_always_have_25_minutes_left() {
    let issued_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for hours in [1, 2, 12] {
        let lifetime = Lifetime { issued_at, expires_at: issued_at + Duration::from_secs(3600 * hours) };
        for jitter in [0.0, 0.5, 1.0] {
            let left = lifetime.length() - lifetime.refresh_after(jitter);
            assert!(left >= Duration::from_secs(25 * 60), "{left:?} of {hours} h");
        }
    }
}

/// boto 2 takes key, secret and token from three fetches.
#[tokio::test]
async fn rule_32_the_same_credentials_are_served_until_they_are_refreshed() {
    in_a_namespace!();
    let pod = Pod::start().await;
    let role = role_path().await;
    let (first, listed) = (metadata(&role).await.text(), raw::get(ecs(), CREDENTIALS).await.unwrap().text());
    for _ in 0..20 {
        assert_eq!(metadata(&role).await.text(), first);
        assert_eq!(raw::get(ecs(), CREDENTIALS).await.unwrap().text(), listed);
    }
    assert_eq!(pod.world.sts.issued().len(), 1);
}

/// JavaScript v2, minio and GDAL hold what they have until 15 to 60 s before its end.
#[tokio::test]
async fn rule_33_what_was_served_before_a_refresh_is_still_good() {
    in_a_namespace!();
    let pod = Pod::start().await;
    let before = raw::get(ecs(), CREDENTIALS).await.unwrap().json().unwrap();
    pod.sidecar.process.signal(Signal::HUP).unwrap();
    pod.sidecar.process.lines_with("credentials exchanged", 2).await.unwrap();
    let after = raw::get(ecs(), CREDENTIALS).await.unwrap().json().unwrap();
    assert_ne!(before["AccessKeyId"], after["AccessKeyId"]);
    for body in [&before, &after] {
        let who = pod.world.sts.who_is(&credentials(body, "Token")).await.unwrap();
        assert_eq!(who.status, 200, "{}", who.text());
    }
}

/// rusoto spins on what is about to end, JavaScript v2 hangs, botocore and Java raise.
#[tokio::test]
async fn rule_34_while_sts_is_down_what_is_held_is_served_and_then_503() {
    in_a_namespace!();
    let world = World::builder().session_life(Duration::from_secs(8)).start().await.unwrap();
    let mut pod = Pod::start_with(world, &[]).await;
    let role = role_path().await;
    pod.world.sts.refuse().await;
    pod.sidecar.process.line_with("exchange failed").await.unwrap();
    let served = [raw::get(ecs(), CREDENTIALS).await.unwrap(), metadata(&role).await];
    assert_eq!(served.map(|answer| answer.status), [200, 200], "better ones are held");
    pod.sidecar.wait_until_not_ready().await;
    for answer in [raw::get(ecs(), CREDENTIALS).await.unwrap(), metadata(&role).await] {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json().unwrap()["code"], "ConnectionFailed");
    }
    // Which role there is, is known all the same, and nothing leads elsewhere.
    assert_eq!(metadata(ROLE_LIST).await.text(), "legacy-app");
}

/// Go v1 waits 5 s after a 429, and boto 2 makes twenty requests for a call.
#[tokio::test]
async fn rule_35_a_burst_is_answered_and_never_with_429() {
    in_a_namespace!();
    let _pod = Pod::start().await;
    let role = role_path().await;
    let mut connection = RawClient::connect(imds()).await.unwrap();
    for _ in 0..1000 {
        assert_eq!(connection.request("GET", &role, &[]).await.unwrap().status, 200);
    }
    for _ in 0..200 {
        assert_eq!(raw::get(ecs(), CREDENTIALS).await.unwrap().status, 200);
    }
}

/// Go and Java read these two, in lower case; what a client sent is nobody else's business.
#[tokio::test]
async fn rule_36_an_error_is_json_with_a_code_and_a_message_and_never_what_was_sent() {
    in_a_namespace!();
    let open: Vec<String> = IMDS.iter().map(ToString::to_string).collect();
    let settings = [
        ("IRSA_SIDECAR_AUTHORIZATION_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("IRSA_SIDECAR_ALLOW_UNAUTHENTICATED", &open.join(",")),
    ];
    let pod = Pod::started(World::builder().without_token().start().await.unwrap(), &settings).await;
    pod.sidecar.process.line_with("TokenMissing").await.unwrap();
    let mut client = RawClient::connect(ecs()).await.unwrap();
    for (path, authorization, status) in [
        (CREDENTIALS, "planted-authorization", 403),
        ("/v1/nowhere", "0123456789abcdef0123456789abcdef", 404),
        (CREDENTIALS, "0123456789abcdef0123456789abcdef", 503),
    ] {
        let answer = client.request("GET", path, &[("Authorization", authorization)]).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        let body = answer.json().unwrap();
        assert!(body["code"].is_string() && body["message"].is_string(), "{body}");
        assert!(!answer.text().contains(authorization), "{answer:?}");
    }
    let answer = metadata(&role_path().await).await;
    assert_eq!((answer.status, answer.json().unwrap()["code"].is_string()), (503, true));
}

/// A refused connection is not tried again by JavaScript v2, Java and minio.
#[tokio::test]
async fn rule_37_before_the_first_credentials_connections_are_accepted_and_health_says_not_yet() {
    in_a_namespace!();
    let mut pod = Pod::started(World::builder().without_token().start().await.unwrap(), &[]).await;
    let admin = pod.sidecar.admin.to_string();
    let variables = || [("IRSA_SIDECAR_ADMIN_LISTEN".to_owned(), admin.clone())];
    assert_eq!(run(&["healthcheck"], variables()).await.0, 69);
    let path = role_path().await;
    let (container, metadata) = tokio::join!(raw::get(ecs(), CREDENTIALS), metadata(&path));
    assert_eq!((container.unwrap().status, metadata.status), (503, 503));
    // A request that comes just before them is answered with them.
    let mut early = RawClient::connect(ecs()).await.unwrap();
    early.send("GET /v1/credentials HTTP/1.1\r\nHost: 169.254.170.2\r\n\r\n").await.unwrap();
    pod.world.rotate_token().unwrap();
    pod.sidecar.wait_until_ready().await;
    assert_eq!(run(&["healthcheck"], variables()).await.0, 0);
    assert_eq!(raw::get(ecs(), CREDENTIALS).await.unwrap().status, 200);
}

const IMDS: [&str; 2] = ["169.254.169.254:80", "[fd00:ec2::254]:80"];

fn metadata_is_at(address: std::net::SocketAddr) -> bool {
    IMDS.contains(&address.to_string().as_str())
}

/// `YYYY-MM-DDTHH:MM:SSZ`
fn is_zulu(value: &Value) -> bool {
    let shape: String =
        value.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

fn check_flat(answer: &RawResponse) {
    let text = answer.text();
    assert!(text.len() < 10_000 && !text.contains("\\/"), "{text}");
    let body = answer.json().unwrap();
    let fields = body.as_object().unwrap();
    assert!(fields.len() <= 24);
    for (name, value) in fields {
        let value = value.as_str().unwrap_or_else(|| panic!("{name} is no string"));
        assert!(!value.is_empty() && !value.contains(','), "{name}: {value}");
        let words = ["Token", "Expiration", "AccessKeyId", "SecretAccessKey", "RoleArn"];
        assert!(words.iter().all(|word| name == word || !name.contains(word)), "{name}");
    }
    assert!(!fields.contains_key("credentials"));
}
