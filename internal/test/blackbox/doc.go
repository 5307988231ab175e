// Package blackbox holds tests only: they run the built event functions as Lambda
// and SCF run them, against the outside world of package devstack, and look at
// what a user sees: the answer, the error and its type, the files that are
// stored, the requests that were made, and the output.
package blackbox
