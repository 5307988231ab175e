package tcb

import (
	"slices"
	"strconv"
)

// OpKey are all calls with an API key, OpReceipt all that tell of a file.
const (
	OpKey     = OpKeyTicket | OpKeyLinks | OpKeyDelete | OpKeyRecord | OpKeyFunction
	OpReceipt = OpRecord | OpFunction | OpKeyRecord | OpKeyFunction
)

// KeyError is a fault that answers a call with an API key with CloudBase's own error.
func KeyError(op Op, status int, code, message string) Fault {
	return Fault{Name: op.String() + " " + strconv.Itoa(status) + " " + code, Op: op, Status: status, COSCode: code, Message: message, effect: fxKeyError}
}

// KeyFaults are those of the calls with an API key (wire-cloudbase.md A, C).
func KeyFaults() []Fault {
	var all []Fault
	for _, op := range []Op{OpKeyTicket, OpKeyRecord, OpKeyFunction} {
		all = append(all, keyFaults(op)...)
	}
	for _, code := range []string{"STORAGE_EXCEED_AUTHORITY", "ACTION_FORBIDDEN", "COS_ACTION_FAILED", "OBJECT_NOT_EXIST", "OBJECT_ALREADY_EXIST",
		"OBJECT_BATCH_TOO_LARGE", "EXCEED_UPLOAD_MAXFILESIZE", "STORAGE_BUCKET_NOT_FOUND"} {
		all = append(all, Fault{Name: "key ticket item " + code, Op: OpKeyTicket, COSCode: code, Message: "refused", effect: fxKeyItem})
	}
	all = append(all, KeyError(OpKeyTicket, 404, "STORAGE_BUCKET_NOT_FOUND", "bucket not found"))
	for _, field := range []string{"uploadUrl", "token", "authorization", "cloudObjectId", "cloudObjectMeta"} {
		all = append(all, Fault{Name: "key ticket without " + field, Op: OpKeyTicket, field: field, effect: fxTicketField})
	}
	for status, codes := range map[int][]string{
		404: {"FUNCTION_NOT_FOUND"}, 400: {"FUNCTION_PARAM_INVALID"}, 429: {"FUNCTION_EXCEED_RESOURCE_LIMIT"},
		500: {"FUNCTION_INVOCATION_FAILED", "FUNCTION_STATUS_ABNORMAL", "FUNCTION_TIME_LIMIT_EXCEEDED", "FUNCTION_MEMORY_LIMIT_EXCEEDED"},
	} {
		for _, code := range codes {
			all = append(all, KeyError(OpKeyFunction, status, code, "refused"))
		}
	}
	slices.SortFunc(all, func(a, b Fault) int { return int(a.Op) - int(b.Op) })
	return all
}

// keyFaults are those that each of the calls can have.
func keyFaults(op Op) []Fault {
	page := func(label string, status int) Fault {
		return Fault{Name: op.String() + " " + label, Op: op, Status: status, effect: fxPage}
	}
	busy := page("503 retry-after", 503)
	busy.RetryAfter = "1"
	return []Fault{
		KeyError(op, 401, "INVALID_CREDENTIALS", "credentials are not valid"),
		KeyError(op, 401, "MISSING_CREDENTIALS", ""),
		KeyError(op, 403, "ACTION_FORBIDDEN", "action forbidden"),
		KeyError(op, 403, "STORAGE_EXCEED_AUTHORITY", ""),
		KeyError(op, 429, "EXCEED_RATELIMIT", "slow down"),
		KeyError(op, 400, "INVALID_PARAM", ""),
		KeyError(op, 500, "SYS_ERR", ""),
		KeyError(op, 504, "SERVER_TIMEOUT", ""),
		KeyError(op, 404, "INVALID_ENV", ""),
		page("500", 500), page("502", 502), busy, page("html", 200),
		{Name: op.String() + " hang", Op: op, effect: fxHang},
		{Name: op.String() + " reset", Op: op, effect: fxReset},
		{Name: op.String() + " truncated", Op: op, effect: fxTruncated},
		{Name: op.String() + " empty", Op: op, Status: 200, effect: fxEmpty},
	}
}

// ReceiptFaults are those of databaseupdate and invokecloudfunction (wire-cloudbase.md B, C).
func ReceiptFaults() []Fault {
	return slices.Concat(
		apiFaults("databaseupdate", OpRecord, 40001, 42001, 47001, -501001, -501002, -501003, -501004, -501016,
			-502001, -502002, -502003, -502005, -502010, -502011, -502012, -502013, -502014, -502015),
		apiFaults("invokecloudfunction", OpFunction, 40001, 40014, 40101, 41001, 42001, 43002, 44002, 85088, -501001, -504001, -504002, -604101, -604102),
	)
}
