package blackboxhttp_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
)

// contract is docs/openapi.yaml, read once.
var contract = sync.OnceValues(func() (validator.Validator, error) {
	text, err := os.ReadFile("../../../docs/openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions())
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return v, nil
})

var oneAtATime sync.Mutex // the validator does not say that it may be shared

// operations are those of the document, by the first segment of their path.
var operations = map[string]string{
	"PUT /files/": "/files/x", "POST /files": "/files", "POST /tickets": "/tickets", "GET /healthz": "/healthz",
}

// wellFormed holds an answer against the document, and against RFC 9457 where it
// is an error. Methods and routes that the document does not have are answered
// with a problem too.
func wellFormed(t testing.TB, r request, a answer) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: the answer %d may be kept or guessed at: %v", r.method, r.target, a.status, a.header)
	}
	if a.status >= 400 && r.method != http.MethodHead {
		a.problem(t)
	}
	name := r.method + " " + r.target
	if rest, ok := strings.CutPrefix(r.target, "/files/"); ok && rest != "" {
		name = r.method + " /files/"
	}
	path, ok := operations[name]
	if !ok || r.target == "/files/" {
		return
	}
	v, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(r.method, "https://function.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp := &http.Response{StatusCode: a.status, Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), Request: req}
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	if ok, errs := v.ValidateHttpResponse(req, resp); !ok {
		t.Errorf("%s %s: the answer breaks the document: %v\n%s", r.method, r.target, errs, a.body)
	}
}
