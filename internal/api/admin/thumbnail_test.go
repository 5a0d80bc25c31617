package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/storetest"
)

func TestThumbnail(t *testing.T) {
	d := open(t, func(c *admin.Config) { c.Thumbnails = true })
	f := storetest.NewFace()
	f.Thumbnail = []byte("\xff\xd8\xffa face")
	c, err := d.store.CreateCollection(t.Context(),
		face.Collection{Realm: home, ID: "mine", FaceModelVersion: "1.0"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.store.AddFaces(t.Context(), c.Key, []face.Face{f}, 10); err != nil {
		t.Fatal(err)
	}
	one := d.user(t, account, "one", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"recollect:GetThumbnail",
			"Resource":"arn:aws:rekognition:*:*:collection/mine"}]}`)
	path := "thumbnail?collection=mine&face=" + f.ID
	if status, answer := d.send(t, one, "GET", path, nil); status != http.StatusOK ||
		string(answer) != string(f.Thumbnail) {
		t.Errorf("%d %q", status, answer)
	}
	if !strings.Contains(d.log.String(), "path=thumbnail status=200") ||
		!strings.Contains(d.log.String(), "collection=mine") {
		t.Errorf("the log does not say who saw a face: %s", d.log)
	}
	if status, answer := d.send(t, d.user(t, account, "admin", "administrator"), "GET", path,
		nil); status != http.StatusOK {
		t.Errorf("an administrator: %d %s", status, answer)
	}
	d.refused(t, "AccessDeniedException", d.user(t, account, "anna", "full-access"), "GET", path,
		nil)
	d.refused(t, "AccessDeniedException", one, "GET", "thumbnail?collection=other&face="+f.ID, nil)
	d.refused(t, "ResourceNotFoundException", d.user(t, "210987654321", "foreign", "administrator"),
		"GET", path, nil)
	d.refused(t, "ResourceNotFoundException", one, "GET", "thumbnail?collection=mine&face="+
		uuid.NewString(), nil)
	d.refused(t, "ResourceNotFoundException", one, "GET", "thumbnail?collection=mine", nil)
	d.refused(t, "ValidationException", d.root, "GET", "thumbnail?face="+f.ID, nil)
	if _, _, err := d.store.DeleteFaces(t.Context(), c.Key, []string{f.ID}); err != nil {
		t.Fatal(err)
	}
	d.refused(t, "ResourceNotFoundException", one, "GET", path, nil)
}

// TestThumbnailsOff: a server without thumbnails shows none, those of earlier runs neither, grants
// nobody the permission, and says in the overview whether some are kept.
func TestThumbnailsOff(t *testing.T) {
	d := open(t)
	overview := func() string {
		t.Helper()
		var answer struct{ Thumbnails string }
		if _, text := d.send(t, d.root, "GET", "overview", nil); json.Unmarshal(text,
			&answer) != nil {
			t.Fatalf("%s", text)
		}
		return answer.Thumbnails
	}
	if got := overview(); got != "none" {
		t.Errorf("without a thumbnail the overview says %q", got)
	}
	f := storetest.NewFace()
	f.Thumbnail = []byte("of an earlier run")
	c, err := d.store.CreateCollection(t.Context(),
		face.Collection{Realm: home, ID: "mine", FaceModelVersion: "1.0"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.store.AddFaces(t.Context(), c.Key, []face.Face{f}, 10); err != nil {
		t.Fatal(err)
	}
	if got := overview(); got != "hidden" {
		t.Errorf("with a thumbnail of an earlier run the overview says %q", got)
	}
	d.refused(t, "ResourceNotFoundException", d.root, "GET", "thumbnail?collection=mine&face="+
		f.ID, nil)
	if _, answer := d.send(t, d.root, "GET", "permissions?collection=mine",
		nil); strings.Contains(string(answer), admin.GetThumbnail) {
		t.Errorf("%s", answer)
	}
}
