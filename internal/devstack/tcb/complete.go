package tcb

import (
	"bytes"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const maxCompleteBody = 1 << 20

// completion is the body of CompleteMultipartUpload.
type completion struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Part    []struct {
		PartNumber int
		ETag       string
	}
}

// complete makes an object of the named parts and forgets the upload.
func (c *Cloud) complete(w http.ResponseWriter, in *multipartCall) error {
	body, err := io.ReadAll(io.LimitReader(in.r.Body, maxCompleteBody+1))
	if err != nil {
		return cut(err)
	}
	if len(body) > maxCompleteBody {
		return refuse("MaxMessageLengthExceeded", "")
	}
	sum := md5.Sum(body)
	if err := checkMD5(headerFields(in.r.Header), hexOf(sum[:])); err != nil {
		return err
	}
	var doc completion
	if strict := xml.NewDecoder(bytes.NewReader(body)); strict.Decode(&doc) != nil || len(doc.Part) == 0 {
		return refuse("MalformedXML", "")
	}
	if in.fault.kind() == fxLateError {
		id := c.newIDs()
		writeXML(w, http.StatusOK, errorXML(refuse(in.fault.COSCode, ""), resourceOf(in.r), id), id)
		return nil
	}
	u, err := c.uploads.get(in)
	if err != nil {
		return err
	}
	named := make([]*storedPart, len(doc.Part))
	for i, p := range doc.Part {
		if i > 0 && p.PartNumber <= doc.Part[i-1].PartNumber {
			return refuse("InvalidPartOrder", "")
		}
		have := u.parts[p.PartNumber]
		if have == nil || have.md5 != strings.Trim(p.ETag, `"`) {
			return refuse("InvalidPart", "")
		}
		if i < len(doc.Part)-1 && have.size < minPartSize {
			return refuse("EntityTooSmall", "")
		}
		named[i] = have
	}
	if err := c.uploads.remove(in); err != nil {
		return err
	}
	o := c.assemble(u.object, named)
	o.Time = c.Now()
	c.store.put(o, c.rules.StaleDownloads)
	setDigests(w.Header(), "", o.CRC64, in.fault)
	return c.writeResult(w, in, http.StatusOK, struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
	}{Location: c.cosOrigin(in.r) + escapePath("/"+in.bucket+"/"+in.key, false), Bucket: in.bucket, Key: in.key, ETag: `"` + o.ETag + `"`})
}

// assemble makes the object of its parts. The ETag is no MD5, as COS's is not.
func (c *Cloud) assemble(o Object, parts []*storedPart) *Object {
	size := int64(0)
	for _, p := range parts {
		size += p.size
	}
	d := newDigest(c.CRC64Only, c.KeepContent, size)
	etags := md5.New()
	for _, p := range parts {
		etags.Write([]byte(p.md5))
		d.Write(p.content)
	}
	d.fill(&o)
	o.ETag = fmt.Sprintf("%s-%d", hexOf(etags.Sum(nil)), len(parts))
	return &o
}

// headObject is HEAD Object.
func (c *Cloud) headObject(w http.ResponseWriter, in *multipartCall) error {
	v, ok := c.store.get(in.bucket + "/" + in.key)
	if !ok {
		return refuse("NoSuchKey", "")
	}
	if in.fault.kind() == fxLost {
		c.reset(w)
		return errSilent
	}
	o := *v.current
	if in.fault.kind() == fxWrongCRC {
		o.CRC64 ^= 1
	}
	c.sendObject(w, in.r, &o)
	return nil
}
