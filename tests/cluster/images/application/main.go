// An application with an AWS SDK of 2019 that knows no web identity: it asks STS who it is, as `aws sts get-caller-identity`
// would, once or again and again, and says so in one line of JSON each time. It takes what its SDK finds and sets nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	endpoint := flag.String("sts", "", "STS's URL")
	every := flag.Duration("every", 0, "ask again after this long; once when 0")
	fresh := flag.Bool("fresh", false, "look for credentials anew each time, as a program that is started anew does")
	flag.Parse()

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	kept := session.Must(session.NewSession())
	for {
		found := kept
		if *fresh {
			found = session.Must(session.NewSession())
		}
		if !ask(found, *endpoint) && *every == 0 {
			os.Exit(1)
		}
		if *every == 0 {
			return
		}
		select {
		case <-ended:
			say(map[string]string{"ended": "SIGTERM"})
			return
		case <-time.After(*every):
		}
	}
}

func ask(found *session.Session, endpoint string) bool {
	client := sts.New(found, aws.NewConfig().WithEndpoint(endpoint).WithMaxRetries(0))
	who, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
	if err != nil {
		say(map[string]string{"error": err.Error()})
		return false
	}
	held, _ := found.Config.Credentials.Get()
	say(map[string]string{"arn": aws.StringValue(who.Arn), "key": held.AccessKeyID, "provider": held.ProviderName})
	return true
}

func say(line map[string]string) {
	line["sdk"] = aws.SDKVersion
	line["at"] = time.Now().UTC().Format(time.RFC3339)
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}
