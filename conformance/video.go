package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"
)

// framesPerSecond is the rate of the videos that scenarios name.
const framesPerSecond = 10

// scene is a picture of a video that is shown for some frames.
type scene struct {
	frames int
	jpeg   []byte
}

// motionJPEG writes a video of pictures of one size: an AVI of JPEG frames, which is made of the
// pictures' bytes as they are.
func motionJPEG(scenes []scene) ([]byte, error) {
	if len(scenes) == 0 {
		return nil, errors.New("a video has a scene at least")
	}
	first, err := jpeg.DecodeConfig(bytes.NewReader(scenes[0].jpeg))
	if err != nil {
		return nil, fmt.Errorf("the first picture: %w", err)
	}
	width, height := uint32(first.Width), uint32(first.Height)
	var movie, index []byte
	frames, largest := uint32(0), uint32(0)
	for _, s := range scenes {
		for range s.frames {
			offset := uint32(len("movi") + len(movie))
			movie = append(movie, chunk("00dc", s.jpeg)...)
			index = append(append(index, "00dc"...),
				words(0x10, offset, uint32(len(s.jpeg)))...) // a key frame
			frames++
			largest = max(largest, uint32(len(s.jpeg)))
		}
	}
	const second = 1_000_000 // microseconds
	header := chunk("avih", words(second/framesPerSecond, largest*framesPerSecond, 0,
		0x10 /* it has an index */, frames, 0, 1, largest, width, height, 0, 0, 0, 0))
	stream := chunk("strh", append([]byte("vidsMJPG"), words(0, 0, 0, 1, framesPerSecond, 0,
		frames, largest, 0xFFFFFFFF, 0, 0, width|height<<16)...))
	const planesAndBits = 1 | 24<<16
	format := chunk("strf", append(append(words(40, width, height, planesAndBits), "MJPG"...),
		words(width*height*3, 0, 0, 0, 0)...))
	streams := riffList("strl", stream, format)
	return chunk("RIFF", bytes.Join([][]byte{[]byte("AVI "), riffList("hdrl", header, streams),
		riffList("movi", movie), chunk("idx1", index)}, nil)), nil
}

// chunk is a chunk of RIFF: its name, its size, and its content, padded to an even size.
func chunk(name string, content []byte) []byte {
	out := append([]byte(name), words(uint32(len(content)))...)
	out = append(out, content...)
	if len(content)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

// riffList is a list of RIFF.
func riffList(name string, parts ...[]byte) []byte {
	return chunk("LIST", append([]byte(name), bytes.Join(parts, nil)...))
}

// words are numbers of 32 bits, the least significant byte first.
func words(numbers ...uint32) []byte {
	var out []byte
	for _, n := range numbers {
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	return out
}
