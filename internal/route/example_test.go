package route_test

import (
	"fmt"
	"time"

	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func ExampleParseTemplate() {
	template, err := route.ParseTemplate("{bucket}/{yyyy}/{dir}/{stem}-{mm}{dd}{ext}")
	if err != nil {
		fmt.Println(err)
		return
	}
	ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "staging", Key: "in/photo.jpg"}
	fmt.Println(template.Expand(ref, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)))

	_, err = route.ParseTemplate("{folder}/{name}")
	fmt.Println(err)
	// Output:
	// staging/2026/in/photo-1126.jpg
	// has the unknown placeholder {folder}; use {key} {dir} {name} {stem} {ext} {bucket} {yyyy} {mm} {dd}
}
