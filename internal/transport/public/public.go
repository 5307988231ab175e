// Package public dials hosts of the public Internet only. It is for URLs whose names lead
// where their owner wants: a name could lead into the network of the function.
package public

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// A Resolver looks a host name up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// An Error says that a host has an address that is not of the public Internet. It does
// not say which: that would map the network.
type Error struct{ Host string }

func (e *Error) Error() string {
	return e.Host + " has an address that is not of the public Internet"
}

// special are the addresses of the IPv4 space and of 2000::/3 that are not of the public
// Internet, by IANA's special-purpose registries (iana-ipv4-special-registry and
// iana-ipv6-special-registry). All IPv6 addresses outside of 2000::/3 are not either.
var special = prefixes(
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

// Is reports whether an address is of the public Internet. Private, loopback, link-local,
// carrier-grade NAT, metadata, multicast and reserved ones are not, also where an IPv6
// form wraps them.
func Is(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsValid() || a.Is6() && !global.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// literal marks the context of a dial to an address that the URL itself spells.
type literal struct{}

// guard checks the very address that the dialer is about to connect to.
func guard(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || ctx.Value(literal{}) == nil && !Is(to.Addr()) {
		return &Error{"the host"}
	}
	return nil
}

// dialTimeout leaves time for another address within the idle time of 15 s.
const dialTimeout = 10 * time.Second

// A Dialer dials one of a host's addresses. It resolves a name once for each connection
// and dials the very address that it checked, because a second look-up could give another
// answer (DNS rebinding). Where the host is an address itself, the URL's owner names that
// address, so it is dialed whatever network it is of.
type Dialer struct {
	Resolver Resolver // nil: net.DefaultResolver
	// Dial makes the connection; nil: a net.Dialer that checks the address once more.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// DialContext is for an http.Transport without proxies, because a proxy would resolve the
// name again.
func (d *Dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		ctx = context.WithValue(ctx, literal{}, true)
	}
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, ControlContext: guard}).DialContext
	}
	for _, addr := range addrs {
		var conn net.Conn
		if conn, err = dial(ctx, "tcp", net.JoinHostPort(addr.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// lookup resolves host once. IPv4 comes first because a function rarely has IPv6.
func (d *Dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	var resolver Resolver = net.DefaultResolver
	if d.Resolver != nil {
		resolver = d.Resolver
	}
	found, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	addrs := make([]netip.Addr, 0, len(found))
	for _, addr := range found {
		if !Is(addr) {
			return nil, &Error{host}
		}
		addrs = append(addrs, addr.Unmap())
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs, nil
}
