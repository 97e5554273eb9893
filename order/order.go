// Package order sorts lists of structs. What package slices does for that is compiled anew
// for every type, some twenty kilobytes each time; this is a few hundred bytes.
package order

import "sort"

// By sorts a list by a comparison of two of its elements, and leaves equal ones in their
// order.
func By[T any](list []T, less func(a, b *T) bool) { sort.Stable(&by[T]{list, less}) }

type by[T any] struct {
	list []T
	less func(a, b *T) bool
}

func (s *by[T]) Len() int           { return len(s.list) }
func (s *by[T]) Less(i, j int) bool { return s.less(&s.list[i], &s.list[j]) }
func (s *by[T]) Swap(i, j int)      { s.list[i], s.list[j] = s.list[j], s.list[i] }
