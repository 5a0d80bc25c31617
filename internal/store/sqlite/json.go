package sqlite

import (
	"encoding/json"

	"github.com/recollect-dev/recollect/internal/store/record"
)

// parseIDs returns those of the texts that are ids, as a JSON array for json_each.
func parseIDs(texts []string) string {
	ids := make([]string, 0, len(texts))
	for _, text := range texts {
		if _, ok := record.ParseID(text); ok {
			ids = append(ids, text)
		}
	}
	return toJSON(ids)
}

// toJSON cannot fail on the slices of numbers and ids that it is used for.
func toJSON[T any](values []T) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return string(b)
}
