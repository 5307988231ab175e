package tcb

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// ticket is what the form endpoint knows of an issued ticket.
type ticket struct {
	accessKey, secretKey string
	token                string // x-cos-security-token
	metaID               string // x-cos-meta-fileid
	bucket, key          string
	forgotten            time.Time // when the key becomes unknown
}

// issued is what the caller of an issued ticket learns, by the names of tcb/uploadfile
// (wire.md 0).
type issued map[string]any

// uploadFile is POST /tcb/uploadfile.
func (c *Cloud) uploadFile(in *call) (any, error) {
	env, path, err := c.textIn(in, "path")
	if err != nil {
		return nil, err
	}
	if !validPath(path) {
		return nil, &apiError{-501007, "invalid parameters, cloud path is invalid"}
	}
	reply := c.issue(in, "post", env, path)
	reply["errcode"], reply["errmsg"] = 0, "ok"
	in.fault.leaveOut(reply)
	return reply, nil
}

// validPath is wire.md E, the rules 2 to 5; an empty path was missing before.
func validPath(path string) bool {
	return !strings.HasPrefix(path, "/") && !strings.Contains(path, "//") &&
		!strings.ContainsAny(path, "\x18\x19\x1a\x1b") && len(path) <= maxPath
}

// issue makes a ticket in the sizes of the documentation's sample (wire.md 0), for an
// upload by method.
func (c *Cloud) issue(in *call, method, env, path string) issued {
	bucket, now := c.buckets[env], c.Now()
	start, end := now, now.Add(ticketLifetime)
	if in.fault.kind() == fxTicketExpired {
		start, end = start.Add(-2*ticketLifetime), end.Add(-2*ticketLifetime)
	}
	t := &ticket{
		accessKey: "AKID" + randomText(48), secretKey: randomText(24), token: randomText(352),
		bucket: bucket, key: path, forgotten: end.Add(time.Hour),
	}
	// 121 bytes in plain base64, with + / and = as in the sample.
	meta := make([]byte, 121)
	rand.Read(meta)
	t.metaID = base64.StdEncoding.EncodeToString(meta)
	authorization := authorize(t.accessKey, t.secretKey, method, "/"+bucket+"/"+path, start, end)
	fileID := fileIDOf(env, bucket, path)
	c.register(t, authorization)
	switch in.fault.kind() {
	case fxTicketSignature:
		authorization = authorization[:len(authorization)-40] + strings.Repeat("0", 40)
	case fxTicketFileID:
		fileID += ".other"
	}
	return issued{"url": c.cosOrigin(in.r) + "/" + bucket + "/" + escapePath(path, false), "token": t.token,
		"authorization": authorization, "file_id": fileID, "cos_file_id": t.metaID}
}

// leaveOut takes a field out of an answer if the fault says so.
func (f *Fault) leaveOut(reply map[string]any) {
	if f.kind() == fxTicketField {
		delete(reply, f.field)
	}
}

// register remembers a ticket, and from time to time forgets dead ones.
func (c *Cloud) register(t *ticket, authorization string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tickets[t.accessKey] = t
	c.keepSecret(t.token, authorization, authorization[len(authorization)-40:])
	if len(c.tickets)%4096 == 0 {
		now := c.Now()
		for key, old := range c.tickets {
			if old.forgotten.Before(now) {
				delete(c.tickets, key)
			}
		}
	}
}

func fileIDOf(env, bucket, path string) string { return "cloud://" + env + "." + bucket + "/" + path }

// randomText is base64url of n random bytes.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
