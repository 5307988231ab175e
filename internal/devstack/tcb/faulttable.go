package tcb

import (
	"fmt"
	"net/http"
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

// FaultNamed returns a fault of the table. It panics on an unknown name.
func FaultNamed(name string) Fault {
	for _, f := range slices.Concat(Faults(), MultipartFaults(), KeyFaults(), ReceiptFaults()) {
		if f.Name == name {
			return f
		}
	}
	panic(fmt.Sprintf("tcb: no fault is called %q", name))
}

// Faults lists every kind of fault but those of MultipartFaults, KeyFaults and ReceiptFaults, ready to be injected. The names begin with
// the endpoint: token, ticket, links, delete or upload.
func Faults() []Fault {
	return slices.Concat(
		apiFaults("token", OpStableToken, 40001, 40002, 40013, 40125, 40164, 41002, 41004, 43002, 47001),
		[]Fault{{Name: "token tiny", Op: OpStableToken, effect: fxTinyToken}},
		apiFaults("ticket", OpTicket, 40001, 40014, 40097, 40101, 41001, 42001, 42007, 43002, 44002, 47001, 85088, 61004, 61007,
			-501001, -501002, -501003, -501004, -501005, -501006, -501007, -501008, -501009, -501015, -501016, -501017, -501018,
			-501019, -501023, -503001, -503002, -503003, -403001, -601001, -601002, -601003, -601004, -601008, -601027,
			-604100, -604101, -604102, -604103, -604104, -606003),
		ticketFaults(),
		apiFaults("links", OpLinks, 40001, 42001),
		apiFaults("delete", OpDelete, 40001, 42001),
		uploadRefusals(),
		uploadAnswers(),
		uploadBreaks(),
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
	page := func(label string, status int) Fault {
		return Fault{Name: name + " " + label, Op: op, Status: status, effect: fxPage}
	}
	busy := page("503 retry-after", 503)
	busy.RetryAfter = "1"
	return append(faults,
		page("500", 500), page("502", 502), page("503", 503), busy, page("html", 200),
		Fault{Name: name + " hang", Op: op, effect: fxHang},
		Fault{Name: name + " reset", Op: op, effect: fxReset},
		Fault{Name: name + " truncated", Op: op, effect: fxTruncated},
		Fault{Name: name + " huge", Op: op, effect: fxHuge},
		Fault{Name: name + " empty", Op: op, Status: 200, effect: fxEmpty},
		Fault{Name: name + " trickles", Op: op, Delay: pieceDelay, effect: fxTrickle},
	)
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

func ticketFaults() []Fault {
	var faults []Fault
	for _, field := range []string{"url", "token", "authorization", "file_id", "cos_file_id"} {
		faults = append(faults, Fault{Name: "ticket without " + field, Op: OpTicket, field: field, effect: fxTicketField})
	}
	for _, code := range []int{40001, 40014, 42001} {
		text := strconv.Itoa(code)
		faults = append(faults,
			Fault{Name: "ticket token revoked " + text, Op: OpTicket, Code: code, ErrMsg: apiMessages[code], effect: fxRevoked},
			Fault{Name: "ticket token dead " + text, Op: OpTicket, Code: code, ErrMsg: apiMessages[code], effect: fxDeadToken})
	}
	return append(faults,
		Fault{Name: "ticket expired", Op: OpTicket, effect: fxTicketExpired},
		Fault{Name: "ticket wrong signature", Op: OpTicket, effect: fxTicketSignature},
		Fault{Name: "ticket other file_id", Op: OpTicket, effect: fxTicketFileID},
	)
}

// uploadRefusals are error documents: all codes, the deciding messages, and
// broken documents.
func uploadRefusals() []Fault {
	var faults []Fault
	for _, row := range cosCodes {
		faults = append(faults, COSError(row.status, row.code, row.message))
	}
	expired := COSError(403, "AccessDenied", "Request has expired")
	expired.Name += " expired"
	oldExpired := COSError(403, "ExpiredToken", "The provided token has expired.") // the status of older lists
	early := COSError(403, "AccessDenied", "Access Denied.")
	early.Name, early.Early = "upload early refusal", true
	earlySlow := COSError(503, "SlowDown", "Please reduce your request rate.")
	earlySlow.Name, earlySlow.Early = "upload early slow down", true
	busy := COSError(503, "ServiceUnavailable", "Please reduce your request rate.")
	busy.Name, busy.RetryAfter = "upload 503 retry-after", "1"
	odd := func(name string, status int, e effect) Fault {
		f := COSError(status, "InternalError", "")
		f.Name, f.effect = "upload "+name, e
		return f
	}
	return append(faults, expired, oldExpired, early, earlySlow, busy,
		odd("sparse xml", 500, fxXMLSparse), odd("huge xml", 500, fxXMLHuge), odd("garbage xml", 500, fxXMLGarbage),
		odd("empty 500", 500, fxEmpty))
}

// uploadAnswers are answers that are no error documents.
func uploadAnswers() []Fault {
	at := func(name string, status int, e effect) Fault {
		return Fault{Name: "upload " + name, Op: OpUpload, Status: status, effect: e}
	}
	return []Fault{
		at("gateway 502", http.StatusBadGateway, fxPage),
		at("gateway 504", http.StatusGatewayTimeout, fxPage),
		at("gateway 403", http.StatusForbidden, fxPage),
		at("gateway 200", http.StatusOK, fxPage),
		at("gateway 204", http.StatusNoContent, fxGateway204),
		at("redirect 302", http.StatusFound, fxRedirect),
		at("redirect 307", http.StatusTemporaryRedirect, fxRedirect),
		at("200", http.StatusOK, fxStatus),
		at("201", http.StatusCreated, fxStatus),
		at("wrong crc64", 0, fxWrongCRC),
		at("no crc64", 0, fxNoCRC),
		at("kms", 0, fxKMS),
		at("wrong etag", 0, fxWrongETag),
		at("stored short", 0, fxShorten),
		at("stored corrupt", 0, fxCorrupt),
	}
}

// uploadBreaks are faults of the connection.
func uploadBreaks() []Fault {
	at := func(name string, e effect, delay time.Duration) Fault {
		return Fault{Name: "upload " + name, Op: OpUpload, Delay: delay, effect: e}
	}
	return []Fault{
		at("reset before", fxReset, 0),
		at("reset middle", fxResetMiddle, 0),
		at("reset after", fxResetAfter, 0),
		at("answer lost", fxLost, 0),
		at("stall", fxStall, stallTime),
		at("slow", fxSlow, 20*time.Millisecond),
		at("hang", fxHang, 0),
		at("processing", fxProcessing, pieceDelay),
	}
}
