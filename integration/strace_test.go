//go:build linux

package integration

import (
	"iter"
	"regexp"
	"strings"
	"testing"
)

// call is one system call of the process that becomes the daemon, from the
// start of hardrun to the execve of the daemon.
type call struct {
	pid, name, args, answer string
}

type trace struct {
	calls []call
	text  string
	result
}

var callLine = regexp.MustCompile(`^(\d+) +([a-z0-9_]+)\((.*)\) += +(.+)$`)

// eachCall gives the calls of a trace. One that another thread interrupted is in two halves.
func eachCall(text string) iter.Seq[call] {
	return func(yield func(call) bool) {
		begun := map[string]string{}
		for l := range strings.Lines(text) {
			l = strings.TrimSuffix(l, "\n")
			pid, rest, _ := strings.Cut(l, " ")
			rest = strings.TrimLeft(rest, " ")
			if head, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
				begun[pid] = head
				continue
			}
			if strings.HasPrefix(rest, "<... ") {
				if _, tail, ok := strings.Cut(rest, " resumed>"); ok {
					l = pid + " " + begun[pid] + tail
				}
			}
			if m := callLine.FindStringSubmatch(l); m != nil && !yield(call{m[1], m[2], m[3], m[4]}) {
				return
			}
		}
	}
}

// traced runs argv under strace, and gives the calls between its own execve and
// the last execve (of the daemon, which is left out). Options go to strace.
func traced(t *testing.T, options string, argv ...string) trace {
	t.Helper()
	strace := requireProgram(t, "strace", "strace")
	file := directory(t, 0o755) + "/trace"
	line := append([]string{strace, "-f", "-qq", "-s", "256", "-o", file, "-e", "signal=none"}, strings.Fields(options)...)
	r := runs(t, append(append(line, "--"), argv...)...)
	tr := trace{result: r, text: read(t, file)}
	execs := 0
	for c := range eachCall(tr.text) {
		if c.name == "execve" && c.answer == "0" {
			execs++
			if execs == 2 { // the daemon
				tr.calls = append(tr.calls, c)
				break
			}
			continue
		}
		tr.calls = append(tr.calls, c)
	}
	if len(tr.calls) == 0 {
		t.Fatalf("%q: an empty trace", argv)
	}
	return tr
}
