package wechat_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// kinds is wire.md C.2, D.1 and D.2 once more, by what is to be done.
var kinds = map[transfer.Kind][]int64{
	transfer.KindUnavailable: {-1, -1000, -501001, -501002, -501018, -503001, -502001, -502010, -502011, -502012, -502013, -502014, -502015, -504001, -504002, -601001, -601003, -601008, -604102, -604103},
	transfer.KindThrottled:   {45011, -501004},
	transfer.KindStale:       {40001, 40014, 42001},
	transfer.KindRefused:     {40097, -501007, -403001},
	transfer.KindDenied: {
		40002, 40013, 40101, 40125, 40164, 41001, 41002, 41004, 42002, 42007, 43002, 44002, 45009, 47001,
		48001, 48004, 48017, 50002, 61004, 61007, 61024, 85088, 89501, 89503, 89506, 89507,
		-501003, -501005, -501006, -501008, -501009, -501015, -501016, -501017, -501019, -501020, -501021, -501023,
		-502002, -502003, -502005, -503002, -503003, -503004, -601002, -601004, -601010, -601011, -601012, -601013, -601018, -601027,
		-604100, -604101, -604104, -606003,
	},
}

func TestCodesAtTheAPI(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for kind, numbers := range kinds {
		for _, n := range numbers {
			known[strconv.FormatInt(n, 10)] = true
			_, err := ask(answering(t, 200, fmt.Sprintf(`{"errcode":%d,"errmsg":""}`, n)))
			e := wantError(t, err)
			want := kind
			if kind == transfer.KindStale {
				want = transfer.KindDenied // the fixed token of ask cannot be renewed
			}
			c := wechat.Explain(strconv.FormatInt(n, 10), wechat.AtAPI)
			if e.Kind != want || e.Code != strconv.FormatInt(n, 10) || c.Kind != kind || e.After != 0 && n != 45009 {
				t.Errorf("%d: %+v, table says %s, want %s", n, e, c.Kind, want)
			}
			if prefix := fmt.Sprintf("%d: %s; %s", n, c.Meaning, c.Advice); !strings.HasPrefix(e.What, prefix) || strings.Contains(e.What, "WeChat:") {
				t.Errorf("%d with an empty errmsg reads %q", n, e.What)
			}
		}
	}
	for _, c := range wechat.Codes() {
		if !known[c.Code] {
			t.Errorf("%s has no expectation here", c.Code)
		}
		if c.Meaning == "" || c.Advice == "" || c.Kind == "" {
			t.Errorf("%s is not explained", c.Code)
		}
	}
}

func TestCodesAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{40001, 40002, 40013, 40014, 40125, 40164, 41002, 41004, 42001} {
		_, err := wechat.StableTokens(answering(t, 200, fmt.Sprintf(`{"errcode":%d}`, n)), "wx1", transfer.NewSecret("SECRET")).Get(context.Background())
		if e := wantError(t, err); e.Kind != transfer.KindDenied || e.Code != strconv.FormatInt(n, 10) {
			t.Errorf("%d: %+v, want Denied", n, e)
		}
	}
	if c := wechat.Explain("40001", wechat.AtToken); !strings.Contains(c.Meaning, "secret") {
		t.Errorf("40001 at the token endpoint reads %q", c.Meaning)
	}
}

func TestUnknownCodesGoByTheirSign(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]transfer.Kind{
		`{"errcode":-987654}`:  transfer.KindUnavailable,
		`{"errcode":99999}`:    transfer.KindDenied,
		`{"errcode":1e400}`:    transfer.KindDenied,
		`{"errcode":-1e400}`:   transfer.KindUnavailable,
		`{"errcode":"45011"}`:  transfer.KindThrottled,
		`{"errcode":4.5011e4}`: transfer.KindThrottled,
		strings.Replace(goodTicket, `"errcode":0`, `"errcode":0.5`, 1): transfer.KindUnavailable,
		`{"errcode":{}}`:            transfer.KindUnavailable,
		`{"errcode":"x"}`:           transfer.KindUnavailable,
		`{"errcode":"NaN"}`:         transfer.KindUnavailable,
		`{"errcode":45011,"url":1}`: transfer.KindThrottled,
	} {
		_, err := ask(answering(t, 200, body))
		if e := wantError(t, err); e.Kind != want {
			t.Errorf("%s: %+v, want %s", body, e, want)
		}
	}
}

