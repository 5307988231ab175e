package websource

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// closed are the addresses inside of 2000::/3 and of the IPv4 space that lead
// nowhere, or into a network of ours, by the IANA special-purpose registries.
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	global = netip.MustParsePrefix("2000::/3")
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// isPublic tells an address of the public Internet from one that a URL from
// outside must not reach: private, loopback, link-local, carrier-grade NAT,
// metadata, multicast and reserved ones, also where an IPv6 form wraps them.
func isPublic(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsValid() || a.Is6() && !global.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(closed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// literal marks the context of a dial to an address that the URL itself spells.
type literal struct{}

// guard is the last look at an address, made by the dialer on the one it is
// about to connect to.
func guard(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || ctx.Value(literal{}) == nil && !isPublic(to.Addr()) {
		return inside("the host")
	}
	return nil
}

// connect dials one of a host's addresses. An address as the host was compared
// with the allow-list like any other host, so the list names it: it is dialed
// whatever network it is of. A name may not lead to any address inside.
func (s *Source) connect(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := s.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		ctx = context.WithValue(ctx, literal{}, true)
	}
	for _, addr := range addrs {
		var conn net.Conn
		if conn, err = s.dial(ctx, "tcp", net.JoinHostPort(addr.String(), port)); err == nil {
			return rolling{conn}, nil
		}
	}
	return nil, err
}

// lookup resolves host once. IPv4 comes first, for a function rarely has IPv6.
func (s *Source) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	found, err := s.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	addrs := make([]netip.Addr, 0, len(found))
	for _, addr := range found {
		if !isPublic(addr) {
			return nil, inside(host)
		}
		addrs = append(addrs, addr.Unmap())
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs, nil
}

// inside does not say which address: that would map the network to the caller.
func inside(host string) *transfer.Error {
	return fault(transfer.KindRefused, fmt.Sprintf("%s has an address that is not of the public Internet; a source there is read only if HTTP_SOURCES names the address itself", host))
}

// rolling is a connection that is given up when no byte moves for stall. The
// clock runs only while somebody waits for a byte.
type rolling struct{ net.Conn }

func (c rolling) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(stall))
	return c.Conn.Read(p)
}

func (c rolling) Write(p []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(stall))
	return c.Conn.Write(p)
}
