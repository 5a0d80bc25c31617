package vision_test

import (
	"bytes"
	"encoding/csv"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/vision"
	"github.com/recollect-dev/recollect/internal/face"
)

// allNames are the API's landmarks in the order of the service's answers.
var allNames = strings.Fields(`eyeLeft eyeRight mouthLeft mouthRight nose
	leftEyeBrowLeft leftEyeBrowRight leftEyeBrowUp rightEyeBrowLeft rightEyeBrowRight rightEyeBrowUp
	leftEyeLeft leftEyeRight leftEyeUp leftEyeDown
	rightEyeLeft rightEyeRight rightEyeUp rightEyeDown
	noseLeft noseRight mouthUp mouthDown leftPupil rightPupil
	upperJawlineLeft midJawlineLeft chinBottom midJawlineRight upperJawlineRight`)

// middle returns the face in the middle of a picture, with the requested attributes.
func middle(t *testing.T, e *vision.Engine, data []byte, want face.Attributes) face.FaceDetail {
	t.Helper()
	photo, err := e.Detect(t.Context(), data, want)
	if err != nil {
		t.Fatal(err)
	}
	faces := photo.Faces()
	if len(faces) == 0 {
		t.Fatal("no face is found")
	}
	return slices.MinFunc(faces, func(a, b face.FaceDetail) int {
		offset := func(f face.FaceDetail) float64 {
			b := f.BoundingBox
			return math.Hypot(float64(b.Left+b.Width/2-0.5), float64(b.Top+b.Height/2-0.5))
		}
		if offset(a) < offset(b) {
			return -1
		}
		return 1
	})
}

// A face has the requested attributes and no others, and networks of other attributes do not run.
func TestAttributesAreThoseAskedFor(t *testing.T) {
	var runs int
	var mu sync.Mutex
	e := newEngine(t, vision.Options{Observe: func(s vision.Stage, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if s == vision.StageAttribute {
			runs++
		}
	}})
	data := read(t, portrait)
	plain := middle(t, e, data, 0)
	if runs != 0 {
		t.Error("attributes were looked at that nobody asked for")
	}
	extras := []string{"AgeRange", "Gender", "Emotions", "EyesOpen", "MouthOpen", "Smile"}
	for want, names := range map[face.Attributes][]string{
		0:                        nil,
		face.AttributeAgeRange:   {"AgeRange"},
		face.AttributeGender:     {"Gender"},
		face.AttributeEmotions:   {"Emotions"},
		face.AttributeEyesOpen:   {"EyesOpen"},
		face.AttributeMouthOpen:  {"MouthOpen"},
		face.AttributeSmile:      {"Smile"},
		face.AttributeBeard:      nil, // there is no network for it
		face.AttributeSunglasses: nil,
		face.AttributesAll:       extras,
		face.AttributeAgeRange | face.AttributeSmile: {"AgeRange", "Smile"},
	} {
		got := middle(t, e, data, want)
		for _, name := range extras {
			if there := !reflect.ValueOf(got).FieldByName(name).IsNil(); there != slices.Contains(
				names, name) {
				t.Errorf("%b: %s is there: %v", want, name, there)
			}
		}
		landmarks := allNames[:5]
		if want == face.AttributesAll {
			landmarks = allNames
		}
		if len(got.Landmarks) != len(landmarks) {
			t.Fatalf("%b: %d landmarks, want %d", want, len(got.Landmarks), len(landmarks))
		}
		for i, l := range got.Landmarks {
			if l.Type != landmarks[i] {
				t.Errorf("%b: landmark %d is %s, want %s", want, i, l.Type, landmarks[i])
			}
		}
		if got.BoundingBox != plain.BoundingBox || got.Pose != plain.Pose ||
			got.Quality != plain.Quality ||
			!slices.Equal(got.Landmarks[:5], plain.Landmarks) {
			t.Errorf("%b: the default attributes differ: %+v, and alone %+v", want, got, plain)
		}
	}
}

