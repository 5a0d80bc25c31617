//go:build unix

package cluster

import "testing"

// TestCluster builds the program once and tests real servers on a database.
func TestCluster(t *testing.T) {
	path := program(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"NodesAreKilled", testKills},
		{"ThePrimaryIsKilled", testPrimaryDies},
		{"ThePrimaryStops", testPrimaryStops},
		{"ANodeStops", testNodeStops},
		{"TheNetworkStalls", testNetworkStalls},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, path) })
	}
}
