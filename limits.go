package recollect

import (
	"errors"
	"fmt"
	"math"
)

// The service's own quotas.
const (
	MaxFacesPerCollection = 20_000_000
	maxUsersPerCollection = 10_000_000
	maxFacesPerUser       = 100
	maxTagsPerResource    = 50
)

// mostTags is the most that an answer of ListTagsForResource can hold.
const mostTags = 200

// Limits are the quotas of a [Service]. What goes beyond one is refused with CodeQuota; what is beyond one already, because it was
// lowered, stays.
type Limits struct {
	CollectionsPerRealm int64 // 0: no limit
	FacesPerCollection  int64
	UsersPerCollection  int64
	FacesPerUser        int64 // 1 to 100
	TagsPerResource     int64 // 1 to 200
}

// DefaultLimits are the service's own.
func DefaultLimits() Limits {
	return Limits{
		FacesPerCollection: MaxFacesPerCollection,
		UsersPerCollection: maxUsersPerCollection,
		FacesPerUser:       maxFacesPerUser,
		TagsPerResource:    maxTagsPerResource,
	}
}

// Validate reports every fault at once.
func (l Limits) Validate() error {
	var faults []error
	for _, f := range []struct {
		name               string
		value, least, most int64
	}{
		{"CollectionsPerRealm", l.CollectionsPerRealm, 0, math.MaxInt64},
		{"FacesPerCollection", l.FacesPerCollection, 1, math.MaxInt64},
		{"UsersPerCollection", l.UsersPerCollection, 1, math.MaxInt64},
		{"FacesPerUser", l.FacesPerUser, 1, maxFacesPerUser},
		{"TagsPerResource", l.TagsPerResource, 1, mostTags},
	} {
		if f.value < f.least || f.value > f.most {
			faults = append(faults, fmt.Errorf("%s is %d, and must be %d to %d", f.name, f.value, f.least, f.most))
		}
	}
	return errors.Join(faults...)
}
