package config

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	minThreshold = 1 << 20 // COS takes no smaller parts
	// defaultConcurrency: on an emulated line of 200 ms and 0.5 % loss 8 parts at once
	// carried 8 times what one connection did (docs/large-files.md).
	defaultConcurrency = 8
	// maxConcurrency is how many connections to one host are kept (package transport).
	maxConcurrency = 64
)

// multipart reads what decides about parts.
func (l *loader) multipart() (m Multipart) {
	if text := l.get("MULTIPART_THRESHOLD"); text != "" {
		var ok bool
		if m.Threshold, ok = byteSize(text); !ok || m.Threshold < minThreshold {
			l.fail("MULTIPART_THRESHOLD", "is %q; write a size of at least 1MiB, like 8MiB or 8388608", text)
			m.Threshold = 0
		}
	}
	m.Concurrency = defaultConcurrency
	if text := l.get("MULTIPART_CONCURRENCY"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxConcurrency {
			l.fail("MULTIPART_CONCURRENCY", "is %q; write a number from 1 to %d", text, maxConcurrency)
		}
		m.Concurrency = n
	}
	if m.URL = l.get("COS_UPLOAD_URL"); m.URL != "" {
		filled := strings.NewReplacer("{bucket}", "bucket", "{region}", "region").Replace(m.URL)
		l.address("COS_UPLOAD_URL", filled)
		if u, err := url.Parse(filled); err == nil && (u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(u.Host, "{}")) {
			l.fail("COS_UPLOAD_URL", "is more than an address that parts can go to; write https://host, in which {bucket} and {region} may stand")
		}
	}
	return m
}

// byteSize reads a number of bytes, or one with KiB, MiB or GiB.
func byteSize(text string) (int64, bool) {
	number, shift := text, 0
	for unit, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			number, shift = strings.TrimSpace(n), bits
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift {
		return 0, false
	}
	return n << shift, true
}
