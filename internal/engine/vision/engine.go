// Package vision detects the faces in a picture and computes their embeddings, by the networks of a
// model pack. It has no notion of collections.
package vision

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Stage is a step of the processing of a picture.
type Stage string

// The stages. Those of a face are observed once for each face, and run in parallel.
const (
	StageDecode    Stage = "decode"    // bytes to picture
	StageDetect    Stage = "detect"    // picture to boxes
	StageLandmarks Stage = "landmarks" // of one face
	StagePose      Stage = "pose"      // of one face
	StageAlign     Stage = "align"     // of one face: its upright crop, and its quality
	// of one face: the attributes that are not among the default ones, if any are requested
	StageAttribute Stage = "attribute"
	StageEmbed     Stage = "embed" // of one face
)

const (
	maxFaces      = 100          // of one picture
	maxCandidates = 2 * maxFaces // before the landmarks reject some
)

// Options are an [Engine]'s settings.
type Options struct {
	// Memory limits the memory of pictures in work. nil: [DefaultMemory], for this engine alone.
	Memory *Memory

	// WebP says that pictures in this format are read, beside JPEG and PNG.
	WebP bool

	// Observe, if not nil, is called with the duration of each stage, concurrently from several
	// goroutines.
	Observe func(Stage, time.Duration)
}

// Engine is a loaded model pack. It implements [face.Engine].
type Engine struct {
	version     string
	curve       curve
	decoder     *decoder
	detect      *detector
	confirm     *confirmer // nil: the detector and the landmarks decide
	landmark    *landmarker
	pose        *poser
	calibration []pack.Calibrated
	embed       *embedder
	attributes  attributes
	options     Options
	cores       int
}

var _ face.Engine = (*Engine)(nil)

// New prepares the networks of a pack that [pack.Load] has loaded. It returns an error if a
// network's input or outputs are not those of its decoder, so that later calls cannot fail for that
// reason.
func New(p *pack.Pack, r *onnx.Runtime, options Options) (*Engine, error) {
	if p.Family != pack.FamilyFaces {
		return nil, fmt.Errorf("the model pack %s is of the family %s, not of faces", p.Name,
			p.Family)
	}
	if options.Memory == nil {
		options.Memory = NewMemory(DefaultMemory)
	}
	e := &Engine{
		version:     p.Version,
		curve:       newCurve(p.Similarity),
		calibration: p.Calibration,
		decoder:     &decoder{memory: options.Memory, webp: options.WebP, least: minSide},
		options:     options,
		cores:       r.Cores(),
	}
	var faults [6]error
	detection := p.Detection
	if p.Confirm != nil {
		e.confirm, faults[5] = newConfirmer(r, p.Confirm, detection)
		detection.Confidence = nil // of both scores
	}
	if e.detect, faults[0] = newDetector(r, &p.Detect, detection); e.detect != nil {
		e.detect.confirmed = p.Confirm != nil
	}
	e.landmark, faults[1] = newLandmarker(r, &p.Landmark)
	e.pose, faults[2] = newPoser(r, &p.Pose)
	e.embed, faults[3] = newEmbedder(r, p)
	e.attributes, faults[4] = newAttributes(r, p.Attributes)
	if err := errors.Join(faults[:]...); err != nil {
		return nil, fmt.Errorf("preparing the model pack %s: %w", p.Name,
			errors.Join(err, e.Close()))
	}
	e.decoder.shift = e.detect.shift
	return e, nil
}

// Calibration returns the error rates of similarities as thresholds, from the pack: empty if they
// were not measured. The caller must not change it.
func (e *Engine) Calibration() []pack.Calibrated { return e.calibration }

// Close frees the networks. It waits for runs of networks that have begun. Calls in progress return
// an error that wraps [onnx.ErrClosed] when they need another run, and so do later calls.
func (e *Engine) Close() error {
	var faults []error
	for _, n := range e.networks() {
		faults = append(faults, n.session.Close())
	}
	return errors.Join(faults...)
}

