package wechat

import (
	"slices"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An Endpoint is one of the two places where the same errcode may mean two things.
type Endpoint string

const (
	AtAPI   Endpoint = "api"   // where a token is used
	AtToken Endpoint = "token" // where a token is fetched
)

// A Code is what an errcode means to us (wire.md C.2, D.1, D.2).
type Code struct {
	Number  int64
	At      Endpoint // "" at both
	Name    string   // the name that the CloudBase documentation gives it, "" when none
	Kind    transfer.Kind
	Meaning string // plain English, no full stop
	Advice  string // what to do about it
}

// Codes returns every errcode that has its own explanation, the success 0 not
// among them.
func Codes() []Code { return slices.Clone(codes) }

// Explain says what an errcode means at an endpoint. One that is not in the
// table is taken by its sign: WeChat numbers its own faults and those of
// CloudBase below zero, and what the caller did wrong above. Waiting may cure
// the first; the second stays wrong until somebody looks.
func Explain(number int64, at Endpoint) Code {
	for _, c := range codes {
		if c.Number == number && (c.At == "" || c.At == at) {
			return c
		}
	}
	if number < 0 {
		return Code{number, at, "", transfer.KindUnavailable, "a fault on WeChat's side that this program does not know", "try again later; if it stays, ask WeChat's support with the rid"}
	}
	return Code{number, at, "", transfer.KindDenied, "a refusal that this program does not know", "look the code up in WeChat's documentation"}
}

// notListed is the errcode whose errmsg names the address to be allowed.
const notListed = 40164

// Advice that several codes share.
const (
	wait      = "try again later"
	report    = "this should not happen: check for a proxy that changes requests, else report it as a bug"
	checkEnv  = "check that CLOUDBASE_ENV is the environment's ID, not its name, and that the environment belongs to this app"
	checkPath = "check the cloud path (no leading slash, at most 850 bytes) and the environment's ID"
	permit    = "grant the app access to this CloudBase environment and its open API in WeChat's console"
	quota     = "wait until the quota resets, or buy a larger plan"
	renewed   = "a new token is fetched once; if it stays, make sure that nothing else fetches tokens for this app by cgi-bin/token"
	confirm   = "have an administrator of the app confirm the request that WeChat sent"
)
