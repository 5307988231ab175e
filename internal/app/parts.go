package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/config/secret"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// newPartUploader makes what uploads large files in parts. Its credentials are those of
// the COS source. Complete is answered when COS has made the object of its parts, as a
// POST is; all other answers come at once.
func newPartUploader(c config.Multipart, store *s3source.Store, prompt, patient http.RoundTripper, log *slog.Logger) *multipart.Uploader {
	return multipart.New(multipart.Options{
		Requests:    prompt,
		Completions: patient,
		URL:         c.URL,
		Concurrency: c.Concurrency,
		Log:         log,
		Credentials: func(ctx context.Context) (multipart.Credentials, error) { return partCredentials(ctx, store) },
	})
}

func partCredentials(ctx context.Context, store *s3source.Store) (multipart.Credentials, error) {
	c, err := store.Credentials(ctx)
	if err != nil {
		e := transfer.AsError(ctx, transfer.StageUpload, err)
		failed := transfer.Errorf(transfer.StageUpload, e.Kind, "a file of this size goes to COS in parts (MULTIPART_THRESHOLD), which needs credentials: %s", e.What)
		failed.Code = "NoCredentials"
		return multipart.Credentials{}, failed
	}
	return multipart.Credentials{ID: c.AccessKeyID, Key: transfer.NewSecret(c.SecretAccessKey), Token: transfer.NewSecret(c.SessionToken)}, nil
}

// checkPartCredentials says why large files could not be uploaded. Only SCF brings
// credentials with an invocation; elsewhere they must be there at the start.
func (a *app) checkPartCredentials(ctx context.Context) error {
	if a.Multipart.Threshold == 0 {
		return nil
	}
	store := a.deliverer.Sources[transfer.SchemeCOS].(*s3source.Store)
	if _, err := store.Credentials(ctx); err != nil {
		why := "TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY are not set"
		if e, ok := errors.AsType[*transfer.Error](err); ok && !strings.HasPrefix(e.What, why) {
			why = e.What
		}
		return fmt.Errorf("MULTIPART_THRESHOLD needs credentials of COS, but %s; set them to references like ssm:/name, or unset MULTIPART_THRESHOLD", why)
	}
	return nil
}

// A resolver looks up secrets that are given by reference, and remembers those that
// come over the network: credentials are asked for with every request.
type resolver struct {
	mu    sync.Mutex
	known map[string]resolved // by reference
}

type resolved struct {
	value transfer.Secret
	until time.Time
}

// rememberSecret is how long a looked-up secret is used before it is looked up again,
// so that a rotated key is noticed (a guess).
const rememberSecret = 10 * time.Minute

func (r *resolver) resolve(ctx context.Context, value transfer.Secret) (transfer.Secret, error) {
	kind, _, _ := strings.Cut(value.Reveal(), ":")
	if kind != "ssm" && kind != "secretsmanager" {
		return secret.Resolve(ctx, value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.known[value.Reveal()]; ok && time.Now().Before(have.until) {
		return have.value, nil
	}
	found, err := secret.Resolve(ctx, value)
	if err != nil {
		return transfer.Secret{}, err
	}
	if r.known == nil {
		r.known = map[string]resolved{}
	}
	r.known[value.Reveal()] = resolved{found, time.Now().Add(rememberSecret)}
	return found, nil
}
