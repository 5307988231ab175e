package tcb

import (
	"encoding/json"
	"time"
)

// maxBatch is the number of files per call (wire.md D.3). That of CloudBase's HTTP API is not
// documented (wire-cloudbase.md E).
const maxBatch = 50

// maxLinkAge is the longest life of a download URL, and the one of a request
// without max_age: a day.
const maxLinkAge = 86400

var errTooMany = &apiError{-501007, "invalid parameters, at most 50 files in one call"}

// wantedLink is one entry of batchdownloadfile's request, linkItem of its answer.
type (
	wantedLink struct {
		FileID string `json:"fileid"`
		MaxAge int64  `json:"max_age"`
	}
	linkItem struct {
		FileID      string `json:"fileid"`
		DownloadURL string `json:"download_url"`
		Status      int    `json:"status"`
		ErrMsg      string `json:"errmsg"`
	}
)

// batchDownload is POST /tcb/batchdownloadfile. A file that does not exist, or
// cannot be read, is reported in its item only.
func (c *Cloud) batchDownload(in *call) (any, error) {
	return batch(c, in, "file_list", "file_list", func(env string, want wantedLink) linkItem {
		name, ok := c.readable(env, want.FileID)
		if !ok {
			return linkItem{FileID: want.FileID, Status: 1, ErrMsg: "STORAGE_FILE_NONEXIST"}
		}
		age := want.MaxAge
		if age <= 0 || age > maxLinkAge {
			age = maxLinkAge
		}
		url := c.cosOrigin(in.r) + c.link(name, c.Now().Add(time.Duration(age)*time.Second), true)
		return linkItem{FileID: want.FileID, DownloadURL: url, ErrMsg: "ok"}
	})
}

// deleteItem is one entry of batchdeletefile's answer.
type deleteItem struct {
	FileID string `json:"fileid"`
	Status int    `json:"status"`
	ErrMsg string `json:"errmsg"`
}

// batchDelete is POST /tcb/batchdeletefile.
func (c *Cloud) batchDelete(in *call) (any, error) {
	return batch(c, in, "fileid_list", "delete_list", func(env, id string) deleteItem {
		if c.remove(env, id) {
			return deleteItem{id, 0, "ok"}
		}
		return deleteItem{id, 1, "STORAGE_FILE_NONEXIST"}
	})
}

// batch checks the caller, the environment and the list in the field called
// asked. It answers with the result of each element under the name answered.
func batch[In, Out any](c *Cloud, in *call, asked, answered string, each func(env string, item In) Out) (any, error) {
	a, err := c.caller(in)
	if err != nil {
		return nil, err
	}
	env, err := c.environment(in, a)
	if err != nil {
		return nil, err
	}
	raw, ok := in.fields[asked]
	if !ok {
		return nil, errMissing
	}
	var list []In
	if json.Unmarshal(raw, &list) != nil {
		return nil, errParameter
	}
	if len(list) == 0 {
		return nil, errMissing
	}
	if len(list) > maxBatch {
		return nil, errTooMany
	}
	results := make([]Out, len(list))
	for i, item := range list {
		results[i] = each(env, item)
	}
	return map[string]any{"errcode": 0, "errmsg": "ok", answered: results}, nil
}
