package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Keys are the callers that HTTP_KEYS names. They print as their number.
type Keys []key

// A key is known by the SHA-256 of its text alone. It may write under prefix.
type key struct {
	name   string
	sum    [sha256.Size]byte
	prefix string
}

// Format keeps every verb from printing the hashes.
func (k Keys) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "%d keys", len(k)) }

// ParseKeys reads HTTP_KEYS: comma-separated name:SHA256HEX[:path/prefix/]; ""
// names nobody. Errors name the entry by its number, for any part of a wrong
// entry may turn out to be a key.
func ParseKeys(s string) (Keys, error) {
	var keys Keys
	if s == "" {
		return nil, nil
	}
	for i, entry := range strings.Split(s, ",") {
		k, err := parseKey(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("entry %d %w", i+1, err)
		}
		for j, other := range keys {
			if other.name == k.name || other.sum == k.sum {
				return nil, fmt.Errorf("entry %d has the name or the hash of entry %d; each key has its own", i+1, j+1)
			}
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseKey(entry string) (key, error) {
	name, rest, ok := strings.Cut(entry, ":")
	sum, prefix, scoped := strings.Cut(rest, ":")
	switch {
	case !ok || name == "":
		return key{}, fmt.Errorf("is not name:SHA256HEX or name:SHA256HEX:path/prefix/")
	case len(sum) != 2*sha256.Size:
		return key{}, fmt.Errorf("has a hash of %d characters; the SHA-256 of the key has 64 hexadecimal digits (printf %%s KEY | sha256sum)", len(sum))
	case scoped && (!strings.HasSuffix(prefix, "/") || strings.HasPrefix(prefix, "/")):
		return key{}, fmt.Errorf("has a path prefix that does not end in / or begins with one; write path/prefix/")
	}
	k := key{name: name, prefix: prefix}
	if _, err := hex.Decode(k.sum[:], []byte(sum)); err != nil {
		return key{}, fmt.Errorf("has a hash with a character that is no hexadecimal digit")
	}
	return k, nil
}

// find returns the key that the Authorization headers present, and whether they
// present any. Every key is compared, and in constant time, so that the time
// taken says nothing about how near a guess was.
func (k Keys) find(authorization []string) (found key, presented, ok bool) {
	if len(authorization) != 1 {
		return key{}, false, false
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return key{}, false, false
	}
	h := sha256.New()
	io.WriteString(h, token)
	sum := h.Sum(nil)
	for _, one := range k {
		if subtle.ConstantTimeCompare(sum, one.sum[:]) == 1 {
			found, ok = one, true
		}
	}
	return found, true, ok
}
