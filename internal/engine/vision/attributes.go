package vision

import (
	"context"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/face"
)

// attributes are the networks of the facial attributes, nil for those that the pack does not have.
// Whether the mouth is open is computed from the landmarks, without a network.
type attributes struct {
	age        *ager
	gender     *genderer
	expression *expresser
	eyes       *eyer
}

func newAttributes(r *onnx.Runtime, p pack.Attributes) (a attributes, err error) {
	var faults [4]error
	if p.Age != nil {
		a.age, faults[0] = newAger(r, p.Age, p.AgeSpan, p.AgeMargin)
	}
	if p.Gender != nil {
		a.gender, faults[1] = newGenderer(r, p.Gender)
	}
	if p.Expression != nil {
		a.expression, faults[2] = newExpresser(r, p.Expression)
	}
	if p.Eyes != nil {
		a.eyes, faults[3] = newEyer(r, p.Eyes)
	}
	return a, errors.Join(faults[:]...)
}

// networks returns the loaded networks.
func (a *attributes) networks() (all []*network) {
	if a.age != nil {
		all = append(all, a.age.network)
	}
	if a.gender != nil {
		all = append(all, a.gender.network)
	}
	if a.expression != nil {
		all = append(all, a.expression.network)
	}
	if a.eyes != nil {
		all = append(all, a.eyes.network)
	}
	return all
}

// seen is a face with its landmarks.
type seen struct {
	*picture
	points  *markup
	upright affine // see uprightMap
}

// add adds to d the requested attributes of a face for which the pack has a network. No other
// network runs.
func (a *attributes) add(ctx context.Context, d *face.FaceDetail, f seen,
	want face.Attributes) (err error) {
	if want&face.AttributeAgeRange != 0 && a.age != nil {
		if d.AgeRange, err = a.age.estimate(ctx, f); err != nil {
			return fmt.Errorf("estimating the age: %w", err)
		}
	}
	if want&face.AttributeGender != 0 && a.gender != nil {
		if d.Gender, err = a.gender.classify(ctx, f); err != nil {
			return fmt.Errorf("estimating the gender: %w", err)
		}
	}
	if want&(face.AttributeEmotions|face.AttributeSmile) != 0 && a.expression != nil {
		emotions, smile, err := a.expression.read(ctx, f)
		if err != nil {
			return fmt.Errorf("reading the expression: %w", err)
		}
		if want&face.AttributeEmotions != 0 {
			d.Emotions = emotions
		}
		if want&face.AttributeSmile != 0 {
			d.Smile = smile
		}
	}
	if want&face.AttributeEyesOpen != 0 && a.eyes != nil {
		if d.EyesOpen, err = a.eyes.open(ctx, f); err != nil {
			return fmt.Errorf("classifying the eyes: %w", err)
		}
	}
	if want&face.AttributeMouthOpen != 0 {
		d.MouthOpen = mouthOpen(f.points)
	}
	return nil
}

// judge returns the judgement with the probability p of being true.
func judge(p float64) *face.Judgement {
	return &face.Judgement{Value: p >= 0.5, Confidence: float32(100 * max(p, 1-p))}
}
