package vision

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
	"math"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// pngHeader is the content of the chunk IHDR (PNG, third edition, 11.2.1).
type pngHeader struct {
	width, height int64
	depth         int64 // bits of a sample
	colorType     byte
	interlaced    bool
}

// readPNGHeader reads the chunk IHDR, and looks for an orientation.
func readPNGHeader(data []byte) (header, error) {
	first, _, ok := nextChunk(data[len(pngSignature):])
	if !ok || first.kind != "IHDR" || len(first.content) != 13 || !first.whole {
		return header{}, errors.New("it does not begin with a whole chunk IHDR")
	}
	c := first.content
	p := &pngHeader{int64(binary.BigEndian.Uint32(c)), int64(binary.BigEndian.Uint32(c[4:])),
		int64(c[8]), c[9], c[12] != 0}
	if p.samples() == 0 {
		return header{}, fmt.Errorf("it has the color type %d", p.colorType)
	}
	if p.width > math.MaxInt32 || p.height > math.MaxInt32 ||
		p.width*p.height > math.MaxInt64/64 { // its size in bytes would overflow
		return header{}, errors.New("it has more pixels than a PNG can have")
	}
	h := header{width: int(p.width), height: int(p.height), orientation: pngOrientation(data),
		png: p}
	// Deflate expands a byte to at most 1032 bytes.
	if int64(len(data)) < p.height*p.rowBytes(p.width)/1032 {
		h.fault = errors.New("it is too short for its size in pixels")
	}
	perPixel := int64(4)
	if p.depth == 16 {
		perPixel = 8
	}
	if p.interlaced {
		perPixel *= 2 // each pass is decoded to a picture of its own
	}
	// and the reduced planes
	h.memory = (perPixel + 1) * p.width * p.height
	return h, nil
}

// samples returns the number of samples of a pixel, 0 for an unknown color type.
func (p *pngHeader) samples() int64 {
	return map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[p.colorType]
}

// rowBytes returns the bytes of a row of so many pixels, with its filter byte.
func (p *pngHeader) rowBytes(width int64) int64 {
	return 1 + (width*p.samples()*p.depth+7)/8
}

// read decodes the picture. Go's decoder reads only complete files: the valid chunks of any other
// file are written to a new one, and the rows without data are missing.
func (p *pngHeader) read(ctx context.Context, data []byte) (*picture, error) {
	img, err := png.Decode(&cancelReader{ctx: ctx, r: bytes.NewReader(data)})
	if err == nil {
		return fromImage(img)
	}
	if ctx.Err() != nil {
		return nil, err
	}
	sound, ok := soundChunks(data)
	if !ok {
		return nil, err
	}
	r, w := io.Pipe()
	raw := make(chan int64, 1)
	go func() {
		n, err := p.writeAnew(w, sound)
		raw <- n
		w.CloseWithError(err)
	}()
	img, again := png.Decode(&cancelReader{ctx: ctx, r: r})
	_ = r.Close() // the writer ends
	n := <-raw
	if again != nil {
		if ctx.Err() != nil {
			return nil, again
		}
		return nil, err // the error of the original file
	}
	rows := int(p.wholeRows(n))
	if rows == 0 {
		return nil, fmt.Errorf("it is cut off or damaged, and no row of pixels is whole: %w", err)
	}
	pic, err := fromImage(img)
	if err != nil {
		return nil, err
	}
	if rows < int(p.height) {
		pic.whole = func(_, y1 int) bool { return y1 <= rows }
	}
	return pic, nil
}

// chunk is a part of a PNG file.
type chunk struct {
	kind    string
	content []byte // the existing part
	whole   bool   // it is complete, and its checksum is right
	cut     bool   // the file ends within it
}

// nextChunk reads the first chunk of data. It returns false if there is none.
func nextChunk(data []byte) (c chunk, rest []byte, ok bool) {
	if len(data) < 8 {
		return chunk{}, nil, false
	}
	length, kind := int64(binary.BigEndian.Uint32(data)), string(data[4:8])
	if length+12 > int64(len(data)) {
		content := data[8:]
		return chunk{kind: kind, content: content[:min(length, int64(len(content)))], cut: true},
			nil, true
	}
	content, sum := data[8:8+length], binary.BigEndian.Uint32(data[8+length:])
	whole := crc32.ChecksumIEEE(data[4:8+length]) == sum
	return chunk{kind: kind, content: content, whole: whole}, data[length+12:], true
}

// pngOrientation returns the orientation in the chunk eXIf (PNG, third edition, 11.3.4.5).
func pngOrientation(data []byte) orientation {
	for data = data[len(pngSignature):]; ; {
		c, rest, ok := nextChunk(data)
		if !ok || c.kind == "IEND" {
			return upright
		}
		if c.kind == "eXIf" && c.whole {
			// Some programs write the prefix of EXIF data in a JPEG.
			return tiffOrientation(bytes.TrimPrefix(c.content, []byte("Exif\x00\x00")))
		}
		data = rest
	}
}

