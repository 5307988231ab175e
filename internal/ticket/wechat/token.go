package wechat

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Token authorises a request as the query parameter Param.
type Token struct {
	Param string
	Value transfer.Secret
}

func (t Token) equal(other Token) bool { return t.Param == other.Param && t.Value.Equal(other.Value) }

func (t Token) query() url.Values { return url.Values{t.Param: {t.Value.Reveal()}} }

// Tokens are where access tokens come from. Errors are *transfer.Error.
type Tokens interface {
	// Get returns a token that is believed to be valid.
	Get(ctx context.Context) (Token, error)
	// Renew returns a token to replace the one that WeChat refused, never the
	// same. refusal is what WeChat said; a source that has no other token returns it,
	// with what to do added.
	Renew(ctx context.Context, refused Token, refusal *transfer.Error) (Token, error)
	// Fetches counts the requests for tokens so far, failed ones included.
	Fetches() int64
}

// Query parameters that hold a token (wire.md C.4).
const (
	accessToken    = "access_token"
	cloudBaseToken = "cloudbase_access_token"
)

// FixedToken is a token given once. It cannot be renewed.
func FixedToken(token transfer.Secret) Tokens { return fixed{Token{accessToken, token}} }

type fixed struct{ token Token }

func (f fixed) Get(context.Context) (Token, error) { return f.token, nil }

func (f fixed) Renew(_ context.Context, _ Token, refusal *transfer.Error) (Token, error) {
	return Token{}, withAdvice(refusal, transfer.KindDenied, "WECHAT_ACCESS_TOKEN is fixed and cannot be renewed: replace it, or use WECHAT_APP_ID and WECHAT_APP_SECRET instead")
}

func (f fixed) Fetches() int64 { return 0 }

// TokenFile is an access token in a file that another program keeps up to date; it is
// read anew for each use and trimmed of white space.
func TokenFile(path string) Tokens { return &file{accessToken, path, "WECHAT_ACCESS_TOKEN"} }

// CloudBaseTokenFile is TokenFile for the token that the CloudBase runtime writes into a
// container. It is sent in another query parameter (wire.md C.4).
func CloudBaseTokenFile(path string) Tokens {
	return &file{cloudBaseToken, path, "WECHAT_CLOUDBASE_TOKEN_FILE"}
}

type file struct{ param, path, setting string }

func (f *file) Get(context.Context) (Token, error) {
	h, err := os.Open(f.path)
	if err != nil {
		return Token{}, f.unreadable(err)
	}
	defer h.Close()
	text, err := io.ReadAll(io.LimitReader(h, maxAnswer))
	if err != nil {
		return Token{}, f.unreadable(err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		// A writer that does not rename truncates first.
		return Token{}, failed(transfer.KindUnavailable, "the token file "+f.path+" ("+f.setting+") is empty; have a token written to it, then try again")
	}
	return Token{f.param, transfer.NewSecret(token)}, nil
}

func (f *file) Renew(ctx context.Context, refused Token, refusal *transfer.Error) (Token, error) {
	token, err := f.Get(ctx)
	if err == nil && token.equal(refused) {
		return Token{}, withAdvice(refusal, transfer.KindStale, "the file "+f.path+" ("+f.setting+") still holds that token: make sure that the program that writes it keeps it fresh")
	}
	return token, err
}

func (f *file) Fetches() int64 { return 0 }

func (f *file) unreadable(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return failed(transfer.KindDenied, "cannot read the token file "+f.path+" ("+err.Error()+"); correct "+f.setting)
}
