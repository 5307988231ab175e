// Package blackboxhttp holds tests only: they run the built HTTP functions behind
// every front that they are made for (function URL, HTTP API, REST API and ALB for
// lambda-http, a web function's server for scf-http) against the outside world of
// package devstack. One table of requests goes through all of them; what is looked
// at is what a caller sees, what is stored, and what the function wrote.
package blackboxhttp
