package main

import (
	"context"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/rekognition"
)

// paginators are the SDK's constructors by operation, each
// func(client, *OperationInput, ...func(*OperationPaginatorOptions)) *OperationPaginator.
func paginators() map[string]any {
	return map[string]any{
		"DescribeProjects":        rekognition.NewDescribeProjectsPaginator,
		"DescribeProjectVersions": rekognition.NewDescribeProjectVersionsPaginator,
		"GetCelebrityRecognition": rekognition.NewGetCelebrityRecognitionPaginator,
		"GetContentModeration":    rekognition.NewGetContentModerationPaginator,
		"GetFaceDetection":        rekognition.NewGetFaceDetectionPaginator,
		"GetFaceSearch":           rekognition.NewGetFaceSearchPaginator,
		"GetLabelDetection":       rekognition.NewGetLabelDetectionPaginator,
		"GetPersonTracking":       rekognition.NewGetPersonTrackingPaginator,
		"GetSegmentDetection":     rekognition.NewGetSegmentDetectionPaginator,
		"GetTextDetection":        rekognition.NewGetTextDetectionPaginator,
		"ListCollections":         rekognition.NewListCollectionsPaginator,
		"ListDatasetEntries":      rekognition.NewListDatasetEntriesPaginator,
		"ListDatasetLabels":       rekognition.NewListDatasetLabelsPaginator,
		"ListFaces":               rekognition.NewListFacesPaginator,
		"ListMediaAnalysisJobs":   rekognition.NewListMediaAnalysisJobsPaginator,
		"ListProjectPolicies":     rekognition.NewListProjectPoliciesPaginator,
		"ListStreamProcessors":    rekognition.NewListStreamProcessorsPaginator,
		"ListUsers":               rekognition.NewListUsersPaginator,
	}
}

// paginate collects the pages of the SDK's own paginator.
func paginate(ctx context.Context, client *rekognition.Client, r request) answer {
	constructor, ok := paginators()[r.Paginate]
	if !ok {
		return failure(refuse("this client has no paginator for %s", r.Paginate))
	}
	construct := reflect.ValueOf(constructor)
	input, err := decodeInput(construct.Type().In(1), r.Input)
	if err != nil {
		return failure(err)
	}
	arguments := []reflect.Value{reflect.ValueOf(client), input}
	if r.PageSize != 0 {
		option := construct.Type().In(2).Elem()
		arguments = append(arguments,
			reflect.MakeFunc(option, func(options []reflect.Value) []reflect.Value {
				options[0].Elem().FieldByName("Limit").SetInt(int64(r.PageSize))
				return nil
			}))
	}
	paginator := construct.Call(arguments)[0]
	var pages []any
	for paginator.MethodByName("HasMorePages").Call(nil)[0].Bool() {
		page := paginator.MethodByName("NextPage").Call([]reflect.Value{reflect.ValueOf(ctx)})
		if err, _ := page[1].Interface().(error); err != nil {
			return failure(err)
		}
		pages = append(pages, encode(page[0]))
	}
	return answer{Pages: pages}
}
