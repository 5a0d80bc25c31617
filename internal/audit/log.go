package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

// Sync says when lines are made durable. Another value than the two constants is a time: lines are
// synced together, that long after the first of them at most.
type Sync time.Duration

// The policies.
const (
	SyncNever  Sync = -1 // by the operating system, when it likes
	SyncAlways Sync = 0  // before the call is answered if the log is required
)

// The defaults of a [FolderConfig].
const (
	DefaultMaxBytes = 100 << 20
	DefaultMaxAge   = 24 * time.Hour
	DefaultSync     = Sync(time.Second)
)

// FolderConfig is a folder with the files of a log.
type FolderConfig struct {
	Dir      string // is made, for its owner alone
	MaxBytes int64  // a file that would be larger is closed, and the next one begun
	MaxAge   time.Duration
	Gzip     bool // closed files are compressed
	Sync     Sync
	Upload   Uploader // gets closed files; nil: none does
}

// Uploader keeps files elsewhere.
type Uploader interface {
	// Upload keeps a file of a log, by the log's id and the file's name. A file that is there
	// already is the same one, and may be replaced.
	Upload(ctx context.Context, log, name string, content io.ReadSeeker) error
}

// Config is what a [Log] is made of.
type Config struct {
	Folder   *FolderConfig // nil: none
	Syslog   []Syslog
	Required bool   // no call is answered without a record, see [Log.Write]
	Program  string // its version
	Log      *slog.Logger

	now func() time.Time // nil: the clock
}

const (
	// queueLength is how many records wait for a destination at most.
	queueLength = 8192
	// maxBatch is how many of them are written at once.
	maxBatch = 512
	// linger is how long records for which nobody waits are collected, so that the writer does not
	// run for each of them.
	linger = 5 * time.Millisecond
	// requiredWait is how long a record that is required waits to be written.
	requiredWait = 10 * time.Second
	// betweenErrors is the least time between two lines of the server's log about one destination.
	betweenErrors = time.Minute
)

// ErrNotWritten says that a record that is required could not be written.
var ErrNotWritten = errors.New("the audit log cannot be written")

// Log is an audit log that is written. It is safe for concurrent use.
//
// Each destination, the folder and the syslog servers, has a queue and a goroutine that writes what
// is in it, many records at once when many wait, so that a slow destination delays neither the
// others nor, unless the log is required, the calls.
type Log struct {
	required bool
	program  string
	now      func() time.Time
	sinks    []*sink
}

// destination is where lines are written.
type destination interface {
	// write writes records, encoded, as the next lines: all of them or, with an error, none.
	write(objects [][]byte, now time.Time) error
	// tick does what is due at a time.
	tick(now time.Time) error
	close() error
}

// entry is a record on its way.
type entry struct {
	object []byte
	done   chan<- error // with room for one of each destination; nil: nobody waits
}

// sink is a destination with its queue.
type sink struct {
	name    string
	to      destination
	queue   chan entry
	log     *slog.Logger
	now     func() time.Time
	stop    chan struct{} // closed: write what waits and end
	ended   chan struct{}
	written atomic.Int64
	lost    atomic.Int64

	// of the sink's goroutine
	unnoted  int64 // lost records that the lines do not mention yet
	loggedAt time.Time
}

// Open opens a log, which outlives ctx. Close ends it.
func Open(ctx context.Context, cfg Config) (l *Log, err error) {
	if cfg.now == nil {
		cfg.now = time.Now
	}
	l = &Log{required: cfg.Required, program: cfg.Program, now: cfg.now}
	if cfg.Folder != nil {
		files, notices, err := openFiles(ctx, *cfg.Folder, cfg.now(), cfg.Log)
		if err != nil {
			return nil, fmt.Errorf("open the audit log in %s: %w", cfg.Folder.Dir, err)
		}
		s := l.add("folder", files, cfg.Log)
		for _, n := range notices {
			cfg.Log.Warn("audit log", "event", n.EventName, "details", n.AdditionalEventData)
			s.note(n)
		}
	}
	for _, server := range cfg.Syslog {
		l.add(server.name(), newSyslogSender(server), cfg.Log)
	}
	l.event("StartServer")
	return l, nil
}

// event writes what the server does with the log.
func (l *Log) event(name string) {
	for _, s := range l.sinks {
		r := notice(name, l.now(), map[string]any{"version": l.program})
		r.EventType = TypeEvent
		s.note(r)
	}
}

// note puts a record into the queue, if there is room.
func (s *sink) note(r *Record) {
	object, err := encode(r)
	if err != nil {
		s.lost.Add(1)
		return
	}
	s.enqueue(entry{object: object})
}

// enqueue puts an entry into the queue, or counts it as lost where there is no room.
func (s *sink) enqueue(e entry) {
	select {
	case s.queue <- e:
	default:
		s.lost.Add(1)
	}
}

func (l *Log) add(name string, to destination, log *slog.Logger) *sink {
	s := &sink{name: name, to: to, queue: make(chan entry, queueLength), log: log, now: l.now,
		stop: make(chan struct{}), ended: make(chan struct{})}
	l.sinks = append(l.sinks, s)
	go s.run()
	return s
}

// Required reports whether no call may be answered without a record.
func (l *Log) Required() bool { return l.required }

