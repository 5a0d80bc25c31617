// Package population generates vectors with the distribution of real faces' vectors, for benchmarks
// that need more vectors than there are pictures.
package population

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/recollect-dev/recollect/bench/workload"
	"github.com/recollect-dev/recollect/internal/engine/verification"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

// Dimension of the default pack's vectors.
const Dimension = 512

// Population generates vectors with the distribution of real faces' vectors.
//
// A person is the mean of the pictures of Labeled Faces in the Wild (Huang et al., 2007) plus a
// normal deviation with the covariance of people: [mix] of them drawn at random, with random
// weights. A face is its person plus a normal deviation with the covariance within people, drawn in
// the same way from the differences of two pictures of one person. Both are scaled to the length of
// the real ones.
type Population struct {
	mean   []float32
	people [][]float32 // deviations of one picture of each person from the mean
	within [][]float32 // differences of two pictures of one person, over √2

	// Cosines of real pairs, of two people and of one, ascending.
	Impostor, Genuine []float32
}

// mix is the number of draws whose sum is close to a normal distribution.
const mix = 24

// Learn returns the population of LFW. It embeds the pictures, or reads the vectors of an earlier
// run.
func Learn(ctx context.Context, library, pictures, cache string) (*Population, error) {
	faces, err := readFaces(cache)
	if err != nil {
		if faces, err = embedFaces(ctx, library, pictures); err != nil {
			return nil, err
		}
		if err := writeFaces(cache, faces); err != nil {
			return nil, err
		}
	}
	p := &Population{mean: make([]float32, Dimension)}
	byName := map[string][][]float32{}
	for _, f := range faces {
		byName[f.name] = append(byName[f.name], f.vector)
	}
	var names []string
	for name, shots := range byName {
		names = append(names, name)
		add(p.mean, shots[0], 1)
	}
	slices.Sort(names)
	scale(p.mean, 1/float32(len(names)))
	for i, name := range names {
		shots := byName[name]
		deviation := slices.Clone(shots[0])
		add(deviation, p.mean, -1)
		p.people = append(p.people, deviation)
		for j := 1; j < min(len(shots), 6); j++ {
			difference := slices.Clone(shots[j])
			add(difference, shots[j-1], -1)
			scale(difference, float32(math.Sqrt(0.5)))
			p.within = append(p.within, difference)
			p.Genuine = append(p.Genuine, verification.Dot(shots[j], shots[j-1]))
		}
		for _, other := range names[:i] {
			p.Impostor = append(p.Impostor, verification.Dot(shots[0], byName[other][0]))
		}
	}
	slices.Sort(p.Impostor)
	slices.Sort(p.Genuine)
	return p, nil
}

type faceOf struct {
	name   string
	vector []float32
}

func embedFaces(ctx context.Context, library, pictures string) ([]faceOf, error) {
	_, engine, err := workload.OpenEngine(library, vision.Options{})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	paths, found, err := workload.EmbedFolder(ctx, engine, pictures)
	if err != nil {
		return nil, err
	}
	var faces []faceOf
	for i, f := range found {
		if f.Vector != nil {
			faces = append(faces, faceOf{filepath.Base(filepath.Dir(paths[i])), f.Vector})
		}
	}
	return faces, nil
}

func readFaces(path string) ([]faceOf, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := bufio.NewReader(file)
	var faces []faceOf
	for {
		name, err := r.ReadString('\n')
		if err != nil {
			if len(faces) == 0 {
				return nil, fmt.Errorf("%s is empty", path)
			}
			return faces, nil
		}
		f := faceOf{name[:len(name)-1], make([]float32, Dimension)}
		if err := binary.Read(r, binary.LittleEndian, f.vector); err != nil {
			return nil, err
		}
		faces = append(faces, f)
	}
}

func writeFaces(path string, faces []faceOf) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	for _, f := range faces {
		fmt.Fprintln(w, f.name)
		if err := binary.Write(w, binary.LittleEndian, f.vector); err != nil {
			return err
		}
	}
	return w.Flush()
}

// Person returns a random person.
func (p *Population) Person(random *rand.Rand) []float32 {
	v := slices.Clone(p.mean)
	for range mix {
		add(v, p.people[random.IntN(len(p.people))], float32(random.NormFloat64()/math.Sqrt(mix)))
	}
	return v
}

// Face returns the vector of a random picture of a person, of unit length. A person contains one
// picture's own deviation, so the person is shrunk by the share of the covariance within people.
func (p *Population) Face(random *rand.Rand, person []float32) []float32 {
	within := make([]float32, Dimension)
	for range mix {
		add(within, p.within[random.IntN(len(p.within))],
			float32(random.NormFloat64()/math.Sqrt(mix)))
	}
	share := p.share()
	v := slices.Clone(person)
	scale(v, float32(math.Sqrt(1-share)))
	add(v, within, 1)
	normalise(v)
	return v
}

// share returns the share of a picture's squared length that is within people.
func (p *Population) share() float64 {
	var sum float64
	for _, c := range p.Genuine {
		sum += float64(c)
	}
	return 1 - sum/float64(len(p.Genuine))
}

func add(to, v []float32, weight float32) {
	for i, x := range v {
		to[i] += weight * x
	}
}

func scale(v []float32, by float32) {
	for i := range v {
		v[i] *= by
	}
}

func normalise(v []float32) { scale(v, float32(1/math.Sqrt(float64(verification.Dot(v, v))))) }
