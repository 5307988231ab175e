package kit_test

import (
	"testing"

	"github.com/tcbferry/tcbferry/internal/test/kit"
)

func TestLeaks(t *testing.T) {
	t.Parallel()
	const secret = `a&b/c+d"e=`
	for _, text := range []string{
		secret, `A&B/C+D"E=`, "a%26b%2Fc%2Bd%22e%3D", `{"x":"a\u0026b/c+d\"e="}`, `{"x":"{\"y\":\"a\\u0026b/c+d\\\"e=\"}"}`, "YSZiL2MrZCJlPQ==", "6126622f632b6422653d", `a&amp;b/c+d"e=`,
	} {
		if len(kit.Leaks("before "+text+" after", []string{secret})) != 1 {
			t.Errorf("%q is not found in %q", secret, text)
		}
	}
	if got := kit.Leaks("nothing to see", []string{secret, ""}); len(got) > 0 {
		t.Errorf("found %q in nothing", got)
	}
}
