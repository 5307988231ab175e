// Package wechat asks the WeChat API for access tokens and upload tickets.
// docs/wire.md has the wire facts; the numbers below are its sections.
//
// # Requests
//
// An API sends the requests. It has a list of base URLs, and tries the next one
// only when no connection to the one before came about (C.3). WeChat answers
// nearly everything with HTTP 200 and an errcode in a JSON object (C.2). Any
// other answer is taken for a gateway's, and is worth another try.
//
// # Tokens
//
// An access token proves which app asks (C.1, C.4). Tokens is where it comes from:
//
//   - StableTokens: app ID and secret, by cgi-bin/stable_token
//   - TokenServer: a central server of the operator's own
//   - FixedToken: one token, given once
//   - TokenFile: a file that another program keeps up to date
//   - CloudBaseTokenFile: the same, written by the CloudBase runtime
//
// The first two are CachedTokens: all callers share one token and, normally, one
// request for it.
//
// # Tickets
//
// A TicketIssuer asks tcb/uploadfile for a ticket (0). When WeChat refuses the
// token, it renews the token once and asks once more. A second refusal is final:
// its Kind is Denied. A ticket is used only if it is for the path that was asked
// for and leads to COS (see TicketIssuer.Ticket).
//
// # Errors
//
// Every error is a *transfer.Error of transfer.StageTicket. Code is WeChat's
// errcode. The text explains it in plain English (Codes is the table) and keeps
// WeChat's errmsg and rid, without the secrets of the request. The errmsg of a
// token server is never shown, because it may repeat any part of a URL that holds
// a key.
//
// Everything here may be used by many goroutines at once.
package wechat
