package tcb

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// stallTime is how long a stall lasts unless Fault.Delay says otherwise.
const stallTime = 10 * time.Minute

// pieceDelay makes an answer of eight pieces take 20 s, more than a connection may
// be idle (reference/answers.md: 15 s).
const pieceDelay = 2500 * time.Millisecond

// WeChatError is a fault that answers with an errcode.
func WeChatError(op Op, code int, errmsg string) Fault {
	return Fault{Name: op.String() + " " + strconv.Itoa(code), Op: op, Code: code, ErrMsg: errmsg, effect: fxWeChatError}
}

// COSError is a fault that answers an upload with an error document after the
// whole body was read, or with Early before.
func COSError(status int, code, message string) Fault {
	return Fault{Name: "upload " + strconv.Itoa(status) + " " + code, Op: OpUpload, Status: status, COSCode: code, Message: message, effect: fxCOSError}
}

// callError is one for another call of COS's own API.
func callError(op Op, code string) Fault {
	e := refuse(code, "")
	return Fault{Name: op.String() + " " + code, Op: op, Status: e.status, COSCode: code, Message: e.message, effect: fxCOSError}
}

// KeyError is a fault that answers a call with an API key with CloudBase's own error.
func KeyError(op Op, status int, code, message string) Fault {
	return Fault{Name: op.String() + " " + strconv.Itoa(status) + " " + code, Op: op, Status: status, COSCode: code, Message: message, effect: fxKeyError}
}

// FaultNamed returns a fault of the table. It panics on an unknown name.
func FaultNamed(name string) Fault {
	for _, f := range slices.Concat(Faults(), MultipartFaults(), KeyFaults(), ReceiptFaults()) {
		if f.Name == name {
			return f
		}
	}
	panic(fmt.Sprintf("tcb: no fault is called %q", name))
}

// uncoded are the faults that have no code of their own, by the end of their names. Not
// every endpoint can have each.
var uncoded = map[string]Fault{
	"500":             page(500),
	"502":             page(502),
	"503":             page(503),
	"503 retry-after": {Status: 503, RetryAfter: "1", effect: fxPage},
	"html":            page(200),
	"gateway 502":     page(502),
	"gateway 504":     page(504),
	"gateway 403":     page(403),
	"gateway 200":     page(200),
	"gateway 204":     {Status: 204, effect: fxGateway204},
	"redirect 302":    {Status: 302, effect: fxRedirect},
	"redirect 307":    {Status: 307, effect: fxRedirect},
	"empty":           {Status: 200, effect: fxEmpty},
	"huge":            {effect: fxHuge},
	"truncated":       {effect: fxTruncated},
	"trickles":        {Delay: pieceDelay, effect: fxTrickle},
	"processing":      {Delay: pieceDelay, effect: fxProcessing},
	"hang":            {effect: fxHang},
	"reset":           {effect: fxReset},
	"reset before":    {effect: fxReset},
	"reset middle":    {effect: fxResetMiddle},
	"reset after":     {effect: fxResetAfter},
	"answer lost":     {effect: fxLost},
	"stall":           {Delay: stallTime, effect: fxStall},
	"slow":            {Delay: 20 * time.Millisecond, effect: fxSlow},
	"200":             {Status: 200, effect: fxStatus},
	"201":             {Status: 201, effect: fxStatus},
	"wrong crc64":     {effect: fxWrongCRC},
	"no crc64":        {effect: fxNoCRC},
	"kms":             {effect: fxKMS},
	"wrong etag":      {effect: fxWrongETag},
	"stored short":    {effect: fxShorten},
	"stored corrupt":  {effect: fxCorrupt},
	"sparse xml":      {Status: 500, COSCode: "InternalError", effect: fxXMLSparse},
	"huge xml":        {Status: 500, COSCode: "InternalError", effect: fxXMLHuge},
	"garbage xml":     {Status: 500, COSCode: "InternalError", effect: fxXMLGarbage},
	"empty 500":       {Status: 500, COSCode: "InternalError", effect: fxEmpty},
	"tiny":            {effect: fxTinyToken},
	"expired":         {effect: fxTicketExpired},
	"wrong signature": {effect: fxTicketSignature},
	"other file_id":   {effect: fxTicketFileID},
}

func page(status int) Fault { return Fault{Status: status, effect: fxPage} }

// with returns the faults of an endpoint that have no code of their own.
func with(name string, op Op, labels ...string) []Fault {
	faults := make([]Fault, len(labels))
	for i, label := range labels {
		f, known := uncoded[label]
		if !known {
			panic("tcb: no fault is called " + label)
		}
		f.Name, f.Op = name+" "+label, op
		faults[i] = f
	}
	return faults
}

