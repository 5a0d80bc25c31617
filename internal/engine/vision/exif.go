package vision

import (
	"bytes"
	"encoding/binary"
)

// exifOrientation returns the orientation in a JPEG file's EXIF data, and upright if there is none
// or it cannot be read: a picture is not rejected because of its EXIF data. Only the tag
// Orientation of the first image file directory is read (EXIF 2.32, section 4.6.4 A), so the parser
// supports nothing else.
func exifOrientation(data []byte) orientation {
	// Segments: 0xff, marker, length (of itself and what follows it).
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xff {
			return upright
		}
		marker := data[at+1]
		if marker == 0xff { // fill byte
			at++
			continue
		}
		const startOfScan, app1 = 0xda, 0xe1
		length := int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == startOfScan || length < 2 || at+2+length > len(data) {
			return upright
		}
		if tiff, ok := bytes.CutPrefix(data[at+4:at+2+length], []byte("Exif\x00\x00")); ok &&
			marker == app1 {
			return tiffOrientation(tiff)
		}
		at += 2 + length
	}
	return upright
}

// tiffOrientation reads the tag Orientation of a TIFF structure (TIFF 6.0, section 2).
func tiffOrientation(tiff []byte) orientation {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return upright
	}
	if len(tiff) < 8 {
		return upright
	}
	directory := int64(order.Uint32(tiff[4:]))
	if directory+2 > int64(len(tiff)) {
		return upright
	}
	entries := tiff[directory+2:]
	const size = 12 // bytes of an entry: tag, type, count, value
	for range order.Uint16(tiff[directory:]) {
		if len(entries) < size {
			return upright
		}
		const tagOrientation = 0x0112
		if order.Uint16(entries) == tagOrientation {
			value := tiffInteger(order, entries)
			if value < 1 || value > 8 {
				return upright
			}
			return orientation(value)
		}
		entries = entries[size:]
	}
	return upright
}

// tiffInteger is the value of an entry that is one integer, 0 for any other. EXIF has the
// orientation as a SHORT, and some cameras write another type.
func tiffInteger(order binary.ByteOrder, entry []byte) uint32 {
	if order.Uint32(entry[4:]) != 1 {
		return 0
	}
	const (
		typeByte, typeShort, typeLong                   = 1, 3, 4
		typeSignedByte, typeSignedShort, typeSignedLong = 6, 8, 9
	)
	switch value := entry[8:]; order.Uint16(entry[2:]) {
	case typeByte, typeSignedByte:
		return uint32(value[0])
	case typeShort, typeSignedShort:
		return uint32(order.Uint16(value))
	case typeLong, typeSignedLong:
		return order.Uint32(value)
	}
	return 0
}
