package face

import "time"

// SetClock makes the service take the time from now.
func (s *Service) SetClock(now func() time.Time) { s.now = now }

// ChangeLimits changes the quotas that the service was made with.
func (s *Service) ChangeLimits(change func(*Limits)) { change(&s.limits) }

// Limits returns the service's quotas.
func (s *Service) Limits() Limits { return s.limits }

// KeepThumbnails makes the service keep thumbnails.
func (s *Service) KeepThumbnails() { s.thumbnails = true }
