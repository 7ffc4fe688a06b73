'use strict';

// What an application does with the SDK's version 3, and no more: the calls, with its default credential chain.

const S3 = require('@aws-sdk/client-s3');
const STS = require('@aws-sdk/client-sts');
const { converse, kept } = require('./application.js');

const sts = kept((endpoint) => new STS.STSClient({ endpoint }));
const s3 = kept((endpoint) => new S3.S3Client({ endpoint, forcePathStyle: true }));

converse(['@aws-sdk/client-s3', '@aws-sdk/client-sts', '@aws-sdk/credential-provider-node'], {
  async who({ endpoint }) {
    return (await sts(endpoint).send(new STS.GetCallerIdentityCommand({}))).Arn;
  },

  async list({ endpoint }) {
    return (await s3(endpoint).send(new S3.ListBucketsCommand({}))).Buckets.map((bucket) => bucket.Name);
  },

  async create_bucket({ endpoint, bucket }) {
    const where = { LocationConstraint: await s3(endpoint).config.region() };
    await s3(endpoint).send(new S3.CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: where }));
    return true;
  },

  async put({ endpoint, bucket, key, body }) {
    await s3(endpoint).send(new S3.PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
    return true;
  },

  async get({ endpoint, bucket, key }) {
    const got = await s3(endpoint).send(new S3.GetObjectCommand({ Bucket: bucket, Key: key }));
    return got.Body.transformToString();
  },
});
