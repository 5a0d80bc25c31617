package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/spf13/cobra"
)

func groupCommand() *cobra.Command {
	var g grouper
	cmd := serverCommand("group COLLECTION",
		"Group the faces of a collection that belong to no user by person",
		"Group the faces of a collection that belong to no user by person. The largest groups "+
			"come first, with the most typical face of each first; of a group 100 faces are "+
			"shown, as many as a user can have. The same faces give the same groups.\n\n"+
			"With --create-users each group that is shown becomes a user, named after its first "+
			"face. Look at the groups first: a group may have faces of two people, or two groups "+
			"faces of one.\n\n"+
			"The exit status is 0 if there is a group, and 1 if there is none.",
		cobra.ExactArgs(1),
		func(cmd *cobra.Command, c *client, api *rekognition.Client, output string,
			args []string) error {
			if err := validAll(g.Validate()); err != nil {
				return err
			}
			g.api, g.collection = api, args[0]
			user := userColumn()
			user.optional, user.once = true, true
			g.show = newShow(cmd, output, column{head: "GROUP", name: "GroupNumber", once: true},
				column{head: "FACES", name: "FaceCount", once: true}, user, faceColumn(),
				externalColumn())
			return g.show.end(g.group(cmd, c))
		})
	cmd.Example = "  recollect group people\n" +
		"  recollect group people --threshold 98 --min-faces 3 --output csv > groups.csv\n" +
		"  recollect group people --create-users --prefix visitor-"
	flags := cmd.Flags()
	flags.Float32Var(&g.Threshold, "threshold", 95,
		"least mean similarity of faces that are joined, 0 to 100")
	flags.IntVar(&g.MinFaces, "min-faces", 2, "least faces of a group, 2 to 100")
	flags.IntVar(&g.MaxGroups, "max-groups", 100, "most groups, 1 to 1000")
	flags.BoolVar(&g.CreateUsers, "create-users", false, "make a user of each group")
	flags.StringVar(&g.Prefix, "prefix", "person-", "what the names of these users begin with")
	return cmd
}

// grouper groups faces.
type grouper struct {
	Threshold           float32
	MinFaces, MaxGroups int
	CreateUsers         bool
	Prefix              string

	api        *rekognition.Client
	collection string
	show       *show
}

// userPrefix is what leaves room for a face's id in a user's.
var userPrefix = regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,92}$`)

// Validate reports every fault at once.
func (g *grouper) Validate() error {
	var faults []error
	if !(g.Threshold >= 0 && g.Threshold <= 100) {
		faults = append(faults, errors.New("--threshold must be 0 to 100"))
	}
	if g.MinFaces < 2 || g.MinFaces > 100 {
		faults = append(faults, errors.New("--min-faces must be 2 to 100"))
	}
	if g.MaxGroups < 1 || g.MaxGroups > 1000 {
		faults = append(faults, errors.New("--max-groups must be 1 to 1000"))
	}
	if !userPrefix.MatchString(g.Prefix) {
		faults = append(faults, errors.New("--prefix must be 1 to 92 of a-z A-Z 0-9 : . - _"))
	}
	return errors.Join(faults...)
}

// faceGroup is a group as the server answers it, with the user that was made of it.
type faceGroup struct {
	UserId    string `json:",omitempty"`
	FaceCount int
	Faces     []types.Face
}

// group shows the groups, and makes users of them if that was asked for.
func (g *grouper) group(cmd *cobra.Command, c *client) error {
	text, err := c.post(cmd.Context(), "collections/"+g.collection+"/groups", map[string]any{
		"SimilarityThreshold": g.Threshold, "MinFaces": g.MinFaces, "MaxGroups": g.MaxGroups})
	if err != nil {
		return err
	}
	var answer struct {
		Groups                                  []faceGroup
		GroupCount, FaceCount, GroupedFaceCount int
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	for i := range answer.Groups {
		group := &answer.Groups[i]
		if g.CreateUsers {
			if err := g.createUser(cmd.Context(), group); err != nil {
				return fmt.Errorf("make a user of group %d: %w", i+1, plain(err))
			}
		}
		for _, f := range group.Faces {
			g.show.row(i+1, group.FaceCount, group.UserId, aws.ToString(f.FaceId),
				aws.ToString(f.ExternalImageId))
		}
		if err := g.show.object(group); err != nil {
			return err
		}
	}
	g.show.note(fmt.Sprintf("%d of %d faces without a user are in %d groups; %d groups are shown",
		answer.GroupedFaceCount, answer.FaceCount, answer.GroupCount, len(answer.Groups)))
	if len(answer.Groups) == 0 {
		return noError("no group")
	}
	return nil
}

// createUser makes a user of a group's faces. Its name has the beginning of the first face's id, or
// if there is such a user all of it.
func (g *grouper) createUser(ctx context.Context, group *faceGroup) error {
	id := aws.ToString(group.Faces[0].FaceId)
	group.UserId = g.Prefix + id[:8]
	create := func() error {
		_, err := g.api.CreateUser(ctx, &rekognition.CreateUserInput{
			CollectionId: &g.collection, UserId: &group.UserId})
		return err
	}
	err := create()
	if _, taken := errors.AsType[*types.ConflictException](err); taken {
		group.UserId = g.Prefix + id
		err = create()
	}
	if err != nil {
		return err
	}
	faces := make([]string, len(group.Faces))
	for i, f := range group.Faces {
		faces[i] = aws.ToString(f.FaceId)
	}
	_, err = g.api.AssociateFaces(ctx, &rekognition.AssociateFacesInput{
		CollectionId: &g.collection, UserId: &group.UserId, FaceIds: faces})
	return err
}
