// Package httpapi is the HTTP front as one net/http Handler: it admits the
// caller, reads what to carry and where to, hands that to a Deliverer and answers
// with the file's entry or an RFC 9457 problem. docs/openapi.yaml is its contract.
//
// Nothing but GET /healthz, and the preflight of a listed origin, is answered
// without a key: not even whether a route exists.
package httpapi
