package record

import "github.com/recollect-dev/recollect/internal/face"

// CollectionColumns are the columns that [ScanCollection] reads.
const CollectionColumns = "key, account, region, id, face_model_version, created_ms, face_count, " +
	"user_count"

// ScanCollection reads a row of [CollectionColumns].
func ScanCollection(row Row) (face.Collection, error) {
	var c face.Collection
	var createdMillis int64
	err := row.Scan(&c.Key, &c.Realm.Account, &c.Realm.Region, &c.ID, &c.FaceModelVersion,
		&createdMillis, &c.FaceCount, &c.UserCount)
	c.CreatedAt = at(createdMillis)
	return c, err
}

// ScanTaggedCollection reads a row of [CollectionColumns] and of the value of a tag.
func ScanTaggedCollection(row Row) (t face.TaggedCollection, err error) {
	t.Collection, err = ScanCollection(scanMore(func(columns ...any) error {
		return row.Scan(append(columns, &t.Value)...)
	}))
	return t, err
}

// scanMore is a row of which more columns are read.
type scanMore func(columns ...any) error

func (scan scanMore) Scan(columns ...any) error { return scan(columns...) }

// Tag is a tag of a collection.
type Tag struct{ Key, Value string }

// ScanTag reads a row of a key and a value.
func ScanTag(row Row) (t Tag, err error) {
	err = row.Scan(&t.Key, &t.Value)
	return t, err
}

// TagMap returns the values of tags by their keys. It is not nil.
func TagMap(tags []Tag) map[string]string {
	values := make(map[string]string, len(tags))
	for _, t := range tags {
		values[t.Key] = t.Value
	}
	return values
}
