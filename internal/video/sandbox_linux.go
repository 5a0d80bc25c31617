//go:build linux && (amd64 || arm64)

package video

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sandboxName is the name that this program is started by to become a sandboxed FFmpeg.
const sandboxName = "recollect-ffmpeg"

// niceness puts decoding behind the requests that somebody waits for.
const niceness = 10

// sandboxed returns the program and the arguments that start FFmpeg in a sandbox: this program
// itself, which sets the limits and then becomes FFmpeg. Limits that are set so hold from FFmpeg's
// first instruction, and need no privileges.
func sandboxed(c confinement, args []string) (path string, argv []string, err error) {
	limits, err := json.Marshal(c)
	if err != nil {
		return "", nil, fmt.Errorf("encoding the limits of FFmpeg: %w", err)
	}
	return "/proc/self/exe", append([]string{sandboxName, string(limits)}, args...), nil
}

// Main becomes FFmpeg in a sandbox if this process was started to, and does not return then.
// Otherwise it returns at once. The main function of each program that decodes videos calls it
// before anything else.
func Main() Sandbox {
	if len(os.Args) < 2 || os.Args[0] != sandboxName {
		return Sandbox{made: true}
	}
	fmt.Fprintf(os.Stderr, "%s%v\n", sandboxFault, enter(os.Args[1], os.Args[2:]))
	os.Exit(1)
	return Sandbox{}
}

// enter sets the limits and executes FFmpeg. It returns only if that fails.
func enter(limits string, args []string) error {
	var c confinement
	if err := json.Unmarshal([]byte(limits), &c); err != nil {
		return fmt.Errorf("reading the limits: %w", err)
	}
	// The limits of a thread are those of what it executes; other threads end there.
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, niceness); err != nil {
		return fmt.Errorf("lowering the priority: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	if !c.NoLandlock {
		if err := restrictFiles(c.Program, c.Port); err != nil {
			return err
		}
	}
	for _, l := range []struct {
		resource int
		most     uint64
		more     uint64 // until the process is killed without being asked
	}{
		{unix.RLIMIT_AS, c.Memory, 0},
		{unix.RLIMIT_CPU, c.CPU, 5},
		{unix.RLIMIT_FSIZE, 0, 0},
		{unix.RLIMIT_CORE, 0, 0},
		{unix.RLIMIT_NOFILE, 64, 0},
	} {
		limit := unix.Rlimit{Cur: l.most, Max: l.most + l.more}
		if err := unix.Setrlimit(l.resource, &limit); err != nil {
			return fmt.Errorf("limiting resource %d: %w", l.resource, err)
		}
	}
	if err := restrictCalls(); err != nil {
		return err
	}
	//nolint:gosec // G204: this process is there to execute what its own program started it with
	err := syscall.Exec(c.Program, append([]string{filepath.Base(c.Program)}, args...), nil)
	return fmt.Errorf("executing %s: %w", c.Program, err)
}

// The rights of Landlock, by the version of its interface that brought them (Linux, Documentation/
// userspace-api/landlock.rst).
const (
	landlockFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	landlockRead = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_DIR
	landlockNet    = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	landlockScopes = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	ruleNetPort    = 2 // LANDLOCK_RULE_NET_PORT
)

// libraries are the folders that a dynamically linked FFmpeg reads.
var libraries = []string{"/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64",
	"/usr/local/lib", "/nix/store", "/etc/ld.so.cache"}

