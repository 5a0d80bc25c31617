package vision

import (
	"context"
	"fmt"
)

// NetworkRuns returns how often each network was run for pictures, in the order of their use.
func (e *Engine) NetworkRuns() []int64 {
	networks := e.networks()
	runs := make([]int64, len(networks))
	for i, n := range networks {
		runs[i] = n.runs.Load()
	}
	return runs
}

// RunBare runs each network so often, in the order of [Engine.NetworkRuns], on undefined inputs and
// without other processing, on all cores: it takes the least time that as many runs for pictures
// can take.
func (e *Engine) RunBare(ctx context.Context, runs []int64) error {
	networks := e.networks()
	if len(runs) != len(networks) {
		return fmt.Errorf("running %d networks of %d", len(runs), len(networks))
	}
	for i, n := range networks {
		err := each(ctx, int(runs[i]), e.cores, func(ctx context.Context, _ int) error {
			return n.session.Run(ctx, func([]float32) {}, func([][]float32) {})
		})
		if err != nil {
			return fmt.Errorf("running network %d: %w", i, err)
		}
	}
	return nil
}
