// Package wechat asks the WeChat API for access tokens and upload tickets
// (wire.md sections 0, C and D).
//
// An API is where the requests go: a list of base URLs, of which the next is
// tried only when no connection to the one before came about. Tokens are where
// the access token comes from: StableTokens, TokenServer, FixedToken, TokenFile or CloudBaseTokenFile. A
// TicketIssuer puts the two together and hands out tickets; when WeChat refuses a token
// it renews the token once and asks once more.
//
// Every error is a *transfer.Error of the stage transfer.StageTicket. It names
// WeChat's errcode as Code, explains it in plain English (see Codes), keeps
// WeChat's rid, and holds no token and no secret. All of it may be used by many
// goroutines at once.
package wechat