// Write writes a record. If the log is required it returns nil once every destination has it (on
// the disk, where that is a folder), and [ErrNotWritten] if one does not get it. Otherwise it
// returns at once; what cannot be written, or finds no room in the queue, is counted as lost.
func (l *Log) Write(ctx context.Context, r *Record) error {
	object, err := encode(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	if !l.required {
		for _, s := range l.sinks {
			s.enqueue(entry{object: object})
		}
		return nil
	}
	// A client that has left does not end the record of its call.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requiredWait)
	defer cancel()
	done := make(chan error, len(l.sinks))
	for _, s := range l.sinks {
		select {
		case s.queue <- entry{object, done}:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s has too many to write", ErrNotWritten, s.name)
		}
	}
	for range l.sinks {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("%w: %w", ErrNotWritten, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotWritten, ctx.Err())
		}
	}
	return nil
}

// Destination has counts of a destination.
type Destination struct {
	Name          string
	Written, Lost func() int64 // records
}

// Destinations returns the counts of all destinations.
func (l *Log) Destinations() []Destination {
	all := make([]Destination, len(l.sinks))
	for i, s := range l.sinks {
		all[i] = Destination{s.name, s.written.Load, s.lost.Load}
	}
	return all
}

// Uploads returns how many closed files were uploaded, and how many attempts failed.
func (l *Log) Uploads() (uploaded, failed int64) {
	for _, s := range l.sinks {
		if d, ok := s.to.(*files); ok {
			return d.uploaded.Load(), d.failed.Load()
		}
	}
	return 0, 0
}

// Close writes what waits, and closes the destinations. Write must not be called any more.
func (l *Log) Close() error {
	var faults []error
	l.event("StopServer")
	for _, s := range l.sinks {
		close(s.stop)
	}
	for _, s := range l.sinks {
		<-s.ended
		if err := s.to.close(); err != nil {
			faults = append(faults, fmt.Errorf("close the audit log's %s: %w", s.name, err))
		}
	}
	return errors.Join(faults...)
}

// run writes the records of the queue until the sink is stopped.
func (s *sink) run() {
	defer close(s.ended)
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case e := <-s.queue:
			s.write(s.batch(e))
		case <-ticks.C:
			if err := s.to.tick(s.now()); err != nil {
				s.report(err, 0)
			}
		case <-s.stop:
			for len(s.queue) > 0 {
				s.write(s.batch(<-s.queue))
			}
			return
		}
	}
}

// batch returns an entry and those that wait behind it.
func (s *sink) batch(first entry) []entry {
	batch := []entry{first}
	if first.done == nil {
		time.Sleep(linger)
	}
	for len(batch) < maxBatch {
		select {
		case e := <-s.queue:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// write writes a batch, behind a notice of what was lost before it.
func (s *sink) write(batch []entry) {
	now := s.now()
	objects := make([][]byte, 0, len(batch)+1)
	lost := s.lost.Load()
	if lost > s.unnoted {
		object, err := encode(notice("LoseAuditRecords", now,
			map[string]any{"lost": lost - s.unnoted}))
		if err == nil {
			objects = append(objects, object)
		}
	}
	for _, e := range batch {
		objects = append(objects, e.object)
	}
	err := s.to.write(objects, now)
	if err == nil {
		s.written.Add(int64(len(objects)))
		s.unnoted = lost
	} else {
		s.lost.Add(int64(len(batch)))
		s.report(err, len(batch))
	}
	for _, e := range batch {
		if e.done != nil {
			e.done <- err
		}
	}
}

// report logs an error, once in a while.
func (s *sink) report(err error, lost int) {
	if now := s.now(); now.Sub(s.loggedAt) >= betweenErrors {
		s.loggedAt = now
		s.log.Error("the audit log cannot be written", "destination", s.name, "error", err,
			"records", lost, "lost_so_far", s.lost.Load())
	}
}

// files is the destination that a folder is.
type files struct {
	folder *folder
	synced time.Time
	archiver
}

func openFiles(ctx context.Context, cfg FolderConfig, now time.Time,
	log *slog.Logger) (*files, []*Record, error) {
	f, notices, err := openFolder(cfg, now)
	if err != nil {
		return nil, nil, err
	}
	d := &files{folder: f, synced: now}
	d.archiver.start(ctx, cfg, f.chain.Log, log)
	d.rotated()
	return d, notices, nil
}

// write implements [destination].
func (d *files) write(objects [][]byte, now time.Time) error {
	next := d.folder.chain
	var lines []byte
	for _, object := range objects {
		lines = next.append(lines, object)
	}
	before := d.folder.number
	err := d.folder.write(lines, next, now)
	if d.folder.number != before {
		d.rotated()
	}
	return err
}

// tick implements [destination].
func (d *files) tick(now time.Time) error {
	if s := d.folder.Sync; s > 0 && now.Sub(d.synced) >= time.Duration(s) {
		d.synced = now
		if err := d.folder.sync(); err != nil {
			return err
		}
	}
	rotated, err := d.folder.rotateIfOld(now)
	if rotated && err == nil {
		d.rotated()
	}
	return err
}

// rotated has closed files archived.
func (d *files) rotated() {
	closed := d.folder.number
	if d.folder.file != nil {
		closed--
	}
	d.archive(closed)
}

func (d *files) close() error {
	d.archiver.stop()
	return d.folder.close()
}
