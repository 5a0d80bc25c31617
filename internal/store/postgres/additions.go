package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// addition is a call of AddFaces.
type addition struct {
	records  []record.Face
	maxFaces int64

	// The outcome.
	kept  []face.Face
	isNew []bool
	err   error
}

// AddFaces implements [face.Store]. A new face keeps its Vector; one that was stored before comes
// without. It fails if the vectors of the collection's faces would differ in their dimension.
func (s *Store) AddFaces(ctx context.Context, c face.CollectionKey, faces []face.Face,
	maxFaces int64) ([]face.Face, []bool, error) {
	records, err := record.NewFaces(faces)
	if err != nil {
		return nil, nil, fmt.Errorf("add faces: %w", err)
	}
	a := &addition{records: records, maxFaces: maxFaces}
	if err := s.groups.do(ctx, c, &change{add: a}); err != nil {
		return nil, nil, fmt.Errorf("add faces: %w", err)
	}
	return a.kept, a.isNew, nil
}

// sight is what makes a face the same as one that is stored: it was seen in the same place of the
// same picture.
type sight struct {
	image      [16]byte
	externalID string
	box        recollect.BoundingBox
}

// sightOf returns the sight of a face. It is not ok for a face without an external image id.
func sightOf(r record.Face) (sight, bool) {
	if r.ExternalID == nil {
		return sight{}, false
	}
	return sight{r.Image, *r.ExternalID, r.Face.BoundingBox}, true
}

// known is what additions have to know of the collection.
type known struct {
	stored map[sight]face.Face // those of the faces to be added that are there already
	keys   []int64             // unused ones, as many as there are faces
}

// queue adds the queries for what additions need.
func (k *known) queue(batch *pgx.Batch, c face.CollectionKey, additions []*addition) {
	var images [][16]byte
	var externalIDs []string
	var lefts, tops, widths, heights []float32
	n := 0
	for _, a := range additions {
		n += len(a.records)
		for _, r := range a.records {
			if s, ok := sightOf(r); ok {
				images, externalIDs = append(images, s.image), append(externalIDs, s.externalID)
				lefts, tops = append(lefts, s.box.Left), append(tops, s.box.Top)
				widths, heights = append(widths, s.box.Width), append(heights, s.box.Height)
			}
		}
	}
	batch.Queue("SELECT nextval('face_keys') FROM generate_series(1, $1::int)", n).Query(
		func(rows pgx.Rows) (err error) {
			k.keys, err = collect(rows, nil, scanValue[int64])
			return err
		})
	if len(images) == 0 {
		return
	}
	batch.Queue("SELECT "+faceColumns+`
		FROM unnest($2::uuid[], $3::text[], $4::real[], $5::real[], $6::real[], $7::real[])
			AS sight (image, external, l, t, w, h)
		CROSS JOIN LATERAL (SELECT * FROM faces
			WHERE collection_key = $1 AND image_id = image AND external_image_id = external
			AND box_left = l AND box_top = t AND box_width = w AND box_height = h
			ORDER BY key LIMIT 1) AS f`, c, images, externalIDs, lefts, tops, widths,
		heights).Query(func(rows pgx.Rows) error {
		k.stored = make(map[sight]face.Face)
		faces, err := collect(rows, nil, scanFace)
		for _, f := range faces {
			id, _ := record.ParseID(f.ImageID)
			k.stored[sight{id, f.ExternalImageID, f.BoundingBox}] = f
		}
		return err
	})
}

// newRows are the rows that additions make, column by column.
type newRows struct {
	keys, seqs                         []int64
	ids, images                        [][16]byte
	externalIDs                        []*string
	lefts, tops, widths, heights, sure []float32
	vectors                            [][]byte

	thumbnailKeys []int64
	thumbnails    [][]byte
}

// decide determines the outcome of each addition, as if they were made one after the other, and
// returns the rows to insert.
func (l *locked) decide(additions []*addition, before known) *newRows {
	rows := new(newRows)
	if before.stored == nil {
		before.stored = make(map[sight]face.Face)
	}
	for _, a := range additions {
		a.err = l.decideOne(a, &before, rows)
	}
	return rows
}

