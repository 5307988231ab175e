// Package webhook is the receiver of receipts on loopback: it checks the signature of
// each request and keeps the documents.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxAge is how old a signature may be.
const maxAge = 5 * time.Minute

// A Receiver is an http.Handler that takes a document by POST.
type Receiver struct {
	// Secret is the key of the signatures.
	Secret string
	// Answer, if set, is asked for the status of a request that is signed right; 0 is 204.
	// A document is kept only with a 2xx. It may be called from many goroutines.
	Answer func(document map[string]any) int

	mu        sync.Mutex
	documents []map[string]any
	refused   []string
	requests  int
}

// Documents are those that were taken, in order.
func (w *Receiver) Documents() []map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.documents)
}

// Requests is how many came, and Refused says why some of them were wrong.
func (w *Receiver) Requests() (n int, refused []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests, slices.Clone(w.refused)
}

func (w *Receiver) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the caller is gone
	}
	status, why, document := w.check(r, body)
	if status == 0 {
		if status = http.StatusNoContent; w.Answer != nil {
			if s := w.Answer(document); s != 0 {
				status = s
			}
		}
	}
	w.mu.Lock()
	w.requests++
	if why != "" {
		w.refused = append(w.refused, why)
	} else if status < 300 {
		w.documents = append(w.documents, document)
	}
	w.mu.Unlock()
	if 300 <= status && status <= 399 {
		rw.Header().Set("Location", "/elsewhere")
	}
	rw.WriteHeader(status)
}

// check returns a status other than 0 and the reason for a request that is wrong.
func (w *Receiver) check(r *http.Request, body []byte) (status int, why string, document map[string]any) {
	stamp, given, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Tcbferry-Signature"), "t="), ",v1=")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	mac := hmac.New(sha256.New, []byte(w.Secret))
	io.WriteString(mac, stamp+"."+string(body))
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "not a POST", nil
	case !ok || err != nil || !strings.HasPrefix(r.Header.Get("Tcbferry-Signature"), "t="):
		return http.StatusUnauthorized, "no signature", nil
	case time.Since(time.Unix(seconds, 0)).Abs() > maxAge:
		return http.StatusUnauthorized, "an old signature", nil
	case !hmac.Equal([]byte(given), []byte(hex.EncodeToString(mac.Sum(nil)))):
		return http.StatusUnauthorized, "a wrong signature", nil
	case r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &document) != nil:
		return http.StatusBadRequest, "no JSON object", nil
	}
	return 0, "", document
}
