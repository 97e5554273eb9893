package inspect

import (
	"time"
)

// cachedMounts are the mounts of a namespace below a root directory. To read them takes longer
// the more there are, and many processes have the same.
type cachedMounts struct {
	space uint64
	root  identity
	until time.Time
	view  *mountView
}

// What is kept is believed for as many times as long as reading it took: reading takes a small
// part of the time whatever there is to be read, and where it is quick nothing is old.
const (
	believed = 10
	kept     = 16 // of each kind
)

// mountsMost is how many bytes of mountinfo are read: more than twice what the 100000 mounts
// of fs.mount-max usually take.
const mountsMost = 64 << 20

// mountsOf reads the mounts of a process or a thread.
func (r *Reader) mountsOf(dir int, root identity, space uint64) (*mountView, error) {
	begin := time.Now()
	if space != 0 && root.inode != 0 {
		for i := range r.mounts {
			c := &r.mounts[i]
			if c.space == space && c.root == root && begin.Before(c.until) {
				return c.view, nil
			}
		}
	}
	var m mountReader
	if err := r.lines(dir, "mountinfo", mountsMost, m.line); err != nil {
		return nil, err
	}
	v := view(m.list, int(root.mount))
	end := time.Now()
	if len(r.mounts) == kept {
		r.mounts = append(r.mounts[:0], r.mounts[1:]...)
	}
	r.mounts = append(r.mounts, cachedMounts{space, root, end.Add(believed * end.Sub(begin)), v})
	return v, nil
}