// Faces of a pack without networks for attributes have none.
func TestAttributesWithoutNetworks(t *testing.T) {
	newEngine(t, vision.Options{}) // skips if something is not installed
	p, err := pack.Load(filepath.Join(installed, "packs", "default"))
	if err != nil {
		t.Fatal(err)
	}
	p.Attributes = pack.Attributes{}
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		t.Fatal(err)
	}
	e, err := vision.New(p, r, vision.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	f := middle(t, e, read(t, portrait), face.AttributesAll)
	if f.AgeRange != nil || f.Gender != nil || f.Emotions != nil || f.EyesOpen != nil ||
		f.Smile != nil {
		t.Errorf("without a network: %+v", f)
	}
	if len(f.Landmarks) != len(allNames) || f.MouthOpen == nil {
		t.Errorf("%d landmarks, mouth %v: they need no network", len(f.Landmarks), f.MouthOpen)
	}
}

// Attributes of real faces are in their ranges, for every face of a picture.
func TestAttributesOfGroups(t *testing.T) {
	e := newEngine(t, vision.Options{})
	for _, name := range []string{"cf_013_4.jpg", "dlib_2008_001322.jpg", "dlib_bald_guys.jpg"} {
		photo, err := e.Detect(t.Context(), read(t, filepath.Join("group", name)),
			face.AttributesAll)
		if err != nil {
			t.Fatal(err)
		}
		if len(photo.Faces()) < 3 {
			t.Errorf("%s: %d faces", name, len(photo.Faces()))
		}
		for _, f := range photo.Faces() {
			checkAttributes(t, f)
		}
	}
}

func checkAttributes(t *testing.T, f face.FaceDetail) {
	t.Helper()
	if r := f.AgeRange; r == nil || r.Low < 0 || r.High <= r.Low || r.High > 120 {
		t.Errorf("age range %+v", r)
	}
	if g := f.Gender; g == nil || g.Value != "Female" && g.Value != "Male" ||
		!(g.Confidence >= 50 && g.Confidence <= 100) {
		t.Errorf("gender %+v", g)
	}
	for name, j := range map[string]*face.Judgement{"eyes open": f.EyesOpen,
		"mouth open": f.MouthOpen, "smile": f.Smile} {
		if j == nil || !(j.Confidence >= 50 && j.Confidence <= 100) {
			t.Errorf("%s %+v", name, j)
		}
	}
	var sum, before float32 = 0, 100
	var types []string
	for _, m := range f.Emotions {
		if !(m.Confidence >= 0 && m.Confidence <= before) {
			t.Errorf("emotions do not fall: %+v", f.Emotions)
		}
		before = m.Confidence
		sum += m.Confidence
		types = append(types, m.Type)
	}
	slices.Sort(types)
	if want := []string{"ANGRY", "CALM", "DISGUSTED", "FEAR", "HAPPY", "SAD",
		"SURPRISED"}; !slices.Equal(types, want) {
		t.Errorf("emotions %v, want %v", types, want)
	}
	if math.Abs(float64(sum-100)) > 0.01 {
		t.Errorf("the emotions' confidences add up to %v", sum)
	}
	at := map[string]face.Landmark{}
	for _, l := range f.Landmarks {
		at[l.Type] = l
	}
	for pupil, eye := range map[string]string{"leftPupil": "eyeLeft", "rightPupil": "eyeRight"} {
		if at[pupil].X != at[eye].X || at[pupil].Y != at[eye].Y {
			t.Errorf("%s is not where %s is", pupil, eye)
		}
	}
	for _, order := range [][]string{ // from the left to the right
		{"upperJawlineLeft", "leftEyeLeft", "leftEyeUp", "leftEyeRight", "rightEyeLeft",
			"rightEyeDown", "rightEyeRight", "upperJawlineRight"},
		{"leftEyeBrowLeft", "leftEyeBrowUp", "leftEyeBrowRight", "rightEyeBrowLeft",
			"rightEyeBrowUp", "rightEyeBrowRight"},
		{"midJawlineLeft", "mouthLeft", "mouthUp", "mouthRight", "midJawlineRight"},
		{"noseLeft", "noseRight"},
	} {
		if !slices.IsSortedFunc(order,
			func(a, b string) int { return int(1e6 * (at[a].X - at[b].X)) }) {
			t.Errorf("%v are not from left to right: %v", order, f.Landmarks)
		}
	}
	for _, order := range [][]string{ // from the top down
		{"leftEyeBrowUp", "leftEyeUp", "leftEyeDown", "noseLeft", "mouthUp", "mouthDown",
			"chinBottom"},
		{"rightEyeBrowUp", "rightEyeUp", "rightEyeDown", "noseRight", "mouthUp"},
		{"upperJawlineLeft", "midJawlineLeft", "chinBottom"},
	} {
		if !slices.IsSortedFunc(order,
			func(a, b string) int { return int(1e6 * (at[a].Y - at[b].Y)) }) {
			t.Errorf("%v are not from the top down: %v", order, f.Landmarks)
		}
	}
}

