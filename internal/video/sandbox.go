package video

// confinement says what a sandboxed FFmpeg may use.
type confinement struct {
	Program string // path of FFmpeg
	Port    uint16 // the only TCP port that it may connect to
	Memory  uint64 // bytes of address space
	CPU     uint64 // seconds of processor time

	// NoLandlock does without Landlock, as on an older kernel, for tests.
	NoLandlock bool
}

// Sandbox says that this program becomes FFmpeg when it is started to, since its main function
// called [Main]. The zero value says that it does not.
type Sandbox struct{ made bool }

// sandboxFault begins the line of a process that could not become FFmpeg.
const sandboxFault = "sandbox: "
