package exact

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/indextest"
)

func openFiles(t testing.TB, dir string, highest face.VectorKey) *Files {
	t.Helper()
	files, err := OpenFiles(dir, []byte("record"), highest)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// safeLog is the log of an index, for concurrent use.
type safeLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *safeLog) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// library is a collection with some thousand vectors, and the expected hits.
type library struct {
	random  *rand.Rand
	source  indextest.Source
	vectors map[face.VectorKey][]float32
	dir     string
	log     safeLog
}

func newLibrary(t testing.TB, n int) *library {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := &library{random: rand.New(rand.NewPCG(seed, 0)), vectors: map[face.VectorKey][]float32{},
		dir: t.TempDir()}
	for range n {
		l.put(t, nil)
	}
	return l
}

func (l *library) put(t testing.TB, x *Index) {
	key := face.VectorKey(len(l.vectors) + 1)
	for l.vectors[key] != nil {
		key += 1000
	}
	e := face.Embedding{Key: key, Vector: unit(l.random, 64)}
	l.vectors[key] = e.Vector
	l.source.Put(1, e)
	if x != nil {
		if err := x.Add(t.Context(), 1, e); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *library) remove(t testing.TB, x *Index, keys ...face.VectorKey) {
	for _, key := range keys {
		delete(l.vectors, key)
	}
	l.source.Delete(1, keys...)
	if x != nil {
		if err := x.Remove(t.Context(), 1, keys...); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *library) open(t testing.TB) *Index {
	return newIndex(t, &l.source,
		Options{Files: openFiles(t, l.dir, 1<<40), Log: slog.New(slog.NewTextHandler(&l.log, nil))})
}

func (l *library) check(t *testing.T, x *Index) {
	t.Helper()
	for range 3 {
		var query []float32
		for _, query = range l.vectors { // any
			break
		}
		checkSearch(t, x, l.vectors, near(l.random, query, 0.8), 20, 0.2)
	}
	checkSearch(t, x, l.vectors, unit(l.random, 64), len(l.vectors), -1)
}

func (l *library) files(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(l.dir, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// After a restart the files are used, with the changes since they were written.
func TestFilesOutliveTheIndex(t *testing.T) {
	l := newLibrary(t, 5*slabSlots+100)
	x := l.open(t)
	l.check(t, x)
	if n := len(l.files(t)); n != 5 {
		t.Fatalf("%d files, want 5", n)
	}
	if _, n, size := x.Size(); size > int64(n)*(2*minWidth/8+12+8)+slabSlots*64*4+200_000 {
		t.Errorf("%d vectors take %d bytes of memory", n, size)
	}
	l.remove(t, x, 7, 8, 9)
	x.Close()
	l.remove(t, nil, 1, 2000)
	for range 50 {
		l.put(t, nil)
	}
	before := l.files(t)
	x = l.open(t)
	l.check(t, x)
	for range slabSlots {
		l.put(t, x)
	}
	l.check(t, x)
	if after := l.files(t); len(after) < 6 || l.log.count("damaged") > 0 {
		t.Errorf("of %d files there are %d: %s", len(before), len(after), l.log.text.String())
	}
	for key := range face.VectorKey(3 * slabSlots) {
		if key%8 != 0 {
			l.remove(t, x, key)
		}
	}
	l.check(t, x)
	if n := len(l.files(t)); n > 5 {
		t.Errorf("%d files for %d vectors", n, len(l.vectors))
	}
	x.Close()
	x = l.open(t)
	l.check(t, x)
	if err := x.Drop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if files := l.files(t); len(files) > 0 {
		t.Errorf("a dropped collection left %q", files)
	}
}

// Searches return the right hits after any change of any file, before or during its use.
func TestDamagedFiles(t *testing.T) {
	l := newLibrary(t, 4*slabSlots+10)
	rounds := 40
	if testing.Short() {
		rounds = 12
	}
	var said int
	for round := range rounds {
		x := l.open(t)
		l.check(t, x)
		if round%2 == 0 {
			x.Close()
		}
		paths := l.files(t)
		if len(paths) < 4 {
			t.Fatalf("%d files", len(paths))
		}
		path := paths[l.random.IntN(len(paths))]
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		at := l.random.Int64N(info.Size())
		switch round % 5 {
		case 0, 1: // a bit flips
			flip(t, path, at)
		case 2: // incomplete: the rest was not written
			err = os.Truncate(path, at)
		case 3: // in the head
			flip(t, path, l.random.Int64N(1000))
		case 4: // a page of zeros
			at = min(at, info.Size()-pageBytes)
			var file *os.File
			if file, err = os.OpenFile(path, os.O_WRONLY, 0); err == nil {
				_, err = file.WriteAt(make([]byte, pageBytes), at)
				file.Close()
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 {
			x = l.open(t)
		}
		l.check(t, x)
		for range 20 {
			l.put(t, x)
		}
		l.check(t, x)
		x.Close()
	}
	if said = l.log.count("damaged file"); said < rounds/4 {
		t.Errorf("%d rounds of damage, and %d times it is said", rounds, said)
	}
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (at % 8)
	if _, err := file.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// Files of another record, and of a later state of this one, are not used.
func TestForeignFiles(t *testing.T) {
	l := newLibrary(t, 2*slabSlots)
	x := l.open(t)
	l.check(t, x)
	x.Close()
	if len(l.files(t)) != 2 {
		t.Fatal("no files")
	}
	openFiles(t, l.dir, 2*slabSlots)
	if len(l.files(t)) != 2 {
		t.Error("files of this state are gone")
	}
	openFiles(t, l.dir, 2*slabSlots-1) // restored to a state before the last key was assigned
	if files := l.files(t); len(files) != 0 {
		t.Errorf("left: %q", files)
	}
	x = l.open(t)
	l.check(t, x)
	x.Close()
	if _, err := OpenFiles(l.dir, []byte("another"), 1<<40); err != nil {
		t.Fatal(err)
	}
	if files := l.files(t); len(files) != 0 {
		t.Errorf("left: %q", files)
	}
}

// Without a folder for files vectors stay in memory, which is logged once.
func TestFilesCannotBeWritten(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no files here")
	}
	l := newLibrary(t, 3*slabSlots)
	x := l.open(t)
	// There is a file with the name of the collection's directory.
	if err := os.WriteFile(x.files.collection(1), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.check(t, x)
	if n := l.log.count("keeps vectors in memory"); n != 1 {
		t.Errorf("said %d times: %s", n, l.log.text.String())
	}
}

// Collections that were deleted while the index was not running leave no files.
func TestFilesOfDroppedCollectionsAreSwept(t *testing.T) {
	l := newLibrary(t, slabSlots)
	x := l.open(t)
	l.check(t, x)
	x.Close()
	l.source.Clear(1)
	x = l.open(t)
	x.tasks.Wait()
	if files := l.files(t); len(files) != 0 {
		t.Errorf("left: %q", files)
	}
}

// The suite with files, and the same without a record: then files are used until the next load.
func TestConformanceWithFiles(t *testing.T) {
	indextest.Run(t, func(t *testing.T, source *indextest.Source) face.Index {
		return newIndex(t, source, Options{Files: openFiles(t, t.TempDir(), 1<<40)})
	})
	l := newLibrary(t, 3*slabSlots)
	for range 2 {
		x := newIndex(t, SourceFunc(l.source.Embeddings),
			Options{Files: openFiles(t, l.dir, 1<<40)})
		l.check(t, x)
		x.Close()
		if n := len(l.files(t)); n != 3 {
			t.Errorf("%d files", n)
		}
	}
}

// Memory outside of the heap of a collection that is removed from memory is returned to the system
// without a garbage collection, which would delay all other requests.
func TestMemoryGoesBack(t *testing.T) {
	mappings := func(l *library) int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("this system does not tell what is mapped")
		}
		return strings.Count(string(maps), l.dir)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	collections := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumGC
	}
	l := newLibrary(t, 3*slabSlots)
	x := l.open(t)
	before := collections()
	l.check(t, x)
	if n := mappings(l); n != 3 {
		t.Fatalf("%d files are mapped, want 3", n)
	}
	if err := x.Drop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); mappings(l) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%d files are still mapped", mappings(l))
		}
	}
	if n := collections() - before; n != 0 {
		t.Errorf("the collector ran %d times", n)
	}
}

// Searches continue in a removed slab, while the garbage collector frees everything that is not
// referenced.
func TestSearchesHoldWhatTheyRead(t *testing.T) {
	l := newLibrary(t, 3*slabSlots)
	x := l.open(t)
	query := l.vectors[1]
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var working sync.WaitGroup
	for range 3 {
		working.Go(func() {
			for first := true; first || ctx.Err() == nil; first = false {
				if hits, err := x.Search(t.Context(), 1, query, 10, -1); err != nil ||
					len(hits) != 10 || hits[0].Key != 1 {
					t.Errorf("found %v, %v", hits, err)
					return
				}
			}
		})
	}
	working.Go(func() {
		for ctx.Err() == nil {
			x.mu.Lock()
			if e := x.entries[1]; e != nil && e.ready {
				x.removeEntry(e)
			}
			x.mu.Unlock()
			runtime.GC()
		}
	})
	working.Wait()
	if n := l.log.count("damaged"); n > 0 {
		t.Errorf("%s", l.log.text.String())
	}
}

// The most recently used collection is loaded without a request.
func TestWarm(t *testing.T) {
	l := newLibrary(t, slabSlots)
	for key := range face.VectorKey(slabSlots) {
		l.source.Put(2, face.Embedding{Key: 10_000 + key, Vector: unit(l.random, 64)})
	}
	for _, last := range []face.CollectionKey{2, 1, 2} {
		x := l.open(t)
		for _, c := range []face.CollectionKey{3 - last, last} {
			if _, err := x.Search(t.Context(), c, unit(l.random, 64), 1, -1); err != nil {
				t.Fatal(err)
			}
		}
		x.Close()
		x = l.open(t)
		x.Warm()
		x.tasks.Wait()
		if collections, vectors, _ := x.Size(); collections != 1 || vectors != slabSlots ||
			x.find(last) == nil {
			t.Errorf("%d collections with %d vectors are there, want the one with the key %d",
				collections, vectors, last)
		}
		x.Close()
	}
	newIndex(t, &l.source, Options{}).Warm() // does nothing without files
}
