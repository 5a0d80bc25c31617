package vision

import (
	"errors"
	"fmt"
	"strings"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// invalidFormatText is the service's text.
const invalidFormatText = "Request has invalid image format"

// unknownFormat returns the error for bytes of an unsupported format. For the formats of phones and
// browsers it names the format, and says what to do.
func unknownFormat(data []byte) error {
	fault := &recollect.Error{Code: recollect.CodeInvalidImageFormat, Message: invalidFormatText,
		Err: errors.New("it begins like no format that is read")}
	advice := ""
	name := isoFormat(data)
	if isWebP(data) {
		name, advice = "a WebP", ", or start the server with --formats webp"
	}
	if name != "" {
		fault.Message = fmt.Sprintf("%s: it is %s picture. Save it as JPEG or PNG%s.",
			invalidFormatText, name, advice)
	}
	return fault
}

// isoFormat is the name, with its article, of a format of pictures whose files are ISO media files,
// empty for others. Their first box is of the type ftyp, and has a brand (ISO/IEC 14496-12, 4.3;
// 23008-12).
func isoFormat(data []byte) string {
	if len(data) < 12 || string(data[4:8]) != "ftyp" {
		return ""
	}
	switch brand := string(data[8:12]); {
	case brand == "avif" || brand == "avis":
		return "an AVIF"
	case strings.HasPrefix(brand, "hei"), strings.HasPrefix(brand, "hev"), brand == "mif1",
		brand == "msf1":
		return "a HEIC"
	}
	return ""
}
