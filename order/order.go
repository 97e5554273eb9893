// Package order sorts lists of structs. What package slices does for that is compiled anew
// for every type, some twenty kilobytes each time; this is a few hundred bytes.
package order

import "sort"

// By sorts a list by a comparison of two of its elements, and leaves equal ones in their
// order.
func By[T any](list []T, less func(a, b *T) bool) {
	sort.Stable(by{
		len(list),
		func(i, j int) bool { return less(&list[i], &list[j]) },
		func(i, j int) { list[i], list[j] = list[j], list[i] },
	})
}

// by has no parameter of type: each would be a type of its own in the binary.
type by struct {
	n    int
	less func(i, j int) bool
	swap func(i, j int)
}

func (s by) Len() int           { return s.n }
func (s by) Less(i, j int) bool { return s.less(i, j) }
func (s by) Swap(i, j int)      { s.swap(i, j) }
