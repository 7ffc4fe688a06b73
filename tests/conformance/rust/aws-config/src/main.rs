//! What an application does with the AWS SDK for Rust, and no more: the calls, with its default credential chain.

#[path = "../../protocol.rs"]
mod protocol;

use std::collections::HashMap;
use std::error::Error;

use aws_config::BehaviorVersion;
use aws_config::SdkConfig;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::types::BucketLocationConstraint;
use aws_sdk_s3::types::CreateBucketConfiguration;
use serde_json::Value;
use serde_json::json;

use protocol::Request;
use protocol::Runner;

type Raised = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() {
    let packages = ["aws-config", "aws-sdk-sts", "aws-sdk-s3"];
    let mut runner = Runner::greet(include_str!("../Cargo.lock"), &packages);
    let mut application = Application {
        shared: aws_config::defaults(BehaviorVersion::latest()).load().await,
        sts: HashMap::new(),
        s3: HashMap::new(),
    };
    while let Some(request) = runner.next().await {
        let said = application.call(request).await;
        runner.tell(said.map_err(|raised| DisplayErrorContext(&*raised).to_string()));
    }
}

/// One client for each service, kept as an application keeps it; the credential cache is in what they share.
struct Application {
    shared: SdkConfig,
    sts: HashMap<String, aws_sdk_sts::Client>,
    s3: HashMap<String, aws_sdk_s3::Client>,
}

impl Application {
    async fn call(&mut self, request: Request) -> Result<Value, Raised> {
        match request {
            Request::Who { endpoint } => {
                let caller = self.sts(&endpoint).get_caller_identity().send().await?;
                Ok(json!(caller.arn))
            }
            Request::List { endpoint } => {
                let listed = self.s3(&endpoint).list_buckets().send().await?;
                Ok(listed.buckets().iter().map(|bucket| json!(bucket.name)).collect())
            }
            Request::CreateBucket { endpoint, bucket } => {
                let region = self.shared.region().ok_or("no region")?;
                let constraint = BucketLocationConstraint::from(region.as_ref());
                let place = CreateBucketConfiguration::builder().location_constraint(constraint).build();
                let create = self.s3(&endpoint).create_bucket();
                create.bucket(bucket).create_bucket_configuration(place).send().await?;
                Ok(json!(true))
            }
            Request::Put { endpoint, bucket, key, body } => {
                let put = self.s3(&endpoint).put_object();
                put.bucket(bucket).key(key).body(body.into_bytes().into()).send().await?;
                Ok(json!(true))
            }
            Request::Get { endpoint, bucket, key } => {
                let got = self.s3(&endpoint).get_object().bucket(bucket).key(key).send().await?;
                Ok(json!(String::from_utf8(got.body.collect().await?.to_vec())?))
            }
        }
    }

    fn sts(&mut self, endpoint: &str) -> &aws_sdk_sts::Client {
        self.sts.entry(endpoint.to_owned()).or_insert_with(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.shared).endpoint_url(endpoint);
            aws_sdk_sts::Client::from_conf(config.build())
        })
    }

    fn s3(&mut self, endpoint: &str) -> &aws_sdk_s3::Client {
        self.s3.entry(endpoint.to_owned()).or_insert_with(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.shared).endpoint_url(endpoint);
            aws_sdk_s3::Client::from_conf(config.force_path_style(true).build())
        })
    }
}
