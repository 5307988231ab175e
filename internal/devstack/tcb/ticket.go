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

// ticketReply is the answer of tcb/uploadfile (wire.md 0). Absent fields exist
// for faults only.
type ticketReply struct {
	ErrCode       int     `json:"errcode"`
	ErrMsg        string  `json:"errmsg"`
	URL           *string `json:"url,omitempty"`
	Token         *string `json:"token,omitempty"`
	Authorization *string `json:"authorization,omitempty"`
	FileID        *string `json:"file_id,omitempty"`
	COSFileID     *string `json:"cos_file_id,omitempty"`
}

// uploadFile is POST /tcb/uploadfile.
func (c *Cloud) uploadFile(in *call) (any, error) {
	env, path, err := c.textIn(in, "path")
	if err != nil {
		return nil, err
	}
	if !validPath(path) {
		return nil, &apiError{-501007, "invalid parameters, cloud path is invalid"}
	}
	return c.issue(in, "post", env, path), nil
}

// validPath is wire.md E, the rules 2 to 5; an empty path was missing before.
func validPath(path string) bool {
	return !strings.HasPrefix(path, "/") && !strings.Contains(path, "//") &&
		!strings.ContainsAny(path, "\x18\x19\x1a\x1b") && len(path) <= maxPath
}

// issue makes a ticket in the sizes of the documentation's sample (wire.md 0), for an
// upload by method.
func (c *Cloud) issue(in *call, method, env, path string) *ticketReply {
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
	url := c.cosOrigin(in.r) + "/" + bucket + "/" + escapePath(path, false)
	fileID := fileIDOf(env, bucket, path)
	reply := &ticketReply{0, "ok", &url, &t.token, &authorization, &fileID, &t.metaID}
	if in.fault != nil {
		in.fault.corruptTicket(reply)
	}
	c.register(t, authorization)
	return reply
}

// corruptTicket changes the answer as the fault says.
func (f *Fault) corruptTicket(reply *ticketReply) {
	switch f.effect {
	case fxTicketField:
		switch f.field {
		case "url":
			reply.URL = nil
		case "token":
			reply.Token = nil
		case "authorization":
			reply.Authorization = nil
		case "file_id":
			reply.FileID = nil
		case "cos_file_id":
			reply.COSFileID = nil
		}
	case fxTicketSignature:
		wrong := (*reply.Authorization)[:len(*reply.Authorization)-40] + strings.Repeat("0", 40)
		reply.Authorization = &wrong
	case fxTicketFileID:
		other := *reply.FileID + ".other"
		reply.FileID = &other
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