// testdata/refusals.txt holds pairs of lines: what WeChat sent (wire.md G10),
// and what is made of it.
func TestGoldenRefusals(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/refusals.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		sent := lines.Text()
		if !lines.Scan() {
			t.Fatal("odd number of lines")
		}
		api := answering(t, 200, sent)
		_, err := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET")).Get(context.Background())
		if !strings.Contains(sent, "access_token") {
			if got := wantError(t, err).What; got != lines.Text() {
				t.Errorf("%s\n got %s\nwant %s", sent, got, lines.Text())
			}
			continue
		}
		_, err = wechat.NewTicketIssuer(api, stubborn{}, nil).Ticket(context.Background(), transfer.Dest{})
		if got := wantError(t, err).What; got != lines.Text() {
			t.Errorf("%s\n got %s\nwant %s", sent, got, lines.Text())
		}
	}
	if n != 8 {
		t.Errorf("read %d pairs, want 8", n)
	}
}

// stubborn renews a token by another that is refused too.
type stubborn struct{}

func (stubborn) Get(context.Context) (wechat.Token, error) {
	return wechat.Token{Param: "access_token", Value: transfer.NewSecret("ONE")}, nil
}

func (stubborn) Renew(context.Context, wechat.Token, *transfer.Error) (wechat.Token, error) {
	return wechat.Token{Param: "access_token", Value: transfer.NewSecret("TWO")}, nil
}

func (stubborn) Fetches() int64 { return 0 }

func TestErrmsgIsTamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ errmsg, want string }{
		{`bad token TOKEN here rid: ab-1`, `(WeChat: bad token ••• here, rid: ab-1)`},
		{`TO\u0000KEN and TO\u202eKEN\u001b[31m`, `(WeChat: ••• and •••[31m)`},
		{`\r\nEnvironment not found\t TcbCode: [INVALID_ENV] rid: x1`, `(WeChat: Environment not found TcbCode: [INVALID_ENV], rid: x1)`},
		{` hint: [UDJcH.wgE-kUH3ba]`, `(rid: UDJcH.wgE-kUH3ba)`},
		{`hybrid: 5`, `(WeChat: hybrid: 5)`},
		{strings.Repeat("语", 500), `(WeChat: ` + strings.Repeat("语", 200) + `…)`},
		{`\ud800`, "(WeChat: \uFFFD)"},
	} {
		_, err := ask(answering(t, 200, `{"errcode":48001,"errmsg":"`+c.errmsg+`"}`))
		if e := wantError(t, err); !strings.HasSuffix(e.What, "; grant the app access to this CloudBase environment and its open API in WeChat's console "+c.want) {
			t.Errorf("%q becomes %q, want the end %q", c.errmsg, e.What, c.want)
		}
	}
}

// How Retry-After is read is a test of package transfer.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		header []string
		want   time.Duration
	}{
		{429, "", []string{"Retry-After", "7"}, 7 * time.Second},
		{200, `{"errcode":45011}`, []string{"Retry-After", "60"}, time.Minute},
		{200, `{"errcode":45011}`, nil, 0},
		{503, "", []string{"Date", "Thu, 29 Aug 2019 07:39:34 GMT", "Retry-After", "Thu, 29 Aug 2019 07:39:44 GMT"}, 10 * time.Second},
	} {
		_, err := ask(answering(t, c.status, c.body, c.header...))
		if e := wantError(t, err); e.After != c.want {
			t.Errorf("%v: After %v, want %v", c.header, e.After, c.want)
		}
	}
}

// WeChat's daily quota begins anew at midnight in China, UTC+8.
func TestDailyQuotaWaitsForMidnightInChina(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		date, retryAfter string
		want             time.Duration
	}{
		{"Thu, 29 Aug 2019 15:59:59 GMT", "", time.Second},
		{"Thu, 29 Aug 2019 16:00:00 GMT", "", 24 * time.Hour},
		{"Thu, 29 Aug 2019 07:39:34 GMT", "", 8*time.Hour + 20*time.Minute + 26*time.Second},
		{"Tue, 31 Dec 2019 04:00:00 GMT", "", 12 * time.Hour},
		{"Thu, 29 Aug 2019 07:39:34 GMT", "60", time.Minute},
	} {
		_, err := ask(answering(t, 200, `{"errcode":45009}`, "Date", c.date, "Retry-After", c.retryAfter))
		if e := wantError(t, err); e.After != c.want || e.Kind != transfer.KindDenied {
			t.Errorf("at %s, Retry-After %q: %+v, want %v", c.date, c.retryAfter, e, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		api := wechat.NewAPI(wire(func(*http.Request) (*http.Response, error) { return says(200, `{"errcode":45009}`), nil }), nil)
		if _, err := ask(api); wantError(t, err).After != 16*time.Hour {
			t.Errorf("without a Date: %+v", err)
		}
	})
}
