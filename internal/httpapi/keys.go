package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Keys are the callers that HTTP_KEYS names. They print as their number.
type Keys []key

// A key is known by the SHA-256 of its text alone. It may write under prefix. The
// zero values of the other fields restrict nothing.
type key struct {
	name      string
	sum       [sha256.Size]byte
	prefix    string
	noTickets bool
	noSource  bool
	sources   Sources // it may name only these of Options.Sources
	rate      *rate
	until     time.Time // the first moment at which it is no longer valid
}

// Format keeps every verb from printing the hashes.
func (k Keys) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "%d keys", len(k)) }

// ParseKeys reads HTTP_KEYS: comma-separated
// name:SHA256HEX[:path/prefix/[:OPTION;OPTION…]]; "" names no key. The prefix may
// be empty before options. Options are no-tickets, no-source,
// source=s3://bucket/prefix (repeatable), rate=N (requests a minute) and
// until=YYYY-MM-DD (UTC). Errors name the entry by its number, because any part of
// a wrong entry may turn out to be a key.
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
	sum, rest, scoped := strings.Cut(rest, ":")
	prefix, options, restricted := cutOptions(rest)
	switch {
	case !ok || name == "":
		return key{}, errors.New("is not name:SHA256HEX or name:SHA256HEX:path/prefix/:options")
	case len(sum) != 2*sha256.Size:
		return key{}, fmt.Errorf("has a hash of %d characters; the SHA-256 of the key has 64 hexadecimal digits (printf %%s KEY | sha256sum)", len(sum))
	case scoped && (prefix != "" || !restricted) && (!strings.HasSuffix(prefix, "/") || strings.HasPrefix(prefix, "/")):
		return key{}, errors.New("has a path prefix that does not end in / or begins with one; write name:SHA256HEX:path/prefix/:options, or name:SHA256HEX::options without a prefix")
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if prefix != "" && (segment == "" || segment == "." || segment == "..") {
			return key{}, errors.New("has a path prefix that no cloud path begins with, one with //, . or .. in it")
		}
	}
	k := key{name: name, prefix: prefix}
	if _, err := hex.Decode(k.sum[:], []byte(sum)); err != nil {
		return key{}, errors.New("has a hash with a character that is no hexadecimal digit")
	}
	if restricted {
		for option := range strings.SplitSeq(options, ";") {
			if err := k.set(strings.TrimSpace(option)); err != nil {
				return key{}, err
			}
		}
	}
	if k.noSource && k.sources != nil {
		return key{}, errors.New("has both no-source and source=; choose one")
	}
	return k, nil
}

// cutOptions splits path/prefix/:OPTIONS. A prefix may hold colons, and options
// hold colons and slashes: the options begin after the first colon that follows a
// slash, or at a colon at the very start.
func cutOptions(s string) (prefix, options string, ok bool) {
	if options, ok = strings.CutPrefix(s, ":"); ok {
		return "", options, true
	}
	if prefix, options, ok = strings.Cut(s, "/:"); ok {
		return prefix + "/", options, true
	}
	return s, "", false
}

// maxRate is the largest rate: each request of the last minute takes 24 bytes.
const maxRate = 100_000

// set reads one option.
func (k *key) set(option string) error {
	name, value, _ := strings.Cut(option, "=")
	switch {
	case option == "no-tickets":
		k.noTickets = true
	case option == "no-source":
		k.noSource = true
	case name == "source":
		ref, why := parseAllowed(value)
		if why != "" {
			return fmt.Errorf("has the option source, which %s; write source=s3://bucket/prefix", why)
		}
		k.sources = append(k.sources, ref)
	case name == "rate":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxRate || k.rate != nil {
			return fmt.Errorf("has the option rate twice or not as a number of requests a minute from 1 to %d; write rate=60", maxRate)
		}
		k.rate = &rate{limit: n}
	case name == "until":
		day, err := time.Parse(time.DateOnly, value)
		if err != nil || !k.until.IsZero() {
			return errors.New("has the option until twice or not as a date; write until=2027-01-01")
		}
		k.until = day
	default:
		return errors.New("has an option that is none of no-tickets, no-source, source=s3://bucket/prefix, rate=N and until=YYYY-MM-DD")
	}
	return nil
}

// find returns the key that the Authorization headers present, and whether they
// present any. It compares every key, and in constant time, so that the time taken
// says nothing about how near a guess was.
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

// allow returns the reference that raw writes if both the function and the key
// allow it.
func (a *api) allow(k *key, raw string) (transfer.Ref, error) {
	ref, err := a.Sources.Allow(raw)
	if err != nil || k.sources == nil {
		return ref, err
	}
	if ref, err = k.sources.Allow(ref.String()); err != nil {
		return transfer.Ref{}, refused("The source is not one that this key may name.")
	}
	return ref, nil
}
