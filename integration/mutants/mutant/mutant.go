//go:build linux

// Package mutant is what the sources call in the places that ../rewrite.go has found. All
// mutants are in one binary; a block of bytes in it says which of them is on, and whether
// it is noted which places were reached. The block is changed in a copy of the file: a
// start needs no variable and makes no system call for it.
package mutant

import (
	"syscall"
	"unsafe"
)

// Magic is how the block begins, and what no other part of a binary holds.
const Magic = "\x00mutant\xffchoose\x00\xfe"

// MagicC is how the block of what is written in C begins.
const MagicC = "\x00mutant\xffinC\x00\x00\x00\x00\xfe"

// The block, from its beginning: Magic; the number of the mutant, that of a call that fails once, and
// how, in four bytes each, little endian; and the path of the file that notes what was reached, ended
// by a NUL.
const (
	NumberAt = 16
	FaultAt  = 20
	HowAt    = 24
	PathAt   = 32
	Size     = 256
)

// Lie is how a call fails that is not made, and says nothing of it. All else is a number of errno(3).
const Lie = 1 << 16

// What is noted of a place.
const (
	Reached = 1
	True    = 2 // it is a condition, and was true
	False   = 4
	Failed  = 8 // it is a call, and was the one that fails
)

var block = [Size]byte{0, 'm', 'u', 't', 'a', 'n', 't', 0xff, 'c', 'h', 'o', 'o', 's', 'e', 0, 0xfe}

var (
	on    = number(NumberAt)
	fault = number(FaultAt)
	how   = number(HowAt)
	note  = file()
)

//go:noinline
func number(at int) uint32 {
	return uint32(block[at]) | uint32(block[at+1])<<8 | uint32(block[at+2])<<16 | uint32(block[at+3])<<24
}

// fails tells whether a call is the one that fails, and puts the error where it is to be. What has
// another type than error and syscall.Errno cannot be made to fail.
func fails(n uint32, v any) bool {
	if fault != n || n == 0 {
		return false
	}
	if how != Lie {
		switch p := v.(type) {
		case *error:
			*p = syscall.Errno(how)
		case *syscall.Errno:
			*p = syscall.Errno(how)
		default:
			return false
		}
	}
	fault = 0 // once
	reach(n, Failed)
	return true
}

// file maps the file of the block, where it names one and it can be opened. hardrun's
// constructor leaves no free descriptor: the limit is raised for a moment.
func file() []byte {
	if block[PathAt] == 0 {
		return nil
	}
	var was syscall.Rlimit
	const nofile = 7
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, nofile, 0, uintptr(unsafe.Pointer(&was)), 0, 0); e != 0 {
		return nil
	}
	up := syscall.Rlimit{Cur: was.Max, Max: was.Max}
	set := func(l *syscall.Rlimit) bool {
		_, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, nofile, uintptr(unsafe.Pointer(l)), 0, 0, 0)
		return e == 0
	}
	if !set(&up) {
		return nil
	}
	fd, _, failed := syscall.RawSyscall6(syscall.SYS_OPENAT, ^uintptr(99), uintptr(unsafe.Pointer(&block[PathAt])), syscall.O_RDWR|syscall.O_CLOEXEC, 0, 0, 0)
	if !set(&was) || failed != 0 {
		return nil
	}
	var list []byte
	if size, _, e := syscall.RawSyscall(syscall.SYS_LSEEK, fd, 0, 2); e == 0 {
		at, _, e := syscall.RawSyscall6(syscall.SYS_MMAP, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED, fd, 0)
		if e == 0 {
			list = unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), int(size))
		}
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0); e != 0 {
		return nil
	}
	return list
}

func reach(n uint32, what byte) {
	if int(n) < len(note) {
		note[n] |= what
	}
}

func reachIf(n uint32, c bool) {
	if note != nil {
		if c {
			reach(n, Reached|True)
		} else {
			reach(n, Reached|False)
		}
	}
}

// On stands before a statement: with mutant n it is not there.
func On(n uint32) bool {
	reach(n, Reached)
	return on == n
}

// Cond is a condition: never true with mutant n, inverted with n+1.
func Cond(n uint32, c bool) bool {
	reachIf(n, c)
	switch on {
	case n:
		return false
	case n + 1:
		return !c
	}
	return c
}

// Never is a condition that is never true with mutant n.
func Never(n uint32, c bool) bool {
	reachIf(n, c)
	return c && on != n
}

// Not is a truth that mutant n inverts.
func Not(n uint32, c bool) bool {
	reachIf(n, c)
	return c != (on == n)
}

// And is an operand of &&, which is not there with mutant n.
func And(n uint32, c bool) bool {
	reachIf(n, c)
	return c || on == n
}

// Or is an operand of ||, which is not there with mutant n.
func Or(n uint32, c bool) bool {
	reachIf(n, c)
	return c && on != n
}

// Value is what is returned as an error: nil with mutant n. Where it is one, that is noted as True.
func Value[T comparable](n uint32, v T) T {
	var none T
	reachIf(n, v != none)
	if on == n {
		return none
	}
	return v
}

// Flag is one of several flags: 0 with mutant n.
func Flag[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr](n uint32, v T) T {
	reach(n, Reached)
	if on == n {
		return 0
	}
	return v
}

// Call makes a call that answers an error. With mutant n it is not made, and says nil.
func Call[T any](n uint32, f func() T) (v T) {
	reach(n, Reached)
	if on == n || fails(n, &v) {
		return v
	}
	return f()
}

// Call2 is Call of what answers two values.
func Call2[A, T any](n uint32, f func() (A, T)) (a A, v T) {
	reach(n, Reached)
	if on == n || fails(n, &v) {
		return a, v
	}
	return f()
}

// Call3 is Call of what answers three values.
func Call3[A, B, T any](n uint32, f func() (A, B, T)) (a A, b B, v T) {
	reach(n, Reached)
	if on == n || fails(n, &v) {
		return a, b, v
	}
	return f()
}

// Call4 is Call of what answers four values.
func Call4[A, B, C, T any](n uint32, f func() (A, B, C, T)) (a A, b B, c C, v T) {
	reach(n, Reached)
	if on == n || fails(n, &v) {
		return a, b, c, v
	}
	return f()
}