// labelled is a line of testdata/attributes.csv. An attribute that could not be seen is empty.
type labelled struct {
	set, image, gender, smile, mouth, eyes string
	age                                    float64 // 0 if unknown
	emotion                                string
}

func readLabels(t *testing.T) (all []labelled) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "attributes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.Comment = '#'
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		age, _ := strconv.ParseFloat(r[6], 64)
		all = append(all, labelled{r[0], r[1], r[2], r[3], r[4], r[5], age, r[7]})
	}
	return all
}

func lfwPath(image string) string {
	return filepath.Join("lfw", "images", image[:len(image)-len("_0000")], image+".jpg")
}

// share counts correct results.
type share struct{ right, all int }

func (s *share) add(right bool) {
	s.all++
	if right {
		s.right++
	}
}

// TestLFWAttributes measures the attributes on pictures of LFW that were labelled by hand. Crops
// and thresholds were chosen on those of the set "chosen"; the required shares are for the set
// "test", which has other people, and for the eyes also for the set "eyes", in which half are
// closed.
func TestLFWAttributes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	e := newEngine(t, vision.Options{})
	shares := map[string]*share{}
	add := func(key string, right bool) {
		if shares[key] == nil {
			shares[key] = &share{}
		}
		shares[key].add(right)
	}
	offs := map[string][]float64{}
	for _, l := range readLabels(t) {
		f := middle(t, e, read(t, lfwPath(l.image)), face.AttributesAll)
		if l.gender != "" {
			add(l.set+" gender "+l.gender, f.Gender.Value[:1] == l.gender)
		}
		for attribute, c := range map[string]struct {
			label string
			got   *face.Judgement
		}{"smile": {l.smile, f.Smile}, "mouth open": {l.mouth, f.MouthOpen},
			"eyes open": {l.eyes, f.EyesOpen}} {
			if c.label == "" {
				continue
			}
			right := c.got.Value == (c.label == "y")
			add(l.set+" "+attribute+" "+c.label, right)
			if !right {
				t.Logf("%s: %s is not %v (confidence %.1f)", l.image, attribute, c.got.Value,
					c.got.Confidence)
			}
		}
		if l.emotion != "" {
			add(l.set+" emotion "+l.emotion, f.Emotions[0].Type == l.emotion)
		}
		if l.age != 0 {
			low, high := float64(f.AgeRange.Low), float64(f.AgeRange.High)
			offs[l.set] = append(offs[l.set], (low+high)/2-l.age)
			add(l.set+" age in range", l.age >= low && l.age <= high)
		}
	}
	var keys []string
	for key := range shares {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		t.Logf("%-24s %d of %d", key, shares[key].right, shares[key].all)
	}
	for set, off := range offs {
		var sum, absolute float64
		for _, o := range off {
			sum += o
			absolute += math.Abs(o)
		}
		n := float64(len(off))
		t.Logf("%s age: mean absolute error %.1f years, mean error %+.1f", set, absolute/n, sum/n)
		if absolute/n > 10 {
			t.Errorf("%s: the age is off by %.1f years", set, absolute/n)
		}
	}
	for key, least := range map[string]float64{
		"test gender M": 0.85, "test gender F": 0.7, "test smile y": 0.9, "test smile n": 0.85,
		"test mouth open y": 0.85, "test mouth open n": 0.85, "test eyes open y": 0.9,
		"eyes eyes open n": 0.85, "eyes eyes open y": 0.6, "test emotion HAPPY": 0.9,
		"test age in range": 0.6,
	} {
		if s := shares[key]; s == nil || float64(s.right) < least*float64(s.all) {
			t.Errorf("%s: %+v, want a share of %.2f", key, s, least)
		}
	}
}

