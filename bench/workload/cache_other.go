//go:build !linux

package workload

import "errors"

// LeaveCache is not built for this system.
func LeaveCache(string) error { return errors.ErrUnsupported }
