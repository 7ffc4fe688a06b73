package main

import "github.com/aws/aws-sdk-go/aws/session"

// The SDK's default chain.
func newSession() (*session.Session, error) {
	return session.NewSession()
}
