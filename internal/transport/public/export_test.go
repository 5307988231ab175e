package public

// Guard is the dialer's last check, which a loopback network cannot reach.
var Guard = guard
