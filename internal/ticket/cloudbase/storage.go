package cloudbase

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/rules"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An item is one element of a batch answer of the storage calls.
type item struct {
	problem
	UploadURL       string `json:"uploadUrl"`
	Authorization   string `json:"authorization"`
	Token           string `json:"token"`
	CloudObjectMeta string `json:"cloudObjectMeta"`
	CloudObjectID   string `json:"cloudObjectId"`
	DownloadURL     string `json:"downloadUrl"`
	DownloadEncoded string `json:"downloadUrlEncoded"`
}

// Ticket asks get-objects-upload-info for a ticket: one for a PUT. An answer that lacks a
// part of it is Unavailable. One whose file ID is not that of dest is Corrupt, and so is
// one whose URL is no URL or leads to another bucket. One that leads to a host where no
// file may go is Denied. Expires is on this machine's clock.
func (a *API) Ticket(ctx context.Context, dest transfer.Dest) (transfer.Ticket, error) {
	it, ans, err := a.object(ctx, dest.Env, "get-objects-upload-info", map[string]any{"objectId": dest.Path})
	if err != nil {
		return transfer.Ticket{}, err
	}
	for name, value := range map[string]string{"uploadUrl": it.UploadURL, "authorization": it.Authorization, "token": it.Token, "cloudObjectMeta": it.CloudObjectMeta, "cloudObjectId": it.CloudObjectID} {
		if value == "" {
			return transfer.Ticket{}, failed(transfer.KindUnavailable, "CloudBase answered a ticket without "+name+"; try again later")
		}
	}
	t := transfer.Ticket{
		Put:           true,
		URL:           it.UploadURL,
		Key:           dest.Path,
		Signature:     transfer.NewSecret(it.Authorization),
		SecurityToken: transfer.NewSecret(it.Token),
		MetaFileID:    it.CloudObjectMeta,
		FileID:        it.CloudObjectID,
	}
	if !strings.HasPrefix(t.FileID, "cloud://"+dest.Env+".") || !strings.HasSuffix(t.FileID, "/"+dest.Path) {
		return transfer.Ticket{}, failed(transfer.KindCorrupt, "CloudBase answered a ticket for another file: its cloudObjectId is not that of the environment and the path that were asked for; the ticket was not used, try again")
	}
	host := strings.ToLower(ans.url.Hostname())
	by := rules.Issuer{Name: "CloudBase", Setting: "CLOUDBASE_API_URL", URL: ans.url, Own: strings.HasSuffix(host, vendorDomain), Hosts: a.hosts}
	if err := rules.CheckDestination(t, by); err != nil {
		return transfer.Ticket{}, err
	}
	t.Expires = rules.Expires(it.Authorization, ans.header, ans.asked)
	return t, nil
}

// Links returns for each file a URL, good for maxAge (a day at most), to read it from, or
// why there is none. How many files one call takes is not documented: too many are Refused
// with OBJECT_BATCH_TOO_LARGE. The error is of the whole call.
func (a *API) Links(ctx context.Context, env string, fileIDs []string, maxAge time.Duration) ([]transfer.Link, error) {
	objects := make([]any, len(fileIDs))
	for i, id := range fileIDs {
		objects[i] = map[string]any{"cloudObjectId": id, "maxAge": int64(maxAge / time.Second)}
	}
	items, _, err := a.storage(ctx, env, "get-objects-download-info", objects)
	if err != nil {
		return nil, err
	}
	links := make([]transfer.Link, len(items))
	for i, it := range items {
		links[i] = transfer.Link{URL: it.DownloadEncoded, Err: a.failure(it)}
		if links[i].URL == "" {
			links[i].URL = transfer.LinkURL(it.DownloadURL, fileIDs[i])
		}
		switch {
		case it.CloudObjectID != "" && it.CloudObjectID != fileIDs[i]: // one that failed need not say whose it is
			return nil, failed(transfer.KindUnavailable, notAsked)
		case links[i].Err == nil && links[i].URL == "":
			links[i].Err = failed(transfer.KindUnavailable, "CloudBase answered no downloadUrl; try again later")
		}
	}
	return links, nil
}

// Download returns the URL of one file. One that is not there is NotFound.
func (a *API) Download(ctx context.Context, env, fileID string, maxAge time.Duration) (string, error) {
	return transfer.OnlyLink(a.Links(ctx, env, []string{fileID}, maxAge))
}

// Delete removes a stored file. One that is not there is NotFound.
func (a *API) Delete(ctx context.Context, env, fileID string) error {
	_, _, err := a.object(ctx, env, "delete-objects", map[string]any{"cloudObjectId": fileID})
	return err
}

// object makes a batch call about one object and returns its item.
func (a *API) object(ctx context.Context, env, name string, object map[string]any) (*item, *answer, error) {
	items, ans, err := a.storage(ctx, env, name, []any{object})
	if err != nil {
		return nil, nil, err
	}
	if e := a.failure(items[0]); e != nil {
		return nil, nil, e
	}
	return &items[0], ans, nil
}

const notAsked = "CloudBase answered something that is not about the objects asked for; try again later"

// storage makes a batch call and returns the objects' items in their order.
func (a *API) storage(ctx context.Context, env, name string, objects []any) ([]item, *answer, error) {
	ans, err := a.call(ctx, transfer.StageTicket, env, http.MethodPost, "/v1/storages/"+name, objects)
	if err != nil {
		return nil, nil, err
	}
	var items []item
	var whole problem
	switch {
	case json.Unmarshal(ans.body, &items) == nil:
	case json.Unmarshal(ans.body, &whole) == nil && whole.Code != "":
		return nil, nil, a.explained(transfer.StageTicket, whole, http.StatusOK)
	default:
		return nil, nil, failed(transfer.KindUnavailable, "CloudBase answered no JSON array: a gateway answered, not CloudBase; check the network and CLOUDBASE_API_URL")
	}
	if len(items) != len(objects) {
		return nil, nil, failed(transfer.KindUnavailable, notAsked)
	}
	return items, ans, nil
}

// failure is why an item failed, nil if it did not. It has a code of its own: HTTP says
// 200 even when the object does not exist.
func (a *API) failure(it item) *transfer.Error {
	// delete-objects may say SUCCESS for an object that it removed.
	if it.Code == "" || it.Code == "SUCCESS" {
		return nil
	}
	return a.explained(transfer.StageTicket, it.problem, http.StatusOK)
}

func failed(kind transfer.Kind, what string) *transfer.Error {
	return transfer.Errorf(transfer.StageTicket, kind, "%s", what)
}
