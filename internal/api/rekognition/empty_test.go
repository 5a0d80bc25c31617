package rekognition_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/rekognition"
)

const (
	projectARN = "arn:aws:rekognition:us-east-1:123456789012:project/signs/1650000000000"
	datasetARN = "arn:aws:rekognition:us-east-1:123456789012:project/signs/dataset/train/1650000000000"
)

// The lists of families that are not built.
func TestListsOfWhatIsNotBuilt(t *testing.T) {
	d := open(t)
	noProjects := `\{"ProjectDescriptions":\[\]\}`
	invalidToken := `\{"__type":"InvalidPaginationTokenException",.*` +
		`"Message":"Invalid Pagination Token"\}`
	missing := func(arn string) string {
		return `\{"__type":"ResourceNotFoundException",.*"Message":"The resource: ` +
			regexp.QuoteMeta(arn) + ` does not exist"\}`
	}
	for name, c := range map[string]struct {
		operation, body string
		status          int
		answer          string
	}{
		"projects": {"DescribeProjects", `{}`, 200, noProjects},
		"no body":  {"DescribeProjects", ``, 200, noProjects},
		"a named project": {"DescribeProjects", `{"ProjectNames":["signs"],"MaxResults":1}`, 200,
			noProjects},
		"projects of a feature": {"DescribeProjects", `{"Features":["CONTENT_MODERATION"]}`, 200,
			noProjects},
		"projects of an unknown feature": {"DescribeProjects", `{"Features":["LABELS"]}`, 400,
			`\{"__type":"ValidationException",.* at 'features' .*`},
		"a page of projects that is too large": {"DescribeProjects", `{"MaxResults":101}`, 400,
			`\{"__type":"ValidationException",.* at 'maxResults' .*`},
		"a further page of projects": {"DescribeProjects", `{"NextToken":"abc"}`, 400,
			invalidToken},
		"an empty token": {"DescribeProjects", `{"NextToken":""}`, 400, invalidToken},
		"a token that is too long": {"ListStreamProcessors",
			`{"NextToken":"` + strings.Repeat("x", 256) + `"}`, 400,
			`\{"__type":"ValidationException",.* at 'nextToken' .*`},
		"stream processors": {"ListStreamProcessors", `{"MaxResults":1000}`, 200,
			`\{"StreamProcessors":\[\]\}`},
		"a further page of stream processors": {"ListStreamProcessors", `{"NextToken":"abc"}`, 400,
			invalidToken},
		"a page of no stream processors": {"ListStreamProcessors", `{"MaxResults":0}`, 400,
			`\{"__type":"ValidationException",.* at 'maxResults' .*`},
		"jobs": {"ListMediaAnalysisJobs", `{"MaxResults":100}`, 200,
			`\{"MediaAnalysisJobs":\[\]\}`},
		"a further page of jobs": {"ListMediaAnalysisJobs", `{"NextToken":"abc"}`, 400,
			invalidToken},
		"a page of no jobs": {"ListMediaAnalysisJobs", `{"MaxResults":0}`, 400,
			`\{"__type":"ValidationException",.* at 'maxResults' .*`},
		"versions": {"DescribeProjectVersions", `{"ProjectArn":"` + projectARN + `"}`, 400,
			missing(projectARN)},
		"policies": {"ListProjectPolicies", `{"ProjectArn":"` + projectARN + `","NextToken":"abc"}`,
			400, missing(projectARN)},
		"entries": {"ListDatasetEntries", `{"DatasetArn":"` + datasetARN + `"}`, 400,
			missing(datasetARN)},
		"labels": {"ListDatasetLabels", `{"DatasetArn":"` + datasetARN + `"}`, 400,
			missing(datasetARN)},
		"no project": {"DescribeProjectVersions", `{}`, 400,
			`\{"__type":"ValidationException",.* at 'projectArn' .*`},
		"what is no project": {"ListProjectPolicies", `{"ProjectArn":"` + datasetARN + `"}`, 400,
			`\{"__type":"ValidationException",.* at 'projectArn' .*`},
		"a project of another account": {"DescribeProjectVersions",
			`{"ProjectArn":"arn:aws:rekognition:us-east-1:210987654321:project/signs/1"}`, 400,
			`\{"__type":"AccessDeniedException",.*`},
	} {
		t.Run(name, func(t *testing.T) {
			resp, answer := d.post(t, c.operation, []byte(c.body))
			if resp.StatusCode != c.status ||
				!regexp.MustCompile("^"+c.answer+"$").MatchString(answer) {
				t.Errorf("answered %d %s\nwant %d %s", resp.StatusCode, answer, c.status, c.answer)
			}
		})
	}
}

// Policies decide about the lists before their answer says that nothing is there.
func TestListsOfWhatIsNotBuiltAreAuthorized(t *testing.T) {
	d, ctx := open(t), t.Context()
	project, dataset := aws.String(projectARN), aws.String(datasetARN)
	calls := func(c *sdk.Client) map[string]struct {
		resource string
		err      error
	} {
		return map[string]struct {
			resource string
			err      error
		}{
			"DescribeProjects": {"", last(c.DescribeProjects(ctx, &sdk.DescribeProjectsInput{}))},
			"ListStreamProcessors": {"",
				last(c.ListStreamProcessors(ctx, &sdk.ListStreamProcessorsInput{}))},
			"ListMediaAnalysisJobs": {"",
				last(c.ListMediaAnalysisJobs(ctx, &sdk.ListMediaAnalysisJobsInput{}))},
			"DescribeProjectVersions": {projectARN,
				last(c.DescribeProjectVersions(ctx,
					&sdk.DescribeProjectVersionsInput{ProjectArn: project}))},
			"ListProjectPolicies": {projectARN,
				last(c.ListProjectPolicies(ctx,
					&sdk.ListProjectPoliciesInput{ProjectArn: project}))},
			"ListDatasetEntries": {datasetARN,
				last(c.ListDatasetEntries(ctx,
					&sdk.ListDatasetEntriesInput{DatasetArn: dataset}))},
			"ListDatasetLabels": {datasetARN,
				last(c.ListDatasetLabels(ctx, &sdk.ListDatasetLabelsInput{DatasetArn: dataset}))},
		}
	}
	for action, asked := range calls(d.user(t, "nobody",
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)) {
		on := ""
		if asked.resource != "" {
			on = " on resource: " + asked.resource
		}
		wantDenied(t, asked.err,
			"User: arn:aws:iam::123456789012:user/nobody is not authorized to perform: "+
				"rekognition:"+action+on+" with an explicit deny in an identity-based policy")
	}
	for action, asked := range calls(d.user(t, "reader", `{"Version":"2012-10-17","Statement":{
		"Effect":"Allow","Action":["rekognition:Describe*","rekognition:List*"],
			"Resource":"*"}}`)) {
		if asked.resource != "" {
			wantCode(t, asked.err, "ResourceNotFoundException")
		} else if asked.err != nil {
			t.Errorf("%s: %v", action, asked.err)
		}
	}
}
