package vision

import "encoding/binary"

// WithOrientation puts an EXIF orientation into a JPEG file, for the tests of the package's
// outside.
func WithOrientation(data []byte, value uint16) []byte {
	return withOrientation(data, binary.BigEndian, value)
}
