package platform

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// routes is the Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
func (s *sandbox) routes() http.Handler {
	const api = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api+"invocation/next", s.next)
	mux.HandleFunc("POST "+api+"invocation/{id}/response", s.response)
	mux.HandleFunc("POST "+api+"invocation/{id}/error", s.failure)
	mux.HandleFunc("POST "+api+"init/error", s.initFailure)
	return mux
}

func (s *sandbox) next(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.took == 0 && !s.late {
		s.took = time.Since(s.began)
		s.alarm.Stop()
		close(s.ready)
	}
	s.mu.Unlock()
	select {
	case inv := <-s.work:
		s.mu.Lock()
		s.inFlight[inv.id] = inv
		s.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(inv.timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:function")
		h.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0", time.Now().Unix()))
		_, _ = w.Write(inv.payload) // a process that is gone is noticed by its exit
	case <-r.Context().Done():
	}
}

// take reads what the process says about an invocation, and forgets that one.
func (s *sandbox) take(w http.ResponseWriter, r *http.Request) (inv *invocation, body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	s.mu.Lock()
	defer s.mu.Unlock()
	inv, known := s.inFlight[r.PathValue("id")]
	if !known {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "no such invocation is under way")
		return nil, nil, false
	}
	delete(s.inFlight, inv.id)
	if err != nil {
		inv.answer <- platformError("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload))
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the answer is too large")
		return nil, nil, false
	}
	return inv, body, true
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errorType":%q,"errorMessage":%q}`, kind, message)
}

func (s *sandbox) response(w http.ResponseWriter, r *http.Request) {
	if inv, body, ok := s.take(w, r); ok {
		inv.answer <- Result{Payload: body}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *sandbox) failure(w http.ResponseWriter, r *http.Request) {
	if inv, body, ok := s.take(w, r); ok {
		inv.answer <- functionError(body)
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *sandbox) initFailure(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took > 0 || s.initDoc != nil {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the start is over")
		return
	}
	s.initDoc = append([]byte{}, body...)
	close(s.initError)
	w.WriteHeader(http.StatusAccepted)
}
