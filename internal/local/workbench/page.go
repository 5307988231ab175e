package workbench

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

//go:embed page
var parts embed.FS

// A page is the one document that a browser gets: HTML with its style and script in it.
type page struct{ document, policy string }

// newPage joins the parts. The policy names the one style and the one script by their
// hashes, and lets the page connect to loopback only: to its own calls, and to COS.
func newPage() page {
	read := func(names ...string) string {
		var all strings.Builder
		for _, name := range names {
			data, err := parts.ReadFile("page/" + name)
			if err != nil {
				panic(err) // it is embedded
			}
			all.Write(data)
		}
		return all.String()
	}
	style := read("base.css", "board.css", "cards.css")
	script := read("words.js", "board.js", "details.js", "actions.js", "main.js")
	return page{
		document: strings.NewReplacer("/*style*/", style, "/*script*/", script).Replace(read("index.html")),
		policy: "default-src 'none'; style-src " + hashOf(style) + "; script-src " + hashOf(script) +
			"; connect-src 'self' http://127.0.0.1:*; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// hashOf is how a Content-Security-Policy names a text.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (p page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_, _ = io.WriteString(w, p.document) // a browser that is gone needs no page
}
