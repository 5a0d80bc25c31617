//go:build !linux

package main

import "errors"

// leaveCache is not built for this system.
func leaveCache(string) error { return errors.ErrUnsupported }
