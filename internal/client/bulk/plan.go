package bulk

import (
	"slices"
	"strings"
	"time"
)

// job is a picture to send.
type job struct {
	picture    Picture
	externalID string
	folder     string // of a person; empty: none
	user       string
}

// group is a person's folder.
type group struct {
	folder, user string
	left         int      // pictures that are not done
	faces        []string // that are to be associated
}

// plan is what a run has to do: what the source has, less what earlier runs did.
type plan struct {
	jobs   []job
	before int
	groups map[string]*group // by folder
	due    []*group          // whose pictures are done
}

// newPlan compares what the source has with the rows of earlier runs. A picture that has changed
// since is sent again.
func newPlan(pictures []Picture, rows []Row, users bool) *plan {
	p := &plan{groups: map[string]*group{}}
	ids, userIDs := newNames(maxExternalID), newNames(maxUserID)
	done := map[string]Row{}
	for _, row := range rows {
		switch row.Status {
		case StatusIndexed, StatusSkipped, StatusFailed:
			done[row.Picture] = row
			if row.ExternalID != "" {
				ids.keep(row.Picture, row.ExternalID)
			}
		case StatusUser:
			userIDs.keep(row.Picture, row.User)
		}
	}
	for _, picture := range pictures {
		j := job{picture: picture}
		folder, _, nested := strings.Cut(picture.Path, "/")
		if users && !nested && j.picture.Skip == "" {
			j.picture.Skip = "it lies in no person's folder"
		}
		if j.picture.Skip == "" {
			j.externalID = ids.of(picture.Path)
			if users {
				j.folder, j.user = folder, userIDs.of(folder)
			}
		}
		g := p.groups[j.folder]
		if g == nil && j.folder != "" {
			g = &group{folder: j.folder, user: j.user}
			p.groups[j.folder] = g
		}
		row, known := done[picture.Path]
		if known && row.Status != StatusFailed && row.Bytes == picture.Bytes &&
			row.Modified.Equal(picture.Modified) {
			p.before++
			if g != nil {
				g.faces = append(g.faces, row.FaceIDs...)
			}
			continue
		}
		p.jobs = append(p.jobs, j)
		if g != nil {
			g.left++
		}
	}
	// Faces that an earlier run associated, or that the server refused to.
	for _, row := range rows {
		if g := p.groups[row.Picture]; g != nil && row.Status == StatusUser {
			g.faces = slices.DeleteFunc(g.faces,
				func(id string) bool { return slices.Contains(row.FaceIDs, id) })
		}
	}
	for _, g := range p.groups {
		if g.left == 0 {
			p.due = append(p.due, g)
		}
	}
	slices.SortFunc(p.due, func(a, b *group) int { return strings.Compare(a.folder, b.folder) })
	return p
}

// finished takes a picture's faces to the folder's.
func (p *plan) finished(row Row) {
	if row.User == "" {
		return
	}
	folder, _, _ := strings.Cut(row.Picture, "/")
	g := p.groups[folder]
	g.faces = append(g.faces, row.FaceIDs...)
	if g.left--; g.left == 0 {
		p.due = append(p.due, g)
	}
}

// complete returns the folders that are done and have faces to associate, each once.
func (p *plan) complete() (due []*group) {
	for _, g := range p.due {
		if len(g.faces) > 0 {
			due = append(due, g)
		}
	}
	p.due = nil
	return due
}

// row begins the row of a job.
func (j job) row() Row {
	return Row{Time: time.Now(), Picture: j.picture.Path, Bytes: j.picture.Bytes,
		Modified: j.picture.Modified, ExternalID: j.externalID, User: j.user}
}
