//go:build !linux

package workload

import "errors"

// LeaveCache is not supported on this system.
func LeaveCache(string) error { return errors.ErrUnsupported }
