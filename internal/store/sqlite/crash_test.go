package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// crashFolder names the variable that makes the test program a writer to be killed.
const crashFolder = "RECOLLECT_TEST_CRASH_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashCallers add crashBatch faces at a time each.
const crashCallers, crashBatch = 16, 4

// writeUntilKilled adds faces, deletes some and makes users of others, from many callers, and
// prints what was acknowledged: "+ ID" for a face that was added, "? ID" before it is deleted and
// "- ID" after, "u ID" for one that was given to a user.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	c, err := s.CreateCollection(ctx,
		face.Collection{Realm: recollect.Realm{Account: "1", Region: "r"}, ID: uuid.NewString()},
		nil, 0)
	if err != nil {
		return err
	}
	failures := make(chan error)
	var output sync.Mutex
	for caller := range crashCallers {
		go func() {
			for {
				faces := newFaces(crashBatch)
				for i := range faces {
					faces[i].ImageID = faces[0].ImageID // marks the faces of one call
				}
				stored, _, err := s.AddFaces(ctx, c.Key, faces, 1<<40)
				if err != nil {
					failures <- err
					return
				}
				output.Lock()
				for _, f := range stored {
					fmt.Println("+", f.ID)
				}
				output.Unlock()
				if caller%4 == 1 {
					if err := makeUser(ctx, s, c.Key, stored); err != nil {
						failures <- err
						return
					}
					output.Lock()
					for _, f := range stored {
						fmt.Println("u", f.ID)
					}
					output.Unlock()
				}
				if caller%4 != 0 {
					continue
				}
				output.Lock()
				fmt.Println("?", stored[0].ID)
				output.Unlock()
				if _, _, err := s.DeleteFaces(ctx, c.Key, []string{stored[0].ID}); err != nil {
					failures <- err
					return
				}
				output.Lock()
				fmt.Println("-", stored[0].ID)
				output.Unlock()
			}
		}()
	}
	return <-failures
}

// makeUser makes a user of faces, in two calls.
func makeUser(ctx context.Context, s *Store, c face.CollectionKey, faces []face.Face) error {
	u := face.User{ID: faces[0].ID, SystemID: uuid.NewString(), CreatedAt: time.Now()}
	if err := s.CreateUser(ctx, c, u, once(u.ID, time.Now()), 1<<40); err != nil {
		return err
	}
	_, _, err := s.ChangeUser(ctx, c, u.ID, faceIDs(faces), once(uuid.NewString(), time.Now()),
		func(state face.UserState) (face.UserChange, error) {
			change := face.UserChange{Vector: faces[0].Vector}
			for _, f := range state.Faces {
				change.Add = append(change.Add, f.Key)
			}
			return change, nil
		})
	return err
}

// What was acknowledged before a SIGKILL is there afterwards, and nothing is there by half.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]byte{}
	for round := range 4 {
		before := len(acknowledged)
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), crashFolder+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var kill *time.Timer
		for lines.Scan() {
			if kill == nil { // it is at work
				kill = time.AfterFunc(time.Duration(50+30*round)*time.Millisecond,
					func() { child.Process.Kill() })
			}
			// else the kill cut the line
			if state, id, ok := strings.Cut(lines.Text(), " "); ok && len(id) == 36 {
				acknowledged[id] = state[0]
			}
		}
		child.Wait()
		if len(acknowledged) < before+20 {
			t.Fatalf("only %d faces were acknowledged in round %d", len(acknowledged)-before, round)
		}

		s := mustOpen(t, dir)
		wantIntact(t, s)
		there, calls, owner := map[string]bool{}, map[string]int{}, map[string]string{}
		rows, err := s.readers.QueryContext(t.Context(), "SELECT "+faceColumns+" FROM faces")
		unknown := 0
		faces, err := collect(rows, err, scanFace)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faces {
			there[f.ID] = true
			calls[f.ImageID]++
			owner[f.ID] = f.UserID
			if acknowledged[f.ID] == 0 {
				unknown++
			}
		}
		for id, state := range acknowledged {
			if (state == '+' || state == 'u') && !there[id] || state == '-' && there[id] ||
				state == 'u' && owner[id] == "" {
				t.Errorf("face %s is acknowledged as %c, and there: %v, of user %q", id, state,
					there[id], owner[id])
			}
		}
		if n := s.number(t,
			fmt.Sprintf("SELECT count(*) FROM users WHERE face_count NOT IN (0, %d)",
				crashBatch)); n != 0 {
			t.Errorf("%d users have a part of their faces", n)
		}
		if n := s.number(t,
			"SELECT abs((SELECT count(*) FROM users) + (SELECT count(*) FROM users WHERE "+
				"face_count > 0) - count(*)) FROM answers"); n != 0 {
			t.Errorf("%d answers are missing or superfluous", n)
		}
		for _, n := range calls {
			if n < crashBatch-1 { // one of them may have been deleted
				t.Errorf("%d faces are there of a call that added %d", n, crashBatch)
			}
		}
		// What is there without an acknowledgement was on its way when the kill came, one call for
		// each caller.
		if most := (round + 1) * crashCallers * crashBatch; unknown > most {
			t.Errorf("%d faces were never acknowledged, want at most %d", unknown, most)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d faces acknowledged", len(acknowledged))
}
