package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
)

// limits is the content of a limits file.
type limits struct {
	Rates  rekognition.Rates
	Quotas face.Limits
	Jobs   int // in progress, of an account in a region; 0: the default
}

// readLimits reads a limits file, or returns the defaults if path is empty.
func readLimits(path string) (limits, error) {
	if path == "" {
		return limits{Quotas: face.DefaultLimits()}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return limits{}, fmt.Errorf("read the limits: %w", err)
	}
	l, err := parseLimits(text)
	if err != nil {
		return limits{}, fmt.Errorf("read the limits of %s:\n%w", path, err)
	}
	return l, nil
}

// parseLimits reads the text of a limits file. It reports every fault at once, each with the path
// of its field.
func parseLimits(text []byte) (limits, error) {
	var root any
	if err := json.Unmarshal(text, &root); err != nil { // rejects a repeated name
		return limits{}, fmt.Errorf("not valid JSON: %w", err)
	}
	l := limits{Quotas: face.DefaultLimits()}
	var f faults
	f.object("", root, func(path, name string, value any) {
		switch name {
		case "rates":
			l.Rates.Operations = f.rates(path, value)
		case "accounts":
			l.Rates.Accounts = f.accounts(path, value)
		case "quotas":
			f.quotas(path, value, &l)
		default:
			f.add(path, "unknown field")
		}
	})
	return l, errors.Join(f...)
}

// faults collects the faults of a JSON file.
type faults []error

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// object calls field for each member of an object, in ascending order of names.
func (f *faults) object(path string, value any, field func(path, name string, value any)) {
	members, ok := value.(map[string]any)
	if !ok {
		if path == "" {
			path = "the file"
		}
		f.add(path, "must be an object")
		return
	}
	if path != "" {
		path += "."
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field(path+name, name, members[name])
	}
}

// whole reads a whole number.
func (f *faults) whole(path string, value any, least, most int64) int64 {
	n, ok := value.(float64)
	if !ok || n != math.Trunc(n) || n < float64(least) || n > float64(most) {
		f.add(path, "must be a whole number from %d to %d", least, most)
		return 0
	}
	return int64(n)
}

func (f *faults) accounts(path string, value any) map[string]map[string]rekognition.Rate {
	accounts := map[string]map[string]rekognition.Rate{}
	f.object(path, value, func(path, account string, value any) {
		if !iam.ValidAccountID(account) {
			f.add(path, "an account is twelve digits")
		}
		f.object(path, value, func(path, name string, value any) {
			if name != "rates" {
				f.add(path, "unknown field")
				return
			}
			accounts[account] = f.rates(path, value)
		})
	})
	return accounts
}

func (f *faults) rates(path string, value any) map[string]rekognition.Rate {
	rates := map[string]rekognition.Rate{}
	f.object(path, value, func(path, operation string, value any) {
		if operation != rekognition.AnyOperation && !rekognition.IsOperation(operation) {
			f.add(path, "no such operation")
		}
		rates[operation] = f.rate(path, value)
	})
	return rates
}

// maxRate is above the rate of any machine, and low enough for exact arithmetic of the buckets.
const maxRate = 1_000_000

func (f *faults) rate(path string, value any) (r rekognition.Rate) {
	given := false
	f.object(path, value, func(path, name string, value any) {
		switch name {
		case "perSecond":
			given = true
			n, ok := value.(float64)
			if !ok || n < 0.001 || n > maxRate {
				f.add(path, "must be a number from 0.001 to %d", maxRate)
			}
			r.PerSecond = n
		case "burst":
			r.Burst = int(f.whole(path, value, 1, maxRate))
		default:
			f.add(path, "unknown field")
		}
	})
	if _, ok := value.(map[string]any); ok && !given {
		f.add(path+".perSecond", "missing")
	}
	if r.Burst == 0 { // the tokens of a second
		r.Burst = max(1, int(math.Ceil(r.PerSecond)))
	}
	return r
}

// maxJobs is above what any machine can run.
const maxJobs = 1_000_000

// maxQuota is the largest whole number that every JSON tool represents exactly.
const maxQuota = 1<<53 - 1

func (f *faults) quotas(path string, value any, limits *limits) {
	l := &limits.Quotas
	f.object(path, value, func(path, name string, value any) {
		switch name {
		case "collectionsPerRealm":
			l.CollectionsPerRealm = f.whole(path, value, 1, maxQuota)
		case "facesPerCollection":
			l.FacesPerCollection = f.whole(path, value, 1, maxQuota)
		case "usersPerCollection":
			l.UsersPerCollection = f.whole(path, value, 1, maxQuota)
		case "facesPerUser":
			l.FacesPerUser = int(f.whole(path, value, 1, face.MaxFacesPerUser))
		case "tagsPerResource":
			l.TagsPerResource = int(f.whole(path, value, 1, face.MostTagsPerResource))
		case "concurrentJobs":
			limits.Jobs = int(f.whole(path, value, 1, maxJobs))
		default:
			f.add(path, "unknown field")
		}
	})
}
