package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The records at the end of a zip file, from section 4.3 of PKWARE's APPNOTE.TXT
// (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT); sizes are in bytes.
const (
	endSize      = 22 // end of central directory record, without a comment
	endMark      = "PK\x05\x06"
	locatorSize  = 20 // zip64 end of central directory locator
	locatorMark  = "PK\x06\x07"
	zip64EndSize = 56 // zip64 end of central directory record, without extensible data
	zip64EndMark = "PK\x06\x06"
)

// maxDirectory bounds a central directory, in bytes. What this package writes has less than 1 KiB.
const maxDirectory = 16 << 10

const noArchiveText = "it is no archive of Recollect, or is cut short"

// directory describes the central directory of a zip file, by the records at the end of the file.
type directory struct {
	entries, size, offset uint64
	end                   uint64 // offset of that record
}

// checkDirectory rejects a zip file whose central directory has more entries or bytes than an
// archive has. archive/zip reads entries for as long as they follow each other, whatever number is
// declared, and keeps all of them in memory; therefore the directory must also end where the record
// of its end begins. A [*DamagedError].
func checkDirectory(r io.ReaderAt, size int64) error {
	d, err := readDirectory(r, size)
	if err != nil {
		return err
	}
	if d.entries > maxFiles {
		return damagedf("it has %d files, and an archive has at most %d", d.entries, maxFiles)
	}
	if d.size > maxDirectory {
		return damagedf("its directory has %d bytes, and an archive's has at most %d", d.size,
			maxDirectory)
	}
	if d.size > d.end || d.offset != d.end-d.size {
		return damagedf(noArchiveText)
	}
	return nil
}

func readDirectory(r io.ReaderAt, size int64) (directory, error) {
	// Nothing follows the record: this package writes no comment.
	at := size - endSize
	var b [endSize]byte
	if err := readRecord(r, b[:], at, endMark); err != nil {
		return directory{}, err
	}
	le := binary.LittleEndian
	if le.Uint16(b[20:]) != 0 {
		return directory{}, damagedf(noArchiveText)
	}
	d := directory{entries: uint64(le.Uint16(b[10:])), size: uint64(le.Uint32(b[12:])),
		offset: uint64(le.Uint32(b[16:])), end: uint64(at)}
	// archive/zip takes a size of 65535 for one that stands in the zip64 record.
	if d.entries != math.MaxUint16 && d.size != math.MaxUint16 && d.size != math.MaxUint32 &&
		d.offset != math.MaxUint32 {
		return d, nil
	}
	return readZip64Directory(r, at)
}

// readZip64Directory reads what stands before the end record, at the offset before, of a file with
// large numbers.
func readZip64Directory(r io.ReaderAt, before int64) (directory, error) {
	le := binary.LittleEndian
	var locator [locatorSize]byte
	if err := readRecord(r, locator[:], before-locatorSize, locatorMark); err != nil {
		return directory{}, err
	}
	at := le.Uint64(locator[8:])
	if at > uint64(before) {
		return directory{}, damagedf(noArchiveText)
	}
	var b [zip64EndSize]byte
	if err := readRecord(r, b[:], int64(at), zip64EndMark); err != nil {
		return directory{}, err
	}
	return directory{entries: le.Uint64(b[32:]), size: le.Uint64(b[40:]),
		offset: le.Uint64(b[48:]), end: at}, nil
}

// readRecord reads a record that begins with a mark.
func readRecord(r io.ReaderAt, b []byte, at int64, mark string) error {
	if at < 0 {
		return damagedf(noArchiveText)
	}
	n, err := r.ReadAt(b, at)
	if n < len(b) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the archive: %w", err)
	}
	if n < len(b) || string(b[:len(mark)]) != mark {
		return damagedf(noArchiveText)
	}
	return nil
}