// A mirrored picture has mirrored landmarks with the names of the other side, and the negative yaw
// and roll. Its attributes are the same.
func TestMirroredAttributes(t *testing.T) {
	e := newEngine(t, vision.Options{})
	sides := strings.NewReplacer("Left", "Right", "left", "right", "Right", "Left", "right", "left")
	var yaw, roll, pitch float64
	names := []string{portrait}
	for _, l := range readLabels(t)[:8] {
		names = append(names, lfwPath(l.image))
	}
	for _, name := range names {
		img := load(t, name)
		width, height := img.Rect.Dx(), img.Rect.Dy()
		as := middle(t, e, change(t, width, height, img.At), face.AttributesAll)
		mirrored := middle(t, e,
			change(t, width, height, func(x, y int) color.Color { return img.At(width-1-x, y) }),
			face.AttributesAll)
		at := map[string]face.Landmark{}
		for _, l := range mirrored.Landmarks {
			at[l.Type] = l
		}
		for _, l := range as.Landmarks {
			m, ok := at[sides.Replace(l.Type)]
			if dx, dy := m.X-(1-l.X), m.Y-l.Y; !ok ||
				math.Hypot(float64(dx), float64(dy)) > 0.15*float64(as.BoundingBox.Height) {
				t.Errorf("%s: %s is at %.3f, %.3f, and %s of the mirror image at %.3f, %.3f",
					name, l.Type, l.X, l.Y, m.Type, m.X, m.Y)
			}
		}
		if as.Gender.Value != mirrored.Gender.Value && as.Gender.Confidence > 80 {
			t.Errorf("%s: %+v, and mirrored %+v", name, as.Gender, mirrored.Gender)
		}
		if d := as.AgeRange.Low - mirrored.AgeRange.Low; d > 8 || d < -8 {
			t.Errorf("%s: %+v, and mirrored %+v", name, as.AgeRange, mirrored.AgeRange)
		}
		yaw += math.Abs(float64(as.Pose.Yaw + mirrored.Pose.Yaw))
		roll += math.Abs(float64(as.Pose.Roll + mirrored.Pose.Roll))
		pitch += math.Abs(float64(as.Pose.Pitch - mirrored.Pose.Pitch))
	}
	for name, sum := range map[string]float64{"yaw": yaw, "roll": roll, "pitch": pitch} {
		if mean := sum / float64(len(names)); mean > 4 {
			t.Errorf("%s: a picture and its mirror image differ by %.1f degrees in the mean", name,
				mean)
		}
	}
}

// Pitch is positive if the face is tilted up: then the nose is nearer to the line of the eyes.
func TestPitchFollowsTheNose(t *testing.T) {
	e := newEngine(t, vision.Options{})
	var pitches, noses []float64
	for _, l := range readLabels(t) {
		f := middle(t, e, read(t, lfwPath(l.image)), 0)
		eyes, mouth := (f.Landmarks[0].Y+f.Landmarks[1].Y)/2, (f.Landmarks[2].Y+f.Landmarks[3].Y)/2
		pitches = append(pitches, float64(f.Pose.Pitch))
		noses = append(noses, float64((f.Landmarks[4].Y-eyes)/(mouth-eyes)))
	}
	if r := correlation(pitches, noses); r > -0.4 {
		t.Errorf("the correlation of the pitch and the nose's distance from the eyes is %.2f, "+
			"want well below 0", r)
	}
}

func correlation(a, b []float64) float64 {
	n := float64(len(a))
	var sumA, sumB, aa, bb, ab float64
	for i := range a {
		sumA, sumB = sumA+a[i], sumB+b[i]
		aa, bb, ab = aa+a[i]*a[i], bb+b[i]*b[i], ab+a[i]*b[i]
	}
	return (n*ab - sumA*sumB) / math.Sqrt((n*aa-sumA*sumA)*(n*bb-sumB*sumB))
}
