// The generator of the kernels is a module of its own, so that the product does not depend on it.
module github.com/recollect-dev/recollect/internal/engine/vision/asm

go 1.26

require github.com/mmcloughlin/avo v0.5.0

require (
	golang.org/x/mod v0.6.0 // indirect
	golang.org/x/sys v0.1.0 // indirect
	golang.org/x/tools v0.2.0 // indirect
)
