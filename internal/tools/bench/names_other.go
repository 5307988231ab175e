//go:build !linux

package main

import "errors"

func (b *bench) canName() error { return errors.New("mount namespaces need Linux") }

func (b *bench) withNames(func() error) error { return b.canName() }