// Faults lists every kind of fault but those of MultipartFaults, KeyFaults and ReceiptFaults, ready to be injected. The names begin with
// the endpoint: token, ticket, links, delete or upload.
func Faults() []Fault {
	return slices.Concat(
		apiFaults("token", OpStableToken, 40001, 40002, 40013, 40125, 40164, 41002, 41004, 43002, 47001),
		with("token", OpStableToken, "tiny"),
		apiFaults("ticket", OpTicket, 40001, 40014, 40097, 40101, 41001, 42001, 42007, 43002, 44002, 47001, 85088, 61004, 61007,
			-501001, -501002, -501003, -501004, -501005, -501006, -501007, -501008, -501009, -501015, -501016, -501017, -501018,
			-501019, -501023, -503001, -503002, -503003, -403001, -601001, -601002, -601003, -601004, -601008, -601027,
			-604100, -604101, -604102, -604103, -604104, -606003),
		without("ticket", OpTicket, "url", "token", "authorization", "file_id", "cos_file_id"),
		deadTokens(40001, 40014, 42001),
		with("ticket", OpTicket, "expired", "wrong signature", "other file_id"),
		apiFaults("links", OpLinks, 40001, 42001),
		apiFaults("delete", OpDelete, 40001, 42001),
		uploadRefusals(),
		cosFaults(OpUpload),
		with("upload", OpUpload, "gateway 504", "gateway 204", "redirect 302", "200", "201", "wrong crc64", "no crc64", "kms", "wrong etag",
			"stored short", "stored corrupt", "reset middle", "reset after", "stall", "slow", "processing"),
	)
}

// apiFaults are those that every endpoint of the WeChat API can have. The codes
// are in addition to the common ones.
func apiFaults(name string, op Op, codes ...int) []Fault {
	var faults []Fault
	common := []int{-1, -1000, 40164, 45009, 45011, 48001, 48004, 48017, 50002, 61024, 89501, 89503, 89506, 89507}
	for _, code := range slices.Compact(slices.Sorted(slices.Values(append(common, codes...)))) {
		f := WeChatError(op, code, apiMessages[code])
		f.Name = name + " " + strconv.Itoa(code)
		faults = append(faults, f)
	}
	return append(faults, with(name, op, "500", "502", "503", "503 retry-after", "html", "hang", "reset", "truncated", "huge", "empty", "trickles")...)
}

// apiMessages are usual texts; codes without one get an empty errmsg with a rid
// only, as real cloud base codes have (wire.md D.2).
var apiMessages = map[int]string{
	-1: "system error", -1000: "system error",
	40001: errNotLatest.message, 40002: "invalid grant_type", 40013: "invalid appid", 40014: "invalid access_token",
	40097: errParameter.message, 40101: errMissing.message,
	40125: "invalid appsecret, view more at http://t.cn/RAEkdVq",
	40164: "invalid ip 47.98.45.15 ipv6 ::ffff:47.98.45.15, not in whitelist",
	41001: "access_token missing", 41002: "appid missing", 41004: "appsecret missing", 42001: "access_token expired",
	43002: "require POST method", 44002: "empty post data", 47001: "data format error",
	45009: errDailyQuota.message, 45011: errMinuteQuota.message,
	48001: "api unauthorized", 48004: "api forbidden", 50002: "user limited", 85088: "no cloud base",
	61024: "must use api(api_component_token) to get token for component acct",
}

// without are tickets that lack a field.
func without(name string, op Op, fields ...string) (faults []Fault) {
	for _, field := range fields {
		faults = append(faults, Fault{Name: name + " without " + field, Op: op, field: field, effect: fxTicketField})
	}
	return faults
}

// deadTokens refuse the caller's token with a code.
func deadTokens(codes ...int) (faults []Fault) {
	for _, code := range codes {
		f := Fault{Name: "ticket token revoked " + strconv.Itoa(code), Op: OpTicket, Code: code, ErrMsg: apiMessages[code], effect: fxRevoked}
		faults = append(faults, f)
		f.Name, f.effect = "ticket token dead "+strconv.Itoa(code), fxDeadToken
		faults = append(faults, f)
	}
	return faults
}

// uploadRefusals are error documents: all codes, and the deciding messages.
func uploadRefusals() (faults []Fault) {
	for _, row := range cosCodes {
		faults = append(faults, COSError(row.status, row.code, row.message))
	}
	expired := COSError(403, "AccessDenied", "Request has expired")
	expired.Name += " expired"
	oldExpired := COSError(403, "ExpiredToken", "The provided token has expired.") // the status of older lists
	early := COSError(403, "AccessDenied", "Access Denied.")
	early.Name, early.Early = "upload early refusal", true
	return append(faults, expired, oldExpired, early)
}

// cosFaults are those that every call of COS can have. An answer to HEAD has no body.
func cosFaults(op Op) []Fault {
	busy, early := callError(op, "ServiceUnavailable"), callError(op, "SlowDown")
	busy.Name, busy.RetryAfter = op.String()+" 503 retry-after", "1"
	early.Name, early.Early = op.String()+" early slow down", true
	return append([]Fault{busy, early}, with(op.String(), op, "gateway 502", "gateway 403", "gateway 200", "redirect 307",
		"sparse xml", "huge xml", "garbage xml", "empty 500", "reset before", "answer lost", "hang")...)
}

