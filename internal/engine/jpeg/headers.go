package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Markers (T.81, table B.1).
const (
	markerSOF0  = 0xc0
	markerSOF1  = 0xc1
	markerSOF2  = 0xc2
	markerDHT   = 0xc4
	markerJPG   = 0xc8
	markerSOF9  = 0xc9
	markerSOF10 = 0xca
	markerDAC   = 0xcc
	markerSOF15 = 0xcf
	markerRST0  = 0xd0
	markerRST7  = 0xd7
	markerSOI   = 0xd8
	markerEOI   = 0xd9
	markerSOS   = 0xda
	markerDQT   = 0xdb
	markerDNL   = 0xdc
	markerDRI   = 0xdd
	markerAPP0  = 0xe0
	markerAPP14 = 0xee
	markerAPP15 = 0xef
	markerCOM   = 0xfe
	markerTEM   = 0x01
)

var (
	// errEnd says that the picture's end has been reached.
	errEnd = errors.New("the picture has no scan")

	// errCut says that the data ends before the picture does.
	errCut = errors.New("the data ends within the headers")
)

// Color is the meaning of a picture's components.
type Color int

// The colors. A picture of ink (cyan, magenta, yellow and black, or luma, chroma and black) is
// decoded to RGB.
const (
	Grey  Color = iota // luma
	YCbCr              // luma and chroma (JFIF)
	RGB
)

// frame is the content of the headers.
type frame struct {
	width, height         int // pixels
	components            []component
	progressive           bool
	arithmetic            bool // arithmetic coding of coefficients; otherwise Huffman codes
	interval              int  // units between restart markers; 0: there are none
	h, v                  int  // the largest sampling factors
	unitColumns, unitRows int  // units (MCUs) across and down of a scan of all components
	ink                   bool // four components
	heightLater           bool // a segment after the first scan has it
	color                 Color
}

type component struct {
	id     byte
	h, v   int // sampling factors: blocks of a unit, across and down
	table  byte
	quant  *[64]uint16 // in zigzag order
	dc, ac *huffman    // of the only scan of a plain picture

	columns, rows int // blocks that have samples of the picture, across and down
}

// Header is the content of the headers up to the first scan.
type Header struct {
	Width, Height int // pixels
	Color         Color
	Ink           bool // such a picture is decoded at its full size only
	Progressive   bool
	Arithmetic    bool
	// Plain says that Decode can read the picture, unless it is damaged.
	Plain bool
	// Blocks is the number of coded blocks of 8 x 8 coefficients. With Huffman codes each takes at
	// least one bit.
	Blocks int64

	samples int64 // of all components, with those that fill units
}

// Memory returns an upper bound of the picture's memory in bytes, decoded by Decode if it is plain,
// or by DecodeAny: samples of one byte, at several scales, and coefficients of two.
func (h *Header) Memory(plain bool) int64 {
	scales := h.samples + h.samples/3
	switch {
	case plain:
		return scales
	case h.Ink: // and three colors at full size
		return 2*h.samples + scales + 3*int64(h.Width)*int64(h.Height)
	}
	return 2*h.samples + scales
}

// ReadHeader reads the headers of a picture. If DecodeAny cannot read the picture, the error says
// what it is or lacks.
func ReadHeader(data []byte) (*Header, error) {
	s, rest, err := newHeaders(data)
	if err != nil {
		return nil, err
	}
	scan, _, err := s.next(rest)
	if err != nil {
		return nil, err
	}
	f := &s.frame
	h := &Header{Width: f.width, Height: f.height, Color: f.color, Ink: f.ink,
		Progressive: f.progressive, Arithmetic: f.arithmetic, Plain: f.plain(scan)}
	for i := range f.components {
		c := &f.components[i]
		h.Blocks += int64(c.columns) * int64(c.rows)
		h.samples += 64 * int64(f.unitColumns*c.h) * int64(f.unitRows*c.v)
	}
	return h, nil
}

