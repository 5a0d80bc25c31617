package vision

import "encoding/binary"

// WithOrientation inserts an EXIF orientation into a JPEG file, for external tests.
func WithOrientation(data []byte, value uint16) []byte {
	return withOrientation(data, binary.BigEndian, value)
}
