package tcb

import (
	"encoding/json"
	"time"
)

// maxBatch is the number of files per call (wire.md D.3).
const maxBatch = 50

const maxLinkAge = 86400

// linkItem is one entry of batchdownloadfile's answer.
type linkItem struct {
	FileID      string `json:"fileid"`
	DownloadURL string `json:"download_url"`
	Status      int    `json:"status"`
	ErrMsg      string `json:"errmsg"`
}

// batchDownload is POST /tcb/batchdownloadfile. A file that does not exist, or
// cannot be read, is reported in its item only.
func (c *Cloud) batchDownload(in *call) (any, error) {
	var list []struct {
		FileID string `json:"fileid"`
		MaxAge int64  `json:"max_age"`
	}
	env, err := c.batch(in, "file_list", &list)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errMissing
	}
	if len(list) > maxBatch {
		return nil, errTooMany
	}
	items := make([]linkItem, len(list))
	for i, want := range list {
		items[i] = linkItem{FileID: want.FileID, Status: 1, ErrMsg: "STORAGE_FILE_NONEXIST"}
		name, owner := c.nameOf(want.FileID)
		if v, ok := c.store.get(name); !ok || owner != env || !v.current.Readable {
			continue
		}
		age := want.MaxAge
		if age <= 0 || age > maxLinkAge {
			age = maxLinkAge
		}
		items[i].DownloadURL = c.cosOrigin(in.r) + c.link(name, c.Now().Add(time.Duration(age)*time.Second))
		items[i].Status, items[i].ErrMsg = 0, "ok"
	}
	return map[string]any{"errcode": 0, "errmsg": "ok", "file_list": items}, nil
}

var errTooMany = &apiError{-501007, "invalid parameters, at most 50 files in one call"}

// deleteItem is one entry of batchdeletefile's answer.
type deleteItem struct {
	FileID string `json:"fileid"`
	Status int    `json:"status"`
	ErrMsg string `json:"errmsg"`
}

// batchDelete is POST /tcb/batchdeletefile.
func (c *Cloud) batchDelete(in *call) (any, error) {
	var list []string
	env, err := c.batch(in, "fileid_list", &list)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errMissing
	}
	if len(list) > maxBatch {
		return nil, errTooMany
	}
	items := make([]deleteItem, len(list))
	for i, id := range list {
		items[i] = deleteItem{id, 1, "STORAGE_FILE_NONEXIST"}
		if name, owner := c.nameOf(id); owner == env && c.store.remove(name) {
			items[i] = deleteItem{id, 0, "ok"}
		}
	}
	return map[string]any{"errcode": 0, "errmsg": "ok", "delete_list": items}, nil
}

// batch checks the caller and the environment and decodes the list.
func (c *Cloud) batch(in *call, field string, list any) (env string, err error) {
	a, err := c.caller(in)
	if err != nil {
		return "", err
	}
	env, err = c.environment(in, a)
	if err != nil {
		return "", err
	}
	raw, ok := in.fields[field]
	if !ok {
		return "", errMissing
	}
	if json.Unmarshal(raw, list) != nil {
		return "", errParameter
	}
	return env, nil
}
