package local

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// variables are the configuration variables that are handed to the functions (README,
// "Configuration"). Addresses of the stores are not among them: they are the emulators'.
// Nor are AWS credentials: the emulated bucket asks for none.
var variables = []string{
	"CLOUDBASE_ENV", "CLOUDBASE_PATH", "ROUTES", "INCLUDE", "EXCLUDE", "ON_DELIVERED",
	"WECHAT_APP_ID", "WECHAT_APP_SECRET", "WECHAT_ACCESS_TOKEN", "WECHAT_TOKEN_URL", "WECHAT_CLOUDBASE_TOKEN_FILE",
	"CLOUDBASE_API_KEY", "CLOUDBASE_API_URL", "MULTIPART_THRESHOLD", "MULTIPART_CONCURRENCY", "COS_UPLOAD_URL",
	"RECEIPTS", "RECEIPT_SECRET", "WECHAT_API_URL", "TICKET_HOSTS", "AWS_REGION",
	"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN",
	"HTTP_KEYS", "HTTP_AUTH", "HTTP_SOURCES", "HTTP_CORS_ORIGINS", "SQS_PARTIAL_BATCH", "LOG_LEVEL",
}

// Settings are what the user of this machine wants of the functions.
type Settings struct {
	Vars  map[string]string // configuration variables
	Notes []string          // what was not taken as it is, for people
	built string            // where built functions are; "" is beside this program
}

// ReadSettings takes the configuration variables of an environment, or with a file those
// in it, which has a line NAME=VALUE for each.
func ReadSettings(getenv func(string) string, file string) (Settings, error) {
	s := Settings{Vars: map[string]string{}}
	for _, name := range variables {
		if value := getenv(name); value != "" {
			s.Vars[name] = value
		}
	}
	if file != "" {
		if err := s.readFile(file); err != nil {
			return s, err
		}
	}
	s.stayHere()
	return s, nil
}

func (s *Settings) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// readFile reads the lines of an env file over the environment. A value may be in quotes.
func (s *Settings) readFile(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-env: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20) // ROUTES may be long
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return fmt.Errorf("-env: %s, line %d: write NAME=VALUE", file, n)
		}
		value = strings.TrimSpace(value)
		if quote := strings.Trim(value, `"'`); len(value) >= 2 && len(value)-len(quote) >= 2 && value[0] == value[len(value)-1] {
			value = value[1 : len(value)-1]
		}
		if !slices.Contains(variables, name) {
			s.note("%s of %s is not handed to the functions.", name, file)
			continue
		}
		if s.Vars[name] = value; value == "" {
			delete(s.Vars, name)
		}
	}
	return lines.Err()
}

// awsReference is a secret that only AWS could give.
var awsReference = regexp.MustCompile(`(ssm|secretsmanager):[^",\s]+`)

// stayHere replaces what would lead out of this machine by the emulators' own.
func (s *Settings) stayHere() {
	for _, name := range []string{"WECHAT_API_URL", "CLOUDBASE_API_URL", "COS_UPLOAD_URL", "WECHAT_TOKEN_URL"} {
		if value := s.Vars[name]; value != "" && leaves(value) {
			delete(s.Vars, name)
			s.note("%s leads out of this machine. The emulator takes its place.", name)
		}
	}
	for name, standIn := range map[string]string{
		"WECHAT_APP_SECRET": devstack.AppSecret, "CLOUDBASE_API_KEY": devstack.APIKey, "RECEIPT_SECRET": devstack.ReceiptSecret,
		"TENCENTCLOUD_SECRETID": "AKIDlocal", "TENCENTCLOUD_SECRETKEY": "local-secret-key", "TENCENTCLOUD_SESSIONTOKEN": "local-session-token",
		"ROUTES": devstack.AppSecret,
	} {
		if awsReference.MatchString(s.Vars[name]) {
			s.Vars[name] = awsReference.ReplaceAllString(s.Vars[name], standIn)
			s.note("%s names a secret of AWS. A made-up secret takes its place.", name)
		}
	}
	slices.Sort(s.Notes)
}

// leaves tells whether one of the addresses of a list is not on this machine.
func leaves(list string) bool {
	for _, raw := range strings.Split(list, ",") {
		u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(strings.TrimSpace(raw)))
		if err != nil {
			return false // the function says what is wrong with it
		}
		if host := u.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return true
		}
	}
	return false
}

// webhooks replaces receipts to other machines by the emulated receiver at hook.
func webhooks(receipts, hook string) (replaced string, any bool) {
	entries := strings.Split(receipts, ",")
	for i, entry := range entries {
		if entry = strings.TrimSpace(entry); strings.HasPrefix(entry, "http") && leaves(entry) {
			entries[i], any = fmt.Sprintf("%s?receiver=%d", hook, i+1), true
		}
	}
	return strings.Join(entries, ","), any
}
