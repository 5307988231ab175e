// Package local is tcbferry on your own machine: an embedded staging bucket, an
// emulator of the WeChat API and of COS, and the real binaries lambda-objects and
// lambda-http behind a Lambda Runtime API, all on loopback. Serve keeps that world
// running, Demo sends sample files through it, Event invokes a function with one event,
// and package workbench is the page of Serve. Without any emulator, package doctor checks
// a real installation, and Check proves that everything has arrived there.
package local
