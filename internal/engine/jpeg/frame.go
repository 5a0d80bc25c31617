package jpeg

import "encoding/binary"

// frame is what the headers say.
type frame struct {
	width, height         int // pixels
	components            []component
	interval              int // units between restart markers; 0: there are none
	unitColumns, unitRows int // units (MCUs) across and down
}

type component struct {
	id     byte
	h, v   int // blocks of a unit, across and down
	table  byte
	quant  *[64]uint16 // in zigzag order
	dc, ac *huffman
}

// tables are those that the segments before the scan define.
type tables struct {
	quant  [4]*[64]uint16
	dc, ac [2]*huffman
}

// parse reads the segments up to the scan's, and returns what follows.
func (f *frame) parse(data []byte) (rest []byte, err error) {
	const (
		sof0, sof1, dht, soi, sos, dqt, dri = 0xc0, 0xc1, 0xc4, 0xd8, 0xda, 0xdb, 0xdd
		app0, app14, app15, com             = 0xe0, 0xee, 0xef, 0xfe
	)
	if len(data) < 2 || data[0] != 0xff || data[1] != soi {
		return nil, ErrUnsupported
	}
	var (
		t           tables
		jfif, adobe bool // adobe: the notes say that the colours are not luma and chroma
	)
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		marker, length := data[1], int(binary.BigEndian.Uint16(data[2:]))
		if length < 2 || 2+length > len(data) {
			return nil, ErrUnsupported
		}
		segment := data[4 : 2+length]
		data = data[2+length:]
		ok := true
		switch marker {
		case sof0, sof1:
			ok = f.parseFrame(segment)
		case dht:
			ok = t.parseHuffman(segment)
		case dqt:
			ok = t.parseQuant(segment)
		case dri:
			if ok = len(segment) == 2; ok {
				f.interval = int(binary.BigEndian.Uint16(segment))
			}
		case app0:
			if len(segment) >= 5 {
				jfif = string(segment[:5]) == "JFIF\x00"
			}
		case app14:
			if len(segment) >= 12 && string(segment[:5]) == "Adobe" {
				adobe = segment[11] == 0
			}
		case sos:
			if !f.parseScan(segment, &t) || len(f.components) == 3 && !jfif &&
				(adobe || f.named("RGB")) {
				return nil, ErrUnsupported
			}
			return data, nil
		default:
			ok = marker > app0 && marker <= app15 || marker == com
		}
		if !ok {
			return nil, ErrUnsupported
		}
	}
	return nil, ErrUnsupported
}

func (f *frame) named(ids string) bool {
	for i, c := range f.components {
		if c.id != ids[i] {
			return false
		}
	}
	return true
}

func (f *frame) parseFrame(s []byte) bool {
	if len(s) < 6 || f.components != nil || s[0] != 8 || len(s) != 6+3*int(s[5]) || s[5] != 1 &&
		s[5] != 3 {
		return false
	}
	f.height, f.width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if f.width == 0 || f.height == 0 {
		return false
	}
	for s := s[6:]; len(s) > 0; s = s[3:] {
		c := component{id: s[0], h: int(s[1] >> 4), v: int(s[1] & 15), table: s[2]}
		for _, other := range f.components {
			if other.id == c.id {
				return false
			}
		}
		power := func(n int) bool { return n == 1 || n == 2 || n == 4 }
		if !power(c.h) || !power(c.v) || c.v == 4 || c.table > 3 {
			return false
		}
		f.components = append(f.components, c)
	}
	luma := &f.components[0]
	if len(f.components) == 1 {
		luma.h, luma.v = 1, 1 // a unit of a lone component is one block (T.81, A.2.2)
	} else {
		cb, cr := &f.components[1], &f.components[2]
		// Chroma of more than one block a unit is allowed and not made.
		if cb.h != 1 || cb.v != 1 || cr.h != 1 || cr.v != 1 || luma.h*luma.v+2 > 10 {
			return false
		}
	}
	f.unitColumns = (f.width + 8*luma.h - 1) / (8 * luma.h)
	f.unitRows = (f.height + 8*luma.v - 1) / (8 * luma.v)
	return true
}

func (t *tables) parseQuant(s []byte) bool {
	for len(s) > 0 {
		precision, id := s[0]>>4, s[0]&15
		size := 64 << precision
		if precision > 1 || id > 3 || len(s) < 1+size {
			return false
		}
		var q [64]uint16
		for i := range q {
			if precision == 0 {
				q[i] = uint16(s[1+i])
			} else {
				q[i] = binary.BigEndian.Uint16(s[1+2*i:])
			}
		}
		t.quant[id] = &q
		s = s[1+size:]
	}
	return true
}

func (t *tables) parseHuffman(s []byte) bool {
	for len(s) > 0 {
		if len(s) < 17 || s[0]>>4 > 1 || s[0]&15 > 1 {
			return false
		}
		n := 0
		for _, count := range s[1:17] {
			n += int(count)
		}
		if n == 0 || n > 256 || len(s) < 17+n {
			return false
		}
		h, ok := newHuffman(s[1:17], s[17:17+n], s[0]>>4 == 0)
		if !ok {
			return false
		}
		if s[0]>>4 == 0 {
			t.dc[s[0]&15] = h
		} else {
			t.ac[s[0]&15] = h
		}
		s = s[17+n:]
	}
	return true
}

// parseScan reads the header of the only scan, which has all components.
func (f *frame) parseScan(s []byte, t *tables) bool {
	n := len(f.components)
	if n == 0 || len(s) != 4+2*n || int(s[0]) != n {
		return false
	}
	for i := range f.components {
		c := &f.components[i]
		dc, ac := s[2+2*i]>>4, s[2+2*i]&15
		if s[1+2*i] != c.id || dc > 1 || ac > 1 {
			return false
		}
		c.quant, c.dc, c.ac = t.quant[c.table], t.dc[dc], t.ac[ac]
		if c.quant == nil || c.dc == nil || c.ac == nil {
			return false
		}
	}
	return true
}

// segments is how many pieces restart markers make of the data.
func (f *frame) segments() int {
	if f.interval == 0 {
		return 1
	}
	return (f.unitColumns*f.unitRows + f.interval - 1) / f.interval
}
