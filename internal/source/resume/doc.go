// Package resume is a tool of the sources: a body that survives a connection
// which breaks off or stalls, by reopening its source where the last byte ended.
package resume