// headers is the content of the segments that have been read.
type headers struct {
	frame   frame
	quant   [4]*[64]uint16
	huffman [2][4]*codes // of DC and of AC coefficients
	// The conditioning of arithmetic coding (T.81, F.1.4.4.1.4): L and U of DC tables, Kx of AC
	// tables.
	lower, upper, kx [4]uint8

	jfif      bool
	adobe     bool
	transform byte // of Adobe's segment
}

// scanHeader is the content of a scan's header.
type scanHeader struct {
	components []scanComponent
	from, to   int // coefficients in zigzag order
	high, low  int // bits of successive approximation
}

type scanComponent struct {
	index  int // among the frame's components
	dc, ac int // tables
}

// newHeaders returns headers without segments.
func newHeaders(data []byte) (*headers, []byte, error) {
	if len(data) < 2 || data[0] != 0xff || data[1] != markerSOI {
		return nil, nil, errors.New("it does not begin like a JPEG")
	}
	h := &headers{kx: [4]uint8{5, 5, 5, 5}, upper: [4]uint8{1, 1, 1, 1}}
	return h, data[2:], nil
}

// next reads segments up to the next scan's header, and returns the data after it. Bytes between
// segments are skipped, as libjpeg does. The error is errEnd at the end of the picture, and errCut
// if the data ends before.
func (h *headers) next(data []byte) (s *scanHeader, rest []byte, err error) {
	for {
		at := bytes.IndexByte(data, 0xff)
		if at < 0 || at+1 >= len(data) {
			return nil, nil, errCut
		}
		marker := data[at+1]
		switch {
		case marker == 0xff: // fills
			data = data[at+1:]
			continue
		case marker == 0, marker == markerTEM, marker >= markerRST0 && marker <= markerRST7:
			data = data[at+2:]
			continue
		case marker == markerEOI:
			return nil, nil, errEnd
		case marker == markerSOI:
			return nil, nil, errors.New("another picture begins before this one ends")
		case marker < markerSOF0:
			return nil, nil, fmt.Errorf("the marker %#x is reserved", marker)
		}
		data = data[at+2:]
		if len(data) < 2 {
			return nil, nil, errCut
		}
		length := int(binary.BigEndian.Uint16(data))
		if length < 2 {
			return nil, nil, fmt.Errorf("the segment of marker %#x has no length", marker)
		}
		if length > len(data) {
			return nil, nil, errCut
		}
		segment := data[2:length]
		data = data[length:]
		if marker == markerSOS {
			s, err := h.parseScan(segment, data)
			return s, data, err
		}
		if err := h.parse(marker, segment); err != nil {
			return nil, nil, err
		}
	}
}

// parse reads a segment other than a scan's header.
func (h *headers) parse(marker byte, segment []byte) error {
	switch {
	case marker == markerDHT:
		return h.parseHuffman(segment)
	case marker == markerDAC:
		return h.parseConditioning(segment)
	case marker == markerDQT:
		return h.parseQuant(segment)
	case marker == markerDRI:
		if len(segment) != 2 {
			return errors.New("the restart interval has another length than 2 bytes")
		}
		h.frame.interval = int(binary.BigEndian.Uint16(segment))
	case marker == markerAPP0:
		h.jfif = h.jfif || len(segment) >= 14 && string(segment[:5]) == "JFIF\x00"
	case marker == markerAPP14:
		if len(segment) >= 12 && string(segment[:5]) == "Adobe" {
			h.adobe, h.transform = true, segment[11]
		}
	case marker >= markerSOF0 && marker <= markerSOF15:
		return h.parseFrame(marker, segment)
	}
	return nil
}

