package transfer

import "strings"

// These pages explain every kind and every code, each at an anchor of its own
// (internal/test/docs holds them to that).
const (
	reference  = "https://github.com/tcbferry/tcbferry/blob/main/docs/reference/"
	namesPage  = reference + "errors.md"
	numberPage = reference + "wechat-errors.md"
)

// Help is the address where a label (Error.Label) is explained. A label that cannot be
// an anchor, because another party made it up, gets the page itself.
func Help(label string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	anchor := strings.ToLower(label)
	switch {
	case anchor == "" || len(anchor) > 64 || strings.Trim(anchor, letters) != "":
		return namesPage
	case strings.Trim(anchor, "-0123456789") == "": // WeChat's errcodes
		return numberPage + "#" + anchor
	}
	return namesPage + "#" + anchor
}
