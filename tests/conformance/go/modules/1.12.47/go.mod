module conformance/client

go 1.24.0

require github.com/aws/aws-sdk-go v1.12.47

// What its Gopkg.lock names; it has no go.mod.
require (
	github.com/go-ini/ini v1.25.4 // indirect
	github.com/jmespath/go-jmespath v0.0.0-20160202185014-0b12d6b521d8 // indirect
)
