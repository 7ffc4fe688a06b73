'use strict';

// What an application does with aws-sdk 2.x, and no more: the calls, with the SDK's default credential chain.

const AWS = require('aws-sdk');
const { converse, kept } = require('./application.js');

const sts = kept((endpoint) => new AWS.STS({ endpoint }));
const s3 = kept((endpoint) => new AWS.S3({ endpoint, s3ForcePathStyle: true }));

converse(['aws-sdk'], {
  async who({ endpoint }) {
    return (await sts(endpoint).getCallerIdentity().promise()).Arn;
  },

  async list({ endpoint }) {
    return (await s3(endpoint).listBuckets().promise()).Buckets.map((bucket) => bucket.Name);
  },

  async create_bucket({ endpoint, bucket }) {
    const where = { LocationConstraint: AWS.config.region };
    await s3(endpoint).createBucket({ Bucket: bucket, CreateBucketConfiguration: where }).promise();
    return true;
  },

  async put({ endpoint, bucket, key, body }) {
    await s3(endpoint).putObject({ Bucket: bucket, Key: key, Body: body }).promise();
    return true;
  },

  async get({ endpoint, bucket, key }) {
    return (await s3(endpoint).getObject({ Bucket: bucket, Key: key }).promise()).Body.toString();
  },
});
