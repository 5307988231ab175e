package doctor

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

// With MULTIPART_THRESHOLD the doctor tries the credentials of parts, and counts the
// unfinished uploads.
func TestDoctorOnLargeFiles(t *testing.T) {
	key := tcb.COSKey{ID: "AKIDaccount", Secret: "emulated-account-secret"}
	t.Setenv("TENCENTCLOUD_SECRETID", key.ID)
	t.Setenv("TENCENTCLOUD_SECRETKEY", key.Secret)
	c := newInstallation(t, tcb.DefaultRules(), nil)
	c.vars["MULTIPART_THRESHOLD"], c.vars["COS_UPLOAD_URL"] = "1MiB", c.vars["WECHAT_API_URL"]

	printed, err := c.diagnose(t)
	if err == nil || !strings.Contains(printed, "COS does not know the access key") {
		t.Errorf("a key that is not known: %v\n%s", err, printed)
	}
	c.cloud.AddKey(key)
	printed, err = c.diagnose(t)
	if err != nil || !strings.Contains(printed, "no unfinished upload is older than a day") {
		t.Errorf("nothing is unfinished: %v\n%s", err, printed)
	}
	c.leaveUpload(t)
	if printed, err = c.diagnose(t); err != nil || !strings.Contains(printed, "no unfinished upload is older than a day") {
		t.Errorf("a young one: %v\n%s", err, printed)
	}
	c.cloud.AgeUnfinished(25 * time.Hour)
	printed, err = c.diagnose(t)
	if err != nil || !strings.Contains(printed, "older than a day: 1;") || !strings.Contains(printed, "remove them in the COS console, bucket 7072-prod-1") {
		t.Errorf("an old one: %v\n%s", err, printed)
	}
}

// leaveUpload leaves an unfinished upload.
func (c *installation) leaveUpload(t *testing.T) {
	t.Helper()
	probe, err := app.NewProbe(t.Context(), c.getenv, &http.Client{Transport: transport.New()})
	if err != nil {
		t.Fatal(err)
	}
	dest := probe.Destinations[0]
	dest.Dest.Path = "film.mp4"
	ticket, err := dest.Tickets.Ticket(t.Context(), dest.Dest)
	if err != nil {
		t.Fatal(err)
	}
	c.cloud.Inject(tcb.FaultNamed("complete InvalidPart"))
	probe.Parts.Upload(t.Context(), ticket, &transfer.Object{Size: 1 << 20, OpenRange: func(context.Context, int64, int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(make([]byte, 1<<20))), nil
	}})
	if len(c.cloud.Unfinished()) != 1 {
		t.Fatal("no upload was left")
	}
}
