package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"time"
)

// A memory is what a fresh tcbferry process needs for files of one size, after one
// small file that opens its connections.
type memory struct {
	scheme string
	size   int64 // of each file
	files  int   // at once
	sample
	peak int64 // bytes
}

// remember shows whether memory grows with the size or the number of files.
func (b *bench) remember(ctx context.Context, w *world) error {
	jobs := []struct {
		mib   int64
		files int
	}{{1, 1}, {16, 1}, {64, 1}, {256, 1}, {1024, 1}, {4096, 1}, {256, 2}, {256, 4}, {256, 8}, {256, 16}}
	for _, j := range jobs {
		if b.quick && j.mib > 64 {
			continue
		}
		var keys []string
		for i := range j.files {
			keys = append(keys, fmt.Sprintf("big/%d-%d", j.mib, i))
		}
		m, err := b.grow(ctx, w, keys)
		if err != nil {
			return err
		}
		m.size = j.mib * mib
		if err := w.check(j.files+1, int64(j.files)*m.size+10_000); err != nil {
			return err
		}
		log.Printf("memory, %s: %d x %d MiB: %.1f MiB", w.scheme, j.files, j.mib, float64(m.peak)/mib)
		b.memory = append(b.memory, m)
	}
	return nil
}

// grow carries files all at once: up to eight in one event, sixteen in two.
func (b *bench) grow(ctx context.Context, w *world, keys []string) (m memory, err error) {
	c, err := b.startFerry(ctx, w, len(keys), partOfCPU)
	if err != nil {
		return m, err
	}
	f := c.(*ferry)
	defer f.close()
	if err := f.invoke(ctx, plain(warmUp[:1]), 1); err != nil {
		return m, err
	}
	before, err := f.cpu()
	if err != nil {
		return m, err
	}
	began := time.Now()
	var events errgroup
	for some := range slices.Chunk(keys, 8) {
		events.run(func() error { return f.invoke(ctx, plain(some), len(some)) })
	}
	if err := events.wait(); err != nil {
		return m, err
	}
	m.wall = time.Since(began)
	after, err := f.cpu()
	m.cpu = after - before
	m.scheme, m.files, m.peak = w.scheme, len(keys), f.peak()
	return m, err
}
