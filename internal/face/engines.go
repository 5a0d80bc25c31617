package face

import (
	"errors"
	"fmt"
)

// engines are the engines of a service.
type engines struct {
	current   Engine // for new collections and for pictures that belong to none
	byVersion map[string]Engine
}

// newEngines returns the engines, of which the first is the current one, or an error if there is
// none or two have the same version.
func newEngines(all []Engine) (engines, error) {
	if len(all) == 0 {
		return engines{}, errors.New("no face model is loaded")
	}
	set := engines{current: all[0], byVersion: make(map[string]Engine)}
	for _, e := range all {
		if _, ok := set.byVersion[e.Version()]; ok {
			return engines{}, fmt.Errorf("two face models have the version %q", e.Version())
		}
		set.byVersion[e.Version()] = e
	}
	return set, nil
}

// of returns the engine that a collection's faces were embedded with.
func (set engines) of(c Collection) (Engine, error) {
	e, ok := set.byVersion[c.FaceModelVersion]
	if !ok {
		return nil, fmt.Errorf("collection %q needs face model version %q, which is not loaded",
			c.ID, c.FaceModelVersion)
	}
	return e, nil
}