// parseFrame reads a frame's header (T.81, B.2.2).
func (h *headers) parseFrame(marker byte, s []byte) error {
	f := &h.frame
	switch marker {
	case markerSOF0, markerSOF1:
	case markerSOF2:
		f.progressive = true
	case markerSOF9:
		f.arithmetic = true
	case markerSOF10:
		f.arithmetic, f.progressive = true, true
	case 0xc3, 0xcb:
		return errors.New("a lossless JPEG (T.81, annex H) is not read")
	case 0xc5, 0xc6, 0xc7, 0xcd, 0xce, 0xcf:
		return errors.New("a hierarchical JPEG (T.81, annex J) is not read")
	default:
		return errors.New("a JPEG of a process that is no part of T.81 is not read")
	}
	if f.components != nil {
		return errors.New("it has more than one frame")
	}
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return errors.New("the frame's header has a wrong length")
	}
	if s[0] != 8 {
		return fmt.Errorf("a JPEG of %d bits a sample is not read, of 8 bits is", s[0])
	}
	f.height, f.width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if f.width == 0 {
		return errors.New("it has no pixels")
	}
	switch n := s[5]; n {
	case 1, 3, 4:
	default:
		return fmt.Errorf("a JPEG of %d components is not read", n)
	}
	for s := s[6:]; len(s) > 0; s = s[3:] {
		c := component{id: s[0], h: int(s[1] >> 4), v: int(s[1] & 15), table: s[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return errors.New("a component has a wrong sampling factor or table")
		}
		f.components = append(f.components, c)
	}
	if len(f.components) == 1 {
		c := &f.components[0]
		c.h, c.v = 1, 1 // a unit of a single component is one block (T.81, A.2.2)
	}
	for _, c := range f.components {
		f.h, f.v = max(f.h, c.h), max(f.v, c.v)
	}
	return nil
}

// lines computes the frame's blocks, once its height is known.
func (f *frame) lines() {
	up := func(n, by int) int { return (n + by - 1) / by }
	f.unitColumns, f.unitRows = up(f.width, 8*f.h), up(f.height, 8*f.v)
	for i := range f.components {
		c := &f.components[i]
		c.columns, c.rows = up(up(f.width*c.h, f.h), 8), up(up(f.height*c.v, f.v), 8)
	}
}

// colors determines the meaning of the components, as libjpeg does.
func (h *headers) colors() {
	f := &h.frame
	switch len(f.components) {
	case 1:
		f.color = Grey
	case 3:
		f.color = YCbCr
		if !h.jfif && (h.adobe && h.transform == 0 || !h.adobe && f.named("RGB")) {
			f.color = RGB
		}
	case 4: // Adobe's transform 0 is ink, and all others are luma, chroma and black
		f.ink, f.color = true, RGB
		if h.adobe && h.transform != 0 {
			f.color = YCbCr
		}
	}
}

func (f *frame) named(ids string) bool {
	for i, c := range f.components {
		if c.id != ids[i] {
			return false
		}
	}
	return true
}

// plain reports whether Decode can read a picture with this scan.
func (f *frame) plain(s *scanHeader) bool {
	if f.progressive || f.arithmetic || f.ink || f.heightLater ||
		len(s.components) != len(f.components) {
		return false
	}
	for i := range f.components {
		c := &f.components[i]
		if s.components[i].index != i {
			return false
		}
		if i == 0 {
			if c.h == 3 || c.v > 2 {
				return false
			}
		} else if c.h != 1 || c.v != 1 { // chroma of more than one block a unit is rarely made
			return false
		}
	}
	return true
}

func (h *headers) parseQuant(s []byte) error {
	for len(s) > 0 {
		precision, id := s[0]>>4, s[0]&15
		size := 64 << precision
		if precision > 1 || id > 3 || len(s) < 1+size {
			return errors.New("a quantization table is wrong")
		}
		var q [64]uint16
		for i := range q {
			if precision == 0 {
				q[i] = uint16(s[1+i])
			} else {
				q[i] = binary.BigEndian.Uint16(s[1+2*i:])
			}
		}
		h.quant[id] = &q
		s = s[1+size:]
	}
	return nil
}

func (h *headers) parseHuffman(s []byte) error {
	for len(s) > 0 {
		if len(s) < 17 || s[0]>>4 > 1 || s[0]&15 > 3 {
			return errors.New("a Huffman table is wrong")
		}
		n := 0
		for _, count := range s[1:17] {
			n += int(count)
		}
		if n > 256 || len(s) < 17+n {
			return errors.New("a Huffman table is wrong")
		}
		h.huffman[s[0]>>4][s[0]&15] = &codes{counts: s[1:17], values: s[17 : 17+n]}
		s = s[17+n:]
	}
	return nil
}

