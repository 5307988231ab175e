package wechat

import (
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// The two places where the same errcode may mean two things: what Code.At holds.
const (
	AtAPI   = "api"   // where a token is used
	AtToken = "token" // where a token is fetched
)

// Codes returns every errcode that has its own explanation (wire.md C.2, D.1,
// D.2). The success 0 is not among them.
func Codes() []transfer.Code { return slices.Clone(codes) }

// Explain says what an errcode means at AtAPI or AtToken. One that is not in the
// table goes by its sign. WeChat's own failures and CloudBase's are below
// zero, and the caller's mistakes are above zero. The first may end by themselves.
// The second stay until a person acts.
func Explain(errcode, at string) transfer.Code {
	for _, c := range codes {
		if c.Code == errcode && (c.At == "" || c.At == at) {
			return c
		}
	}
	c := transfer.Code{Code: errcode, At: at, Kind: denied,
		Meaning: "a refusal that this program does not know", Advice: "look the code up in WeChat's documentation"}
	if strings.HasPrefix(errcode, "-") {
		c.Kind, c.Meaning = unavailable, "an error on WeChat's side that this program does not know"
		c.Advice = "try again later; if it stays, ask WeChat's support with the rid"
	}
	return c
}

// Errcodes that the code treats by themselves.
const (
	notListed  = "40164" // the errmsg names the address to be allowed
	dailyQuota = "45009"
)

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

// Short names for the table.
const (
	denied      = transfer.KindDenied
	refused     = transfer.KindRefused
	stale       = transfer.KindStale
	throttled   = transfer.KindThrottled
	unavailable = transfer.KindUnavailable
)

// codes is the table behind Explain. A file that does not exist (-503003) is
// Denied here, because NotFound would let a delivery be skipped as if its source
// were gone. Parameters are Refused, because the caller chooses only the path.
var codes = []transfer.Code{
	// wire.md C.2: access tokens and the API as a whole
	{Code: "-1", Kind: unavailable, Meaning: "WeChat is busy", Advice: wait},
	{Code: "-1000", Kind: unavailable, Meaning: "WeChat has a system error", Advice: wait},
	{Code: "40001", At: AtToken, Kind: denied, Meaning: "the app secret is wrong or was reset", Advice: "put the current secret of the app into WECHAT_APP_SECRET"},
	{Code: "40001", At: AtAPI, Kind: stale, Meaning: "the access token is not valid or not the newest", Advice: renewed},
	{Code: "40002", Kind: denied, Meaning: "the grant type is not known", Advice: report},
	{Code: "40013", Kind: denied, Meaning: "the app ID is not valid", Advice: "correct WECHAT_APP_ID; it begins with wx and belongs to the app of the secret"},
	{Code: "40014", At: AtToken, Kind: denied, Meaning: "the token server itself was refused a token", Advice: "look at the token server"},
	{Code: "40014", At: AtAPI, Kind: stale, Meaning: "the access token is not valid", Advice: renewed},
	{Code: "40097", Kind: refused, Meaning: "a request parameter is not valid", Advice: checkPath},
	{Code: "40101", Kind: denied, Meaning: "a required parameter is missing", Advice: report},
	{Code: "40125", Kind: denied, Meaning: "the app secret is not valid or is frozen", Advice: "put the current secret of the app into WECHAT_APP_SECRET, or unfreeze it in WeChat's console"},
	{Code: notListed, Kind: denied, Meaning: "the address that this function calls from is not on the app's IP allow-list", Advice: "add it to the allow-list in WeChat's console, or let the function call from a fixed address"},
	{Code: "41001", Kind: denied, Meaning: "the access token is missing", Advice: report},
	{Code: "41002", Kind: denied, Meaning: "the app ID is missing", Advice: "set WECHAT_APP_ID"},
	{Code: "41004", Kind: denied, Meaning: "the app secret is missing", Advice: "set WECHAT_APP_SECRET"},
	{Code: "42001", At: AtToken, Kind: denied, Meaning: "the token server itself holds an expired token", Advice: "look at the token server"},
	{Code: "42001", At: AtAPI, Kind: stale, Meaning: "the access token has expired", Advice: renewed},
	{Code: "42002", Kind: denied, Meaning: "the refresh token has expired", Advice: "authorise the app again"},
	{Code: "42007", Kind: denied, Meaning: "the authorisation ended because a password was changed", Advice: "authorise the app again"},
	{Code: "43002", Kind: denied, Meaning: "the HTTP method is wrong", Advice: report},
	{Code: "44002", Kind: denied, Meaning: "the request arrived without a body", Advice: report},
	{Code: dailyQuota, Kind: denied, Meaning: "the app's daily quota of calls is used up", Advice: "wait until tomorrow or clear the quota in WeChat's console; look for other programs that spend it"},
	{Code: "45011", Kind: throttled, Meaning: "too many calls within a minute", Advice: "slow down and try again in the next minute"},
	{Code: "47001", Kind: denied, Meaning: "the request's body is not in the expected format", Advice: report},
	{Code: "48001", Kind: denied, Meaning: "the app may not use this interface", Advice: permit},
	{Code: "48004", Kind: denied, Meaning: "the interface is blocked for this app", Advice: "look for a notice of a violation in WeChat's console"},
	{Code: "48017", Kind: denied, Meaning: "this address of WeChat's API is retired", Advice: "use host names in WECHAT_API_URL and in the hosts file, not addresses"},
	{Code: "50002", Kind: denied, Meaning: "the account is restricted, frozen or migrated", Advice: "look at the account's state in WeChat's console"},
	{Code: "61004", Kind: denied, Meaning: "this function's address is not on the third-party platform's IP allow-list", Advice: "add it to the platform's allow-list"},
	{Code: "61007", Kind: denied, Meaning: "the app has not granted the third-party platform this permission", Advice: "have the app authorise the platform with cloud development"},
	{Code: "61024", Kind: denied, Meaning: "an app run by a third-party platform gets its token from the platform", Advice: "use WECHAT_TOKEN_URL or WECHAT_ACCESS_TOKEN with the platform's token"},
	{Code: "85088", Kind: denied, Meaning: "CloudBase is not enabled for this app", Advice: "enable cloud development for the app in WeChat's console"},
	{Code: "89501", Kind: denied, Meaning: "this address waits for an administrator's confirmation", Advice: confirm},
	{Code: "89503", Kind: denied, Meaning: "WeChat finds the call from this address risky", Advice: confirm + "; a refusal blocks the address for an hour or more"},
	{Code: "89506", Kind: denied, Meaning: "an administrator refused this address twice: it is blocked for 24 hours", Advice: "settle it with the administrator, then wait"},
	{Code: "89507", Kind: denied, Meaning: "an administrator refused this address: it is blocked for an hour", Advice: "settle it with the administrator, then wait"},

	// wire.md D.2: CloudBase
	{Code: "-403001", Kind: refused, Meaning: "the file is larger than CloudBase accepts", Advice: "send a smaller file"},
	{Code: "-501001", Name: "SYS_ERR", Kind: unavailable, Meaning: "CloudBase has a system error", Advice: wait},
	{Code: "-501002", Name: "SERVER_TIMEOUT", Kind: unavailable, Meaning: "CloudBase did not answer in time", Advice: wait},
	{Code: "-501003", Name: "EXCEED_REQUEST_LIMIT", Kind: denied, Meaning: "the environment's quota of requests is used up", Advice: quota},
	{Code: "-501004", Name: "EXCEED_CONCURRENT_REQUEST_LIMIT", Kind: throttled, Meaning: "too many requests at once for the environment", Advice: "run fewer deliveries side by side"},
	{Code: "-501005", Name: "INVALID_ENV", Kind: denied, Meaning: "the CloudBase environment does not exist, is isolated or is not bound to this app", Advice: checkEnv},
	{Code: "-501006", Name: "INVALID_COMMON_PARAM", Kind: denied, Meaning: "a common parameter is not valid", Advice: report},
	{Code: "-501007", Name: "INVALID_PARAM", Kind: refused, Meaning: "a parameter is not valid", Advice: checkPath},
	{Code: "-501008", Name: "INVALID_REQUEST_SOURCE", Kind: denied, Meaning: "requests from this source are not allowed", Advice: permit},
	{Code: "-501009", Name: "RESOURCE_NOT_INITIAL", Kind: denied, Meaning: "the storage is not initialised or not valid", Advice: "open the environment's storage once in WeChat's console"},
	{Code: "-501015", Kind: denied, Meaning: "the environment's quota of reads is used up", Advice: quota},
	{Code: "-501016", Kind: denied, Meaning: "the environment's quota of writes is used up", Advice: quota},
	{Code: "-501017", Kind: denied, Meaning: "the environment's storage is full", Advice: "remove files, or buy a larger plan"},
	{Code: "-501018", Kind: unavailable, Meaning: "the resource is not available for now", Advice: wait},
	{Code: "-501019", Kind: denied, Meaning: "the request is not authorised", Advice: permit},
	{Code: "-501020", Kind: denied, Meaning: "a parameter is not known", Advice: report},
	{Code: "-501021", Kind: denied, Meaning: "the operation is not supported", Advice: report},
	{Code: "-501023", Kind: denied, Meaning: "permission denied", Advice: permit},
	{Code: "-502001", Name: "DATABASE_REQUEST_FAIL", Kind: unavailable, Meaning: "the cloud database failed", Advice: wait},
	{Code: "-502002", Kind: denied, Meaning: "the cloud database did not accept the statement", Advice: report},
	{Code: "-502003", Kind: denied, Meaning: "the cloud database may not be accessed", Advice: permit},
	{Code: "-502005", Kind: denied, Meaning: "the collection does not exist", Advice: "create it in the environment's console, or correct its name in RECEIPTS"},
	{Code: "-502010", Kind: unavailable, Meaning: "the cloud database could not do this", Advice: wait},
	{Code: "-502011", Kind: unavailable, Meaning: "the cloud database did not answer in time", Advice: wait},
	{Code: "-502012", Kind: unavailable, Meaning: "the cloud database could not insert the record", Advice: wait},
	{Code: "-502013", Kind: unavailable, Meaning: "the cloud database could not create the collection", Advice: wait},
	{Code: "-502014", Kind: unavailable, Meaning: "the cloud database could not remove the record", Advice: wait},
	{Code: "-502015", Kind: unavailable, Meaning: "the cloud database could not be queried", Advice: wait},
	{Code: "-503001", Name: "STORAGE_REQUEST_FAIL", Kind: unavailable, Meaning: "the storage failed", Advice: wait},
	{Code: "-503002", Name: "STORAGE_EXCEED_AUTHORITY", Kind: denied, Meaning: "the storage may not be accessed", Advice: permit},
	{Code: "-503003", Name: "STORAGE_FILE_NONEXIST", Kind: denied, Meaning: "the file does not exist in the storage, or the signature is wrong", Advice: "check the file ID and the environment"},
	{Code: "-503004", Name: "STORAGE_SIGN_PARAM_INVALID", Kind: denied, Meaning: "the storage's signature is not valid", Advice: report},
	{Code: "-504001", Kind: unavailable, Meaning: "the cloud function could not be called", Advice: "check that it is deployed and look at its log; it is called again"},
	{Code: "-504002", Kind: unavailable, Meaning: "the cloud function failed", Advice: "look at its log; it is called again"},
	{Code: "-601001", Kind: unavailable, Meaning: "WeChat's backend has a system error", Advice: wait},
	{Code: "-601002", Kind: denied, Meaning: "WeChat's backend did not accept an argument", Advice: checkEnv},
	{Code: "-601003", Kind: unavailable, Meaning: "WeChat's backend has a network error", Advice: wait},
	{Code: "-601004", Kind: denied, Meaning: "the app has no permission", Advice: permit},
	{Code: "-601008", Kind: unavailable, Meaning: "the request timed out on WeChat's side", Advice: wait},
	{Code: "-601010", Kind: denied, Meaning: "the environment has not authorised this app", Advice: permit},
	{Code: "-601011", Kind: denied, Meaning: "the environment has not authorised this app", Advice: permit},
	{Code: "-601012", Kind: denied, Meaning: "the environment has not authorised this interface", Advice: permit},
	{Code: "-601013", Kind: denied, Meaning: "the environment has not authorised this interface", Advice: permit},
	{Code: "-601018", Kind: denied, Meaning: "the environment has not authorised this interface", Advice: permit},
	{Code: "-601027", Kind: denied, Meaning: "the CloudBase environment does not exist", Advice: checkEnv},
	{Code: "-604100", Kind: denied, Meaning: "the open API does not exist", Advice: report},
	{Code: "-604101", Kind: denied, Meaning: "the environment may not use this open API", Advice: permit},
	{Code: "-604102", Kind: unavailable, Meaning: "the open API did not answer in time", Advice: wait},
	{Code: "-604103", Kind: unavailable, Meaning: "the open API has a system error", Advice: wait},
	{Code: "-604104", Kind: denied, Meaning: "the open API may not be called from here", Advice: permit},
	{Code: "-606003", Kind: denied, Meaning: "the account is in arrears", Advice: "settle the bill"},
}
