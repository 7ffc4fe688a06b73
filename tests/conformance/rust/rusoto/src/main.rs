//! What an application did with rusoto, and no more: the calls, with its default credential chain.

#[path = "../../protocol.rs"]
mod protocol;

use std::collections::HashMap;
use std::error::Error;

use hyper::client::HttpConnector;
use rusoto_core::Client;
use rusoto_core::HttpClient;
use rusoto_core::Region;
use rusoto_core::credential::DefaultCredentialsProvider;
use rusoto_s3::CreateBucketConfiguration;
use rusoto_s3::CreateBucketRequest;
use rusoto_s3::GetObjectRequest;
use rusoto_s3::PutObjectRequest;
use rusoto_s3::S3;
use rusoto_s3::S3Client;
use rusoto_sts::GetCallerIdentityRequest;
use rusoto_sts::Sts;
use rusoto_sts::StsClient;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;

use protocol::Request;
use protocol::Runner;

type Raised = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() {
    let packages = ["rusoto_core", "rusoto_credential", "rusoto_sts", "rusoto_s3"];
    let mut runner = Runner::greet(include_str!("../Cargo.lock"), &packages);
    // What rusoto's `Client::shared()` does, but for the connector.
    let credentials = DefaultCredentialsProvider::new().expect("the default chain must be there");
    let mut application = Application {
        shared: Client::new_with(credentials, HttpClient::from_connector(HttpConnector::new())),
        sts: HashMap::new(),
        s3: HashMap::new(),
    };
    while let Some(request) = runner.next().await {
        let said = application.call(request).await;
        runner.tell(said.map_err(|raised| raised.to_string()));
    }
}

/// One client for each service, kept as an application keeps it; they share one credential cache.
struct Application {
    shared: Client,
    sts: HashMap<String, StsClient>,
    s3: HashMap<String, S3Client>,
}

impl Application {
    async fn call(&mut self, request: Request) -> Result<Value, Raised> {
        match request {
            Request::Who { endpoint } => {
                let caller = self.sts(&endpoint).get_caller_identity(GetCallerIdentityRequest {}).await?;
                Ok(json!(caller.arn))
            }
            Request::List { endpoint } => {
                let listed = self.s3(&endpoint).list_buckets().await?;
                Ok(listed.buckets.into_iter().flatten().map(|bucket| json!(bucket.name)).collect())
            }
            Request::CreateBucket { endpoint, bucket } => {
                let location_constraint = Some(Region::default().name().to_owned());
                let place = Some(CreateBucketConfiguration { location_constraint });
                let create =
                    CreateBucketRequest { bucket, create_bucket_configuration: place, ..Default::default() };
                self.s3(&endpoint).create_bucket(create).await?;
                Ok(json!(true))
            }
            Request::Put { endpoint, bucket, key, body } => {
                let body = Some(body.into_bytes().into());
                let put = PutObjectRequest { bucket, key, body, ..Default::default() };
                self.s3(&endpoint).put_object(put).await?;
                Ok(json!(true))
            }
            Request::Get { endpoint, bucket, key } => {
                let get = GetObjectRequest { bucket, key, ..Default::default() };
                let got = self.s3(&endpoint).get_object(get).await?;
                let mut text = String::new();
                got.body.ok_or("no body")?.into_async_read().read_to_string(&mut text).await?;
                Ok(json!(text))
            }
        }
    }

    fn sts(&mut self, endpoint: &str) -> &StsClient {
        let client = || StsClient::new_with_client(self.shared.clone(), at(endpoint));
        self.sts.entry(endpoint.to_owned()).or_insert_with(client)
    }

    fn s3(&mut self, endpoint: &str) -> &S3Client {
        let client = || S3Client::new_with_client(self.shared.clone(), at(endpoint));
        self.s3.entry(endpoint.to_owned()).or_insert_with(client)
    }
}

fn at(endpoint: &str) -> Region {
    Region::Custom { name: Region::default().name().to_owned(), endpoint: endpoint.to_owned() }
}
