package jpeg

import (
	"bytes"
	"context"
	"errors"
	"slices"
)

// scans reads all scans of a picture and keeps its coefficients.
type scans struct {
	*headers
	coefficients [][][64]int16 // of each component, in zigzag order
	// Of each row of blocks of each component: a bit for each coefficient in zigzag order that was
	// coded.
	known  [][]uint64
	buffer []byte // of a scan's data, reused
}

// all has the bits of all coefficients.
const all = ^uint64(0)

// DecodeAny reads any picture that ReadHeader accepts, at 1/2^shift of its size, rounded up. It
// does not fail if data is truncated or damaged, as long as a row of pixels is complete: Whole
// reports which are. Missing samples are grey. It returns early if ctx ends.
func DecodeAny(ctx context.Context, data []byte, shift int) (*Picture, error) {
	h, rest, err := newHeaders(data)
	if err != nil {
		return nil, err
	}
	d := scans{headers: h}
	for {
		s, data, err := h.next(rest)
		if err != nil && d.coefficients == nil {
			return nil, err
		}
		if err != nil { // the end, or unreadable data: the earlier scans are kept
			break
		}
		if d.coefficients == nil {
			d.allocate()
		}
		e := gather(data, h.frame.interval, h.frame.pieces(s), d.buffer)
		d.buffer, rest = e.bytes, e.rest
		if err := d.scan(ctx, s, &e); err != nil {
			return nil, err
		}
	}
	p := &Picture{frame: h.frame, coefficients: d.coefficients, missing: d.missing()}
	if p.missing != nil && !slices.Contains(p.missing, false) {
		return nil, errors.New("it is cut off or damaged, and no row of pixels is whole")
	}
	if h.frame.ink {
		return p, p.convertInk(ctx)
	}
	s := p.scale(shift)
	for row := range h.frame.unitRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.renderRow(s, row)
		s.done[row] = true
	}
	return p, nil
}

func (d *scans) allocate() {
	f := &d.frame
	for i := range f.components {
		c := &f.components[i]
		rows := f.unitRows * c.v
		d.coefficients = append(d.coefficients, make([][64]int16, f.unitColumns*c.h*rows))
		d.known = append(d.known, make([]uint64, rows))
	}
}

// missing returns the pixel rows without some coefficient, nil if there are none.
func (d *scans) missing() []bool {
	var missing []bool
	f := &d.frame
	for i := range f.components {
		c := &f.components[i]
		for row, known := range d.known[i][:c.rows] {
			if known == all {
				continue
			}
			if missing == nil {
				missing = make([]bool, f.height)
			}
			// Subsampled samples are between pixels.
			from, to := 8*row*f.v/c.v, (8*(row+1)*f.v+c.v-1)/c.v
			for y := from; y < min(to, f.height); y++ {
				missing[y] = true
			}
		}
	}
	return missing
}

// gathered is the data of a scan in pieces between restart markers, without the markers and stuffed
// bytes.
type gathered struct {
	bytes  []byte // and padding zeros
	pieces []piece
	rest   []byte // from the marker that ends the scan
	cut    bool   // the data ends without a marker
}

type piece struct {
	segment
	index int // between restart markers
	last  bool
}

// gather removes the stuffed bytes and the restart markers from the data after a scan's header. The
// numbers of restart markers show how many are missing (as in libjpeg's jpeg_resync_to_restart).
// There are most pieces at most; further ones are dropped.
func gather(data []byte, interval, most int, buffer []byte) gathered {
	g := gathered{bytes: buffer[:0]}
	index, drop := 0, false
	start := 0
	end := func() {
		if drop = drop || index >= most; !drop {
			g.pieces = append(g.pieces, piece{segment: segment{start, len(g.bytes)}, index: index})
		}
		start = len(g.bytes)
	}
	for {
		at := bytes.IndexByte(data, 0xff)
		if at < 0 || at+1 == len(data) {
			if at < 0 {
				at = len(data)
			}
			g.bytes = append(g.bytes, data[:at]...)
			g.cut = true
			break
		}
		marker := data[at+1]
		if marker == 0 {
			g.bytes = append(g.bytes, data[:at+1]...)
			data = data[at+2:]
			continue
		}
		g.bytes = append(g.bytes, data[:at]...)
		if marker == 0xff { // fills
			data = data[at+1:]
			continue
		}
		if interval == 0 || marker < markerRST0 || marker > markerRST7 {
			g.rest = data[at:]
			break
		}
		data = data[at+2:]
		end()
		switch skipped := (int(marker) - markerRST0 - index) & 7; skipped {
		case 1, 2:
			index, drop = index+1+skipped, false
		case 6, 7: // a repeated one
			drop = true
		default:
			index, drop = index+1, false
		}
	}
	end()
	if n := len(g.pieces); n > 0 && !drop {
		g.pieces[n-1].last = true
	}
	g.bytes = append(g.bytes, make([]byte, padding)...)
	return g
}

