package wire

// The types of the operations that are Recollect's own. They are written by hand, in the shape of
// the generated ones, so that one codec and one validation serve both.

// The values of SearchPictureRequest.SearchFor.
const (
	SearchForFaces = "FACES"
	SearchForUsers = "USERS"
)

var (
	searchForRule = rule{min: noMin, max: noMax,
		enum: []string{SearchForFaces, SearchForUsers}}
	collectionIDsRule   = rule{min: 1, max: 32}
	matchesOfAFaceRule  = rule{min: 1, max: 100}
	facesOfAPictureRule = rule{min: 1, max: 100}
)

var (
	callersIDsRule     = rule{min: 1, max: 4096}
	reconcileIDsRule   = rule{min: 1, max: 500_000}
	callersResultsRule = rule{min: 1, max: 4096}
)

// The values of FindDuplicatesRequest.LeaveOut.
const (
	LeaveOutSameUser            = "SAME_USER"
	LeaveOutSameImage           = "SAME_IMAGE"
	LeaveOutSameExternalImageID = "SAME_EXTERNAL_IMAGE_ID"
)

var (
	leaveOutRule  = rule{min: 0, max: 3}
	leaveOutsRule = rule{min: noMin, max: noMax, enum: []string{LeaveOutSameUser,
		LeaveOutSameImage, LeaveOutSameExternalImageID}}
)

// FindDuplicatesRequest is the input of FindDuplicates.
type FindDuplicatesRequest struct {
	// That of the path.
	CollectionId *string `json:"CollectionId,omitzero"`
	// FACES or USERS; FACES if absent.
	SearchFor *string `json:"SearchFor,omitzero"`
	// 0 to 100; 99 if absent.
	SimilarityThreshold *Float `json:"SimilarityThreshold,omitzero"`
	// Pairs of faces that are left out: SAME_USER, SAME_IMAGE, SAME_EXTERNAL_IMAGE_ID.
	LeaveOut []string `json:"LeaveOut,omitzero"`
	// 1 to 4096; 4096 if absent.
	MaxResults *int32 `json:"MaxResults,omitzero"`
	// At most 255 characters. That of a last page is for the pairs of what was added since.
	NextToken *string `json:"NextToken,omitzero"`
}

func (v *FindDuplicatesRequest) reset() { *v = FindDuplicatesRequest{} }

func (v *FindDuplicatesRequest) check(c *checker) {
	c.required("collectionId", v.CollectionId != nil)
	c.text("collectionId", v.CollectionId, &collectionIdRule)
	c.text("searchFor", v.SearchFor, &searchForRule)
	checkNumber(c, "similarityThreshold", v.SimilarityThreshold, &percentRule)
	c.texts("leaveOut", v.LeaveOut, &leaveOutRule, &leaveOutsRule)
	checkNumber(c, "maxResults", v.MaxResults, &callersResultsRule)
	c.text("nextToken", v.NextToken, &paginationTokenRule)
}

// FindDuplicatesResponse is the output of FindDuplicates. One of the lists is there; it may be
// empty although there are more pages.
type FindDuplicatesResponse struct {
	FaceModelVersion *string    `json:"FaceModelVersion,omitzero"`
	FacePairs        []FacePair `json:"FacePairs,omitzero"`
	UserPairs        []UserPair `json:"UserPairs,omitzero"`
	// How much of the collection was compared so far, 0 to 100.
	PercentComplete *Float `json:"PercentComplete,omitzero"`
	// Absent on the last page.
	NextToken *string `json:"NextToken,omitzero"`
	// On the last page alone: the NextToken of a later request for the pairs of what is added next.
	ResumeToken *string `json:"ResumeToken,omitzero"`
}

func (v *FindDuplicatesResponse) reset() { *v = FindDuplicatesResponse{} }

var (
	facesOfAGroupRule = rule{min: 2, max: 100}
	groupsRule        = rule{min: 1, max: 1000}
)

// GroupFacesRequest is the input of GroupFaces.
type GroupFacesRequest struct {
	// That of the path.
	CollectionId *string `json:"CollectionId,omitzero"`
	// 0 to 100; 95 if absent.
	SimilarityThreshold *Float `json:"SimilarityThreshold,omitzero"`
	// Least number of faces of a group, 2 to 100; 2 if absent.
	MinFaces *int32 `json:"MinFaces,omitzero"`
	// 1 to 1000; 100 if absent.
	MaxGroups *int32 `json:"MaxGroups,omitzero"`
}

func (v *GroupFacesRequest) reset() { *v = GroupFacesRequest{} }

func (v *GroupFacesRequest) check(c *checker) {
	c.required("collectionId", v.CollectionId != nil)
	c.text("collectionId", v.CollectionId, &collectionIdRule)
	checkNumber(c, "similarityThreshold", v.SimilarityThreshold, &percentRule)
	checkNumber(c, "minFaces", v.MinFaces, &facesOfAGroupRule)
	checkNumber(c, "maxGroups", v.MaxGroups, &groupsRule)
}

