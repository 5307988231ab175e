// Package local is tcbferry on your own machine: an embedded staging bucket, an
// emulator of the WeChat API and of COS, and the real binaries lambda-objects and
// lambda-http behind a Lambda Runtime API, all on loopback. Serve keeps that world
// running, Demo sends sample files through it, Event invokes a function with one event,
// package workbench is the page of Serve, and package doctor checks a real installation, without any emulator.
package local
