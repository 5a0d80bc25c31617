package record

import (
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/job"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// JobColumns are the columns that [ScanJob] reads.
const JobColumns = "key, id, account, region, kind, tag, topic, bucket, name, version, input, " +
	"created_ms, status, message, summary, progress, finished_ms"

// The numbers of the statuses of jobs.
const (
	JobInProgress = iota
	JobSucceeded
	JobFailed
)

// JobStatus returns the number of the status of a job.
func JobStatus(s job.Status) int {
	switch s {
	case job.Succeeded:
		return JobSucceeded
	case job.Failed:
		return JobFailed
	default:
		return JobInProgress
	}
}

// ScanJob reads a row of [JobColumns], and then of more columns into more.
func ScanJob(row Row, more ...any) (job.Job, error) {
	var j job.Job
	var created int64
	var finished *int64
	var status int
	err := row.Scan(append([]any{&j.Key, &j.ID, &j.Realm.Account, &j.Realm.Region, &j.Kind, &j.Tag,
		&j.Topic, &j.Source.Bucket, &j.Source.Name, &j.Source.Version, &j.Input, &created, &status,
		&j.Message, &j.Summary, &j.Progress, &finished}, more...)...)
	if err != nil {
		return job.Job{}, err
	}
	j.Created = at(created)
	switch status {
	case JobSucceeded:
		j.Status = job.Succeeded
	case JobFailed:
		j.Status = job.Failed
	default:
		j.Status = job.InProgress
	}
	if finished != nil {
		j.Finished = at(*finished)
	}
	return j, nil
}

// ScanItem reads a row of a number, a key and a body.
func ScanItem(row Row) (item job.Item, err error) {
	err = row.Scan(&item.Seq, &item.Key, &item.Body)
	return item, err
}

// TrackMatch is a match of a track.
type TrackMatch struct {
	Track int64
	Match videoface.Match
}

// ScanTrackMatch reads a row of a track, the key of a face and a similarity.
func ScanTrackMatch(row Row) (m TrackMatch, err error) {
	var key int64
	err = row.Scan(&m.Track, &key, &m.Match.Similarity)
	m.Match.Face = face.FaceKey(key)
	return m, err
}

// MatchesByTrack returns the matches of each track, in their order.
func MatchesByTrack(all []TrackMatch) map[int64][]videoface.Match {
	byTrack := map[int64][]videoface.Match{}
	for _, m := range all {
		byTrack[m.Track] = append(byTrack[m.Track], m.Match)
	}
	return byTrack
}

// NoJobError is the error of a job that its realm does not have.
func NoJobError() error {
	return recollect.Errorf(recollect.CodeNotFound, "There is no such job")
}

// TooManyJobsError is the error of one job in progress more than a realm may have.
func TooManyJobsError() error {
	return recollect.Errorf(recollect.CodeLimitExceeded,
		"Open jobs exceed maximum concurrent job limit")
}
