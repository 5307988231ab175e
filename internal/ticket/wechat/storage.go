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
	a, err := d.call(ctx, "/tcb/batchdownloadfile", struct {
		Env      string `json:"env"`
		FileList []file `json:"file_list"`
	}{env, []file{{fileID, int64(maxAge / time.Second)}}})
	if err != nil {
		return "", err
	}
	item, err := a.item("file_list", fileID)
	if err != nil {
		return "", err
	}
	link := item.text("download_url")
	if link == "" {
		return "", fail(transfer.KindUnavailable, "WeChat answered no download_url; try again later")
	}
	return link, nil
}

// Delete removes a stored file. One that is not there is NotFound (wire.md D.3).
func (d *TicketIssuer) Delete(ctx context.Context, env, fileID string) error {
	a, err := d.call(ctx, "/tcb/batchdeletefile", struct {
		Env        string   `json:"env"`
		FileIDList []string `json:"fileid_list"`
	}{env, []string{fileID}})
	if err != nil {
		return err
	}
	_, err = a.item("delete_list", fileID)
	return err
}

// item returns the one item of a batch answer. Its own status tells how it went:
// the errcode above it is 0 even when the file does not exist.
func (a *answer) item(list, fileID string) (fields, error) {
	var items []fields
	if json.Unmarshal(a.fields[list], &items) != nil || len(items) != 1 || items[0].text("fileid") != fileID {
		return nil, fail(transfer.KindUnavailable, "WeChat answered a "+list+" that is not about the one file asked for; try again later")
	}
	status, ok := items[0].number("status")
	if ok && status == 0 {
		return items[0], nil
	}
	said, rid := cutHandle(clean(items[0].text("errmsg"), a.secrets))
	if rid != "" {
		said += ", rid: " + rid
	}
	if strings.Contains(said, "STORAGE_FILE_NONEXIST") {
		return nil, fail(transfer.KindNotFound, "the file does not exist in the storage; check the file ID (WeChat: "+shorten(said, 200)+")")
	}
	return nil, fail(transfer.KindUnavailable, "WeChat could not do this for the file (status "+
		strconv.FormatFloat(status, 'f', -1, 64)+"); try again later (WeChat: "+shorten(said, 200)+")")
}
