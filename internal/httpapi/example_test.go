package httpapi_test

import (
	"fmt"

	"github.com/tcbferry/tcbferry/internal/httpapi"
)

func ExampleParseKeys() {
	const hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	keys, err := httpapi.ParseKeys("ci:" + hash + ":builds/:no-tickets;rate=60;until=2027-01-01")
	fmt.Println(keys, err)
	_, err = httpapi.ParseKeys("ci:" + hash + ":builds")
	fmt.Println(err)
	// Output:
	// 1 keys <nil>
	// entry 1 has a path prefix that does not end in / or begins with one; write name:SHA256HEX:path/prefix/:options, or name:SHA256HEX::options without a prefix
}

func ExampleSources_Allow() {
	sources, _ := httpapi.ParseSources("s3://staging/in/, https://files.example/public/")
	for _, raw := range []string{"s3://staging/in/a b.png", "https://files.example/public/%2e%2e/private"} {
		ref, err := sources.Allow(raw)
		fmt.Println(ref.Key, err)
	}
	// Output:
	// in/a b.png <nil>
	//  open: The source has a segment . or ...
}
