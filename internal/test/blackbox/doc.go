// Package blackbox holds tests only. They run the built functions as Lambda and SCF
// run them, against the outside world of package devstack: the event functions with
// events, the HTTP functions behind every front that they are made for (function
// URL, HTTP API, REST API and ALB for lambda-http, a web server for scf-http). They
// look at what a user sees: the answer, the error and its type, the files that are
// stored, the requests that were made, and the output.
package blackbox
