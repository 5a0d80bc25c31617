package workload

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the processor time of this process: unlike elapsed time, it does not depend on
// other processes.
func CPUTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// AnonymousMemory returns the bytes of a process that no file backs, from Linux.
func AnonymousMemory(pid int) (int64, error) { return memoryOf(pid, "RssAnon:") }

// PeakMemory returns the largest resident memory of a process, in bytes, from Linux, since its
// start or since its call of [ForgetPeak].
func PeakMemory(pid int) (int64, error) { return memoryOf(pid, "VmHWM:") }

// ForgetPeak resets this process's [PeakMemory], if the system supports it.
func ForgetPeak() {
	// then the peak may be of an earlier part
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// memoryOf reads a number of bytes from a process's status.
func memoryOf(pid int, name string) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == name {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes * 1024, err
		}
	}
	return 0, errors.New("this system has no such figure")
}
