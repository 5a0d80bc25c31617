package vision_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/verification"
	"github.com/recollect-dev/recollect/vision"
)

// readPairs reads the file of a view of Labeled Faces in the Wild.
func readPairs(t *testing.T, name string) []verification.Pair {
	t.Helper()
	pairs, err := verification.ReadPairs(bytes.NewReader(read(t, filepath.Join("lfw", name))))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return pairs
}

// embedAll embeds the face in the middle of each picture, each once.
func embedAll(t *testing.T, e *vision.Engine, sets ...[]verification.Pair) map[verification.Picture]verification.Face {
	t.Helper()
	pictures := verification.Pictures(sets...)
	paths := make([]string, len(pictures))
	for i, p := range pictures {
		path, err := p.Find(filepath.Join(shared, "lfw", "images"))
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = path
	}
	faces, err := verification.EmbedAll(t.Context(), e, paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	byPicture := map[verification.Picture]verification.Face{}
	for i, p := range pictures {
		if faces[i].Found == 0 {
			t.Errorf("%s: no face", p.Name())
		}
		byPicture[p] = faces[i]
	}
	if t.Failed() {
		t.FailNow()
	}
	return byPicture
}

// TestLFW measures how well faces are told apart: Labeled Faces in the Wild, View 1 (Huang et al., 2007). The threshold
// is chosen on the training pairs; the figures are those of the test pairs, which have no person in common with them.
func TestLFW(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	train, test := readPairs(t, "pairsDevTrain.txt"), readPairs(t, "pairsDevTest.txt")
	if len(train) != 2200 || len(test) != 1000 {
		t.Fatalf("got %d and %d pairs, want 2200 and 1000", len(train), len(test))
	}
	e := newEngine(t, vision.Options{})
	faces := embedAll(t, e, train, test)

	compare := func(p verification.Pair) float32 { return verification.Cosine(faces[p.A], faces[p.B]) }
	threshold, best := verification.NewROC(verification.Split(train, compare)).Best()
	genuine, impostor := verification.Split(test, compare)
	got := verification.NewROC(genuine, impostor).Accuracy(threshold)

	// The false match rate is taken over all pairs of different persons among the test pairs' pictures.
	var all []verification.Labelled
	for _, p := range verification.Pictures(test) {
		all = append(all, verification.Labelled{Person: p.Person, Vector: faces[p].Vector})
	}
	_, impostors, err := verification.AllPairs(t.Context(), all, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := verification.NewROC(genuine, impostors).At(1e-3)
	s := e.Similarity(at.Threshold)
	t.Logf("accuracy %.2f %% at cosine %.3f (%.2f %% on the training pairs)", 100*got, threshold, 100*best)
	t.Logf("true accept rate %.2f %% at a false match rate of 0.1 %% (cosine %.3f, similarity %.1f; %d of %d impostor pairs)",
		100*at.TrueAcceptRate, at.Threshold, s, at.FalseMatches, len(impostors))
	if got < 0.990 {
		t.Errorf("accuracy is %.4f, want at least 0.990", got)
	}
	if s < 75 || s > 85 {
		t.Errorf("similarity at a false match rate of 0.1 %% is %.1f, want about 80", s)
	}
}