// networks returns the loaded networks, in the order of their use, and then those of the
// attributes.
func (e *Engine) networks() []*network {
	var all []*network
	if e.detect != nil {
		all = append(all, e.detect.network)
	}
	if e.confirm != nil {
		all = append(all, e.confirm.network)
	}
	if e.landmark != nil {
		all = append(all, e.landmark.network)
	}
	if e.pose != nil {
		all = append(all, e.pose.network)
	}
	if e.embed != nil {
		all = append(all, e.embed.network)
		if e.embed.second != nil {
			all = append(all, e.embed.second)
		}
	}
	return append(all, e.attributes.networks()...)
}

// Version returns the pack's face model version.
func (e *Engine) Version() string { return e.version }

// Dimension returns the length of an embedding.
func (e *Engine) Dimension() int { return e.embed.dimension() }

// Similarity maps a cosine to 0 to 100, by the pack's curve.
func (e *Engine) Similarity(cosine float32) float32 { return e.curve.similarity(cosine) }

// Cosine returns the least cosine whose Similarity is at least the given one.
func (e *Engine) Cosine(similarity float32) float32 { return e.curve.cosine(similarity) }

// Detect decodes a picture, rotates it upright and detects its faces, as [face.Engine] says.
//
// Attributes without a network in the pack are left out of the faces. Networks of attributes run
// only if those are requested.
func (e *Engine) Detect(ctx context.Context, data []byte, want face.Attributes) (face.Photo,
	error) {
	ctx = onnx.OneCaller(ctx)
	stop := e.clock(StageDecode)
	p, release, err := e.decoder.decode(ctx, data)
	if err != nil {
		return nil, err
	}
	defer release() // the photo keeps the faces' crops, not the picture
	stop()
	photo, err := e.photo(ctx, p, want)
	if err != nil {
		return nil, err
	}
	return photo, nil
}

// photo finds and describes the faces of a picture.
func (e *Engine) photo(ctx context.Context, p *picture, want face.Attributes) (*photo, error) {
	stop := e.clock(StageDetect)
	found, err := e.find(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("detecting faces: %w", err)
	}
	stop()

	faces, err := e.locate(ctx, p, found)
	if err != nil {
		return nil, fmt.Errorf("finding landmarks: %w", err)
	}
	if faces, err = p.wholeFaces(faces); err != nil {
		return nil, err
	}
	photo := &photo{engine: e, faces: make([]face.FaceDetail, len(faces)),
		crops: make([]crop, len(faces))}
	err = each(ctx, len(faces), e.cores, func(ctx context.Context, i int) (err error) {
		photo.faces[i], photo.crops[i], err = e.describe(ctx, p, &faces[i], want)
		return err
	})
	if err != nil {
		return nil, err
	}
	return photo, nil
}

// find returns the faces as the detector does, those alone that the confirmer confirms.
func (e *Engine) find(ctx context.Context, p *picture) ([]box, error) {
	found, err := e.detect.find(ctx, p)
	if err != nil || e.confirm == nil {
		return found, err
	}
	return e.confirm.confirm(ctx, p, found)
}

// located is a face with its landmarks.
type located struct {
	box
	points *markup
}

