package verification_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/engine/verification"
)

func write(t *testing.T, folder string, contents ...[]byte) []string {
	t.Helper()
	paths := make([]string, len(contents))
	for i, c := range contents {
		paths[i] = filepath.Join(folder, fmt.Sprint(i, ".jpg"))
		if err := os.WriteFile(paths[i], c, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func TestEmbedAll(t *testing.T) {
	engine := enginetest.Engine("1")
	var pictures [][]byte
	for person := range 40 {
		pictures = append(pictures, enginetest.Picture(enginetest.Face{Person: person, Size: 0.3}))
	}
	// All boxes begin at the same corner; the middle of a box of half the size is nearer to the
	// picture's middle than that of a small one.
	pictures[7] = enginetest.Picture(enginetest.Face{Person: 50, Size: 0.1},
		enginetest.Face{Person: 7, Size: 0.5}, enginetest.Face{Person: 51, Size: 0.2})
	pictures[9] = enginetest.Picture()
	done := 0
	faces, err := verification.EmbedAll(t.Context(), engine, write(t, t.TempDir(), pictures...),
		func() { done++ })
	if err != nil {
		t.Fatal(err)
	}
	if done != len(pictures) {
		t.Errorf("%d of %d pictures were told of", done, len(pictures))
	}
	again, err := verification.EmbedAll(t.Context(), engine,
		write(t, t.TempDir(), enginetest.Picture(enginetest.Face{Person: 7, Size: 0.3})), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range faces {
		same := verification.Cosine(f, again[0])
		switch {
		case i == 9:
			if f.Found != 0 || same != verification.NoFace {
				t.Errorf("a picture without a face: %d faces, cosine %v", f.Found, same)
			}
		case i == 7:
			if f.Found != 3 || f.Box.Width != 0.5 || same < 0.5 {
				t.Errorf(
					"a picture with three faces: %d, width %v, cosine %v with the person in the "+
						"middle", f.Found, f.Box.Width, same)
			}
		case f.Found != 1 || same > 0.7:
			t.Errorf("picture %d: %d faces, cosine %v with another person", i, f.Found, same)
		}
	}
}

func TestEmbedAllEndsAtAFault(t *testing.T) {
	engine := enginetest.Engine("1")
	good := enginetest.Picture(enginetest.Face{Size: 0.3})
	paths := write(t, t.TempDir(), good, good, []byte("no picture"), good)
	_, err := verification.EmbedAll(t.Context(), engine, paths, nil)
	if err == nil || !strings.Contains(err.Error(), paths[2]) ||
		!strings.Contains(err.Error(), "invalid image format") {
		t.Errorf("a broken picture: %v", err)
	}
	missing := paths[0] + "x"
	_, err = verification.EmbedAll(t.Context(), engine, []string{paths[0], missing}, nil)
	if !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("a missing picture: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = verification.EmbedAll(ctx, engine, append(paths[:2:2], paths[3]), func() { cancel() })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err = verification.EmbedAll(ctx, engine, paths[:2], nil); !errors.Is(err,
		context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}
