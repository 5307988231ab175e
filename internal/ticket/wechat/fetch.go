package wechat

import (
	"context"
	"net/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// StableTokens fetches tokens by cgi-bin/stable_token, whose ordinary mode gives all
// processes the same token (wire.md C.1).
func StableTokens(api *API, appID string, secret transfer.Secret) *CachedTokens {
	return &CachedTokens{name: "stable_token", forces: true, fetch: func(ctx context.Context, mode refreshMode) (issuedToken, error) {
		r, err := api.post(ctx, "/cgi-bin/stable_token", nil, struct {
			GrantType    string `json:"grant_type"`
			AppID        string `json:"appid"`
			Secret       string `json:"secret"`
			ForceRefresh bool   `json:"force_refresh"`
		}{"client_credential", appID, secret.Reveal(), mode == forced}, secret)
		if err != nil {
			return issuedToken{}, err
		}
		return r.issued()
	}}
}

// TokenServer fetches tokens from a central token server: GET answers
// {"access_token":"...","expires_in":7200}. After a refusal it is asked with
// Cache-Control: no-cache. Redirects are not followed.
func TokenServer(t http.RoundTripper, address string) *CachedTokens {
	return &CachedTokens{name: "the token server", fetch: func(ctx context.Context, mode refreshMode) (issuedToken, error) {
		req, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			return issuedToken{}, failed(transfer.KindDenied, "WECHAT_TOKEN_URL is not a usable URL; correct it")
		}
		if mode != ordinary {
			req.Header.Set("Cache-Control", "no-cache")
		}
		reply, b := exchange(ctx, t.RoundTrip, req)
		if b != nil {
			return issuedToken{}, failed(transfer.KindUnavailable, "no answer from the token server "+req.URL.Host+" ("+b.cause+"); check WECHAT_TOKEN_URL, then try again")
		}
		r, err := reply.parse(tokenServer, req.URL, nil)
		if err != nil {
			return issuedToken{}, err
		}
		return r.issued()
	}}
}

// issued reads the answer of a token endpoint. Success has no errcode.
func (r *response) issued() (issuedToken, error) {
	if err := r.refusal(AtToken); err != nil {
		return issuedToken{}, err
	}
	token := r.text("access_token")
	if token == "" {
		return issuedToken{}, failed(transfer.KindUnavailable, r.from.name+" answered neither an access_token nor an errcode; check "+r.from.setting+", then try again")
	}
	return issuedToken{Token{accessToken, transfer.NewSecret(token)}, r.seconds("expires_in")}, nil
}
