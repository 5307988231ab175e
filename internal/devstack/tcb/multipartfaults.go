package tcb

import (
	"net/http"
	"time"
)

// MultipartFaults lists every kind of fault of the calls of a multipart upload, ready to
// be injected. The names begin with the call, as Op.String writes it.
func MultipartFaults() []Fault {
	var faults []Fault
	for i := range opCount {
		if op := Op(1 << i); op&OpMultipart != 0 {
			faults = append(faults, callFaults(op)...)
		}
	}
	for _, op := range []Op{OpPart, OpComplete} {
		faults = append(faults, at(op, "wrong crc64", fxWrongCRC), at(op, "no crc64", fxNoCRC))
	}
	slow, stall := at(OpPart, "slow", fxSlow), at(OpPart, "stall", fxStall)
	slow.Delay, stall.Delay = 20*time.Millisecond, stallTime
	faults = append(faults, slow, stall, at(OpPart, "reset middle", fxResetMiddle), at(OpPart, "reset after", fxResetAfter),
		at(OpPart, "stored short", fxShorten), at(OpPart, "stored corrupt", fxCorrupt), at(OpPart, "wrong etag", fxWrongETag), at(OpHead, "wrong crc64", fxWrongCRC))
	for _, code := range []string{"InternalError", "SlowDown", "InvalidPart", "AccessDenied", "NoSuchUpload"} {
		late := at(OpComplete, "200 "+code, fxLateError)
		late.COSCode = code
		faults = append(faults, late)
	}
	for _, row := range []struct {
		ops  Op
		code string
	}{
		{OpPart | OpComplete | OpListParts | OpAbort, "NoSuchUpload"},
		{OpComplete, "InvalidPart"}, {OpComplete, "InvalidPartOrder"}, {OpComplete, "MalformedXML"}, {OpComplete, "EntityTooSmall"},
		{OpPart, "BadDigest"}, {OpPart, "IncompleteBody"}, {OpPart, "EntitySizeNotMatch"}, {OpPart, "UserNetworkTooSlow"},
		{OpPart, "MissingContentLength"}, {OpPart, "EntityTooLarge"}, {OpInitiate, "KeyTooLong"},
	} {
		for i := range opCount {
			if op := Op(1 << i); op&row.ops != 0 {
				faults = append(faults, callError(op, row.code))
			}
		}
	}
	return faults
}

// callFaults are those that every call can have. An answer to HEAD has no body.
func callFaults(op Op) []Fault {
	var faults []Fault
	for _, code := range []string{"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "ExpiredToken",
		"NoSuchBucket", "PaymentRequired", "RequestTimeout", "InternalError", "ServiceUnavailable", "SlowDown"} {
		faults = append(faults, callError(op, code))
	}
	page := func(label string, status int) Fault {
		f := at(op, label, fxPage)
		f.Status = status
		return f
	}
	odd := func(label string, status int, e effect) Fault {
		f := callError(op, "InternalError")
		f.Name, f.Status, f.effect = op.String()+" "+label, status, e
		return f
	}
	busy := callError(op, "ServiceUnavailable")
	busy.Name, busy.RetryAfter = op.String()+" 503 retry-after", "1"
	early := callError(op, "SlowDown")
	early.Name, early.Early = op.String()+" early slow down", true
	return append(faults, busy, early,
		page("gateway 502", http.StatusBadGateway), page("gateway 403", http.StatusForbidden), page("gateway 200", http.StatusOK),
		odd("sparse xml", 500, fxXMLSparse), odd("huge xml", 500, fxXMLHuge), odd("garbage xml", 500, fxXMLGarbage),
		odd("empty 500", 500, fxEmpty), odd("redirect 307", http.StatusTemporaryRedirect, fxRedirect),
		at(op, "reset before", fxReset), at(op, "answer lost", fxLost), at(op, "truncated", fxTruncated), at(op, "hang", fxHang))
}

func at(op Op, label string, e effect) Fault {
	return Fault{Name: op.String() + " " + label, Op: op, effect: e}
}

// callError is a fault that answers a call with an error document.
func callError(op Op, code string) Fault {
	e := refuse(code, "")
	return Fault{Name: op.String() + " " + code, Op: op, Status: e.status, COSCode: code, Message: e.message, effect: fxCOSError}
}
