package rekognition

import (
	"context"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The lists of families that are not built. Since nothing of such a family can be created, an
// account has none of it: a list of all of it is empty, and a list of what belongs to a project or
// a dataset names one that does not exist. Programs that list everything, or delete it, get these
// answers instead of an error that they do not know. What creates, reads or changes one thing of
// such a family answers that it is not built.

func (s *Server) describeProjects(_ context.Context, _ recollect.Realm,
	in *wire.DescribeProjectsRequest) (*wire.DescribeProjectsResponse, error) {
	if err := onlyPage(in.NextToken); err != nil {
		return nil, err
	}
	return &wire.DescribeProjectsResponse{ProjectDescriptions: []wire.ProjectDescription{}}, nil
}

func (s *Server) listStreamProcessors(_ context.Context, _ recollect.Realm,
	in *wire.ListStreamProcessorsRequest) (*wire.ListStreamProcessorsResponse, error) {
	if err := onlyPage(in.NextToken); err != nil {
		return nil, err
	}
	return &wire.ListStreamProcessorsResponse{StreamProcessors: []wire.StreamProcessor{}}, nil
}

func (s *Server) listMediaAnalysisJobs(_ context.Context, _ recollect.Realm,
	in *wire.ListMediaAnalysisJobsRequest) (*wire.ListMediaAnalysisJobsResponse, error) {
	if err := onlyPage(in.NextToken); err != nil {
		return nil, err
	}
	return &wire.ListMediaAnalysisJobsResponse{
		MediaAnalysisJobs: []wire.MediaAnalysisJobDescription{}}, nil
}

func (s *Server) describeProjectVersions(_ context.Context, _ recollect.Realm,
	in *wire.DescribeProjectVersionsRequest) (*wire.DescribeProjectVersionsResponse, error) {
	return nil, notFound(*in.ProjectArn)
}

func (s *Server) listProjectPolicies(_ context.Context, _ recollect.Realm,
	in *wire.ListProjectPoliciesRequest) (*wire.ListProjectPoliciesResponse, error) {
	return nil, notFound(*in.ProjectArn)
}

func (s *Server) listDatasetEntries(_ context.Context, _ recollect.Realm,
	in *wire.ListDatasetEntriesRequest) (*wire.ListDatasetEntriesResponse, error) {
	return nil, notFound(*in.DatasetArn)
}

func (s *Server) listDatasetLabels(_ context.Context, _ recollect.Realm,
	in *wire.ListDatasetLabelsRequest) (*wire.ListDatasetLabelsResponse, error) {
	return nil, notFound(*in.DatasetArn)
}

// onlyPage rejects the token of a list that has no further page, and so never returned a token.
func onlyPage(token *string) error {
	if token == nil {
		return nil
	}
	return invalidToken()
}

// notFound is the error for the ARN of a resource that does not exist.
func notFound(arn string) *recollect.Error {
	return recollect.Errorf(recollect.CodeNotFound, "The resource: %s does not exist", arn)
}
