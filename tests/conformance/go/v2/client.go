package main

import (
	"context"
	"io"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const module = "github.com/aws/aws-sdk-go-v2"

// One configuration, whose credentials all its clients share, and one client for each service and endpoint,
// kept as an application keeps them.
type v2 struct {
	config aws.Config
	sts    map[string]*sts.Client
	s3     map[string]*s3.Client
}

func newClient() (client, error) {
	loaded, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return nil, err
	}
	return &v2{config: loaded, sts: map[string]*sts.Client{}, s3: map[string]*s3.Client{}}, nil
}

func (c *v2) versions() map[string]string {
	found := map[string]string{}
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range built.Deps {
			switch name := strings.TrimPrefix(dependency.Path, module); name {
			case "", "/config", "/credentials":
				found["aws-sdk-go-v2"+name] = strings.TrimPrefix(dependency.Version, "v")
			}
		}
	}
	return found
}

func (c *v2) stsAt(endpoint string) *sts.Client {
	if c.sts[endpoint] == nil {
		c.sts[endpoint] = sts.NewFromConfig(c.config, func(options *sts.Options) {
			options.BaseEndpoint = aws.String(endpoint)
		})
	}
	return c.sts[endpoint]
}

func (c *v2) s3At(endpoint string) *s3.Client {
	if c.s3[endpoint] == nil {
		c.s3[endpoint] = s3.NewFromConfig(c.config, func(options *s3.Options) {
			options.BaseEndpoint = aws.String(endpoint)
			options.UsePathStyle = true
		})
	}
	return c.s3[endpoint]
}

func (c *v2) who(endpoint string) (string, error) {
	identity, err := c.stsAt(endpoint).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(identity.Arn), nil
}

func (c *v2) list(endpoint string) ([]string, error) {
	listed, err := c.s3At(endpoint).ListBuckets(context.Background(), &s3.ListBucketsInput{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, bucket := range listed.Buckets {
		names = append(names, aws.ToString(bucket.Name))
	}
	return names, nil
}

func (c *v2) createBucket(endpoint, bucket string) error {
	region := types.BucketLocationConstraint(c.config.Region)
	_, err := c.s3At(endpoint).CreateBucket(context.Background(), &s3.CreateBucketInput{
		Bucket: aws.String(bucket), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region},
	})
	return err
}

func (c *v2) put(endpoint, bucket, key, body string) error {
	_, err := c.s3At(endpoint).PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(body),
	})
	return err
}

func (c *v2) get(endpoint, bucket, key string) (string, error) {
	object, err := c.s3At(endpoint).GetObject(context.Background(), &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key),
	})
	if err != nil {
		return "", err
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	return string(body), err
}
