//! The roles file as it changes: what is new comes, what is gone goes, what stays is not disturbed, what is wrong changes
//! nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use support::process::Process;
use support::raw;
use support::world::World;

use crate::sidecar::Sidecar;

const APP: &str = "arn:aws:iam::111122223333:role/app";
const REPORTS: &str = "arn:aws:iam::111122223333:role/reports";
const INGEST: &str = "arn:aws:iam::111122223333:role/ingest";

async fn world() -> World {
    World::builder().roles([APP, REPORTS, INGEST]).start().await.unwrap()
}

/// A ConfigMap as the kubelet mounts it: `roles.yaml → ..data/roles.yaml`, `..data → ..N`.
struct ConfigMap {
    directory: PathBuf,
    versions: usize,
}

impl ConfigMap {
    fn new(directory: PathBuf, content: &str) -> Self {
        fs::create_dir_all(&directory).unwrap();
        let mut map = Self { directory, versions: 0 };
        map.update(content);
        symlink("..data/roles.yaml", map.path()).unwrap();
        map
    }

    fn path(&self) -> PathBuf {
        self.directory.join("roles.yaml")
    }

    /// A new directory beside the old one, and one rename.
    fn update(&mut self, content: &str) {
        self.versions += 1;
        let version = format!("..{}", self.versions);
        fs::create_dir(self.directory.join(&version)).unwrap();
        fs::write(self.directory.join(&version).join("roles.yaml"), content).unwrap();
        symlink(&version, self.directory.join("..data_tmp")).unwrap();
        fs::rename(self.directory.join("..data_tmp"), self.directory.join("..data")).unwrap();
    }
}

fn role(name: &str, role_arn: &str, more: &str) -> String {
    format!("  - name: {name}\n    role_arn: {role_arn}\n{more}")
}

fn file(roles: &[String]) -> String {
    format!("roles:\n{}", roles.concat())
}

async fn start(world: &World, path: &Path) -> Sidecar {
    Sidecar::start_with(world, &["--roles-file", path.to_str().unwrap()], &[]).await
}

async fn served(sidecar: &Sidecar, role: &str) -> (u16, Value) {
    let response = raw::get(sidecar.container, &format!("/v1/credentials/{role}")).await.unwrap();
    (response.status, response.json().unwrap())
}

