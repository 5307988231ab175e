package transfer_test

import (
	"fmt"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

func ExampleParse() {
	ref, err := transfer.Parse("cos://staging-1250000000/in/a b.png?region=ap-shanghai")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s of %s in %s\n", ref.Key, ref.Bucket, ref.Region)
	fmt.Println(ref)

	_, err = transfer.Parse("http://bucket.s3.amazonaws.com/a.png?X-Amz-Signature=0123")
	fmt.Println(err)
	// Output:
	// in/a b.png of staging-1250000000 in ap-shanghai
	// cos://staging-1250000000/in/a b.png?region=ap-shanghai
	// "http://bucket.s3.amazonaws.com/a.png?…" is not a reference: write s3://bucket/key, cos://bucket-appid/key?region=ap-shanghai or https://host/path
}
