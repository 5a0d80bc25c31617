package ocrtest

import (
	"fmt"

	"github.com/go-fonts/dejavu/dejavusans"
	"github.com/go-fonts/dejavu/dejavusansbold"
	"github.com/go-fonts/dejavu/dejavusanscondensed"
	"github.com/go-fonts/dejavu/dejavusansmono"
	"github.com/go-fonts/dejavu/dejavusansoblique"
	"github.com/go-fonts/dejavu/dejavuserif"
	"github.com/go-fonts/dejavu/dejavuserifbold"
	"github.com/go-fonts/dejavu/dejavuserifitalic"
	"github.com/go-fonts/latin-modern/lmmono10regular"
	"github.com/go-fonts/latin-modern/lmmonoprop10regular"
	"github.com/go-fonts/latin-modern/lmroman10bold"
	"github.com/go-fonts/latin-modern/lmroman10italic"
	"github.com/go-fonts/latin-modern/lmroman10regular"
	"github.com/go-fonts/latin-modern/lmromandunh10regular"
	"github.com/go-fonts/latin-modern/lmsans10regular"
	"github.com/go-fonts/latin-modern/lmsansdemicond10regular"
	"github.com/go-fonts/latin-modern/lmsansquot8regular"
	"github.com/go-fonts/liberation/liberationmonoregular"
	"github.com/go-fonts/liberation/liberationsansbold"
	"github.com/go-fonts/liberation/liberationsansitalic"
	"github.com/go-fonts/liberation/liberationsansregular"
	"github.com/go-fonts/liberation/liberationserifbold"
	"github.com/go-fonts/liberation/liberationserifitalic"
	"github.com/go-fonts/liberation/liberationserifregular"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// Font is a font that words are drawn in.
type Font struct {
	Name string
	font *opentype.Font
}

// Fonts returns the fonts, parsed.
func Fonts() ([]Font, error) {
	var fonts []Font
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"Go Regular", goregular.TTF}, {"Go Medium", gomedium.TTF}, {"Go Bold", gobold.TTF},
		{"Go Italic", goitalic.TTF}, {"Go Mono", gomono.TTF},
		{"DejaVu Sans", dejavusans.TTF}, {"DejaVu Sans Bold", dejavusansbold.TTF},
		{"DejaVu Sans Condensed", dejavusanscondensed.TTF},
		{"DejaVu Sans Oblique", dejavusansoblique.TTF}, {"DejaVu Sans Mono", dejavusansmono.TTF},
		{"DejaVu Serif", dejavuserif.TTF}, {"DejaVu Serif Bold", dejavuserifbold.TTF},
		{"DejaVu Serif Italic", dejavuserifitalic.TTF},
		{"Liberation Sans", liberationsansregular.TTF},
		{"Liberation Sans Bold", liberationsansbold.TTF},
		{"Liberation Sans Italic", liberationsansitalic.TTF},
		{"Liberation Serif", liberationserifregular.TTF},
		{"Liberation Serif Bold", liberationserifbold.TTF},
		{"Liberation Serif Italic", liberationserifitalic.TTF},
		{"Liberation Mono", liberationmonoregular.TTF},
		{"Latin Modern Roman", lmroman10regular.TTF},
		{"Latin Modern Roman Bold", lmroman10bold.TTF},
		{"Latin Modern Roman Italic", lmroman10italic.TTF},
		{"Latin Modern Roman Dunhill", lmromandunh10regular.TTF},
		{"Latin Modern Sans", lmsans10regular.TTF},
		{"Latin Modern Sans Demi Condensed", lmsansdemicond10regular.TTF},
		{"Latin Modern Sans Quotation", lmsansquot8regular.TTF},
		{"Latin Modern Mono", lmmono10regular.TTF},
		{"Latin Modern Mono Proportional", lmmonoprop10regular.TTF},
	} {
		parsed, err := opentype.Parse(f.data)
		if err != nil {
			return nil, fmt.Errorf("parsing the font %s: %w", f.name, err)
		}
		fonts = append(fonts, Font{f.name, parsed})
	}
	return fonts, nil
}