// restrictFiles leaves of all files the program and the system's libraries, to be read and
// executed, and of all TCP ports one, to be connected to. A kernel without Landlock, or with an
// older one, restricts what it can: protocols and formats of FFmpeg's are restricted as well.
func restrictFiles(program string, port uint16) error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0,
		unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errno == unix.ENOSYS || errno == unix.EOPNOTSUPP || errno == unix.EPERM:
		return nil // a kernel without it, or a container's seccomp filter that does not know it
	case errno != 0:
		return fmt.Errorf("asking for the version of Landlock: %w", errno)
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: landlockFiles}
	if version >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		attr.Handled_access_net = landlockNet
	}
	if version >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		attr.Scoped = landlockScopes
	}
	// A kernel accepts a longer attribute than it knows if what it does not know is zero.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("making rules of Landlock: %w", errno)
	}
	rules := int(fd)
	defer unix.Close(rules)
	for _, path := range append([]string{program}, libraries...) {
		if err := allowReading(rules, path); err != nil {
			return err
		}
	}
	if version >= 4 {
		rule := struct{ access, port uint64 }{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP,
			uint64(port)}
		if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, ruleNetPort,
			uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
			return fmt.Errorf("allowing a port: %w", errno)
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("restricting files: %w", errno)
	}
	return nil
}

// allowReading adds the rule that a file, or all below a folder, may be read and executed. What is
// not there needs no rule.
func allowReading(rules int, path string) error {
	file, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // the program itself is reported when it is executed
	}
	defer unix.Close(file)
	var stat unix.Stat_t
	if err := unix.Fstat(file, &stat); err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	access := uint64(landlockRead)
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(file)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules),
		unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("allowing %s: %w", path, errno)
	}
	return nil
}

// denied are the system calls that no decoder needs, and that reach beyond the process.
var denied = append([]uint32{
	unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
	unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD,
	unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_KCMP,
	unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_SOCKETPAIR,
	unix.SYS_MEMFD_CREATE, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP,
	unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_UNSHARE,
	unix.SYS_SETNS, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG,
	unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_KEYCTL, unix.SYS_ADD_KEY,
	unix.SYS_REQUEST_KEY, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
	unix.SYS_QUOTACTL, unix.SYS_SYSLOG, unix.SYS_PERSONALITY, unix.SYS_VHANGUP,
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID,
	unix.SYS_SETRESGID, unix.SYS_SETGROUPS, unix.SYS_CAPSET,
}, deniedHere...)

// Offsets in the kernel's struct seccomp_data: the low halves of the arguments are first.
const (
	dataCall = 0
	dataArch = 4
	dataArgs = 16

	otherInterface = 1 << 30 // and higher: calls of the interface x32

	socketType = 0xf // of a socket's type, which has flags
)

// restrictCalls denies the calls of denied, new processes, and sockets that are not of TCP over
// IPv4. Threads are allowed.
func restrictCalls() error {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		same = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		mask = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	op := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	fail := func(e unix.Errno) unix.SockFilter { return op(ret, unix.SECCOMP_RET_ERRNO|uint32(e)) }
	allow := op(ret, unix.SECCOMP_RET_ALLOW)
	// Both skip so many instructions: unless if the value is not k, when if it is.
	unless := func(k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: same, K: k, Jf: skip}
	}
	when := func(k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: same, K: k, Jt: skip}
	}
	program := []unix.SockFilter{
		op(load, dataArch), when(auditArch, 1), op(ret, unix.SECCOMP_RET_KILL_PROCESS),
		op(load, dataCall),
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: otherInterface, Jf: 1},
		fail(unix.EPERM),
		// Without clone3, whose flags no filter sees, the C library starts threads by clone.
		unless(unix.SYS_CLONE3, 1), fail(unix.ENOSYS),
	}
	for _, call := range denied {
		program = append(program, unless(call, 1), fail(unix.EPERM))
	}
	program = append(program,
		unless(unix.SYS_CLONE, 5), op(load, dataArgs), op(mask, unix.CLONE_THREAD),
		when(unix.CLONE_THREAD, 1), fail(unix.EPERM), allow,
		unless(unix.SYS_SOCKET, 6), op(load, dataArgs), unless(unix.AF_INET, 3),
		op(load, dataArgs+8), op(mask, socketType), when(unix.SOCK_STREAM, 1), fail(unix.EPERM),
		allow,
	)
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0,
		uintptr(unsafe.Pointer(&filter))); errno != 0 {
		return fmt.Errorf("restricting system calls: %w", errno)
	}
	return nil
}
