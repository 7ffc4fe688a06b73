use super::*;

const CODES: [&str; 2] = ["AccessDenied", "Throttling"];
const AT: SystemTime = SystemTime::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    AT + Duration::from_secs(seconds)
}

fn assert_line(metrics: &Metrics, line: &str) {
    let text = metrics.text();
    assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
}

#[test]
fn every_family_and_every_series_that_an_alert_reads_is_there_from_the_start() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    for line in [
        r#"irsa_sidecar_credentials_expiry_timestamp_seconds{role="default"} 0"#,
        r#"irsa_sidecar_refresh_timestamp_seconds{role="default"} 0"#,
        r#"irsa_sidecar_next_refresh_timestamp_seconds{role="default"} 0"#,
        r#"irsa_sidecar_exchange_total{role="default",result="success",code=""} 0"#,
        r#"irsa_sidecar_exchange_total{role="default",result="failure",code="AccessDenied"} 0"#,
        r#"irsa_sidecar_exchange_total{role="default",result="failure",code="Throttling"} 0"#,
        r#"irsa_sidecar_exchange_duration_seconds_count{role="default"} 0"#,
        "irsa_sidecar_token_expiry_timestamp_seconds 0",
        "irsa_sidecar_token_changes_total 0",
        "irsa_sidecar_token_read_failures_total 0",
        r#"irsa_sidecar_authorization_reads_total{result="failed"} 0"#,
        r#"irsa_sidecar_requests_total{endpoint="container",status="200",sdk="other"} 0"#,
        r#"irsa_sidecar_requests_total{endpoint="container",status="503",sdk="other"} 0"#,
        r#"irsa_sidecar_request_duration_seconds_count{endpoint="container"} 0"#,
        r#"irsa_sidecar_request_duration_seconds_count{endpoint="admin"} 0"#,
        r#"irsa_sidecar_connections{endpoint="container"} 0"#,
        r#"irsa_sidecar_connections_closed_total{endpoint="container",reason="no_room"} 0"#,
        r#"irsa_sidecar_connections_closed_total{endpoint="admin",reason="slow_request"} 0"#,
        r#"irsa_sidecar_accept_errors_total{endpoint="admin"} 0"#,
        r#"irsa_sidecar_upstream_requests_total{result="success"} 0"#,
        r#"irsa_sidecar_upstream_requests_total{result="session_refused"} 0"#,
        "irsa_sidecar_upstream_request_duration_seconds_count 0",
        "# EOF",
    ] {
        assert_line(&metrics, line);
    }
    assert!(metrics.text().contains(r#"irsa_sidecar_build_info{version=""#));
}

#[test]
fn a_successful_exchange_moves_all_three_timestamps() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    metrics.exchange_succeeded("default", at(100), at(3700), at(1700), Duration::from_millis(30));
    assert_line(&metrics, r#"irsa_sidecar_credentials_expiry_timestamp_seconds{role="default"} 3700"#);
    assert_line(&metrics, r#"irsa_sidecar_refresh_timestamp_seconds{role="default"} 100"#);
    assert_line(&metrics, r#"irsa_sidecar_next_refresh_timestamp_seconds{role="default"} 1700"#);
    assert_line(&metrics, r#"irsa_sidecar_exchange_total{role="default",result="success",code=""} 1"#);
    assert_line(&metrics, r#"irsa_sidecar_exchange_duration_seconds_bucket{le="0.05",role="default"} 1"#);
}

#[test]
fn a_failed_exchange_leaves_the_expiry_of_what_is_held() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    metrics.exchange_succeeded("default", at(100), at(3700), at(1700), Duration::ZERO);
    metrics.exchange_failed("default", "Throttling", Some(at(1701)), Duration::ZERO);
    metrics.exchange_failed("default", "ExpiredTokenException", None, Duration::ZERO);
    assert_line(&metrics, r#"irsa_sidecar_credentials_expiry_timestamp_seconds{role="default"} 3700"#);
    assert_line(&metrics, r#"irsa_sidecar_next_refresh_timestamp_seconds{role="default"} 0"#);
    assert_line(
        &metrics,
        r#"irsa_sidecar_exchange_total{role="default",result="failure",code="Throttling"} 1"#,
    );
    assert_line(
        &metrics,
        r#"irsa_sidecar_exchange_total{role="default",result="failure",code="ExpiredTokenException"} 1"#,
    );
}

#[test]
fn counts_tokens() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    metrics.token_changed(Some(at(86_400)));
    metrics.token_read_failed();
    assert_line(&metrics, "irsa_sidecar_token_expiry_timestamp_seconds 86400");
    assert_line(&metrics, "irsa_sidecar_token_changes_total 1");
    assert_line(&metrics, "irsa_sidecar_token_read_failures_total 1");
    metrics.token_changed(None);
    assert_line(&metrics, "irsa_sidecar_token_expiry_timestamp_seconds 0");
}

#[test]
fn counts_requests_by_endpoint_status_and_sdk() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    let botocore = Sdk::of(Some(b"Botocore/1.44.5"));
    metrics.request(Endpoint::Container, 200, botocore, Duration::from_micros(7));
    metrics.request(Endpoint::Container, 200, botocore, Duration::from_micros(7));
    metrics.request(Endpoint::Admin, 418, Sdk::NONE, Duration::from_secs(9));
    assert_line(&metrics, r#"irsa_sidecar_requests_total{endpoint="container",status="200",sdk="boto"} 2"#);
    assert_line(&metrics, r#"irsa_sidecar_requests_total{endpoint="admin",status="other",sdk="none"} 1"#);
    assert_line(
        &metrics,
        r#"irsa_sidecar_request_duration_seconds_bucket{le="0.00001",endpoint="container"} 2"#,
    );
    assert_line(&metrics, r#"irsa_sidecar_request_duration_seconds_bucket{le="1.0",endpoint="admin"} 0"#);
    assert_line(&metrics, r#"irsa_sidecar_request_duration_seconds_bucket{le="+Inf",endpoint="admin"} 1"#);
}

#[test]
fn counts_connections() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    metrics.connection_opened(Endpoint::Container);
    metrics.connection_opened(Endpoint::Container);
    metrics.connection_ended(Endpoint::Container);
    metrics.connection_closed(Endpoint::Container, Closed::NoRoom);
    metrics.accept_failed(Endpoint::Admin);
    assert_line(&metrics, r#"irsa_sidecar_connections{endpoint="container"} 1"#);
    assert_line(
        &metrics,
        r#"irsa_sidecar_connections_closed_total{endpoint="container",reason="no_room"} 1"#,
    );
    assert_line(&metrics, r#"irsa_sidecar_accept_errors_total{endpoint="admin"} 1"#);
}

#[test]
fn counts_what_is_passed_on() {
    let metrics = Metrics::new(&CODES);
    metrics.role_added("default");
    metrics.passed_on(Passing::Success, Duration::from_millis(2));
    metrics.passed_on(Passing::Ending, Duration::from_secs(2));
    assert_line(&metrics, r#"irsa_sidecar_upstream_requests_total{result="success"} 1"#);
    assert_line(&metrics, r#"irsa_sidecar_upstream_requests_total{result="ending"} 1"#);
    assert_line(&metrics, r#"irsa_sidecar_upstream_request_duration_seconds_bucket{le="0.0025"} 1"#);
    assert_line(&metrics, r#"irsa_sidecar_upstream_request_duration_seconds_bucket{le="+Inf"} 2"#);
}
