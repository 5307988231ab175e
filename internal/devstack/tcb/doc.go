// Package tcb stands in for WeChat's servers: the access token endpoints, the
// three tcb file endpoints, and the Tencent COS form endpoint that a ticket of
// tcb/uploadfile points to. It is at least as strict as the real ones.
//
// Everything is served on one origin, so a test needs one server:
//
//	cloud := tcb.New(tcb.DefaultRules(), tcb.App{ID: "wx1", Secret: "s", Envs: []string{"prod-1"}})
//	defer cloud.Close()
//	server := httptest.NewServer(cloud.Handler())
//	// ... upload through server.URL ...
//	object, ok := cloud.Object("prod-1", "a.png")
//
// What could not be settled from public documentation (wire.md H) is a switch
// in Rules, pessimistic by default. Faults are scripted with Inject, or decided
// per request by OnRequest; Faults lists them all.
//
// The package shares no code with any client. A fake that took its constants
// from the client would repeat the client's mistakes.
package tcb
