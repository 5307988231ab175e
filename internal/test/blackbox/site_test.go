package blackbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// A site is a function that runs behind a front. When its test ends, nothing that
// it said may hold a secret.
type site struct {
	front
	t       testing.TB
	w       *httpWorld
	program *platform.Program
	lambda  *platform.Lambda // nil for the web function
	url     string           // of the web function
	send    func(t testing.TB, r request, limit time.Duration) answer
	said    *transcript
}

// A transcript is all that the callers of a function were told.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *transcript) add(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(a.body)
	a.header.Write(&s.text)
}

// at is the site for a subtest.
func (s site) at(t testing.TB) *site {
	s.t = t
	return &s
}

// start runs the front's function in the world, with more variables.
func (f front) start(t testing.TB, w *httpWorld, more ...string) *site {
	t.Helper()
	s := &site{front: f, t: t, w: w, said: &transcript{}}
	vars := w.vars(more...)
	end := func() {}
	if f.payload == nil {
		server, err := platform.StartWeb(t.Context(), functions.Path(t, "scf-http"), vars)
		if err != nil {
			t.Fatal(err)
		}
		s.program, s.url, s.send, end = server.Program, server.URL, s.overHTTP(server.Client), server.Close
	} else {
		l := platform.NewLambda(functions.Path(t, "lambda-http"), vars)
		l.Grace = grace
		s.lambda, s.program, end = l, l.Program, l.Close
		s.send = func(t testing.TB, r request, limit time.Duration) answer {
			return s.at(t).invoke(s.payloadOf(t, r), limit)
		}
	}
	t.Cleanup(func() {
		end()
		kit.NoSecrets(t, s.said.text.String()+s.program.Output(), vars,
			append(w.Cloud.Secrets(), anyKey, teamKey, hash(anyKey), hash(teamKey), signature))
		if t.Failed() {
			t.Logf("output of the function:\n%s", s.program.Output())
		}
	})
	return s
}

// forFronts runs a test behind each of the fronts, in a world of its own.
func forFronts(t *testing.T, fronts []front, test func(t *testing.T, w *httpWorld, f front)) {
	t.Parallel()
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, newHTTPWorld(t), f)
		})
	}
}

// What holds behind every front, in one world and one process for each.
func TestFronts(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w)
		for name, test := range map[string]func(*testing.T, *site){
			"unauthorized": unauthorized, "pages": pages, "prefixes": prefixes, "paths": paths, "hostile paths": hostilePaths,
		} {
			t.Run(name, func(t *testing.T) { test(t, s.at(t)) })
		}
	})
}

// What holds of sources, and of paths in a body, whatever the front is.
func TestSourcesByHTTP(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w)
		for name, test := range map[string]func(*testing.T, *site){
			"hostile": hostileSources, "redirects": hostileRedirects, "names that lead inside": namesThatLeadInside,
			"missing": missingSources, "paths in bodies": pathsInBodies,
		} {
			t.Run(name, func(t *testing.T) { test(t, s.at(t)) })
		}
	})
}

// invoke has the function handle a payload.
func (s *site) invoke(payload []byte, limit time.Duration) answer {
	s.t.Helper()
	r, err := s.lambda.Invoke(s.t.Context(), payload, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.FunctionError {
		s.t.Fatalf("the function failed: %s %s", r.ErrorType, r.ErrorMessage)
	}
	return s.answerOf(s.t, r.Payload)
}

// overHTTP returns a sender of requests whose targets stay as they are written.
// The platform tells the function its time limit along with each request.
func (s *site) overHTTP(client *http.Client) func(testing.TB, request, time.Duration) answer {
	return func(t testing.TB, r request, limit time.Duration) answer {
		t.Helper()
		var body io.Reader = strings.NewReader(r.body)
		if r.chunked {
			body = io.MultiReader(body) // of a length that net/http does not know
		}
		req, err := http.NewRequestWithContext(t.Context(), r.method, s.url, body)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + req.URL.Host + r.target
		if req.Header = r.header.Clone(); req.Header == nil {
			req.Header = http.Header{}
		}
		req.Header.Set("X-Scf-Timeout", strconv.FormatInt(limit.Milliseconds(), 10))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{resp.StatusCode, resp.Header, text}
	}
}

// do sends a request and checks what holds for every answer.
func (s *site) do(r request) answer {
	s.t.Helper()
	return s.within(r, limit)
}

func (s *site) within(r request, limit time.Duration) answer {
	s.t.Helper()
	a := s.send(s.t, r, limit)
	if !(r.target == "/tickets" && a.status == http.StatusCreated) { // the one answer that holds secrets
		s.said.add(a)
	}
	a.wellFormed(s.t, r)
	return a
}

// wellFormed checks what every answer has: headers against caching and guessing, and
// a problem where it is an error.
func (a answer) wellFormed(t testing.TB, r request) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: the answer %d may be kept or guessed at: %v", r.method, r.target, a.status, a.header)
	}
	if wait := a.header.Get("Retry-After"); (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && wait == "" {
		t.Errorf("%s %s: the answer %d does not say when to try again", r.method, r.target, a.status)
	}
	if a.status >= 400 && r.method != http.MethodHead {
		a.problem(t)
	}
}

// A problem is an RFC 9457 answer.
type problem struct {
	Status                    int
	Type, Title, Detail, Code string
}

// problem reads the problem of an answer; every member must be there, and no other.
func (a answer) problem(t testing.TB) (p problem) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil || a.header.Get("Content-Type") != "application/problem+json" ||
		p.Status != a.status || p.Title != http.StatusText(a.status) || len(p.Detail) < 15 || p.Code == "" ||
		!strings.HasSuffix(p.Type, "errors.md#"+strings.ToLower(p.Code)) {
		t.Errorf("the answer %d is no problem: %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

// bearer is the header of a caller with a key, and more.
func bearer(key string, more ...string) http.Header {
	h := http.Header{}
	if key != "" {
		h.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}