// sound is the chunks of a damaged file that its pixels need.
type sound struct {
	before []chunk  // the data: header, palette and transparency
	data   [][]byte // of the chunks IDAT, up to the first damaged one
}

// soundChunks returns the chunks that a decoder needs. It returns false if a required one is
// damaged, or if there is no data.
func soundChunks(data []byte) (s sound, ok bool) {
	for data = data[len(pngSignature):]; ; {
		c, rest, ok := nextChunk(data)
		if !ok {
			return s, len(s.data) > 0
		}
		data = rest
		switch c.kind {
		case "IHDR", "PLTE":
			if !c.whole {
				return s, false
			}
			s.before = append(s.before, c)
		case "tRNS":
			if c.whole {
				s.before = append(s.before, c)
			}
		case "IDAT":
			if !c.whole && !c.cut {
				return s, len(s.data) > 0
			}
			s.data = append(s.data, c.content)
			continue
		}
		if len(s.data) > 0 { // chunks IDAT are next to each other
			return s, true
		}
	}
}

// writeAnew writes a complete file of sound chunks, with zeros for the pixels without data. It
// returns the bytes of the unpacked data.
func (p *pngHeader) writeAnew(w io.Writer, s sound) (raw int64, err error) {
	if _, err := io.WriteString(w, pngSignature); err != nil {
		return 0, err
	}
	for _, c := range s.before {
		if _, err := (chunkWriter{w, c.kind}).Write(c.content); err != nil {
			return 0, err
		}
	}
	readers := make([]io.Reader, len(s.data))
	for i, d := range s.data {
		readers[i] = bytes.NewReader(d)
	}
	size := p.rawBytes()
	var unpacked io.Reader = bytes.NewReader(nil)
	if z, err := zlib.NewReader(io.MultiReader(readers...)); err == nil {
		unpacked = io.LimitReader(z, size)
	}
	// Small chunks, so that the writer ends soon after the reader.
	packed, err := zlib.NewWriterLevel(chunkWriter{w, "IDAT"}, zlib.NoCompression)
	if err != nil {
		return 0, err
	}
	buffer := make([]byte, 32<<10)
	for at := int64(0); at < size; {
		var n int
		if unpacked != nil {
			n, err = unpacked.Read(buffer)
			raw += int64(n)
			if err != nil { // any error: the data ends here
				unpacked = nil
			}
		} else {
			n = int(min(size-at, int64(len(buffer))))
			clear(buffer[:n])
		}
		if _, err := packed.Write(buffer[:n]); err != nil {
			return raw, err
		}
		at += int64(n)
	}
	if err := packed.Close(); err != nil {
		return raw, err
	}
	_, err = chunkWriter{w, "IEND"}.Write(nil)
	return raw, err
}

// chunkWriter writes chunks of a kind.
type chunkWriter struct {
	w    io.Writer
	kind string
}

func (c chunkWriter) Write(content []byte) (int, error) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(append(b, c.kind...), content...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	if _, err := c.w.Write(b); err != nil {
		return 0, err
	}
	return len(content), nil
}

// passes are the passes of an interlaced picture: the first column and row, and the steps (PNG,
// third edition, 8.1).
var passes = [7]struct{ x, y, stepX, stepY int64 }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2},
	{0, 1, 1, 2},
}

// pass returns the rows of a pass, and the bytes of each.
func (p *pngHeader) pass(i int) (rows, bytes int64) {
	a := passes[i]
	columns := max(p.width-a.x+a.stepX-1, 0) / a.stepX
	rows = max(p.height-a.y+a.stepY-1, 0) / a.stepY
	if columns == 0 {
		return 0, 0
	}
	return rows, p.rowBytes(columns)
}

// rawBytes returns the bytes of the unpacked data.
func (p *pngHeader) rawBytes() int64 {
	if !p.interlaced {
		return p.height * p.rowBytes(p.width)
	}
	var sum int64
	for i := range passes {
		rows, bytes := p.pass(i)
		sum += rows * bytes
	}
	return sum
}

// wholeRows returns the number of complete rows, from the first on, in so many bytes of unpacked
// data.
func (p *pngHeader) wholeRows(raw int64) int64 {
	if !p.interlaced {
		return raw / p.rowBytes(p.width)
	}
	last := len(passes) - 1 // every other row
	rows, bytes := p.pass(last)
	before := p.rawBytes() - rows*bytes
	switch {
	case raw < before:
		return 0
	case rows == 0:
		return p.height
	}
	return min(2*((raw-before)/bytes)+1, p.height)
}
