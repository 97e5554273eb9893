package policy

import (
	"errors"
	"strings"
)

// ParseCondition reads the value of Condition…= or Assert…= of a kind, systemd.unit(5): "|",
// "!" and what is to be there. It checks only that a path is absolute; the rest is for who
// asks the machine.
func ParseCondition(kind, s string) (Condition, error) {
	c := Condition{Kind: kind}
	if s, c.Trigger = strings.CutPrefix(s, "|"); c.Trigger {
		s = skipBlanks(s)
	}
	if s, c.Negate = strings.CutPrefix(s, "!"); c.Negate {
		s = skipBlanks(s)
	}
	c.Value = s
	path := strings.HasPrefix(kind, "Path") || kind == "DirectoryNotEmpty" || kind == "FileNotEmpty" || kind == "FileIsExecutable" || kind == "NeedsUpdate"
	switch {
	case s == "":
		return Condition{}, errors.New("nothing is asked for")
	case strings.ContainsAny(s, "\x00\n"):
		return Condition{}, bad("NUL or newline in ", s)
	case path && s[0] != '/':
		return Condition{}, bad("the path is not absolute: ", s)
	}
	return c, nil
}

func conditionText(c *Condition) string {
	text := c.Value
	if c.Negate {
		text = "!" + text
	}
	if c.Trigger {
		text = "|" + text
	}
	return text
}

// conditionField is one kind of Condition…=, or of Assert…=. Its empty assignment takes back
// all conditions of all kinds, or all assertions.
type conditionField struct {
	kind   string
	assert bool
}

func (f *conditionField) set(p *Policy, value string, from Origin) error {
	c, err := ParseCondition(f.kind, value)
	if err != nil {
		return err
	}
	c.Assert = f.assert
	p.Conditions.add([]Condition{c}, from)
	return nil
}

func (f *conditionField) reset(p *Policy, _ Origin) {
	p.Conditions.keep(func(c *Condition) bool { return c.Assert != f.assert })
}

func (f *conditionField) isSet(p *Policy) bool {
	for i := range p.Conditions.Items {
		if p.Conditions.Items[i].V.Assert == f.assert {
			return true
		}
	}
	return false
}

func (f *conditionField) write(p *Policy, each func(string, Origin)) {
	for i := range p.Conditions.Items {
		if item := &p.Conditions.Items[i]; item.V.Assert == f.assert && item.V.Kind == f.kind {
			each(conditionText(&item.V), item.From)
		}
	}
}
