package blackbox_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A payload that says of itself what is not so is answered, and nothing is
// stored. The function lives on.
func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	for _, f := range fronts {
		if f.payload == nil {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newHTTPWorld(t)
			s := f.start(t, w)
			for name, change := range map[string]func(p map[string]any){
				"changed to U+FFFD":       func(p map[string]any) { p["body"], p["isBase64Encoded"] = "\ufffd\ufffd\ufffd\ufffd", false },
				"cut off":                 func(p map[string]any) { p["body"], p["isBase64Encoded"] = "xxx", false },
				"no base64":               func(p map[string]any) { p["body"], p["isBase64Encoded"] = "***", true },
				"base64 broken off":       func(p map[string]any) { p["body"], p["isBase64Encoded"] = "eHh4e", true },
				"base64 with a tail":      func(p map[string]any) { p["body"], p["isBase64Encoded"] = "eHh4eA==eHh4", true },
				"base64 of another table": func(p map[string]any) { p["body"], p["isBase64Encoded"] = "_-_-", true },
				"no method":               func(p map[string]any) { method(p, "P U T") },
			} {
				p := f.payload(putFile("/files/x", "text/plain", "xxxx"))
				change(p)
				document, _ := json.Marshal(p) // a payload always marshals
				a := s.invoke(document, limit)
				s.said.add(a)
				a.wellFormed(t, request{method: "PUT", target: "/files/x"})
				if a.status != 400 || a.problem(t).Code != "Malformed" {
					t.Errorf("%s: %d %s", name, a.status, a.body)
				}
			}
			if n := w.touched(); n != 0 {
				t.Errorf("%d requests went out", n)
			}
			r := putFile("/files/x", "text/plain", "xxxx")
			for range 2000 {
				r.header.Add("X-Flood", strings.Repeat("x", 50))
			}
			p := f.payload(r)
			document, _ := json.Marshal(p)
			if a := s.invoke(document, limit); a.status != 201 {
				t.Errorf("a flood of headers: %d %s", a.status, a.body)
			}
			w.stored(t, "x", "xxxx", "text/plain")
		})
	}
}

func method(p map[string]any, method string) {
	p["httpMethod"] = method
	if http, ok := p["requestContext"].(map[string]any)["http"].(map[string]any); ok {
		http["method"] = method
	}
}

// The fronts' own samples are answered: they call another route, without a key.
func TestSamplePayloads(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("../../../events/lambda-http-*.json")
	if err != nil || len(samples) < 6 {
		t.Fatal(samples, err)
	}
	w := newHTTPWorld(t)
	for name, auth := range map[string][]string{"keys": nil, "iam": {"HTTP_AUTH", "iam", "HTTP_KEYS", ""}} {
		s := fronts[0].start(t, w, auth...)
		for _, sample := range samples {
			payload, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			here := s.at(t)
			here.multi = strings.Contains(sample, "multivalue")
			want := http.StatusUnauthorized
			if auth != nil {
				want = http.StatusUnauthorized // most samples name no IAM caller
				if strings.Contains(string(payload), `"userArn": "arn:`) {
					want = http.StatusNotFound
				}
			}
			if a := here.invoke(payload, limit); a.status != want || a.problem(t).Status != want {
				t.Errorf("%s with %s: %d %s", sample, name, a.status, a.body)
			}
		}
	}
}

// A payload with bytes that are no UTF-8 is what a front makes of a text in GBK.
func TestBodyInGBK(t *testing.T) {
	t.Parallel()
	w := newHTTPWorld(t)
	s := fronts[0].start(t, w)
	document := s.payloadOf(t, putFile("/files/x.csv", "text/csv", "xxxx"))
	document = bytes.Replace(document, []byte(`"body":"xxxx"`), []byte("\"body\":\"\xba\xec\xbb\xa8\""), 1)
	if a := s.invoke(document, limit); a.status != 400 || !strings.Contains(a.problem(t).Detail, "binaryMediaTypes") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := w.touched(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// An event of another kind fails the invocation, because the trigger is wrong.
func TestOtherEvents(t *testing.T) {
	t.Parallel()
	w := newHTTPWorld(t)
	s := fronts[0].start(t, w)
	for _, sample := range []string{"lambda-s3-put-2.1.json", "lambda-sqs-s3.json", "lambda-plain-request.json", "scf-timer-daily.json"} {
		payload, err := os.ReadFile("../../../events/" + sample)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.lambda.Invoke(t.Context(), payload, limit)
		if err != nil || !r.FunctionError || !strings.Contains(r.ErrorMessage, "no HTTP request") {
			t.Errorf("%s: %+v %v", sample, r, err)
		}
	}
	if a := s.do(putFile("/files/x", "text/plain", "x")); a.status != 201 {
		t.Errorf("after that: %d %s", a.status, a.body)
	}
}
