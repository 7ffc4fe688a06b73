module irsa-sidecar.example/tests/cluster/images/application

go 1.26.0

require github.com/aws/aws-sdk-go v1.20.21

require (
	github.com/jmespath/go-jmespath v0.0.0-20180206201540-c2b33e8439af // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/net v0.62.0 // indirect
)
