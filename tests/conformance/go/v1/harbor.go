package main

import (
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go/aws/ec2metadata"
	"github.com/aws/aws-sdk-go/aws/session"
)

// The chain that distribution 2.8.3, Harbor's registry, makes in registry/storage/driver/s3-aws/s3.go, where its
// configuration names no keys: one that knows EC2's roles and neither web identity nor container credentials.
// The region is its configuration's.
func newSession() (*session.Session, error) {
	awsConfig := aws.NewConfig()
	sess, err := session.NewSession()
	if err != nil {
		return nil, err
	}
	creds := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.StaticProvider{Value: credentials.Value{}},
		&credentials.EnvProvider{},
		&credentials.SharedCredentialsProvider{},
		&ec2rolecreds.EC2RoleProvider{Client: ec2metadata.New(sess)},
	})
	awsConfig.WithCredentials(creds)
	awsConfig.WithRegion(os.Getenv("AWS_REGION"))
	return session.NewSession(awsConfig)
}
