package face

import (
	"errors"
	"fmt"
	"math"
)

// MostTagsPerResource is the largest quota of tags: an answer of ListTagsForResource holds no more.
const MostTagsPerResource = 200

// Limits are the quotas of a [Service]. A request that would exceed one is rejected with CodeQuota.
// What exceeds a quota because the quota was lowered is not deleted.
type Limits struct {
	CollectionsPerRealm int64 // 0: no limit
	FacesPerCollection  int64
	UsersPerCollection  int64
	FacesPerUser        int // 1 to 100
	TagsPerResource     int // 1 to 200
}

// DefaultLimits are the service's own.
func DefaultLimits() Limits {
	return Limits{
		FacesPerCollection: MaxFacesPerCollection,
		UsersPerCollection: MaxUsersPerCollection,
		FacesPerUser:       MaxFacesPerUser,
		TagsPerResource:    50,
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
		{"FacesPerUser", int64(l.FacesPerUser), 1, MaxFacesPerUser},
		{"TagsPerResource", int64(l.TagsPerResource), 1, MostTagsPerResource},
	} {
		if f.value < f.least || f.value > f.most {
			faults = append(faults,
				fmt.Errorf("%s is %d, and must be %d to %d", f.name, f.value, f.least, f.most))
		}
	}
	return errors.Join(faults...)
}
