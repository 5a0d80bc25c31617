package recollect

import "time"

// SetClock makes the service take the time from now.
func (s *Service) SetClock(now func() time.Time) { s.now = now }

// SetUserLimits makes the service let a collection hold so many users, and a user so many faces.
func (s *Service) SetUserLimits(usersPerCollection int64, facesPerUser int) {
	s.limits.usersPerCollection, s.limits.facesPerUser = usersPerCollection, facesPerUser
}
