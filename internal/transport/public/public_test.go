package public_test

import (
	"net/netip"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transport/public"
)

func TestIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"8.8.8.8":                true,
		"172.15.255.255":         true,
		"172.32.0.0":             true,
		"100.63.255.255":         true,
		"223.255.255.255":        true,
		"2606:4700::1111":        true,
		"::ffff:8.8.8.8":         true,
		"64:ff9b::8.8.8.8":       true,
		"0.0.0.0":                false,
		"0.1.2.3":                false,
		"10.0.0.1":               false,
		"100.64.0.1":             false,
		"100.100.100.200":        false, // Alibaba's metadata
		"127.0.0.1":              false,
		"127.255.255.254":        false,
		"169.254.0.23":           false, // Tencent's metadata
		"169.254.169.254":        false,
		"169.254.170.2":          false, // container credentials
		"172.16.0.1":             false,
		"172.31.255.255":         false,
		"192.168.1.1":            false,
		"192.0.0.192":            false,
		"198.18.0.1":             false,
		"224.0.0.1":              false,
		"240.0.0.1":              false,
		"255.255.255.255":        false,
		"::":                     false,
		"::1":                    false,
		"::127.0.0.1":            false,
		"::ffff:127.0.0.1":       false,
		"::ffff:169.254.169.254": false,
		"64:ff9b::a9fe:a9fe":     false,
		"64:ff9b::7f00:1":        false,
		"64:ff9b:1::1":           false,
		"2002:a9fe:a9fe::1":      false,
		"2002:7f00:1::":          false,
		"2001::1":                false, // Teredo
		"2001:db8::1":            false,
		"fc00::1":                false,
		"fd00:ec2::254":          false,
		"fe80::1":                false,
		"fe80::1%eth0":           false,
		"fec0::1":                false,
		"ff02::1":                false,
		"100::1":                 false,
		"5f00::1":                false,
	} {
		addr := netip.MustParseAddr(text)
		if got := public.Is(addr); got != want {
			t.Errorf("Is(%s) = %t", text, got)
		}
		err := public.Guard(t.Context(), "tcp", netip.AddrPortFrom(addr, 443).String(), nil)
		if (err == nil) != want {
			t.Errorf("the dialer's guard says %v of %s", err, text)
		}
	}
	if public.Is(netip.Addr{}) {
		t.Error("no address is public")
	}
}
