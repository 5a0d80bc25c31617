package record

import (
	"time"

	"github.com/google/uuid"
)

// Row is a row that a query found. Those of database/sql and of pgx are Rows.
type Row interface {
	Scan(dest ...any) error
}

// Rows are what a query found, in the order of the query. Whoever made the query closes them.
type Rows interface {
	Row
	Next() bool
	Err() error
}

// Each calls each with every row, until it returns an error.
func Each(rows Rows, each func(Row) error) error {
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// All reads every row with scan.
func All[T any](rows Rows, scan func(Row) (T, error)) (all []T, err error) {
	err = Each(rows, func(row Row) error {
		one, err := scan(row)
		if err == nil {
			all = append(all, one)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ByKey returns values by a key that each of them has.
func ByKey[K comparable, T any](values []T, key func(T) K) map[K]T {
	byKey := make(map[K]T, len(values))
	for _, value := range values {
		byKey[key(value)] = value
	}
	return byKey
}

// IDForm returns what a driver scans a column with an id into, so that the id is in id.
type IDForm func(id *uuid.UUID) any

// at is the time that is kept as milliseconds since 1970.
func at(millis int64) time.Time { return time.UnixMilli(millis).UTC() }
