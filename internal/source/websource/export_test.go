package websource

import (
	"context"
	"net"
)

// What the tests of the outside cannot reach on a loopback network.
var (
	IsPublic = isPublic
	Guard    = guard
)

// SetDial replaces the dialer behind the checks.
func (s *Source) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.dial = dial
}