// GroupFacesResponse is the output of GroupFaces.
type GroupFacesResponse struct {
	FaceModelVersion *string `json:"FaceModelVersion,omitzero"`
	// The largest first, at most MaxGroups.
	Groups []FaceGroup `json:"Groups,omitzero"`
	// All groups, also those beyond MaxGroups.
	GroupCount *int32 `json:"GroupCount,omitzero"`
	// Faces of the collection that belong to no user.
	FaceCount *int32 `json:"FaceCount,omitzero"`
	// Of them, those in groups.
	GroupedFaceCount *int32 `json:"GroupedFaceCount,omitzero"`
}

func (v *GroupFacesResponse) reset() { *v = GroupFacesResponse{} }

// FaceGroup is faces that are likely to be of one person.
type FaceGroup struct {
	// The most typical first, at most 100: as many as a user can have.
	Faces []Face `json:"Faces,omitzero"`
	// All faces of the group.
	FaceCount *int32 `json:"FaceCount,omitzero"`
}

// FacePair is a pair of similar faces: the one that was added first, and the other.
type FacePair struct {
	Similarity *Float `json:"Similarity,omitzero"`
	Face       *Face  `json:"Face,omitzero"`
	OtherFace  *Face  `json:"OtherFace,omitzero"`
}

// UserPair is a pair of similar users: the one that was created first, and the other.
type UserPair struct {
	Similarity *Float       `json:"Similarity,omitzero"`
	User       *MatchedUser `json:"User,omitzero"`
	OtherUser  *MatchedUser `json:"OtherUser,omitzero"`
}

// CallersIds are ids of faces as a caller has them: lists of face ids, of image ids or of external
// image ids, of which one is there.
type CallersIds struct {
	FaceIds          []string `json:"FaceIds,omitzero"`
	ImageIds         []string `json:"ImageIds,omitzero"`
	ExternalImageIds []string `json:"ExternalImageIds,omitzero"`
}

// One reports whether one of the lists is there.
func (v *CallersIds) One() bool {
	n := 0
	for _, list := range [][]string{v.FaceIds, v.ImageIds, v.ExternalImageIds} {
		if list != nil {
			n++
		}
	}
	return n == 1
}

func (v *CallersIds) checkIds(c *checker, size *rule) {
	c.texts("faceIds", v.FaceIds, size, &faceIdRule)
	c.texts("imageIds", v.ImageIds, size, &faceIdRule) // of the same shape
	c.texts("externalImageIds", v.ExternalImageIds, size, &externalImageIdRule)
	if !v.One() {
		c.report("null", "faceIds, imageIds, externalImageIds",
			"Exactly one of the members must not be null")
	}
}

// FindFacesRequest is the input of FindFaces and of DeleteFacesOf.
type FindFacesRequest struct {
	// That of the path.
	CollectionId *string `json:"CollectionId,omitzero"`
	// 1 to 4096 ids.
	CallersIds `json:",inline"`
	// 1 to 4096; 4096 if absent.
	MaxResults *int32 `json:"MaxResults,omitzero"`
	// At most 255 characters.
	NextToken *string `json:"NextToken,omitzero"`
}

func (v *FindFacesRequest) reset() { *v = FindFacesRequest{} }

func (v *FindFacesRequest) check(c *checker) {
	c.required("collectionId", v.CollectionId != nil)
	c.text("collectionId", v.CollectionId, &collectionIdRule)
	v.checkIds(c, &callersIDsRule)
	checkNumber(c, "maxResults", v.MaxResults, &callersResultsRule)
	c.text("nextToken", v.NextToken, &paginationTokenRule)
}

// FindFacesResponse is the output of FindFaces.
type FindFacesResponse struct {
	Faces            []Face  `json:"Faces,omitzero"`
	FaceModelVersion *string `json:"FaceModelVersion,omitzero"`
	// Absent on the last page.
	NextToken *string `json:"NextToken,omitzero"`
}

func (v *FindFacesResponse) reset() { *v = FindFacesResponse{} }

// DeleteFacesOfResponse is the output of DeleteFacesOf.
type DeleteFacesOfResponse struct {
	DeletedFaces              []Face                     `json:"DeletedFaces,omitzero"`
	UnsuccessfulFaceDeletions []UnsuccessfulFaceDeletion `json:"UnsuccessfulFaceDeletions,omitzero"`
	// Absent once all faces with the ids were deleted or kept.
	NextToken *string `json:"NextToken,omitzero"`
}

func (v *DeleteFacesOfResponse) reset() { *v = DeleteFacesOfResponse{} }

// ReconcileFacesRequest is the input of ReconcileFaces.
type ReconcileFacesRequest struct {
	// That of the path.
	CollectionId *string `json:"CollectionId,omitzero"`
	// 1 to 500,000 ids.
	CallersIds `json:",inline"`
	// Of unlisted faces, 1 to 4096; 4096 if absent.
	MaxResults *int32 `json:"MaxResults,omitzero"`
	// At most 255 characters.
	NextToken *string `json:"NextToken,omitzero"`
}

