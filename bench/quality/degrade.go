package main

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// degradation is a way to degrade a picture, at several strengths, the mildest first.
type degradation struct {
	name, unit string
	strengths  []float64
	apply      func(img *image.RGBA, strength float64) *image.RGBA
}

var degradations = []degradation{
	{"blur", "σ in pixels", []float64{1, 2, 3, 4, 5, 6, 8}, blur},
	{"dark", "times the light", []float64{0.5, 0.25, 0.12, 0.08, 0.05, 0.03, 0.02}, gain},
	{"bright", "times the light", []float64{1.5, 2, 3, 4, 6, 8, 12}, gain},
	{"flat", "times the contrast", []float64{0.5, 0.25, 0.12, 0.08, 0.05, 0.03}, flatten},
	{"noise", "σ in grey levels", []float64{10, 20, 40, 60, 80}, noise},
	{"small", "pixels of the picture's side", []float64{125, 90, 64, 48, 36, 28}, shrink},
	{"turned", "degrees", []float64{15, 30, 45, 60, 75, 90}, turn},
}

// spoil decodes a JPEG, degrades it and encodes it again.
func spoil(data []byte, d degradation, strength float64) ([]byte, error) {
	decoded, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	img := image.NewRGBA(decoded.Bounds())
	draw.Draw(img, img.Rect, decoded, decoded.Bounds().Min, draw.Src)
	var out bytes.Buffer
	err = jpeg.Encode(&out, d.apply(img, strength), &jpeg.Options{Quality: 95})
	return out.Bytes(), err
}

// perValue changes each colour of each pixel independently.
func perValue(img *image.RGBA, change func(v float64) float64) *image.RGBA {
	for i, v := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] = uint8(math.Round(min(max(change(float64(v)), 0), 255)))
		}
	}
	return img
}

func gain(img *image.RGBA, factor float64) *image.RGBA {
	return perValue(img, func(v float64) float64 { return v * factor })
}

// flatten reduces contrast, like fog.
func flatten(img *image.RGBA, factor float64) *image.RGBA {
	return perValue(img, func(v float64) float64 { return 128 + (v-128)*factor })
}

func noise(img *image.RGBA, sigma float64) *image.RGBA {
	r := rand.New(rand.NewPCG(1, 2))
	return perValue(img, func(v float64) float64 { return v + sigma*r.NormFloat64() })
}

// blur convolves with a Gaussian, and repeats the picture's edge outside of it.
func blur(img *image.RGBA, sigma float64) *image.RGBA {
	radius := int(math.Ceil(3 * sigma))
	kernel := make([]float64, 2*radius+1)
	var sum float64
	for i := range kernel {
		kernel[i] = math.Exp(-math.Pow(float64(i-radius)/sigma, 2) / 2)
		sum += kernel[i]
	}
	width, height := img.Rect.Dx(), img.Rect.Dy()
	along := func(in *image.RGBA, dx, dy int) *image.RGBA {
		out := image.NewRGBA(in.Rect)
		for y := range height {
			for x := range width {
				var rgb [3]float64
				for k, w := range kernel {
					at := in.PixOffset(min(max(x+dx*(k-radius), 0), width-1),
						min(max(y+dy*(k-radius), 0), height-1))
					for c := range rgb {
						rgb[c] += w * float64(in.Pix[at+c])
					}
				}
				at := out.PixOffset(x, y)
				for c := range rgb {
					out.Pix[at+c] = uint8(math.Round(rgb[c] / sum))
				}
				out.Pix[at+3] = 255
			}
		}
		return out
	}
	return along(along(img, 1, 0), 0, 1)
}

// shrink reduces the picture and centres it on a grey picture of its original size.
func shrink(img *image.RGBA, side float64) *image.RGBA {
	out := image.NewRGBA(img.Rect)
	draw.Draw(out, out.Rect, image.NewUniform(image.Black.C), image.Point{}, draw.Src)
	perValue(out, func(float64) float64 { return 127 })
	n := int(side)
	at := image.Rect(0, 0, n, n).Add(image.Pt((img.Rect.Dx()-n)/2, (img.Rect.Dy()-n)/2))
	xdraw.CatmullRom.Scale(out, at, img, img.Rect, draw.Src, nil)
	return out
}

// turn rotates the picture clockwise about its middle; pixels from outside of it are black.
func turn(img *image.RGBA, degrees float64) *image.RGBA {
	out := image.NewRGBA(img.Rect)
	draw.Draw(out, out.Rect, image.Black, image.Point{}, draw.Src)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	x, y := float64(img.Rect.Dx())/2, float64(img.Rect.Dy())/2
	xdraw.BiLinear.Transform(out,
		f64.Aff3{cos, -sin, x - cos*x + sin*y, sin, cos, y - sin*x - cos*y}, img, img.Rect,
		draw.Src, nil)
	return out
}
