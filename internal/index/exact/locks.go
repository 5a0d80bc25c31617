package exact

import (
	"sync"

	"github.com/recollect-dev/recollect/internal/face"
)

// fileLocks are the locks of collections' files. Those who write or remove single files share the
// lock of a collection; whoever lists or drops the files has it alone. So a gallery that begins to
// use files does not meet one that has left the index and is still writing.
//
// No lock of a collection is taken while [Index.mu] is held, since files may be slow.
type fileLocks struct {
	mu    sync.Mutex
	inUse map[face.CollectionKey]*fileLock
}

type fileLock struct {
	sync.RWMutex
	users int // who hold it or wait for it; under fileLocks.mu
}

// share takes the lock of a collection together with others, and returns what releases it.
func (l *fileLocks) share(c face.CollectionKey) (release func()) {
	lock := l.join(c)
	lock.RLock()
	return func() {
		lock.RUnlock()
		l.leave(c, lock)
	}
}

// exclude takes the lock of a collection alone, and returns what releases it.
func (l *fileLocks) exclude(c face.CollectionKey) (release func()) {
	lock := l.join(c)
	lock.Lock()
	return func() {
		lock.Unlock()
		l.leave(c, lock)
	}
}

func (l *fileLocks) join(c face.CollectionKey) *fileLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock := l.inUse[c]
	if lock == nil {
		if l.inUse == nil {
			l.inUse = map[face.CollectionKey]*fileLock{}
		}
		lock = new(fileLock)
		l.inUse[c] = lock
	}
	lock.users++
	return lock
}

func (l *fileLocks) leave(c face.CollectionKey, lock *fileLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.inUse, c)
	}
}
