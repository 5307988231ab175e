package transfer_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// What is wrong with a server's TLS is said, because trying again does not mend it.
func TestCauseOfTLS(t *testing.T) {
	t.Parallel()
	encrypted, plain := httptest.NewUnstartedServer(http.NotFoundHandler()), httptest.NewServer(http.NotFoundHandler())
	defer encrypted.Close()
	defer plain.Close()
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	for address, want := range map[string]string{
		encrypted.URL: "its TLS certificate is not trusted, or is another host's",
		strings.Replace(plain.URL, "http:", "https:", 1): "it does not speak TLS",
	} {
		if _, err := plain.Client().Get(address + "/?key=TOPSECRET"); err == nil || transfer.Cause(err) != want {
			t.Errorf("%s: %v is said to be %q", address, err, transfer.Cause(err))
		}
	}
}
