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

// CPUTime is what this process has used of the processors: unlike time, it does not depend on what
// else they do.
func CPUTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// AnonymousMemory is how many bytes of a process no file backs, as Linux tells it.
func AnonymousMemory(pid int) (int64, error) { return memoryOf(pid, "RssAnon:") }

// PeakMemory is the most resident memory that a process had, in bytes, as Linux tells it, since its
// start or since it called [ForgetPeak].
func PeakMemory(pid int) (int64, error) { return memoryOf(pid, "VmHWM:") }

// ForgetPeak has the system begin anew with this process's [PeakMemory], where it can.
func ForgetPeak() {
	// the peak is that of an earlier part then, and no less true of the process
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
	return 0, errors.New("this system does not tell")
}
