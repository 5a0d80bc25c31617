package job

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
)

// Announcer publishes a text to a topic.
type Announcer interface {
	// Knows reports whether something is configured that the topic leads to.
	Knows(topic string) bool

	// Announce publishes a message. The id is that of the message, and the same for each attempt.
	Announce(ctx context.Context, topic, id string, message []byte) error
}

// message is what is announced of a job's end, in the service's form.
type message struct {
	JobID     string `json:"JobId"`
	Status    Status
	API       string
	JobTag    string `json:",omitzero"`
	Timestamp int64  // Unix time in milliseconds
	Video     video
}

type video struct {
	S3ObjectName string
	S3Bucket     string
}

// Message returns the text that announces the end of a job.
func Message(j Job) ([]byte, error) {
	return json.Marshal(message{JobID: j.ID, Status: j.Status, API: j.Kind, JobTag: j.Tag,
		Timestamp: j.Finished.UnixMilli(),
		Video:     video{S3ObjectName: j.Source.Name, S3Bucket: j.Source.Bucket}})
}

const (
	// announceTimeout is how long one attempt to announce may take.
	announceTimeout = 15 * time.Second

	// announceLease is when an attempt counts as lost with its server.
	announceLease = 2 * announceTimeout

	// maxAnnouncements is how often it is attempted: over about 23 hours.
	maxAnnouncements = 150
)

// announce publishes the ends of jobs until ctx ends.
func (q *Queue) announce(ctx context.Context) {
	for ctx.Err() == nil {
		found, err := q.announceOne(ctx)
		if err != nil && ctx.Err() == nil {
			q.log.Error("announcing the ends of jobs failed, and will be tried again", "error",
				err)
		}
		if found && err == nil {
			continue
		}
		q.wait(ctx, q.ends)
	}
}

// announceOne attempts to publish the end of one job, and reports whether there was one.
func (q *Queue) announceOne(ctx context.Context) (found bool, err error) {
	j, attempt, found, err := q.store.DueAnnouncement(ctx, announceLease)
	if err != nil || !found {
		return false, err
	}
	log := q.log.With("job", j.ID, "operation", j.Kind, "topic", j.Topic, "attempt", attempt)
	text, err := Message(j)
	if err != nil {
		return true, err
	}
	limited, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	err = q.announcer.Announce(limited, j.Topic, j.ID, text)
	switch {
	case err == nil:
		log.Info("the end of a job was announced")
		return true, q.store.EndAnnouncement(context.WithoutCancel(ctx), j.Key)
	case ctx.Err() != nil:
		// The server stops: it is announced after the start.
		return true, q.store.PutOffAnnouncement(context.WithoutCancel(ctx), j.Key, 0)
	case attempt >= maxAnnouncements:
		log.Error("the end of a job is not announced: every attempt failed", "error", err)
		return true, q.store.EndAnnouncement(ctx, j.Key)
	}
	pause := q.pauseAfter(attempt)
	log.Warn("announcing the end of a job failed, and will be tried again", "error", err, "after",
		pause)
	return true, q.store.PutOffAnnouncement(ctx, j.Key, pause)
}
