package video

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// deniedHere are the denied calls that other processors do not have.
var deniedHere []uint32
