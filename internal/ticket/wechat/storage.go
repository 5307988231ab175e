package wechat

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Links returns for each file a URL, good for maxAge (a day at most), to read it from, or
// why there is none (wire.md D.3). One call takes 50 files. The error is of the whole call.
func (d *TicketIssuer) Links(ctx context.Context, env string, fileIDs []string, maxAge time.Duration) ([]transfer.Link, error) {
	type file struct {
		FileID string `json:"fileid"`
		MaxAge int64  `json:"max_age"`
	}
	files := make([]file, len(fileIDs))
	for i, id := range fileIDs {
		files[i] = file{id, int64(maxAge / time.Second)}
	}
	r, err := d.call(ctx, "/tcb/batchdownloadfile", nil, struct {
		Env      string `json:"env"`
		FileList []file `json:"file_list"`
	}{env, files})
	if err != nil {
		return nil, err
	}
	items, err := r.items("file_list", fileIDs)
	if err != nil {
		return nil, err
	}
	links := make([]transfer.Link, len(items))
	for i, item := range items {
		links[i] = transfer.Link{URL: transfer.LinkURL(item.text("download_url"), fileIDs[i]), Err: r.failure(item)}
		if links[i].Err == nil && links[i].URL == "" {
			links[i].Err = failed(transfer.KindUnavailable, "WeChat answered no download_url; try again later")
		}
	}
	return links, nil
}

// Download returns the URL of one file. One that is not there is NotFound.
func (d *TicketIssuer) Download(ctx context.Context, env, fileID string, maxAge time.Duration) (string, error) {
	return transfer.OnlyLink(d.Links(ctx, env, []string{fileID}, maxAge))
}

// Delete removes a stored file. One that is not there is NotFound (wire.md D.3).
func (d *TicketIssuer) Delete(ctx context.Context, env, fileID string) error {
	r, err := d.call(ctx, "/tcb/batchdeletefile", nil, struct {
		Env        string   `json:"env"`
		FileIDList []string `json:"fileid_list"`
	}{env, []string{fileID}})
	if err != nil {
		return err
	}
	items, err := r.items("delete_list", []string{fileID})
	if err != nil {
		return err
	}
	if failure := r.failure(items[0]); failure != nil {
		return failure
	}
	return nil
}

// items returns the items of a batch answer in the order of the files that were asked for.
func (r *response) items(list string, fileIDs []string) ([]fields, error) {
	other := failed(transfer.KindUnavailable, "WeChat answered a "+list+" that is not about the files asked for; try again later")
	var answered []fields
	if json.Unmarshal(r.fields[list], &answered) != nil || len(answered) != len(fileIDs) {
		return nil, other
	}
	byID := make(map[string]fields, len(answered))
	for _, item := range answered {
		byID[item.text("fileid")] = item
	}
	items := make([]fields, len(fileIDs))
	for i, id := range fileIDs {
		if items[i] = byID[id]; items[i] == nil {
			return nil, other
		}
	}
	return items, nil
}

// failure is why an item of a batch answer failed, nil if it did not. Its own status
// tells: the errcode above it is 0 even when the file does not exist.
func (r *response) failure(item fields) *transfer.Error {
	status, ok := item.number("status")
	if ok && status == 0 {
		return nil
	}
	errmsg := item.text("errmsg")
	if strings.Contains(errmsg, "STORAGE_FILE_NONEXIST") {
		return failed(transfer.KindNotFound, "the file does not exist in the storage; check the file ID"+r.from.quote(errmsg, r.secrets))
	}
	return failed(transfer.KindUnavailable, "WeChat could not do this for the file (status "+
		strconv.FormatFloat(status, 'f', -1, 64)+"); try again later"+r.from.quote(errmsg, r.secrets))
}
