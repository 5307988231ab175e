package websource

import (
	"context"
	"net"
)

// SetDial replaces the dialer behind the checks.
func (s *Source) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.dialer.Dial = dial
}