// coder decodes the blocks of a scan.
type coder interface {
	// restart begins a piece of the data.
	restart(bytes []byte, p piece, cut bool)

	// block decodes the next block of a component of the scan. It returns false if the data has
	// none.
	block(component int, b *[64]int16) bool
}

// units returns the number of units of a scan, across and down.
func (f *frame) units(s *scanHeader) (columns, rows int) {
	if len(s.components) == 1 { // a unit is one block, without padding blocks
		c := &f.components[s.components[0].index]
		return c.columns, c.rows
	}
	return f.unitColumns, f.unitRows
}

// pieces returns the number of pieces of a scan between restart markers.
func (f *frame) pieces(s *scanHeader) int {
	if f.interval == 0 {
		return 1
	}
	columns, rows := f.units(s)
	return (columns*rows + f.interval - 1) / f.interval
}

// scan reads a scan. Damaged data is skipped.
func (d *scans) scan(ctx context.Context, s *scanHeader, g *gathered) error {
	f := &d.frame
	decode := d.coder(s)
	if decode == nil {
		return nil
	}
	columns, rows := f.units(s)
	interval := f.interval
	if interval == 0 {
		interval = columns * rows
	}
	done := make([]int, rows) // units
	for _, piece := range g.pieces {
		first := piece.index * interval
		decode.restart(g.bytes, piece, g.cut)
		row, column := first/columns, first%columns
		for range min(interval, columns*rows-first) {
			if !d.unit(s, decode, row, column) {
				break
			}
			done[row]++
			if column++; column == columns {
				row, column = row+1, 0
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		}
	}
	if s.high > 0 && g.cut { // the bits that are missing are the lowest
		return nil
	}
	bits := all << s.from & (all >> (63 - s.to))
	for row, n := range done {
		for _, sc := range s.components {
			v := f.components[sc.index].v
			if len(s.components) == 1 {
				v = 1
			}
			for y := row * v; y < (row+1)*v; y++ {
				switch known := &d.known[sc.index][y]; {
				case n < columns && s.high > 0: // damaged
					*known &^= bits
				case n == columns && s.high == 0:
					*known |= bits
				}
			}
		}
	}
	return nil
}

// unit decodes a unit of a scan.
func (d *scans) unit(s *scanHeader, decode coder, row, column int) bool {
	f := &d.frame
	if len(s.components) == 1 {
		at := s.components[0].index
		width := f.unitColumns * f.components[at].h
		return decode.block(0, &d.coefficients[at][row*width+column])
	}
	for i := range s.components {
		at := s.components[i].index
		c := &f.components[at]
		width := f.unitColumns * c.h
		for v := range c.v {
			blocks := d.coefficients[at][(row*c.v+v)*width+column*c.h:]
			for h := range c.h {
				if !decode.block(i, &blocks[h]) {
					return false
				}
			}
		}
	}
	return true
}

// coder returns the coder of a scan, nil if a table is missing.
func (d *scans) coder(s *scanHeader) coder {
	if d.frame.arithmetic {
		return newArithmetic(d.headers, s)
	}
	if d.frame.progressive {
		if p := newProgressive(d.headers, s); p != nil {
			return p
		}
		return nil
	}
	if q := newSequential(d.headers, s); q != nil {
		return q
	}
	return nil
}

// sequential decodes blocks by Huffman codes (T.81, F.2.2).
type sequential struct {
	reader
	tables [4]struct{ dc, ac *huffman }
	dc     [4]int32
	same   kernel // unscaled coefficients, in zigzag order
	buffer [64]int32
}

func newSequential(h *headers, s *scanHeader) *sequential {
	q := &sequential{}
	for i, c := range s.components {
		q.tables[i].dc, q.tables[i].ac = h.table(0, c.dc, dcSymbols), h.table(1, c.ac, acSymbols)
		if q.tables[i].dc == nil || q.tables[i].ac == nil {
			return nil
		}
	}
	for i := range q.same.places {
		q.same.places[i], q.same.weights[i] = uint8(i), 1
	}
	return q
}

func (q *sequential) restart(bytes []byte, p piece, _ bool) {
	q.reader = reader{bytes: bytes, at: p.start, end: p.end}
	q.dc = [4]int32{}
}

func (q *sequential) block(component int, b *[64]int16) bool {
	t := &q.tables[component]
	last, ok := q.reader.block(&q.buffer, &q.dc[component], t.dc, t.ac, &q.same)
	if !ok || q.position() > 8*q.end {
		clear(q.buffer[:])
		return false
	}
	clear(b[:])
	for i, v := range q.buffer[:last+1] {
		b[i] = int16(v)
	}
	clear(q.buffer[:last+1])
	return true
}
