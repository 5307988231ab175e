// Package httpapi is the HTTP front as one net/http Handler. It admits the caller,
// reads what to deliver and where to, calls a Deliverer, and answers with the
// file's entry or an RFC 9457 problem. docs/openapi.yaml is its contract.
//
// Without a key the handler answers GET /healthz and the preflight of a listed
// origin, and nothing else: not even whether a route exists. A request without a
// key is refused before its body is read.
package httpapi
