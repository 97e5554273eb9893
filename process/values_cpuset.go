package process

import (
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// CPUSet is a set of CPUs or memory nodes as a mask of 64-bit words, bit n of
// word n/64 for CPU n, without trailing zero words.
type CPUSet []uint64

// maxCPU is the highest index that a set holds, as in systemd; Linux is built
// for at most 8192 CPUs.
const maxCPU = 8191

// ParseCPUSet reads a list of indices and ranges as CPUAffinity= and NUMAMask=
// take it, systemd.exec(5): "0-3,8", "0 2". Separators are blanks and commas.
// A range that falls is an error, as is an index above 8191; so is a list
// without an index, which systemd lets pass as the empty set.
func ParseCPUSet(s string) (CPUSet, error) {
	words := strings.FieldsFunc(s, func(c rune) bool { return blank(c) || c == ',' })
	if len(words) == 0 {
		return nil, errors.New("no index")
	}
	var set CPUSet
	for _, w := range words {
		from, to, isRange := strings.Cut(w, "-")
		low, err := cpuIndex(from)
		if err != nil {
			return nil, err
		}
		high := low
		if isRange {
			if high, err = cpuIndex(to); err != nil {
				return nil, err
			}
		}
		if high < low {
			return nil, errors.New("the range " + w + " falls")
		}
		set = set.add(high)
		for i := low / 64; i <= high/64; i++ {
			set[i] |= ^uint64(0) << max(0, low-i*64) & (^uint64(0) >> max(0, i*64+63-high))
		}
	}
	return set, nil
}

func cpuIndex(s string) (int, error) {
	n, err := decimal(s)
	switch {
	case err != nil:
		return 0, err
	case n > maxCPU:
		return 0, errors.New("index " + s + " is above " + strconv.Itoa(maxCPU))
	}
	return int(n), nil
}

func (c CPUSet) add(n int) CPUSet {
	for len(c) <= n/64 {
		c = append(c, 0)
	}
	c[n/64] |= 1 << (n % 64)
	return c
}

// Has tells whether n is in the set.
func (c CPUSet) Has(n int) bool {
	return n >= 0 && n/64 < len(c) && c[n/64]>>(n%64)&1 == 1
}

// Union is what is in c or in d, in a new slice.
func (c CPUSet) Union(d CPUSet) CPUSet {
	if len(c) < len(d) {
		c, d = d, c
	}
	sum := slices.Clone(c)
	for i, w := range d {
		sum[i] |= w
	}
	return sum.trim()
}

// Equal tells whether both sets have the same members; trailing zero words, as
// sched_getaffinity(2) gives them, make no difference.
func (c CPUSet) Equal(d CPUSet) bool { return slices.Equal(c.trim(), d.trim()) }

// First is the lowest member, -1 for the empty set.
func (c CPUSet) First() int {
	for i, w := range c {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// Count is the number of members.
func (c CPUSet) Count() int {
	n := 0
	for _, w := range c {
		n += bits.OnesCount64(w)
	}
	return n
}

// trim cuts trailing zero words; the empty set is nil.
func (c CPUSet) trim() CPUSet {
	for len(c) > 0 && c[len(c)-1] == 0 {
		c = c[:len(c)-1]
	}
	if len(c) == 0 {
		return nil
	}
	return c
}

// String is the set as the kernel lists it, "0-3,8", empty for the empty set.
func (c CPUSet) String() string {
	var b strings.Builder
	for n := 0; n < len(c)*64; n++ {
		if !c.Has(n) {
			continue
		}
		last := n
		for c.Has(last + 1) {
			last++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(n))
		if last > n {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(last))
		}
		n = last
	}
	return b.String()
}
