package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/cluster"
	"github.com/recollect-dev/recollect/internal/store/record"
)

var _ cluster.Store = (*Store)(nil)

// Beat implements [cluster.Store].
func (s *Store) Beat(ctx context.Context, n cluster.Node) error {
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		batch := new(pgx.Batch) // one transaction
		batch.Queue(`INSERT INTO nodes (id, host, address, version, started_ms, beat_at,
				collections, vectors, bytes, behind, followed_ms)
			VALUES ($1, $2, $3, $4, $5, now(), $6, $7, $8, $9, $10)
			ON CONFLICT (id) DO UPDATE SET beat_at = now(), collections = $6, vectors = $7,
				bytes = $8, behind = $9, followed_ms = $10`, n.ID, n.Host, n.Address, n.Version,
			n.StartedAt.UnixMilli(), n.Collections, n.Vectors, n.Bytes, n.Behind,
			n.SinceFollowed.Milliseconds())
		batch.Queue("DELETE FROM nodes WHERE beat_at < now() - $1::float8 * interval '1 second'",
			cluster.KeptFor.Seconds())
		return conn.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("record a heartbeat: %w", err)
	}
	return nil
}

// Nodes implements [cluster.Store].
func (s *Store) Nodes(ctx context.Context) ([]cluster.Node, error) {
	nodes, err := readAll(ctx, s, scanNode, `SELECT id, host, address, version, started_ms,
		collections, vectors, bytes, behind, followed_ms,
		greatest(0, extract(epoch FROM now() - beat_at))::float8
		FROM nodes ORDER BY host, address, id`)
	if err != nil {
		return nil, fmt.Errorf("list the servers: %w", err)
	}
	return nodes, nil
}

func scanNode(row record.Row) (n cluster.Node, err error) {
	var started, followed int64 // milliseconds
	var since float64           // seconds
	err = row.Scan(&n.ID, &n.Host, &n.Address, &n.Version, &started, &n.Collections, &n.Vectors,
		&n.Bytes, &n.Behind, &followed, &since)
	n.StartedAt = time.UnixMilli(started).UTC()
	n.SinceBeat = time.Duration(since * float64(time.Second))
	n.SinceFollowed = time.Duration(followed)*time.Millisecond + n.SinceBeat
	return n, err
}

// Leave implements [cluster.Store].
func (s *Store) Leave(ctx context.Context, id string) error {
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DELETE FROM nodes WHERE id = $1", id)
		return err
	})
	if err != nil {
		return fmt.Errorf("take a server off the list: %w", err)
	}
	return nil
}
