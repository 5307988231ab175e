// Package workbench is the page of functions/local: the staging bucket on one side,
// CloudBase on the other, and each file on its way between them. It watches the emulators
// and the function's own answers and log lines, so that the functions know nothing of it.
//
// A Bench is made first, because the emulators are started with its observers; Attach
// gives it the rest, and Handler serves the page at /, its calls below /workbench/, and
// everything else by the HTTP function. Only requests with a loopback Host are answered,
// and calls that change something must come from the page itself.
package workbench
