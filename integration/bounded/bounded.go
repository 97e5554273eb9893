// Package bounded holds what reads a text to a time and an amount of memory, whatever the text is.
package bounded

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a text of Size may cost: time of a processor, and memory.
const (
	Size   = 1 << 20
	Time   = time.Second
	Memory = 64 << 20
)

// parts are what a parser that looks back or ahead is slow with when it stands there again and again.
var parts = []string{
	"a", " ", "a ", "\\", "\\\n", "\"", "'", "\"a\" ", "a=b ", "a=b\n", "=", ":", "a:", ",", "a,", "/", "/a", "/a ", "/../", "%", "%%", "~", "-", "+", "!", "|",
	"\n", "[A]\n", "[", "{", "{a,", "*", "a*", "0", "1 ", "1,", "0-9,", "1.", "9", "@", "$", "${A}", ";", " ; ", "#\n", "\x00", "\xff", "é", "\\x41",
}

// Texts are texts of size bytes, of the usual parts and of more: each is one part, over and over.
func Texts(size int, more ...string) []string {
	var list []string
	for _, p := range append(more, parts...) {
		list = append(list, strings.Repeat(p, size/len(p)+1)[:size])
	}
	return list
}

// Check runs f on each of Texts(Size), and says for which it is slow or takes too much memory.
func Check(t *testing.T, f func(text string), more ...string) {
	t.Helper()
	of(t, f, Texts(Size, more...))
}

// Repeated is Check for texts of another size of these parts alone, which may cost as much.
func Repeated(t *testing.T, size int, f func(text string), parts ...string) {
	t.Helper()
	var list []string
	for _, p := range parts {
		list = append(list, strings.Repeat(p, size/len(p)+1)[:size])
	}
	of(t, f, list)
}

func of(t *testing.T, f func(text string), texts []string) {
	t.Helper()
	for _, text := range texts {
		if why := Excess(func() { f(text) }); why != "" {
			t.Errorf("%.20q over and over, %d bytes: %s", text, len(text), why)
		}
	}
}

// Excess is what f takes more of than it may, or "". What it takes is the least of a few tries: beside
// other work a try takes more time, and the collector is later.
func Excess(f func()) string {
	took, memory := Cost(f)
	if memory > Memory { // asked for, and some of it was given back
		memory = peak(f)
	}
	for try := 0; try < 4 && (took > Time || memory > Memory); try++ {
		again, _ := Cost(f)
		took = min(took, again)
		memory = min(memory, peak(f))
	}
	switch {
	case took > Time:
		return fmt.Sprintf("%v of a processor, and may take %v", took, Time)
	case memory > Memory:
		return fmt.Sprintf("%d MiB, and may take %d", memory>>20, Memory>>20)
	}
	return ""
}

// Cost is the time of the processors that f takes, and the memory it asks for, whether it is given back or not.
func Cost(f func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := used()
	f()
	took := used() - start
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}

// peak is the most memory that f has at a time, as far as the collector is quick to find what is not in use.
func peak(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	before := heap[0].Value.Uint64()
	most := before
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			metrics.Read(heap)
			most = max(most, heap[0].Value.Uint64())
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most - before
}

// used is the time that this process has had; on a machine that does other things as well it is less than has gone by.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no input
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
