package main

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/exposure"
)

// set is what a check found: true for good, false for bad, null for neither.
func set(r *exposure.Result) string {
	switch rank(r) {
	case 0:
		return "false"
	case 3:
		return "true"
	}
	return "null"
}

// securityJSON is the form of --json: an object, or with several an array of them.
func securityJSON(list []scored, by string, several bool) string {
	var j jsonWriter
	if several {
		j.open("[")
	}
	for i := range list {
		j.next()
		j.open("{")
		j.scored(&list[i], by)
		j.close("}")
		if several && i < len(list)-1 {
			j.WriteString("\n")
		}
	}
	if several {
		j.close("]")
	}
	return j.String() + "\n"
}

// scored are the members of one object.
func (j *jsonWriter) scored(s *scored, by string) {
	j.field("unit", s.name)
	if s.pid != 0 {
		j.raw("pid", strconv.Itoa(s.pid))
		j.raw("unknown", strconv.Itoa(s.count(1)))
	}
	j.raw("exposure", s.total.String())
	j.field("level", s.total.Level().Name)
	rows := s.sorted(by)
	j.list("checks", len(rows), func(n int) {
		i := rows[n]
		r, c := &s.results[i], &exposure.Checks[i]
		j.field("id", c.ID)
		j.raw("set", set(r))
		exposed := "null"
		switch rank(r) {
		case 0, 3:
			exposed = exposure.Score{Tenths: exposure.Row(i, r, &s.results)}.String()
		}
		j.raw("exposure", exposed)
		j.raw("weight", strconv.Itoa(c.Weight))
		j.raw("badness", strconv.Itoa(r.Badness))
		j.raw("range", strconv.Itoa(c.Range))
		if s.pid != 0 {
			j.field("state", state(r))
		}
		j.field("text", exposure.Text(i))
		j.field("found", r.Why)
		j.field("advice", r.Advice)
		j.field("origin", r.From.String())
	})
	if s.pid != 0 {
		return
	}
	j.list("ignored", len(s.passed), func(i int) {
		j.field("origin", s.passed[i].from.String())
		j.field("text", s.passed[i].text)
	})
	j.raw("refused", strconv.Itoa(s.refused))
	j.strings("notes", s.notes)
}

// systemdJSON is the form that systemd-analyze security --json=short has, in one line; the
// sentences are other ones.
func systemdJSON(s *scored, by string) string {
	var j jsonWriter
	j.open("[")
	for _, i := range s.sorted(by) {
		r, c := &s.results[i], &exposure.Checks[i]
		j.next()
		j.open("{")
		j.raw("set", set(r))
		j.field("name", c.ID)
		j.field("json_field", c.Field)
		j.field("description", s.sentence(i))
		if rank(r) == 0 {
			j.field("exposure", s.exposureCell(i))
		} else {
			j.raw("exposure", "null")
		}
		j.close("}")
	}
	j.close("]")
	return strings.ReplaceAll(j.String(), "\n", "") + "\n"
}
