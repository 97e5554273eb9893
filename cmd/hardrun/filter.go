package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/seccomp"
	"golang.org/x/sys/unix"
)

// filterText is `plan --filter`: the verdict on each call, who asked for it, and the
// program.
func filterText(plan *launcher.Plan) string {
	f := plan.Filter
	if f == nil {
		return "\nno filter: no directive needs one\n"
	}
	var b strings.Builder
	var names []string
	for _, a := range f.ABIs() {
		names = append(names, a.Name)
	}
	b.WriteString("\nfilter: the first line that holds decides; arguments are compared by their lower 32 bits.\nA call by another architecture than " + strings.Join(names, ", ") + " kills the process.\n")
	for i, a := range f.ABIs() {
		b.WriteString("\n" + a.Name + "\n")
		if f.Closed(i) {
			v, _ := f.Others(i)
			b.WriteString(verdictLine("every call", "", v.Action.String(), f.Sources[v.By]))
			continue
		}
		for _, c := range f.Verdicts(i) {
			name, number := c.Name, strconv.FormatUint(uint64(c.Number), 10)
			for n := range c.Rules {
				b.WriteString(verdictLine(name, number, c.Rules[n].String(), f.Sources[c.Rules[n].Verdict.By]))
				name, number = "", ""
			}
			b.WriteString(verdictLine(name, number, c.Base.Action.String(), f.Sources[c.Base.By]))
		}
		unknown, newer := f.Others(i)
		b.WriteString(verdictLine("no call", "", unknown.Action.String(), f.Sources[unknown.By]))
		b.WriteString(verdictLine("newer calls", "", newer.Action.String(), f.Sources[newer.By]))
	}
	b.WriteString("\nprogram: " + strconv.Itoa(len(plan.Program)) + " instructions\n" + plan.Program.Disassemble())
	return b.String()
}

func verdictLine(name, number, verdict string, by seccomp.Source) string {
	line := "  " + pad(name, 26) + pad(number, 12) + pad(verdict, 16)
	if by.Directive != "" {
		line += "  " + by.String()
	}
	return strings.TrimRight(line, " ") + "\n"
}

// filter is the member of that name in `plan --filter --json`.
func (j *jsonWriter) filter(plan *launcher.Plan) {
	f := plan.Filter
	if f == nil {
		j.raw("filter", "null")
		return
	}
	j.raw("filter", "")
	j.open("{")
	j.raw("instructions", strconv.Itoa(len(plan.Program)))
	j.list("architectures", len(f.ABIs()), func(i int) {
		j.field("name", f.ABIs()[i].Name)
		j.raw("audit_arch", strconv.FormatUint(uint64(f.ABIs()[i].Arch), 10))
		unknown, newer := f.Others(i)
		j.field("unknown", unknown.Action.String())
		j.field("newer", newer.Action.String())
		var calls []seccomp.CallVerdict
		if !f.Closed(i) {
			calls = f.Verdicts(i)
		}
		j.list("calls", len(calls), func(n int) {
			c := &calls[n]
			j.field("name", c.Name)
			j.raw("number", strconv.FormatUint(uint64(c.Number), 10))
			j.field("verdict", c.Base.Action.String())
			j.field("by", by(f, c.Base))
			if len(c.Rules) > 0 {
				j.list("rules", len(c.Rules), func(k int) {
					j.field("verdict", c.Rules[k].String())
					j.field("by", by(f, c.Rules[k].Verdict))
				})
			}
		})
	})
	j.close("}")
}

func by(f *seccomp.Filter, v seccomp.Verdict) string {
	if v.By == 0 {
		return ""
	}
	return f.Sources[v.By].String()
}

// writeFilter is --filter-out: the program as bubblewrap and setpriv take it.
func writeFilter(path string, p seccomp.Program) error {
	if len(p) == 0 {
		return errors.New("no directive needs a filter, so that there is none to write")
	}
	if path == "-" {
		_, err := os.Stdout.Write(p.Bytes())
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(p.Bytes())
	return errors.Join(err, f.Close())
}
