package cloudbase

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Codes returns every code that has its own explanation.
func Codes() []transfer.Code { return slices.Clone(codes) }

// Explain says what a code means that came with an HTTP status. One that is not in the
// table goes by the status.
func Explain(code string, status int) transfer.Code {
	for _, c := range codes {
		if c.Code == code {
			return c
		}
	}
	switch c := (transfer.Code{Code: code}); {
	case status == http.StatusTooManyRequests:
		c.Kind, c.Meaning, c.Advice = transfer.KindThrottled, "CloudBase asks to slow down", "run fewer deliveries side by side"
		return c
	case status >= 500:
		c.Kind, c.Meaning, c.Advice = transfer.KindUnavailable, "CloudBase is out of order", wait
		return c
	default:
		c.Kind, c.Meaning, c.Advice = transfer.KindDenied, "a refusal that this program does not know", "look the code up in CloudBase's documentation"
		return c
	}
}

// Advice that several codes share.
const (
	wait     = "try again later"
	report   = "this should not happen: check for a proxy that changes requests, else report it as a bug"
	checkEnv = "check that CLOUDBASE_ENV is the environment's ID, not its name, and that the API key was made for it"
	permit   = "look at the permissions of the environment's storage, database and functions, and at the API key's"
	quota    = "wait until the quota resets, or buy a larger plan"
	renewKey = "make a new API key in the environment's console"
)

// codes are those of the storage calls and of function calls (wire-cloudbase.md A, C), and
// those that every call may have (https://docs.cloudbase.net/en/error-code/basic,
// https://docs.cloudbase.net/en/error-code/semantic-http-status).
var codes = []transfer.Code{
	{Code: "STORAGE_EXCEED_AUTHORITY", Kind: transfer.KindDenied, Meaning: "the storage's rules do not permit this", Advice: permit},
	{Code: "ACTION_FORBIDDEN", Kind: transfer.KindDenied, Meaning: "the API key may not do this", Advice: permit},
	{Code: "COS_ACTION_FAILED", Kind: transfer.KindUnavailable, Meaning: "COS did not do what CloudBase asked it for", Advice: wait},
	{Code: "OBJECT_NOT_EXIST", Kind: transfer.KindNotFound, Meaning: "the file does not exist in the storage", Advice: "check the file ID"},
	{Code: "OBJECT_ALREADY_EXIST", Kind: transfer.KindDenied, Meaning: "a file is stored under this path and may not be replaced", Advice: "delete it or change the cloud path"},
	{Code: "OBJECT_BATCH_TOO_LARGE", Kind: transfer.KindRefused, Meaning: "one call names too many files", Advice: report},
	{Code: "EXCEED_UPLOAD_MAXFILESIZE", Kind: transfer.KindRefused, Meaning: "the file is larger than CloudBase accepts", Advice: "send a smaller file"},
	{Code: "STORAGE_BUCKET_NOT_FOUND", Kind: transfer.KindDenied, Meaning: "the environment has no classic storage: it is one in PostgreSQL mode, whose files a mini program cannot open by cloud:// file IDs", Advice: "use an environment with classic storage"},

	{Code: "FUNCTION_NOT_FOUND", Kind: transfer.KindDenied, Meaning: "the cloud function does not exist", Advice: "deploy it in this environment, or correct its name in RECEIPTS"},
	{Code: "FUNCTION_INVOCATION_FAILED", Kind: transfer.KindUnavailable, Meaning: "the cloud function failed", Advice: "look at its log; it is called again"},
	{Code: "FUNCTION_PARAM_INVALID", Kind: transfer.KindDenied, Meaning: "CloudBase did not accept the call of the function", Advice: report},
	{Code: "FUNCTION_EXCEED_RESOURCE_LIMIT", Kind: transfer.KindThrottled, Meaning: "the environment's limit of calls or of calls at once is reached", Advice: "run fewer deliveries side by side, or buy a larger plan"},
	{Code: "FUNCTION_STATUS_ABNORMAL", Kind: transfer.KindUnavailable, Meaning: "the cloud function is not ready", Advice: "look at its state in the console; it is called again"},
	{Code: "FUNCTION_TIME_LIMIT_EXCEEDED", Kind: transfer.KindUnavailable, Meaning: "the cloud function did not end in its time", Advice: "give it a longer timeout; it is called again"},
	{Code: "FUNCTION_MEMORY_LIMIT_EXCEEDED", Kind: transfer.KindUnavailable, Meaning: "the cloud function ran out of memory", Advice: "give it more memory; it is called again"},

	{Code: "SYS_ERR", Kind: transfer.KindUnavailable, Meaning: "CloudBase has a system error", Advice: wait},
	{Code: "SERVER_TIMEOUT", Kind: transfer.KindUnavailable, Meaning: "CloudBase did not answer in time", Advice: wait},
	{Code: "EXCEED_RATELIMIT", Kind: transfer.KindThrottled, Meaning: "too many requests for the environment's plan", Advice: "run fewer deliveries side by side, or buy a larger plan"},
	{Code: "EXCEED_REQUEST_LIMIT", Kind: transfer.KindDenied, Meaning: "the environment's quota of requests is used up", Advice: quota},
	{Code: "EXCEED_REQUEST_SIZE_LIMIT", Kind: transfer.KindRefused, Meaning: "the request is too large", Advice: report},
	{Code: "INVALID_ENV", Kind: transfer.KindDenied, Meaning: "the environment does not exist or is isolated", Advice: checkEnv},
	{Code: "INVALID_PARAM", Kind: transfer.KindRefused, Meaning: "a parameter is not valid", Advice: "check the cloud path (no leading slash, at most 850 bytes) and the environment's ID"},
	{Code: "INVALID_COMMON_PARAM", Kind: transfer.KindDenied, Meaning: "a common parameter is not valid", Advice: report},
	{Code: "MISSING_CREDENTIALS", Kind: transfer.KindDenied, Meaning: "the API key did not arrive", Advice: report},
	{Code: "INVALID_CREDENTIALS", Kind: transfer.KindDenied, Meaning: "the API key is not valid", Advice: renewKey},
	{Code: "ACCESS_TOKEN_EXPIRED", Kind: transfer.KindDenied, Meaning: "the API key has expired", Advice: renewKey},
}

func isFunctionCode(code string) bool {
	return strings.HasPrefix(code, "FUNCTION_") && slices.ContainsFunc(codes, func(c transfer.Code) bool { return c.Code == code })
}
