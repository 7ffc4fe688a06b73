use hyper::Request;

use super::*;
use crate::authorization;
use crate::secret::Secret;

const TOKEN: &str = "s3cret+/=";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn door(own: &str, token: Option<&str>) -> Door {
    let asked_for = |token: &str| authorization::hold(Secret::new(token.to_owned()).into()).0;
    Door::new(own.parse().unwrap(), token.map(asked_for))
}

/// `METHOD TARGET VERSION` and header lines.
fn head(text: &str) -> Parts {
    let mut lines = text.lines();
    let [method, target, version] = *lines.next().unwrap().split(' ').collect::<Vec<_>>() else {
        panic!("{text}")
    };
    let version = if version == "HTTP/1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut request = Request::builder().method(method).uri(target).version(version);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

#[test]
fn answers_only_peers_in_the_pod() {
    use Refusal::PeerNotLocal;
    for (peer, local, expected) in [
        ("127.0.0.1", "127.0.0.1", Ok(())),
        ("127.0.0.7", "127.0.0.1", Ok(())),
        ("::1", "::1", Ok(())),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", Ok(())),
        // On `lo`, a client of a link-local address has that very address.
        ("169.254.170.2", "169.254.170.2", Ok(())),
        ("::ffff:169.254.170.2", "169.254.170.2", Ok(())),
        ("fd00:ec2::23", "fd00:ec2::23", Ok(())),
        // A neighbour that routes the address through the pod's keeps its own.
        ("10.0.0.9", "169.254.170.2", Err(PeerNotLocal)),
        ("169.254.170.3", "169.254.170.2", Err(PeerNotLocal)),
        ("169.254.169.254", "169.254.170.2", Err(PeerNotLocal)),
        ("10.0.0.9", "127.0.0.1", Err(PeerNotLocal)),
        ("::ffff:10.0.0.9", "127.0.0.1", Err(PeerNotLocal)),
        ("fe80::1", "fd00:ec2::23", Err(PeerNotLocal)),
        ("2001:db8::1", "::1", Err(PeerNotLocal)),
    ] {
        let head = head("GET /v1/credentials HTTP/1.1\nHost: localhost");
        let caller = Caller::new(ip(peer), ip(local));
        assert_eq!(check(caller, &door("127.0.0.1:9911", None), &head), expected, "{peer} → {local}");
    }
}

#[test]
fn takes_only_its_own_names_for_a_host() {
    use Refusal::HostInvalid;
    use Refusal::HostNotAllowed;
    for (own, host, expected) in [
        ("127.0.0.1:9911", "127.0.0.1", Ok(())),
        ("127.0.0.1:9911", "127.0.0.1:9911", Ok(())),
        ("127.0.0.1:9911", "localhost:9911", Ok(())),
        ("127.0.0.1:9911", "LocalHost", Ok(())),
        ("127.0.0.1:9911", "[::1]:9911", Ok(())),
        ("[::1]:9911", "[::1]", Ok(())),
        ("[::1]:9911", "[0:0:0:0:0:0:0:1]:9911", Ok(())),
        ("[::1]:9911", "localhost:9911", Ok(())),
        ("169.254.170.2:80", "169.254.170.2", Ok(())),
        ("169.254.170.2:80", "169.254.170.2:80", Ok(())),
        ("[fd00:ec2::23]:80", "[fd00:ec2::23]", Ok(())),
        ("[fd00:ec2::23]:80", "[FD00:EC2::23]:80", Ok(())),
        ("0.0.0.0:9911", "127.0.0.1:9911", Ok(())),
        ("0.0.0.0:9911", "0.0.0.0:9911", Err(HostNotAllowed)),
        ("0.0.0.0:9911", "", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1:9912", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "127.0.0.1:80", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "127.0.0.2:9911", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "127.1:9911", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "2130706433", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "169.254.170.2", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "[::ffff:127.0.0.1]:9911", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "localhost.:9911", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "localhost.attacker.example", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "rebound.attacker.example:9911", Err(HostNotAllowed)),
        ("127.0.0.1:9911", "", Err(HostInvalid)),
        ("127.0.0.1:9911", ":9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1:", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1:+9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1:99110", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1:9911:9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1, attacker.example", Err(HostInvalid)),
        ("127.0.0.1:9911", "user@127.0.0.1:9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "http://127.0.0.1:9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "127.0.0.1:9911/", Err(HostInvalid)),
        ("127.0.0.1:9911", "::1", Err(HostInvalid)),
        ("127.0.0.1:9911", "[::1", Err(HostInvalid)),
        ("127.0.0.1:9911", "[::1]9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "[::1%lo]:9911", Err(HostInvalid)),
        ("127.0.0.1:9911", "[]:9911", Err(HostInvalid)),
    ] {
        let caller = Caller::new(ip("127.0.0.1"), ip("127.0.0.1"));
        let head = head(&format!("GET /v1/credentials HTTP/1.1\nHost: {host}"));
        assert_eq!(check(caller, &door(own, None), &head), expected, "{host} at {own}");
    }
}

#[test]
fn reads_the_rest_of_a_head() {
    use Refusal::*;
    let right = format!("Authorization: {TOKEN}");
    let cases: &[(&str, &[&str], Result<(), Refusal>)] = &[
        ("GET /v1/credentials HTTP/1.1", &["Host: localhost"], Ok(())),
        ("GET /v1/credentials HTTP/1.1", &[], Err(HostMissing)),
        ("GET /v1/credentials HTTP/1.0", &[], Ok(())),
        ("GET /v1/credentials HTTP/1.0", &["Host: attacker.example"], Err(HostNotAllowed)),
        ("GET /v1/credentials HTTP/1.1", &["Host: localhost", "Host: localhost"], Err(HostRepeated)),
        ("GET /v1/credentials HTTP/1.0", &["Host: localhost", "Host: localhost"], Err(HostRepeated)),
        ("GET http://127.0.0.1:9911/v1/credentials HTTP/1.1", &["Host: localhost"], Ok(())),
        ("GET http://localhost/v1/credentials HTTP/1.1", &["Host: localhost"], Ok(())),
        ("GET http://attacker.example/v1/credentials HTTP/1.1", &["Host: localhost"], Err(HostNotAllowed)),
        ("GET http://127.0.0.1:80/v1/credentials HTTP/1.1", &["Host: localhost"], Err(HostNotAllowed)),
        ("GET http://a@127.0.0.1:9911/v1/credentials HTTP/1.1", &["Host: localhost"], Err(HostInvalid)),
        (
            "GET http://127.0.0.1:9911/v1/credentials HTTP/1.1",
            &["Host: attacker.example"],
            Err(HostNotAllowed),
        ),
        ("GET http://127.0.0.1:9911/v1/credentials HTTP/1.1", &[], Err(HostMissing)),
        ("CONNECT localhost:443 HTTP/1.1", &["Host: localhost"], Ok(())),
        (
            "GET / HTTP/1.1",
            &["Host: localhost", "X-Forwarded-For: 127.0.0.1"],
            Err(Proxied("X-Forwarded-For")),
        ),
        ("GET / HTTP/1.1", &["Host: localhost", "Forwarded: for=127.0.0.1"], Err(Proxied("Forwarded"))),
        ("GET / HTTP/1.1", &["Host: localhost", "Origin: null"], Err(FromWebPage("Origin"))),
        ("GET / HTTP/1.1", &["Host: localhost", "Referer: http://localhost/"], Err(FromWebPage("Referer"))),
        ("GET / HTTP/1.1", &["Host: localhost", "Sec-Fetch-Mode: cors"], Err(FromWebPage("Sec-Fetch-*"))),
        ("GET / HTTP/1.1", &["Host: localhost", "SEC-FETCH-ANYTHING: x"], Err(FromWebPage("Sec-Fetch-*"))),
        ("GET / HTTP/1.1", &["Host: localhost", "Sec-Something: x", "Via: 1.1 x"], Ok(())),
    ];
    for (start, headers, expected) in cases {
        let caller = Caller::new(ip("127.0.0.1"), ip("127.0.0.1"));
        let open = head(&[&[*start], *headers].concat().join("\n"));
        assert_eq!(check(caller, &door("127.0.0.1:9911", None), &open), *expected, "{start} {headers:?}");
        // The token opens nothing that the other guards keep shut.
        let with_token = head(&[&[*start], *headers, &[right.as_str()]].concat().join("\n"));
        assert_eq!(check(caller, &door("127.0.0.1:9911", Some(TOKEN)), &with_token), *expected);
    }
}

#[test]
fn asks_for_the_token_byte_for_byte() {
    use Refusal::AuthorizationTokenMismatch;
    use Refusal::AuthorizationTokenMissing;
    let cases: &[(&[&str], Result<(), Refusal>)] = &[
        (&[TOKEN], Ok(())),
        (&[], Err(AuthorizationTokenMissing)),
        (&[""], Err(AuthorizationTokenMismatch)),
        (&["s3cret+/"], Err(AuthorizationTokenMismatch)),
        (&["s3cret+/=x"], Err(AuthorizationTokenMismatch)),
        (&["S3CRET+/="], Err(AuthorizationTokenMismatch)),
        (&["Bearer s3cret+/="], Err(AuthorizationTokenMismatch)),
        (&["\"s3cret+/=\""], Err(AuthorizationTokenMismatch)),
        (&[TOKEN, TOKEN], Err(AuthorizationTokenMismatch)),
        (&["x", TOKEN], Err(AuthorizationTokenMismatch)),
    ];
    for (values, expected) in cases {
        let caller = Caller::new(ip("127.0.0.1"), ip("127.0.0.1"));
        let lines: Vec<String> = values.iter().map(|value| format!("\nAuthorization: {value}")).collect();
        let head = head(&format!("GET /v1/credentials HTTP/1.1\nHost: localhost{}", lines.concat()));
        assert_eq!(check(caller, &door("127.0.0.1:9911", Some(TOKEN)), &head), *expected, "{values:?}");
        assert_eq!(check(caller, &door("127.0.0.1:9911", None), &head), Ok(()), "{values:?}");
    }
}

#[test]
fn shows_pages_to_loopback_clients_under_any_port() {
    use Refusal::*;
    for (peer, local, lines, expected) in [
        ("127.0.0.1", "127.0.0.1", "Host: localhost:9912", Ok(())),
        // `kubectl port-forward 8080:9912`
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "Host: localhost:8080", Ok(())),
        ("::1", "::1", "Host: [::1]:8080", Ok(())),
        ("10.0.0.9", "10.0.0.5", "Host: 10.0.0.5:9912", Err(PeerNotLoopback)),
        ("10.0.0.5", "10.0.0.5", "Host: localhost", Err(PeerNotLoopback)),
        ("127.0.0.1", "127.0.0.1", "Host: attacker.example:8080", Err(HostNotAllowed)),
        ("127.0.0.1", "127.0.0.1", "Host: 0.0.0.0:9912", Err(HostNotAllowed)),
        ("127.0.0.1", "127.0.0.1", "Host: [::]:9912", Err(HostNotAllowed)),
        ("127.0.0.1", "127.0.0.1", "Host: localhost\nOrigin: http://localhost", Err(FromWebPage("Origin"))),
        ("127.0.0.1", "127.0.0.1", "Host: localhost\nX-Forwarded-For: ::1", Err(Proxied("X-Forwarded-For"))),
        (
            "127.0.0.1",
            "127.0.0.1",
            "Host: localhost\nReferer: http://localhost/",
            Err(FromWebPage("Referer")),
        ),
        // Typed into a browser; what the page asks for; a link or an image elsewhere; another port of localhost.
        ("127.0.0.1", "127.0.0.1", "Host: localhost\nSec-Fetch-Mode: navigate\nSec-Fetch-Site: none", Ok(())),
        (
            "127.0.0.1",
            "127.0.0.1",
            "Host: localhost\nSec-Fetch-Site: same-origin\nSec-Fetch-Dest: empty",
            Ok(()),
        ),
        ("127.0.0.1", "127.0.0.1", "Host: localhost\nSec-Fetch-Site: cross-site", Err(FromAnotherSite)),
        ("127.0.0.1", "127.0.0.1", "Host: localhost\nSec-Fetch-Site: same-site", Err(FromAnotherSite)),
        ("127.0.0.1", "127.0.0.1", "Host: localhost\nSec-Fetch-Site: ", Err(FromAnotherSite)),
        (
            "127.0.0.1",
            "127.0.0.1",
            "Host: localhost\nSec-Fetch-Site: none\nSec-Fetch-Site: cross-site",
            Err(FromAnotherSite),
        ),
    ] {
        let head = head(&format!("GET /status HTTP/1.1\n{lines}"));
        let caller = Caller::new(ip(peer), ip(local));
        assert_eq!(check_page(caller, &door("[::]:9912", None), &head), expected, "{peer} {lines}");
    }
}

#[test]
fn answers_get_and_head_alone() {
    for (method, is_answered) in [
        ("GET", true),
        ("HEAD", true),
        ("get", false),
        ("POST", false),
        ("PUT", false),
        ("DELETE", false),
        ("PATCH", false),
        ("OPTIONS", false),
        ("TRACE", false),
        ("CONNECT", false),
        ("BREW", false),
    ] {
        assert_eq!(check_method(&method.parse().unwrap()).is_ok(), is_answered, "{method}");
    }
}
