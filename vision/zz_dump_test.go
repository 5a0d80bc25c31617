package vision_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/recollect-dev/recollect/vision"
)

func TestZZDump(t *testing.T) {
	train, test := readPairs(t, "pairsDevTrain.txt"), readPairs(t, "pairsDevTest.txt")
	e := newEngine(t, vision.Options{})
	v := embedAll(t, e, train, test)
	d, _ := json.Marshal(v)
	os.WriteFile(os.Getenv("DUMP"), d, 0o644)
}
