// Package verification measures how well an engine distinguishes people: it reads pairs of
// pictures, embeds the pictures, and computes accuracy, false match rates and true accept rates.
//
// The false match rate (FMR) at a threshold is the share of impostor pairs, two pictures of
// different people, whose cosine is at least the threshold. The true accept rate (TAR) is that
// share of genuine pairs, two pictures of one person. The cosine of a pair with a picture
// without a detected face is [NoFace]: no threshold accepts it, as no search would return it.
package verification

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Picture is one picture of a person.
type Picture struct {
	Person string // name of the folder
	Number int    // 1 or more
}

// Name returns the picture's path in the folder of all pictures, without its extension:
// "Anna/Anna_0007".
func (p Picture) Name() string {
	return filepath.Join(p.Person, pictureID(p))
}

func pictureID(p Picture) string { return fmt.Sprintf("%s_%04d", p.Person, p.Number) }

// Find returns the path of the picture's file in a folder: a JPEG or PNG. The error for a picture
// that does not exist wraps [os.ErrNotExist].
func (p Picture) Find(folder string) (string, error) {
	for _, extension := range []string{".jpg", ".jpeg", ".png"} {
		path := filepath.Join(folder, p.Name()+extension)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s.jpg, or .jpeg or .png: %w", filepath.Join(folder, p.Name()),
		os.ErrNotExist)
}

// Pair is two pictures to compare.
type Pair struct {
	A, B Picture
	Line int // of the file, from 1
}

// Same reports whether both pictures are of one person.
func (p Pair) Same() bool { return p.A.Person == p.B.Person }

// ReadPairs reads a file of pairs in the format of Labeled Faces in the Wild (Huang et al., 2007):
// a line of a name and two numbers is two pictures of one person, a line of a name and a number and
// another name and number two people. The first line may say how many pairs there are: one number,
// of each of the two kinds, or two numbers, of sets and of each kind in a set. Fields are separated
// by tabs or spaces; empty lines are ignored.
//
// An error of a line names its number.
func ReadPairs(r io.Reader) ([]Pair, error) {
	var pairs []Pair
	promised := -1 // pairs of each kind
	lines := bufio.NewScanner(r)
	number := 0
	for lines.Scan() {
		number++
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if promised < 0 && len(pairs) == 0 && len(fields) <= 2 {
			n, err := parseCounts(fields)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			promised = n
			continue
		}
		pair, err := parsePair(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		pair.Line = number
		pairs = append(pairs, pair)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	same := 0
	for _, p := range pairs {
		if p.Same() {
			same++
		}
	}
	if different := len(pairs) - same; promised >= 0 &&
		(same != promised || different != promised) {
		return nil, fmt.Errorf(
			"the first line promises %d pairs of the same person and as many of different ones, "+
				"and there are %d and %d", promised, same, different)
	}
	if same == 0 || same == len(pairs) {
		return nil, fmt.Errorf(
			"there must be pairs of the same person and pairs of different ones: there are %d and "+
				"%d", same, len(pairs)-same)
	}
	return pairs, nil
}

// parseCounts returns how many pairs of each kind a first line promises.
func parseCounts(fields []string) (int, error) {
	const most = 1 << 30
	promised := 1
	for _, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 || n > most/promised {
			return 0,
				fmt.Errorf("%q is neither a pair nor a number of pairs", strings.Join(fields, " "))
		}
		promised *= n
	}
	return promised, nil
}

func parsePair(fields []string) (Pair, error) {
	switch len(fields) {
	case 3:
		fields = []string{fields[0], fields[1], fields[0], fields[2]}
	case 4:
		if fields[0] == fields[2] {
			return Pair{}, fmt.Errorf("a pair of two people names %s twice", fields[0])
		}
	default:
		return Pair{},
			fmt.Errorf(
				"a pair has three fields (name, number, number) or four (name, number, name, "+
					"number), this line has %d", len(fields))
	}
	var pictures [2]Picture
	for i := range pictures {
		name, number := fields[2*i], fields[2*i+1]
		if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
			return Pair{}, fmt.Errorf("%q is not the name of a folder", name)
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return Pair{}, fmt.Errorf("%q is not the number of a picture", number)
		}
		pictures[i] = Picture{name, n}
	}
	if pictures[0] == pictures[1] {
		return Pair{},
			fmt.Errorf("picture %d of %s is compared with itself", pictures[0].Number,
				pictures[0].Person)
	}
	return Pair{A: pictures[0], B: pictures[1]}, nil
}

// Pictures returns the pictures of the pairs, each once, by name.
func Pictures(sets ...[]Pair) []Picture {
	var all []Picture
	for _, pairs := range sets {
		for _, p := range pairs {
			all = append(all, p.A, p.B)
		}
	}
	slices.SortFunc(all, func(a, b Picture) int {
		if c := strings.Compare(a.Person, b.Person); c != 0 {
			return c
		}
		return a.Number - b.Number
	})
	return slices.Compact(all)
}

// Split compares the pairs and returns the results of each kind.
func Split(pairs []Pair, compare func(Pair) float32) (genuine, impostor []float32) {
	for _, p := range pairs {
		if p.Same() {
			genuine = append(genuine, compare(p))
		} else {
			impostor = append(impostor, compare(p))
		}
	}
	return genuine, impostor
}
