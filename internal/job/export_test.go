package job

import "time"

// WithTimes returns the configuration with other times than the default ones.
func (c Config) WithTimes(lease, poll, pause time.Duration, now func() time.Time) Config {
	c.lease, c.poll, c.pause, c.now = lease, poll, pause, now
	return c
}
