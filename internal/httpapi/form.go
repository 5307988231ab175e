package httpapi

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
)

// maxPathField is more than any cloud path that is not refused.
const maxPathField = 4 << 10

// A form is what a multipart/form-data body asks for.
type form struct {
	path string
	file bodySource
}

// formReader reads a form part by part. named and filed tell whether the part
// was there: an empty path is not an absent one.
type formReader struct {
	in           *limitedReader
	form         form
	filename     string
	named, filed bool
}

// readForm reads a form with one file and at most one path, in any order. What
// is not the file may not have more than overhead bytes in a row, so a flood of
// headers is cut short.
func readForm(body io.Reader, boundary string) (form, *problem) {
	f := &formReader{in: &limitedReader{r: body, left: overhead}}
	parts := multipart.NewReader(f.in, boundary)
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return form{}, f.unreadable(err)
		}
		if p := f.take(part); p != nil {
			return form{}, p
		}
	}
	// What follows the last boundary has no meaning, but is part of the body.
	if _, err := io.Copy(io.Discard, f.in); err != nil {
		return form{}, f.unreadable(err)
	}
	if !f.filed {
		return form{}, malformed("The form has no part named file.")
	}
	if !f.named {
		f.form.path = f.filename
	}
	return f.form, nil
}

func (f *formReader) take(part *multipart.Part) *problem {
	name, filename := disposition(part.Header)
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) { // RFC 2045, 6.1
	case "", "binary", "8bit", "7bit":
	default:
		return malformed("A part of the form has a Content-Transfer-Encoding; send the bytes as they are.")
	}
	switch {
	case name == "file" && f.filed, name == "path" && f.named:
		return malformed("The form has more than one part named " + name + ".")
	case name == "file":
		f.filed, f.filename = true, filename
		return f.takeFile(part)
	case name == "path":
		f.named = true
		text, err := io.ReadAll(io.LimitReader(part, maxPathField+1))
		if err != nil {
			return f.unreadable(err)
		}
		if len(text) > maxPathField {
			return malformed("The form's path is too long for a cloud path.")
		}
		f.form.path = string(text)
		return nil
	}
	return malformed("The form has a part that is neither file nor path; send these two only.")
}

func (f *formReader) takeFile(part *multipart.Part) *problem {
	h := http.Header(part.Header)
	stored, p := storedHeaders(h)
	if p != nil {
		return p
	}
	if strings.HasPrefix(strings.ToLower(stored.contentType), "multipart/") {
		return malformed("The file part is itself a multipart body; send one file per request.")
	}
	f.in.left = MaxBody + overhead
	data, err := io.ReadAll(io.LimitReader(part, MaxBody+1))
	if err != nil {
		return f.unreadable(err)
	}
	if len(data) > MaxBody {
		return overLimit()
	}
	f.in.left = overhead
	f.form.file = bodySource{data, stored}
	return checkDigests(h, data)
}

// unreadable is the problem of a form whose reading ended in err.
func (f *formReader) unreadable(err error) *problem {
	if f.in.over || errors.Is(err, multipart.ErrMessageTooLarge) {
		return newProblem(http.StatusRequestEntityTooLarge, tooLarge, "What a form holds besides its file may have 64 KiB at most.")
	}
	return unreadable(err)
}

// disposition returns a part's field name and the last segment of its file
// name; some browsers send the whole path, with either slash.
func disposition(h textproto.MIMEHeader) (name, filename string) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil || kind != "form-data" {
		return "", ""
	}
	filename = params["filename"]
	return params["name"], filename[strings.LastIndexAny(filename, `/\`)+1:]
}
