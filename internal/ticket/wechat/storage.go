package wechat

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Download returns a URL, good for maxAge (a day at most), to read a stored file
// from, as WeChat wrote it: it may hold unescaped characters. A file that is not
// there is NotFound (wire.md D.3).
func (d *TicketIssuer) Download(ctx context.Context, env, fileID string, maxAge time.Duration) (string, error) {
	type file struct {
		FileID string `json:"fileid"`
		MaxAge int64  `json:"max_age"`
	}
	r, err := d.call(ctx, "/tcb/batchdownloadfile", nil, struct {
		Env      string `json:"env"`
		FileList []file `json:"file_list"`
	}{env, []file{{fileID, int64(maxAge / time.Second)}}})
	if err != nil {
		return "", err
	}
	item, err := r.item("file_list", fileID)
	if err != nil {
		return "", err
	}
	link := item.text("download_url")
	if link == "" {
		return "", failed(transfer.KindUnavailable, "WeChat answered no download_url; try again later")
	}
	return link, nil
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
	_, err = r.item("delete_list", fileID)
	return err
}

// item returns the one item of a batch answer. Its own status tells how it went:
// the errcode above it is 0 even when the file does not exist.
func (r *response) item(list, fileID string) (fields, error) {
	var items []fields
	if json.Unmarshal(r.fields[list], &items) != nil || len(items) != 1 || items[0].text("fileid") != fileID {
		return nil, failed(transfer.KindUnavailable, "WeChat answered a "+list+" that is not about the one file asked for; try again later")
	}
	status, ok := items[0].number("status")
	if ok && status == 0 {
		return items[0], nil
	}
	errmsg := items[0].text("errmsg")
	if strings.Contains(errmsg, "STORAGE_FILE_NONEXIST") {
		return nil, failed(transfer.KindNotFound, "the file does not exist in the storage; check the file ID"+r.from.quote(errmsg, r.secrets))
	}
	return nil, failed(transfer.KindUnavailable, "WeChat could not do this for the file (status "+
		strconv.FormatFloat(status, 'f', -1, 64)+"); try again later"+r.from.quote(errmsg, r.secrets))
}