// locate finds the landmarks in boxes that are ordered by size, and returns the largest maxFaces of
// those that the landmarks do not reject.
func (e *Engine) locate(ctx context.Context, p *picture, found []box) ([]located, error) {
	found = found[:min(len(found), maxCandidates)]
	faces := make([]located, len(found))
	err := each(ctx, len(found), e.cores, func(ctx context.Context, i int) error {
		defer e.clock(StageLandmarks)()
		points, err := e.landmark.find(ctx, p, found[i])
		if err != nil {
			return err
		}
		vetoed := false
		if e.confirm == nil {
			vetoed, err = e.landmark.veto(ctx, p, found[i], points)
		}
		if !vetoed {
			faces[i] = located{found[i], points}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	faces = slices.DeleteFunc(faces, func(f located) bool { return f.points == nil })
	return faces[:min(len(faces), maxFaces)], nil
}

// describe computes the requested details of a face other than its landmarks, and its crop.
func (e *Engine) describe(ctx context.Context, p *picture, found *located,
	want face.Attributes) (face.FaceDetail, crop, error) {
	width, height := p.size()
	f, points := found.box, found.points

	stop := e.clock(StagePose)
	five := points.five()
	pose, err := e.pose.estimate(ctx, p, f, five)
	if err != nil {
		return face.FaceDetail{}, nil, fmt.Errorf("estimating the pose: %w", err)
	}
	stop()

	stop = e.clock(StageAlign)
	upright := uprightMap(f, five)
	aligned := e.embed.aligned(p, upright)
	quality := rate(aligned)
	stop()

	detail := face.FaceDetail{
		BoundingBox: recollect.BoundingBox{
			Left:   float32(f.x0 / float64(width)),
			Top:    float32(f.y0 / float64(height)),
			Width:  float32(f.width() / float64(width)),
			Height: float32(f.height() / float64(height)),
		},
		Side:       float32(min(f.width(), f.height())),
		Confidence: 100 * f.score,
		Landmarks:  points.named(want&face.AttributeAllLandmarks != 0, width, height),
		Pose:       pose,
		Quality:    quality,
	}
	if want != 0 {
		stop = e.clock(StageAttribute)
		if err := e.attributes.add(ctx, &detail, seen{p, points, upright}, want); err != nil {
			return face.FaceDetail{}, nil, err
		}
		stop()
	}
	return detail, aligned, nil
}

// each calls f for 0 to n-1, as many in parallel as the given number of cores. A panic of f becomes
// an error: in the goroutines of each no caller could recover it.
func each(ctx context.Context, n, cores int, f func(ctx context.Context, i int) error) error {
	if n == 1 {
		return f(ctx, 0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cores)
	for i := range n {
		group.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			return f(ctx, i)
		})
	}
	return group.Wait()
}

// clock starts a stage and returns the function that ends it.
func (e *Engine) clock(stage Stage) func() {
	if e.options.Observe == nil {
		return func() {}
	}
	start := time.Now()
	return func() { e.options.Observe(stage, time.Since(start)) }
}

// RunNetworks runs the detector once and the networks of a face once, on undefined inputs and
// without any other processing: the minimum cost of a picture with one face. It returns the
// duration of each; that of the network that confirms a face is the detector's.
func (e *Engine) RunNetworks(ctx context.Context) (map[Stage]time.Duration, error) {
	took := map[Stage]time.Duration{}
	stages := []Stage{StageDetect, StageLandmarks, StagePose, StageEmbed}
	if e.confirm != nil {
		stages = append([]Stage{StageDetect}, stages...)
	}
	if e.embed.second != nil {
		stages = append(stages, StageEmbed)
	}
	for i, stage := range stages {
		start := time.Now()
		err := e.networks()[i].session.Run(ctx, func([]float32) {}, func([][]float32) {})
		if err != nil {
			return nil, fmt.Errorf("running the network of the stage %s: %w", stage, err)
		}
		took[stage] += time.Since(start)
	}
	return took, nil
}

// photo is a picture whose faces were detected. It implements [face.Photo].
type photo struct {
	engine *Engine
	faces  []face.FaceDetail
	crops  []crop // of each face
	behind bool   // nobody waits for its vectors
}

func (p *photo) Faces() []face.FaceDetail { return slices.Clone(p.faces) }

func (p *photo) Embed(ctx context.Context, faces ...int) ([][]float32, error) {
	for _, i := range faces {
		if i < 0 || i >= len(p.crops) {
			return nil, fmt.Errorf("embedding face %d of a photo that has %d", i, len(p.crops))
		}
	}
	ctx = onnx.OneCaller(ctx)
	if p.behind {
		ctx = onnx.Background(ctx)
	}
	vectors := make([][]float32, len(faces))
	err := each(ctx, len(faces), p.engine.cores, func(ctx context.Context, i int) (err error) {
		defer p.engine.clock(StageEmbed)()
		vectors[i], err = p.engine.embed.vector(ctx, p.crops[faces[i]])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("embedding faces: %w", err)
	}
	return vectors, nil
}
