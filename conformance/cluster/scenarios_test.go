//go:build unix

package cluster

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// databases are enough for all groups of scenarios that need different servers.
const databases = 60

// TestScenarios runs the scenarios of conformance through boto3 against three servers that share a
// database, behind a balancer which sends each request to another one.
func TestScenarios(t *testing.T) {
	if !*long {
		t.Skip("a long test: make test-cluster runs it")
	}
	database := postgrestest.Start(t)
	pattern := strings.Replace(database.NewDatabase(t), "/test1?", "/test%d?", 1)
	for range databases - 1 {
		database.NewDatabase(t)
	}
	run := exec.CommandContext(t.Context(), "go", "run", "./conformance", "--clients", "boto3",
		"--store", pattern, "--nodes", "3")
	run.Dir = root(t)
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