func (v *ReconcileFacesRequest) reset() { *v = ReconcileFacesRequest{} }

func (v *ReconcileFacesRequest) check(c *checker) {
	c.required("collectionId", v.CollectionId != nil)
	c.text("collectionId", v.CollectionId, &collectionIdRule)
	v.checkIds(c, &reconcileIDsRule)
	checkNumber(c, "maxResults", v.MaxResults, &callersResultsRule)
	c.text("nextToken", v.NextToken, &paginationTokenRule)
}

// ReconcileFacesResponse is the output of ReconcileFaces.
type ReconcileFacesResponse struct {
	// Ids of the request that no face has, sorted. On the first page alone.
	MissingIds []string `json:"MissingIds,omitzero"`
	// Faces whose id is not in the request, in pages.
	UnlistedFaces []Face `json:"UnlistedFaces,omitzero"`
	// Absent on the last page.
	NextToken *string `json:"NextToken,omitzero"`
}

func (v *ReconcileFacesResponse) reset() { *v = ReconcileFacesResponse{} }

// SearchPictureRequest is the input of SearchPicture.
type SearchPictureRequest struct {
	// Required, 1 to 32 collections. Where the path names a collection it is that one.
	CollectionIds []string `json:"CollectionIds,omitzero"`
	// Required.
	Image *Image `json:"Image,omitzero"`
	// FACES or USERS; FACES if absent.
	SearchFor *string `json:"SearchFor,omitzero"`
	// 0 to 100; 80 if absent.
	MatchThreshold *Float `json:"MatchThreshold,omitzero"`
	// Of each face of the picture, 1 to 100; 10 if absent.
	MaxMatches *int32 `json:"MaxMatches,omitzero"`
	// 1 to 100; all of them if absent.
	MaxFaces *int32 `json:"MaxFaces,omitzero"`
	// One of the QualityFilter constants; NONE if absent.
	QualityFilter *string `json:"QualityFilter,omitzero"`
}

func (v *SearchPictureRequest) reset() { *v = SearchPictureRequest{} }

func (v *SearchPictureRequest) check(c *checker) {
	c.required("collectionIds", v.CollectionIds != nil)
	c.texts("collectionIds", v.CollectionIds, &collectionIDsRule, &collectionIdRule)
	c.required("image", v.Image != nil)
	checkStructure(c, "image", v.Image)
	c.text("searchFor", v.SearchFor, &searchForRule)
	checkNumber(c, "matchThreshold", v.MatchThreshold, &percentRule)
	checkNumber(c, "maxMatches", v.MaxMatches, &matchesOfAFaceRule)
	checkNumber(c, "maxFaces", v.MaxFaces, &facesOfAPictureRule)
	c.text("qualityFilter", v.QualityFilter, &qualityFilterRule)
}

// SearchPictureResponse is the output of SearchPicture.
type SearchPictureResponse struct {
	FaceModelVersion *string `json:"FaceModelVersion,omitzero"`
	// The largest face first.
	SearchedFaces []SearchedPictureFace `json:"SearchedFaces,omitzero"`
	// Faces of the picture that were not searched for, and why not.
	UnsearchedFaces []UnsearchedPictureFace `json:"UnsearchedFaces,omitzero"`
}

func (v *SearchPictureResponse) reset() { *v = SearchPictureResponse{} }

// SearchedPictureFace is a face of a picture with its matches, the most similar first. One of the
// lists is there.
type SearchedPictureFace struct {
	FaceDetail  *FaceDetail           `json:"FaceDetail,omitzero"`
	FaceMatches []CollectionFaceMatch `json:"FaceMatches,omitzero"`
	UserMatches []CollectionUserMatch `json:"UserMatches,omitzero"`
}

// CollectionFaceMatch is a [FaceMatch] of one of several collections.
type CollectionFaceMatch struct {
	CollectionId *string `json:"CollectionId,omitzero"`
	Similarity   *Float  `json:"Similarity,omitzero"`
	Face         *Face   `json:"Face,omitzero"`
}

// CollectionUserMatch is a [UserMatch] of one of several collections.
type CollectionUserMatch struct {
	CollectionId *string      `json:"CollectionId,omitzero"`
	Similarity   *Float       `json:"Similarity,omitzero"`
	User         *MatchedUser `json:"User,omitzero"`
}

// UnsearchedPictureFace is a face of a picture that was not searched for.
type UnsearchedPictureFace struct {
	FaceDetail *FaceDetail `json:"FaceDetail,omitzero"`
	// As of UnindexedFace.
	Reasons []string `json:"Reasons,omitzero"`
	// A sentence for each reason, with the value of the face and the bound.
	Explanations []string `json:"Explanations,omitzero"`
}
