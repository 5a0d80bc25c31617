package exact

import (
	"sync"

	"github.com/recollect-dev/recollect/internal/face"
)

// fileLocks are the locks of collections' files. Writing or removing single files takes a
// collection's lock shared; listing or dropping the files takes it exclusively. So a gallery that
// begins to use files waits until one that has been removed from the index stops writing.
//
// No lock of a collection is taken while [Index.mu] is held, since files may be slow.
type fileLocks struct {
	mu    sync.Mutex
	inUse map[face.CollectionKey]*fileLock
}

type fileLock struct {
	sync.RWMutex
	users int // goroutines that hold it or wait for it; under fileLocks.mu
}

// share takes the lock of a collection shared, and returns the function that releases it.
func (l *fileLocks) share(c face.CollectionKey) (release func()) {
	lock := l.join(c)
	lock.RLock()
	return func() {
		lock.RUnlock()
		l.leave(c, lock)
	}
}

// exclude takes the lock of a collection exclusively, and returns the function that releases it.
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
