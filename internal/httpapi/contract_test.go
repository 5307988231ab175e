package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

const contractFile = "../../docs/openapi.yaml"

// A contract is docs/openapi.yaml, with what of it was seen.
type contract struct {
	validator.Validator
	model *v3.Document
	seen  map[string]bool
}

func readContract(t *testing.T) *contract {
	t.Helper()
	text, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithRejectUndeclaredRequestBody())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	t.Cleanup(v.Release)
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatal(errs)
	}
	return &contract{v, &model.Model, map[string]bool{}}
}

// check holds one exchange against the document. A request that was accepted
// must be one that the document allows. OpenAPI has no parameter that holds
// bare slashes; %2F is the same path to the handler.
func (c *contract) check(t *testing.T, method, target string, header http.Header, body []byte, resp *http.Response, answer []byte) {
	t.Helper()
	operation := target
	if path, ok := strings.CutPrefix(target, "/files/"); ok && path != "" {
		target, operation = "/files/"+strings.ReplaceAll(path, "/", "%2F"), "/files/{path}"
	}
	if !c.defines(operation, method) {
		// A 400 is for /files/ with no PATH at all.
		if s := resp.StatusCode; s != 400 && s != 401 && s != 404 && s != 405 {
			t.Errorf("%s %s is not in the document and was answered with %d", method, operation, s)
		}
		return
	}
	c.seen[fmt.Sprintf("%s %s %d", method, operation, resp.StatusCode)] = true
	req, err := http.NewRequest(method, "https://function.example"+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	if resp.StatusCode < 300 && len(body) < 1<<20 { // the validator takes seconds for a larger one
		if ok, errs := c.ValidateHttpRequestSync(req); !ok {
			t.Errorf("the request was accepted, but the document does not allow it: %v", errs)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	copied := *resp
	copied.Body = io.NopCloser(bytes.NewReader(answer))
	if ok, errs := c.ValidateHttpResponse(req, &copied); !ok {
		t.Errorf("the answer breaks the document: %v", errs)
	}
}

func (c *contract) defines(path, method string) bool {
	item, ok := c.model.Paths.PathItems.Get(path)
	if !ok {
		return false
	}
	_, ok = item.GetOperations().Get(strings.ToLower(method))
	return ok
}

// complete tells what the document promises and no exchange has shown.
func (c *contract) complete(t *testing.T) {
	t.Helper()
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			for status := range operation.Responses.Codes.FromOldest() {
				if exchange := strings.ToUpper(method) + " " + path + " " + status; !c.seen[exchange] {
					t.Errorf("no exchange of the table shows %s", exchange)
				}
			}
		}
	}
}

// canFail fails the test unless the document refuses an answer that it does not
// describe, and one with a member too many.
func (c *contract) canFail(t *testing.T) {
	t.Helper()
	for answer, status := range map[string]int{
		`{"status":"ok","version":"1"}`: 200,
		`{"status":"fine"}`:             200,
		`{"status":"ok"}`:               418,
	} {
		req, _ := http.NewRequest(http.MethodGet, "https://function.example/healthz", nil)
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}},
			Body: io.NopCloser(strings.NewReader(answer)), Request: req}
		if ok, _ := c.ValidateHttpResponse(req, resp); ok {
			t.Errorf("%d %s passes", status, answer)
		}
	}
}
