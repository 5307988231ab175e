package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport/public"
)

// maxAnswer is how much of a webhook's answer is read, so that its connection can be used
// again.
const maxAnswer = 64 << 10

// Webhook is the receiver https://…: a POST of the document with the header
// Tcbferry-Signature: t=UNIXSECONDS,v1=HEX, the HMAC-SHA256 of UNIXSECONDS.BODY. Any 2xx is
// success. A redirect is not followed.
func Webhook(t http.RoundTripper, address, secret transfer.Secret) Receiver {
	name, _, _ := strings.Cut(address.Reveal(), "?")
	return Receiver{name, func(ctx context.Context, _ Cloud, _ transfer.Dest, document []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.Reveal(), bytes.NewReader(document))
		if err != nil {
			return transfer.Errorf(transfer.StageNotify, transfer.KindDenied, "its URL cannot be used; correct RECEIPTS")
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Tcbferry-Signature", Sign(secret, time.Now(), document))
		resp, err := t.RoundTrip(req)
		if _, private := errors.AsType[*public.Error](err); private {
			return transfer.Errorf(transfer.StageNotify, transfer.KindRefused, "its host has an address that is not of the public Internet; name that address itself in RECEIPTS if it is yours")
		}
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // an answer that breaks off has its status
		return refusal(resp)
	}}
}

// refusal is the error of an answer, nil for a success. All are worth another try, because
// a receiver that is being deployed or corrected may say anything.
func refusal(resp *http.Response) error {
	kind, advice := transfer.KindUnavailable, "look at its log"
	switch status := resp.StatusCode; {
	case 200 <= status && status <= 299:
		return nil
	case 300 <= status && status <= 399:
		advice = "redirects are not followed, so put the address that it leads to into RECEIPTS"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		advice = "compare its secret with RECEIPT_SECRET"
	case status == http.StatusTooManyRequests:
		kind, advice = transfer.KindThrottled, "it asks to slow down"
	}
	e := transfer.Errorf(transfer.StageNotify, kind, "it answered HTTP %d; %s", resp.StatusCode, advice)
	e.After = transfer.RetryAfter(resp.Header, time.Now())
	return e
}

// Sign is the value of Tcbferry-Signature.
func Sign(secret transfer.Secret, now time.Time, body []byte) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
