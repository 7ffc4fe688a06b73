// What an application does with the SDK, and no more: the calls, with the SDK's default credential chain.
//
// The first line on stdout says who this is. Then each line on stdin is a request and has one line for an answer:
//
//	{"do": "who",           "endpoint": URL}                                            -> {"ok": ARN}
//	{"do": "list",          "endpoint": URL}                                            -> {"ok": [BUCKET, ...]}
//	{"do": "create_bucket", "endpoint": URL, "bucket": NAME}                            -> {"ok": true}
//	{"do": "put",           "endpoint": URL, "bucket": NAME, "key": KEY, "body": TEXT}  -> {"ok": true}
//	{"do": "get",           "endpoint": URL, "bucket": NAME, "key": KEY}                -> {"ok": TEXT}
//
// What the SDK gives as an error comes back as {"error": TEXT}. The process ends with its stdin.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"
)

type request struct {
	Do, Endpoint, Bucket, Key, Body string
}

// A client is one SDK; client.go of each makes it.
type client interface {
	versions() map[string]string
	who(endpoint string) (string, error)
	list(endpoint string) ([]string, error)
	createBucket(endpoint, bucket string) error
	put(endpoint, bucket, key, body string) error
	get(endpoint, bucket, key string) (string, error)
}

func main() {
	sdk, err := newClient()
	if err != nil {
		log.Fatal(err)
	}
	identity := sdk.versions()
	identity["go"] = strings.TrimPrefix(runtime.Version(), "go")
	say(identity)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := serve(sdk, lines.Bytes())
		if err != nil {
			say(map[string]string{"error": err.Error()})
			continue
		}
		say(map[string]any{"ok": answer})
	}
}

func serve(sdk client, line []byte) (any, error) {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	switch asked.Do {
	case "who":
		return sdk.who(asked.Endpoint)
	case "list":
		return sdk.list(asked.Endpoint)
	case "create_bucket":
		return true, sdk.createBucket(asked.Endpoint, asked.Bucket)
	case "put":
		return true, sdk.put(asked.Endpoint, asked.Bucket, asked.Key, asked.Body)
	case "get":
		return sdk.get(asked.Endpoint, asked.Bucket, asked.Key)
	default:
		return nil, fmt.Errorf("no such request: %q", asked.Do)
	}
}

func say(answer any) {
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}
