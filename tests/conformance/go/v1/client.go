package main

import (
	"io"
	"strings"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/sts"
)

// One session, whose credentials all its clients share, and one client for each service and endpoint,
// kept as an application keeps them.
type v1 struct {
	session *session.Session
	sts     map[string]*sts.STS
	s3      map[string]*s3.S3
}

func newClient() (client, error) {
	made, err := newSession()
	if err != nil {
		return nil, err
	}
	return &v1{session: made, sts: map[string]*sts.STS{}, s3: map[string]*s3.S3{}}, nil
}

func (c *v1) versions() map[string]string {
	return map[string]string{"aws-sdk-go": aws.SDKVersion}
}

func (c *v1) stsAt(endpoint string) *sts.STS {
	if c.sts[endpoint] == nil {
		c.sts[endpoint] = sts.New(c.session, aws.NewConfig().WithEndpoint(endpoint))
	}
	return c.sts[endpoint]
}

func (c *v1) s3At(endpoint string) *s3.S3 {
	if c.s3[endpoint] == nil {
		c.s3[endpoint] = s3.New(c.session, aws.NewConfig().WithEndpoint(endpoint).WithS3ForcePathStyle(true))
	}
	return c.s3[endpoint]
}

func (c *v1) who(endpoint string) (string, error) {
	identity, err := c.stsAt(endpoint).GetCallerIdentity(&sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.StringValue(identity.Arn), nil
}

func (c *v1) list(endpoint string) ([]string, error) {
	listed, err := c.s3At(endpoint).ListBuckets(&s3.ListBucketsInput{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, bucket := range listed.Buckets {
		names = append(names, aws.StringValue(bucket.Name))
	}
	return names, nil
}

func (c *v1) createBucket(endpoint, bucket string) error {
	_, err := c.s3At(endpoint).CreateBucket(&s3.CreateBucketInput{Bucket: aws.String(bucket)})
	return err
}

func (c *v1) put(endpoint, bucket, key, body string) error {
	_, err := c.s3At(endpoint).PutObject(&s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(body),
	})
	return err
}

func (c *v1) get(endpoint, bucket, key string) (string, error) {
	object, err := c.s3At(endpoint).GetObject(&s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return "", err
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	return string(body), err
}