// MultipartFaults lists every kind of fault of the calls of a multipart upload, ready to
// be injected. The names begin with the call, as Op.String writes it.
func MultipartFaults() (faults []Fault) {
	codes := map[Op][]string{
		OpInitiate:  {"KeyTooLong"},
		OpPart:      {"NoSuchUpload", "BadDigest", "IncompleteBody", "EntitySizeNotMatch", "UserNetworkTooSlow", "MissingContentLength", "EntityTooLarge"},
		OpListParts: {"NoSuchUpload"},
		OpAbort:     {"NoSuchUpload"},
		OpComplete:  {"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "MalformedXML", "EntityTooSmall"},
	}
	for i := range opCount {
		op := Op(1 << i)
		if op&OpMultipart == 0 {
			continue
		}
		for _, code := range append([]string{"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "ExpiredToken",
			"NoSuchBucket", "PaymentRequired", "RequestTimeout", "InternalError", "ServiceUnavailable", "SlowDown"}, codes[op]...) {
			faults = append(faults, callError(op, code))
		}
		faults = slices.Concat(faults, cosFaults(op), with(op.String(), op, "truncated"))
	}
	for _, code := range []string{"InternalError", "SlowDown", "InvalidPart", "AccessDenied", "NoSuchUpload"} {
		faults = append(faults, Fault{Name: "complete 200 " + code, Op: OpComplete, COSCode: code, effect: fxLateError})
	}
	return slices.Concat(faults, with("complete", OpComplete, "wrong crc64", "no crc64"), with("head", OpHead, "wrong crc64"),
		with("part", OpPart, "wrong crc64", "no crc64", "wrong etag", "stored short", "stored corrupt", "slow", "stall", "reset middle", "reset after"))
}

// OpKey are all calls with an API key, OpReceipt all that tell of a file.
const (
	OpKey     = OpKeyTicket | OpKeyLinks | OpKeyDelete | OpKeyRecord | OpKeyFunction
	OpReceipt = OpRecord | OpFunction | OpKeyRecord | OpKeyFunction
)

// KeyFaults are those of the calls with an API key (wire-cloudbase.md A, C).
func KeyFaults() (faults []Fault) {
	for _, op := range []Op{OpKeyTicket, OpKeyRecord, OpKeyFunction} {
		faults = append(faults,
			KeyError(op, 401, "INVALID_CREDENTIALS", "credentials are not valid"),
			KeyError(op, 401, "MISSING_CREDENTIALS", ""),
			KeyError(op, 403, "ACTION_FORBIDDEN", "action forbidden"),
			KeyError(op, 403, "STORAGE_EXCEED_AUTHORITY", ""),
			KeyError(op, 429, "EXCEED_RATELIMIT", "slow down"),
			KeyError(op, 400, "INVALID_PARAM", ""),
			KeyError(op, 500, "SYS_ERR", ""),
			KeyError(op, 504, "SERVER_TIMEOUT", ""),
			KeyError(op, 404, "INVALID_ENV", ""))
		faults = append(faults, with(op.String(), op, "500", "502", "503 retry-after", "html", "hang", "reset", "truncated", "empty")...)
	}
	for _, code := range []string{"STORAGE_EXCEED_AUTHORITY", "ACTION_FORBIDDEN", "COS_ACTION_FAILED", "OBJECT_NOT_EXIST", "OBJECT_ALREADY_EXIST",
		"OBJECT_BATCH_TOO_LARGE", "EXCEED_UPLOAD_MAXFILESIZE", "STORAGE_BUCKET_NOT_FOUND"} {
		faults = append(faults, Fault{Name: "key ticket item " + code, Op: OpKeyTicket, COSCode: code, Message: "refused", effect: fxKeyItem})
	}
	faults = append(faults, KeyError(OpKeyTicket, 404, "STORAGE_BUCKET_NOT_FOUND", "bucket not found"))
	faults = append(faults, without("key ticket", OpKeyTicket, "uploadUrl", "token", "authorization", "cloudObjectId", "cloudObjectMeta")...)
	functionCodes := map[string]int{
		"FUNCTION_NOT_FOUND": 404, "FUNCTION_PARAM_INVALID": 400, "FUNCTION_EXCEED_RESOURCE_LIMIT": 429, "FUNCTION_INVOCATION_FAILED": 500,
		"FUNCTION_STATUS_ABNORMAL": 500, "FUNCTION_TIME_LIMIT_EXCEEDED": 500, "FUNCTION_MEMORY_LIMIT_EXCEEDED": 500,
	}
	for _, code := range slices.Sorted(maps.Keys(functionCodes)) {
		faults = append(faults, KeyError(OpKeyFunction, functionCodes[code], code, "refused"))
	}
	return faults
}

// ReceiptFaults are those of databaseupdate and invokecloudfunction (wire-cloudbase.md B, C).
func ReceiptFaults() []Fault {
	return slices.Concat(
		apiFaults("databaseupdate", OpRecord, 40001, 42001, 47001, -501001, -501002, -501003, -501004, -501016,
			-502001, -502002, -502003, -502005, -502010, -502011, -502012, -502013, -502014, -502015),
		apiFaults("invokecloudfunction", OpFunction, 40001, 40014, 40101, 41001, 42001, 43002, 44002, 85088, -501001, -504001, -504002, -604101, -604102),
	)
}