// decideOne determines the outcome of one addition. After an error nothing of it is in rows.
func (l *locked) decideOne(a *addition, before *known, rows *newRows) error {
	if !l.found {
		return record.DeletedCollectionError()
	}
	a.kept, a.isNew = make([]face.Face, len(a.records)), make([]bool, len(a.records))
	st, keys, length := l.state, before.keys, len(rows.keys)
	thumbnails := len(rows.thumbnailKeys)
	var sights []sight // that are new
	undo := func() {
		for _, s := range sights {
			delete(before.stored, s)
		}
		rows.cut(length, thumbnails)
	}
	for i, r := range a.records {
		var err error
		if st.dimension, err = record.SameDimension(st.dimension, r.Face.Vector); err != nil {
			undo()
			return fmt.Errorf("face %d: %w", i, err)
		}
		s, named := sightOf(r)
		if old, ok := before.stored[s]; named && ok {
			a.kept[i] = old
			rows.addThumbnail(int64(old.Key), r.Face.Thumbnail)
			continue
		}
		if st.faces++; st.faces > a.maxFaces {
			undo()
			return record.TooManyFacesError(a.maxFaces)
		}
		key := keys[0]
		keys = keys[1:]
		r.Face.Key = face.FaceKey(key)
		rows.add(r, key, st.nextSeq())
		rows.addThumbnail(key, r.Face.Thumbnail)
		a.kept[i], a.isNew[i] = r.Face, true
		if named {
			again := r.Face // as it would be read
			again.Vector, again.Thumbnail = nil, nil
			before.stored[s] = again
			sights = append(sights, s)
		}
	}
	l.state, before.keys = st, keys
	return nil
}

func (rows *newRows) add(r record.Face, key, seq int64) {
	rows.keys, rows.seqs = append(rows.keys, key), append(rows.seqs, seq)
	rows.ids, rows.images = append(rows.ids, r.ID), append(rows.images, r.Image)
	rows.externalIDs = append(rows.externalIDs, r.ExternalID)
	box := r.Face.BoundingBox
	rows.lefts, rows.tops = append(rows.lefts, box.Left), append(rows.tops, box.Top)
	rows.widths, rows.heights = append(rows.widths, box.Width), append(rows.heights, box.Height)
	rows.sure = append(rows.sure, r.Face.Confidence)
	rows.vectors = append(rows.vectors, r.Vector)
}

func (rows *newRows) addThumbnail(key int64, jpeg []byte) {
	if len(jpeg) > 0 {
		rows.thumbnailKeys = append(rows.thumbnailKeys, key)
		rows.thumbnails = append(rows.thumbnails, jpeg)
	}
}

// cut leaves the first n faces and thumbnails.
func (rows *newRows) cut(n, thumbnails int) {
	rows.keys, rows.seqs, rows.ids, rows.images = rows.keys[:n], rows.seqs[:n], rows.ids[:n],
		rows.images[:n]
	rows.externalIDs, rows.sure = rows.externalIDs[:n], rows.sure[:n]
	rows.lefts, rows.tops = rows.lefts[:n], rows.tops[:n]
	rows.widths, rows.heights, rows.vectors = rows.widths[:n], rows.heights[:n], rows.vectors[:n]
	rows.thumbnailKeys = rows.thumbnailKeys[:thumbnails]
	rows.thumbnails = rows.thumbnails[:thumbnails]
}

// queue adds the statements that insert the rows.
func (rows *newRows) queue(batch *pgx.Batch, c face.CollectionKey) {
	if len(rows.keys) > 0 {
		batch.Queue(`INSERT INTO faces (key, collection_key, face_id, image_id, external_image_id,
				box_left, box_top, box_width, box_height, confidence)
			SELECT key, $1, id, image, external, l, t, w, h, sure
			FROM unnest($2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::real[], $7::real[],
				$8::real[], $9::real[], $10::real[])
				AS row (key, id, image, external, l, t, w, h, sure)`, c, rows.keys, rows.ids,
			rows.images, rows.externalIDs, rows.lefts, rows.tops, rows.widths, rows.heights,
			rows.sure)
		batch.Queue(`INSERT INTO embeddings (face_key, collection_key, seq, encoding, vector)
			SELECT key, $1, seq, $2, vector FROM unnest($3::bigint[], $4::bigint[], $5::bytea[])
				AS row (key, seq, vector)`, c, record.EncodingFloat32, rows.keys, rows.seqs,
			rows.vectors)
	}
	if len(rows.thumbnailKeys) > 0 {
		batch.Queue(`INSERT INTO thumbnails (face_key, jpeg)
			SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT DO NOTHING`,
			rows.thumbnailKeys, rows.thumbnails)
	}
}
