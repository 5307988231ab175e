// Package resume is what the sources read through: a body that goes on when its
// connection breaks. It asks the source for the rest, from where the last byte ended, so
// that an upload of many minutes need not begin anew.
//
// It watches no time: a connection that moves no byte must end with an error by itself
// (package transport sees to it).
package resume
