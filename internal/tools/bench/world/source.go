package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

// source serves the bucket "staging": small/0 to small/999 of 10 kB each, and big/MIB-N
// of MIB mebibytes each, which are made while they are read.
func source(cert, key string) error {
	s := staging.New("staging")
	body := make([]byte, 10_000)
	for i := range 1000 {
		random := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)})
		_, _ = random.Read(body) // never fails
		if err := s.Put("staging", "small/"+strconv.Itoa(i), "image/png", bytes.Clone(body)); err != nil {
			return err
		}
	}
	for _, mib := range []int64{16, 64, 256, 1024} {
		for n := range 16 {
			if err := s.Synthesize("staging", fmt.Sprintf("big/%d-%d", mib, n), mib<<20, uint64(n)); err != nil {
				return err
			}
		}
	}
	url, err := serve(anyPort, cert, key, s)
	fmt.Println(url)
	return err
}