// parseConditioning reads the conditioning of arithmetic coding (T.81, B.2.4.3).
func (h *headers) parseConditioning(s []byte) error {
	for ; len(s) >= 2; s = s[2:] {
		id, value := s[0]&15, s[1]
		switch {
		case id > 3 || s[0]>>4 > 1:
			return errors.New("the conditioning of arithmetic coding is wrong")
		case s[0]>>4 == 1:
			if value < 1 || value > 63 {
				return errors.New("the conditioning of arithmetic coding is wrong")
			}
			h.kx[id] = value
		default:
			h.lower[id], h.upper[id] = value&15, value>>4
			if h.lower[id] > h.upper[id] {
				return errors.New("the conditioning of arithmetic coding is wrong")
			}
		}
	}
	if len(s) != 0 {
		return errors.New("the conditioning of arithmetic coding has a wrong length")
	}
	return nil
}

// parseScan reads the header of a scan (T.81, B.2.3).
func (h *headers) parseScan(s, data []byte) (*scanHeader, error) {
	f := &h.frame
	if len(f.components) == 0 {
		return nil, errors.New("a scan comes before the frame's header")
	}
	if len(s) < 1 || s[0] < 1 || s[0] > 4 || len(s) != 4+2*int(s[0]) {
		return nil, errors.New("a scan's header has a wrong length")
	}
	if f.height == 0 { // after the first scan (T.81, B.2.5)
		if f.height = lineCount(data); f.height == 0 {
			return nil, errors.New("it has no pixels")
		}
		f.heightLater = true
	}
	if f.unitRows == 0 {
		f.lines()
		h.colors()
	}
	scan := &scanHeader{components: make([]scanComponent, s[0])}
	var used [4]bool
	blocks := 0
	for i := range scan.components {
		id, tables := s[1+2*i], s[2+2*i]
		// Some encoders give several components one id: they are used in turn.
		index := -1
		for at, c := range f.components {
			if c.id == id && !used[at] {
				index = at
				break
			}
		}
		if index < 0 {
			return nil, fmt.Errorf("a scan has a component %d, and the frame does not", id)
		}
		used[index] = true
		c := &f.components[index]
		blocks += c.h * c.v
		scan.components[i] = scanComponent{index, int(tables >> 4), int(tables & 15)}
		if tables>>4 > 3 || tables&15 > 3 {
			return nil, errors.New("a scan has a wrong table")
		}
		if c.quant == nil { // a table that is redefined later applies to other components
			if c.quant = h.quant[c.table]; c.quant == nil {
				return nil, errors.New("a quantization table is missing")
			}
		}
	}
	if blocks > 10 && len(scan.components) > 1 {
		return nil, errors.New("a unit of a scan has more than 10 blocks")
	}
	tail := s[len(s)-3:]
	scan.from, scan.to, scan.high, scan.low = int(tail[0]), int(tail[1]), int(tail[2]>>4),
		int(tail[2]&15)
	if !f.progressive {
		scan.from, scan.to, scan.high, scan.low = 0, 63, 0, 0
		return scan, nil
	}
	// T.81, G.1.1.1
	if scan.from > scan.to || scan.to > 63 || scan.from == 0 && scan.to != 0 ||
		scan.from > 0 && len(scan.components) > 1 ||
		scan.high > 0 && scan.low != scan.high-1 || scan.low > 13 {
		return nil, errors.New("a progressive scan has wrong parameters")
	}
	return scan, nil
}

// lineCount returns the height in a DNL segment after a scan's data, and 0 if there is none.
func lineCount(data []byte) int {
	for {
		at := bytes.IndexByte(data, 0xff)
		if at < 0 || at+6 > len(data) {
			return 0
		}
		marker := data[at+1]
		switch {
		case marker == 0, marker >= markerRST0 && marker <= markerRST7:
			data = data[at+2:]
		case marker == 0xff:
			data = data[at+1:]
		case marker == markerDNL && binary.BigEndian.Uint16(data[at+2:]) == 4:
			return int(binary.BigEndian.Uint16(data[at+4:]))
		default:
			return 0
		}
	}
}
