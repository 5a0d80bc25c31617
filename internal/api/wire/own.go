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
