package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// BPFProgram is a program that is pinned in a BPF file system, and where it is attached.
type BPFProgram struct{ Type, Path string }

// bpfTypes are the types of BPFProgram=, systemd.resource-control(5), as they stand before
// a path.
var bpfTypes = []string{
	"egress:", "ingress:", "sock_create:", "sock_ops:", "device:", "bind4:", "bind6:", "connect4:", "connect6:", "post_bind4:",
	"post_bind6:", "sendmsg4:", "sendmsg6:", "sysctl:", "recvmsg4:", "recvmsg6:", "getsockopt:", "setsockopt:",
}

// ParseBPFProgram reads TYPE:PATH of BPFProgram=, systemd.resource-control(5).
func ParseBPFProgram(s string) (BPFProgram, error) {
	kind, path, colon := strings.Cut(s, ":")
	if !colon {
		return BPFProgram{}, errors.New("a type, a colon and a path are wanted, not " + strconv.Quote(s))
	}
	if !slices.Contains(bpfTypes, kind+":") {
		names := make([]string, len(bpfTypes))
		for i, t := range bpfTypes {
			names[i] = strings.TrimSuffix(t, ":")
		}
		return BPFProgram{}, &process.WordError{What: "type of BPF program", Word: kind, Words: names}
	}
	path, err := ParsePath(path)
	if err != nil {
		return BPFProgram{}, err
	}
	return BPFProgram{Type: kind, Path: path}, nil
}

func bpfProgramText(b BPFProgram) string { return b.Type + ":" + b.Path }

func parseBPFPrograms(s string) ([]BPFProgram, error) { return one(ParseBPFProgram(s)) }
func parseFilterPaths(s string) ([]string, error)     { return one(ParsePath(s)) }

// onceList is a list in which a value that is there already changes nothing: a program is
// attached once.
type onceList[T comparable] struct{ list[T] }

func (l *onceList[T]) set(p *Policy, value string, from Origin) error {
	values, err := l.parse(value)
	if err != nil {
		return err
	}
	items := l.items(p)
	for _, v := range values {
		if !slices.ContainsFunc(items.Items, func(i Item[T]) bool { return i.V == v }) {
			items.add([]T{v}, from)
		}
	}
	return nil
}
