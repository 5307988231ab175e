package tcb

// The signature's steps, for the published vectors.
var (
	SignKey      = signKey
	FormatString = formatString
	StringToSign = stringToSign
	Signature    = signature
	ErrorXML     = func(code, toSign, format, resource, request, trace string) string {
		e := refuse(code, "")
		e.toSign, e.format = toSign, format
		return string(errorXML(e, resource, ids{request, trace}))
	}
)
