package vision

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// The types of integers in TIFF, by size and sign.
const (
	byteType, shortType, longType                   = 1, 3, 4
	signedByteType, signedShortType, signedLongType = 6, 8, 9
)

// orientationTIFF is a TIFF structure that states an orientation as a value of a type.
func orientationTIFF(order binary.AppendByteOrder, kind uint16, value uint32) []byte {
	tiff := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		tiff = []byte("MM\x00*")
	}
	entry := func(tag, kind uint16, value uint32) {
		tiff = order.AppendUint16(tiff, tag)
		tiff = order.AppendUint16(tiff, kind)
		tiff = order.AppendUint32(tiff, 1)
		switch kind {
		case byteType, signedByteType:
			tiff = append(tiff, byte(value), 0, 0, 0)
		case longType, signedLongType:
			tiff = order.AppendUint32(tiff, value)
		default:
			tiff = order.AppendUint16(tiff, uint16(value))
			tiff = order.AppendUint16(tiff, 0)
		}
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	entry(0x0100, shortType, 4000)
	entry(0x0112, kind, value)
	return order.AppendUint32(tiff, 0)
}

// withOrientation inserts an EXIF segment with the given orientation after a JPEG file's first
// marker.
func withOrientation(data []byte, order binary.AppendByteOrder, value uint16) []byte {
	return withTIFF(data, orientationTIFF(order, shortType, uint32(value)))
}

func withTIFF(data, tiff []byte) []byte {
	out := append([]byte{}, data[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+6+len(tiff)))
	out = append(append(out, "Exif\x00\x00"...), tiff...)
	return append(out, data[2:]...)
}

func TestExifOrientation(t *testing.T) {
	data := testdata(t, "baseline420.jpg")
	if got := exifOrientation(data); got != upright {
		t.Errorf("without EXIF: %d", got)
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for value := range uint16(12) {
			want := upright
			if value >= 1 && value <= 8 {
				want = orientation(value)
			}
			if got := exifOrientation(withOrientation(data, order, value)); got != want {
				t.Errorf("%v, value %d: got %d, want %d", order, value, got, want)
			}
		}
	}
	for _, kind := range []uint16{byteType, longType, signedByteType, signedShortType,
		signedLongType} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if got := exifOrientation(withTIFF(data, orientationTIFF(order, kind, 6))); got != 6 {
				t.Errorf("%v, type %d: got %d, want 6", order, kind, got)
			}
		}
	}
	const ascii, rational, tooLarge = 2, 5, 6 + 1<<16
	for _, kind := range []uint16{ascii, rational} {
		if got := exifOrientation(withTIFF(data, orientationTIFF(binary.BigEndian, kind,
			6))); got != upright {
			t.Errorf("type %d: got %d", kind, got)
		}
	}
	if got := exifOrientation(withTIFF(data, orientationTIFF(binary.BigEndian, longType,
		tooLarge))); got != upright {
		t.Errorf("a long of %d: got %d", tooLarge, got)
	}
	// A file that ends within its EXIF data has no orientation.
	turned := withOrientation(data, binary.BigEndian, 6)
	end := bytes.Index(turned, []byte("Exif")) + 6 + 8 + 2 + 2*12
	for n := range end {
		if got := exifOrientation(turned[:n]); got != upright {
			t.Errorf("cut off at %d: %d", n, got)
		}
	}
}

func FuzzExifOrientation(f *testing.F) {
	for value := range uint16(9) {
		f.Add(withOrientation([]byte("\xff\xd8\xff\xd9"), binary.LittleEndian, value))
		f.Add(withOrientation([]byte("\xff\xd8\xff\xd9"), binary.BigEndian, value))
	}
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Add([]byte("\xff\xd8\xff\xff\xff\xff\xe1\x00\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := exifOrientation(data); got < 1 || got > 8 {
			t.Errorf("orientation %d", got)
		}
	})
}
