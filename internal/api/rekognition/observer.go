package rekognition

import "time"

// Observer gets the outcome of every request, on the request's own goroutine: it must be quick, and
// safe for concurrent use.
type Observer interface {
	Observe(o Outcome)
}

// Outcome is how one request ended.
type Outcome struct {
	Operation string // one of the API's; empty if the request named none
	Status    int    // of HTTP
	Exception string // that was returned; empty if the operation succeeded
	Rejected  bool   // the request was rejected because there were too many
	Duration  time.Duration
}

// nobody is the observer of a server that has none.
type nobody struct{}

func (nobody) Observe(Outcome) {}
