package wechat

import "github.com/tcbferry/tcbferry/internal/transfer"

const (
	denied      = transfer.KindDenied
	refused     = transfer.KindRefused
	stale       = transfer.KindStale
	throttled   = transfer.KindThrottled
	unavailable = transfer.KindUnavailable
)

// codes is the table behind Explain. A file that does not exist (-503003) is
// Denied here: NotFound would let a delivery be skipped as if its source were
// gone. Parameters are Refused, for the one that a caller chooses is the path.
var codes = []Code{
	// wire.md C.2: access tokens and the API as a whole
	{-1, "", "", unavailable, "WeChat is busy", wait},
	{-1000, "", "", unavailable, "WeChat has a system error", wait},
	{40001, AtToken, "", denied, "the app secret is wrong or was reset", "put the current secret of the app into WECHAT_APP_SECRET"},
	{40001, AtAPI, "", stale, "the access token is not valid or not the newest", renewed},
	{40002, "", "", denied, "the grant type is not known", report},
	{40013, "", "", denied, "the app ID is not valid", "correct WECHAT_APP_ID; it begins with wx and belongs to the app of the secret"},
	{40014, AtToken, "", denied, "the token server itself was refused a token", "look at the token server"},
	{40014, AtAPI, "", stale, "the access token is not valid", renewed},
	{40097, "", "", refused, "a request parameter is not valid", checkPath},
	{40101, "", "", denied, "a required parameter is missing", report},
	{40125, "", "", denied, "the app secret is not valid or is frozen", "put the current secret of the app into WECHAT_APP_SECRET, or unfreeze it in WeChat's console"},
	{notListed, "", "", denied, "the address that this function calls from is not on the app's IP allow-list", "add it to the allow-list in WeChat's console, or let the function call from a fixed address"},
	{41001, "", "", denied, "the access token is missing", report},
	{41002, "", "", denied, "the app ID is missing", "set WECHAT_APP_ID"},
	{41004, "", "", denied, "the app secret is missing", "set WECHAT_APP_SECRET"},
	{42001, AtToken, "", denied, "the token server itself holds an expired token", "look at the token server"},
	{42001, AtAPI, "", stale, "the access token has expired", renewed},
	{42002, "", "", denied, "the refresh token has expired", "authorise the app again"},
	{42007, "", "", denied, "the authorisation ended because a password was changed", "authorise the app again"},
	{43002, "", "", denied, "the HTTP method is wrong", report},
	{44002, "", "", denied, "the request arrived without a body", report},
	{45009, "", "", denied, "the app's daily quota of calls is used up", "wait until tomorrow or clear the quota in WeChat's console; look for other programs that spend it"},
	{45011, "", "", throttled, "too many calls within a minute", "slow down and try again in the next minute"},
	{47001, "", "", denied, "the request's body is not in the expected format", report},
	{48001, "", "", denied, "the app may not use this interface", permit},
	{48004, "", "", denied, "the interface is blocked for this app", "look for a notice of a violation in WeChat's console"},
	{48017, "", "", denied, "this address of WeChat's API is retired", "use host names in WECHAT_API_URL and in the hosts file, not addresses"},
	{50002, "", "", denied, "the account is restricted, frozen or migrated", "look at the account's state in WeChat's console"},
	{61004, "", "", denied, "this function's address is not on the third-party platform's IP allow-list", "add it to the platform's allow-list"},
	{61007, "", "", denied, "the app has not granted the third-party platform this permission", "have the app authorise the platform with cloud development"},
	{61024, "", "", denied, "an app run by a third-party platform gets its token from the platform", "use WECHAT_TOKEN_URL or WECHAT_ACCESS_TOKEN with the platform's token"},
	{85088, "", "", denied, "CloudBase is not enabled for this app", "enable cloud development for the app in WeChat's console"},
	{89501, "", "", denied, "this address waits for an administrator's confirmation", confirm},
	{89503, "", "", denied, "WeChat finds the call from this address risky", confirm + "; a refusal blocks the address for an hour or more"},
	{89506, "", "", denied, "an administrator refused this address twice: it is blocked for 24 hours", "settle it with the administrator, then wait"},
	{89507, "", "", denied, "an administrator refused this address: it is blocked for an hour", "settle it with the administrator, then wait"},

	// wire.md D.2: CloudBase
	{-403001, "", "", refused, "the file is larger than CloudBase accepts", "send a smaller file"},
	{-501001, "", "SYS_ERR", unavailable, "CloudBase has a system error", wait},
	{-501002, "", "SERVER_TIMEOUT", unavailable, "CloudBase did not answer in time", wait},
	{-501003, "", "EXCEED_REQUEST_LIMIT", denied, "the environment's quota of requests is used up", quota},
	{-501004, "", "EXCEED_CONCURRENT_REQUEST_LIMIT", throttled, "too many requests at once for the environment", "run fewer deliveries side by side"},
	{-501005, "", "INVALID_ENV", denied, "the CloudBase environment does not exist, is isolated or is not bound to this app", checkEnv},
	{-501006, "", "INVALID_COMMON_PARAM", denied, "a common parameter is not valid", report},
	{-501007, "", "INVALID_PARAM", refused, "a parameter is not valid", checkPath},
	{-501008, "", "INVALID_REQUEST_SOURCE", denied, "requests from this source are not allowed", permit},
	{-501009, "", "RESOURCE_NOT_INITIAL", denied, "the storage is not initialised or not valid", "open the environment's storage once in WeChat's console"},
	{-501015, "", "", denied, "the environment's quota of reads is used up", quota},
	{-501016, "", "", denied, "the environment's quota of writes is used up", quota},
	{-501017, "", "", denied, "the environment's storage is full", "remove files, or buy a larger plan"},
	{-501018, "", "", unavailable, "the resource is not available for now", wait},
	{-501019, "", "", denied, "the request is not authorised", permit},
	{-501020, "", "", denied, "a parameter is not known", report},
	{-501021, "", "", denied, "the operation is not supported", report},
	{-501023, "", "", denied, "permission denied", permit},
	{-503001, "", "STORAGE_REQUEST_FAIL", unavailable, "the storage failed", wait},
	{-503002, "", "STORAGE_EXCEED_AUTHORITY", denied, "the storage may not be accessed", permit},
	{-503003, "", "STORAGE_FILE_NONEXIST", denied, "the file does not exist in the storage, or the signature is wrong", "check the file ID and the environment"},
	{-503004, "", "STORAGE_SIGN_PARAM_INVALID", denied, "the storage's signature is not valid", report},
	{-601001, "", "", unavailable, "WeChat's backend has a system error", wait},
	{-601002, "", "", denied, "WeChat's backend did not accept an argument", checkEnv},
	{-601003, "", "", unavailable, "WeChat's backend has a network error", wait},
	{-601004, "", "", denied, "the app has no permission", permit},
	{-601008, "", "", unavailable, "the request timed out on WeChat's side", wait},
	{-601010, "", "", denied, "the environment has not authorised this app", permit},
	{-601011, "", "", denied, "the environment has not authorised this app", permit},
	{-601012, "", "", denied, "the environment has not authorised this interface", permit},
	{-601013, "", "", denied, "the environment has not authorised this interface", permit},
	{-601018, "", "", denied, "the environment has not authorised this interface", permit},
	{-601027, "", "", denied, "the CloudBase environment does not exist", checkEnv},
	{-604100, "", "", denied, "the open API does not exist", report},
	{-604101, "", "", denied, "the environment may not use this open API", permit},
	{-604102, "", "", unavailable, "the open API did not answer in time", wait},
	{-604103, "", "", unavailable, "the open API has a system error", wait},
	{-604104, "", "", denied, "the open API may not be called from here", permit},
	{-606003, "", "", denied, "the account is in arrears", "settle the bill"},
}
