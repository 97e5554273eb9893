package policy

import (
	"slices"
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
		return BPFProgram{}, bad("a type, a colon and a path are wanted, not ", s)
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

// onceField is a list in which a value that is there already changes nothing: a program is
// attached once.
type onceField struct{ field }

func (o *onceField) set(p *Policy, value string, from Origin) error {
	var alone Policy
	if err := o.field.set(&alone, value, from); err != nil {
		return err
	}
	there := false
	o.write(&alone, func(text string, _ Origin) {
		o.write(p, func(have string, _ Origin) { there = there || have == text })
	})
	if there {
		return nil
	}
	return o.field.set(p, value, from)
}
