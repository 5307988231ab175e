package httpapi

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxLogged bounds, in bytes, what a line holds of a text that a stranger chose.
const maxLogged = 1024

// log writes one line for a request: who asked from where for what, and how it
// ended. Lines of 401 and 403 are written at every level. A health check has none.
func (a *api) log(c *call, status int, p *problem, took time.Duration) {
	if status == http.StatusOK {
		return
	}
	attrs := []slog.Attr{slog.String("method", c.Method), slog.Int("status", status)}
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, clip(value)))
		}
	}
	if p != nil {
		text("code", p.Code)
		text("error", cmp.Or(p.hidden, p.Detail))
	}
	if a.Caller != nil {
		text("caller", c.key.name)
	} else {
		text("key", c.key.name)
	}
	text("target", c.URL.EscapedPath()) // without the query, which might hold anything
	text("path", c.path)
	text("fileId", c.fileID)
	if !c.expiry.IsZero() {
		text("expiresAt", c.expiry.UTC().Format(time.RFC3339))
	}
	text("address", address(c.RemoteAddr))
	attrs = append(attrs, slog.Int64("durationMs", took.Milliseconds()))
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		a.Log.LogAttrs(c.Context(), slog.LevelInfo, "request", attrs...)
		return
	}
	a.Audit.LogAttrs(c.Context(), slog.LevelWarn, "request", attrs...)
	if a.Refused != nil {
		a.Refused(c.Context(), status)
	}
}

func clip(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}

// address is the host of a RemoteAddr, which may have no port.
func address(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}