async fn names(sidecar: &Sidecar) -> Vec<String> {
    let status = sidecar.status().await;
    status["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn roles_come_and_go_without_a_restart_and_without_disturbing_the_others() {
    let world = world().await;
    let (app, reports) = (role("default", APP, ""), role("reports", REPORTS, ""));
    let mut map = ConfigMap::new(world.directory().join("map"), &file(&[app.clone(), reports.clone()]));
    let mut sidecar = start(&world, &map.path()).await;
    sidecar.wait_until_ready().await;
    let before = served(&sidecar, "default").await.1;
    assert_eq!(served(&sidecar, "reports").await.1["RoleArn"], REPORTS);
    assert_eq!(served(&sidecar, "ingest").await.0, 404);

    map.update(&file(&[app.clone(), role("ingest", INGEST, "")]));
    sidecar.process.line_with("the roles file changed").await.unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(names(&sidecar).await, ["default", "ingest"]);
    assert_eq!(served(&sidecar, "ingest").await.1["RoleArn"], INGEST);
    assert_eq!(served(&sidecar, "reports").await.0, 404);
    assert_eq!(served(&sidecar, "default").await.1, before, "it was not exchanged again");
    let metrics = sidecar.metrics().await;
    assert!(metrics.contains(r#"role="ingest""#) && !metrics.contains(r#"role="reports""#), "{metrics}");
    let exchanges =
        |arn| world.sts.calls().iter().filter(|call| call.role_arn.as_deref() == Some(arn)).count();
    assert_eq!((exchanges(APP), exchanges(REPORTS), exchanges(INGEST)), (1, 1, 1));
}

#[tokio::test]
async fn a_role_that_is_changed_serves_what_it_holds_until_there_is_something_better() {
    let world = world().await;
    let mut map = ConfigMap::new(world.directory().join("map"), &file(&[role("default", APP, "")]));
    let mut sidecar = start(&world, &map.path()).await;
    sidecar.wait_until_ready().await;
    let before = served(&sidecar, "default").await.1;

    // STS will refuse it: the role's sessions last an hour at most.
    map.update(&file(&[role("default", APP, "    session_duration: 2h\n")]));
    sidecar.process.line_with("exchange failed").await.unwrap();
    assert_eq!(served(&sidecar, "default").await.1, before);

    map.update(&file(&[role("default", APP, "    session_duration: 30m\n")]));
    sidecar.process.lines_with("credentials exchanged", 2).await.unwrap();
    assert_ne!(served(&sidecar, "default").await.1, before);
    assert_eq!(world.sts.calls().last().unwrap().duration_seconds.as_deref(), Some("1800"));
}

/// Another ARN is somebody else's credentials: what was held under the name is not served under it for a moment longer.
#[tokio::test]
async fn a_name_that_becomes_another_role_never_serves_the_one_before() {
    let world = world().await;
    let mut map = ConfigMap::new(world.directory().join("map"), &file(&[role("default", APP, "")]));
    let mut sidecar = start(&world, &map.path()).await;
    sidecar.wait_until_ready().await;
    world.sts.refuse().await;
    map.update(&file(&[role("default", REPORTS, "")]));
    sidecar.process.line_with("the roles file changed").await.unwrap();
    let (status, body) = served(&sidecar, "default").await;
    assert_eq!(status, 503, "{body}");
    world.sts.listen_again().await.unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(served(&sidecar, "default").await.1["RoleArn"], REPORTS);
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing_and_is_told_once() {
    let world = world().await;
    let good = file(&[role("default", APP, ""), role("reports", REPORTS, "")]);
    let mut map = ConfigMap::new(world.directory().join("map"), &good);
    let mut sidecar = start(&world, &map.path()).await;
    sidecar.wait_until_ready().await;
    let before = served(&sidecar, "default").await.1;

    map.update("roles:\n  - name: default\n    role_arn: app\n  - nam: reports\n");
    let line = sidecar.process.line_with("RolesFileUnusable").await.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let text = line["fields"]["message"].as_str().or(line["message"].as_str()).unwrap().to_owned();
    for part in ["roles.yaml:3", "roles.yaml:4", "a role's name alone", "nam"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(names(&sidecar).await, ["default", "reports"]);
    assert_eq!(served(&sidecar, "default").await.1, before);
    assert!(sidecar.metrics().await.contains(r#"roles_file_reads_total{result="failed"} 1"#));

    map.update(&file(&[role("default", APP, ""), role("ingest", INGEST, "")]));
    sidecar.process.line_with("can be used again").await.unwrap();
    sidecar.wait_until_ready().await;
    assert_eq!(names(&sidecar).await, ["default", "ingest"]);
    assert_eq!(sidecar.log_lines_with("RolesFileUnusable"), 1, "{}", sidecar.process.output());
}

/// The old file is there until the new one is, so that a file that goes away is a mistake like any other.
#[tokio::test]
async fn a_file_that_goes_away_changes_nothing() {
    let world = world().await;
    let path = world.directory().join("roles.yaml");
    fs::write(&path, file(&[role("default", APP, "")])).unwrap();
    let mut sidecar = start(&world, &path).await;
    sidecar.wait_until_ready().await;
    fs::remove_file(&path).unwrap();
    sidecar.process.line_with("RolesFileUnusable").await.unwrap();
    assert_eq!(served(&sidecar, "default").await.0, 200);
}

#[tokio::test]
async fn at_the_start_a_wrong_file_is_told_whole_with_its_lines() {
    let world = world().await;
    let path = world.directory().join("roles.yaml");
    fs::write(
        &path,
        "roles:\n  - name: default\n    role_arn: app\n  - name: default\n    sesion_duration: 1h\n",
    )
    .unwrap();
    let arguments = ["serve", "--roles-file", path.to_str().unwrap()];
    let mut process = Process::start(crate::sidecar::BINARY, &arguments, world.env()).unwrap();
    assert_eq!(process.exit().await.unwrap().code(), Some(64));
    let output = process.output();
    for part in ["roles.yaml:3", "roles.yaml:4", "roles.yaml:5", "session_duration"] {
        assert!(output.contains(part), "{part}: {output}");
    }
}

/// Clients take the first of the list, so there is one: the role that is marked, else `default`.
#[tokio::test]
async fn the_metadata_service_serves_the_role_that_is_marked_as_it_changes() {
    let world = world().await;
    let (app, reports) = (role("default", APP, ""), role("reports", REPORTS, "    imds: true\n"));
    let mut map = ConfigMap::new(world.directory().join("map"), &file(&[app.clone(), reports]));
    let arguments = ["--roles-file", map.path().to_str().unwrap(), "--listen=127.0.0.1:0,imds=127.0.0.1:0"]
        .map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut sidecar = Sidecar::start_with(&world, &arguments, &[]).await;
    let line = sidecar.process.line_with(r#""endpoint":"imds""#).await.unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let imds = line["address"].as_str().unwrap().parse().unwrap();
    sidecar.wait_until_ready().await;
    let get = async |path: &str| {
        let path = format!("/latest/meta-data/iam/{path}");
        raw::get(imds, &path).await.unwrap()
    };
    assert_eq!(get("security-credentials/").await.text(), "reports");
    assert_eq!(get("security-credentials/app").await.status, 404, "the other role is none of its");
    let key = get("security-credentials/reports").await.json().unwrap()["AccessKeyId"].clone();
    assert_eq!(key, served(&sidecar, "reports").await.1["AccessKeyId"]);
    assert!(get("info").await.text().contains("instance-profile/reports"));

    map.update(&file(&[app, role("reports", REPORTS, "")]));
    sidecar.process.line_with("the roles file changed").await.unwrap();
    assert_eq!(get("security-credentials/").await.text(), "app");
    assert_eq!(get("security-credentials/reports").await.status, 404);
    assert_eq!(served(&sidecar, "reports").await.1["AccessKeyId"], key, "it was not disturbed");

    // Several roles, none of them marked or called default: nobody's, and said so.
    map.update(&file(&[role("a", APP, ""), role("b", REPORTS, "")]));
    sidecar.process.line_with("ImdsServesNoRole").await.unwrap();
    assert_eq!(get("security-credentials/").await.status, 404);
}

#[tokio::test]
async fn a_roles_own_token_is_followed_and_comes_and_goes_with_the_file() {
    let world = world().await;
    let token = world.directory().join("own-token");
    fs::write(&token, "the first token of its own").unwrap();
    let own = format!("    authorization_token_file: {}\n", token.display());
    let mut map = ConfigMap::new(world.directory().join("map"), &file(&[role("default", APP, &own)]));
    let mut sidecar = start(&world, &map.path()).await;
    sidecar.wait_until_ready().await;
    let container = sidecar.container;
    let status = async |token: Option<&str>| {
        let mut client = raw::RawClient::connect(container).await.unwrap();
        let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
        client.request("GET", "/v1/credentials", &headers).await.unwrap().status
    };
    assert_eq!(status(None).await, 403);
    assert_eq!(status(Some("the first token of its own")).await, 200);
    fs::write(&token, "the second token of its own").unwrap();
    assert_eq!(status(Some("the second token of its own")).await, 200, "read when it came");
    assert_eq!(status(Some("the third token of its own")).await, 403);

    // A file that names no token lets nobody in that had one before; one that asks for none lets everybody in.
    map.update(&file(&[role("default", APP, "    authorization_token_file: /nowhere/token\n")]));
    sidecar.process.line_with("RolesFileUnusable").await.unwrap();
    assert_eq!(status(None).await, 403);
    map.update(&file(&[role("default", APP, "")]));
    sidecar.process.line_with("the roles file changed").await.unwrap();
    assert_eq!(status(None).await, 200);
    map.update(&file(&[role("default", APP, &own)]));
    sidecar.process.lines_with("the roles file changed", 2).await.unwrap();
    assert_eq!(status(None).await, 403);
    let exchanges = world.sts.calls().len();
    assert_eq!(exchanges, 1, "who may have it is no matter of how it is obtained");
}
