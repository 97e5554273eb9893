package policy

import (
	"errors"
	"math"
	"strings"
)

// optionField is a setting of the command line, which no unit can have.
type optionField struct{ field }

func (f *optionField) set(p *Policy, value string, from Origin) error {
	if !from.CommandLine() {
		return errors.New("is an option of the command line, and no line of a unit")
	}
	return f.field.set(p, value, from)
}

func parseDo(s string) (string, error)   { return oneOf(s, "reload", "stop") }
func parsePID(s string) (int, error)     { return ParseInt(s, 1, math.MaxInt32) }
func parseReadyFD(s string) (int, error) { return ParseInt(s, 3, math.MaxInt32) }
func parseStatus(s string) (int, error)  { return ParseInt(s, 0, 255) }
func parseUnitName(s string) (string, error) {
	return s, checkFileName(s)
}

// checkFileName refuses what can be no name of a file. A path may be relative.
func checkFileName(s string) error {
	if s == "" || len(s) > pathMax || hasControl(s) {
		return bad("not the name of a file: ", s)
	}
	return nil
}

func parseFileName(s string) ([]string, error) {
	if err := checkFileName(s); err != nil {
		return nil, err
	}
	return []string{s}, nil
}

// socketField is --socket: yes for the socket unit of the same name, or another one.
type socketField struct{}

func (socketField) set(p *Policy, value string, from Origin) error {
	if v, err := ParseBool(value); err == nil {
		if !v {
			p.SocketUnit = List[string]{}
			return nil
		}
		value = "yes"
	} else if err := checkFileName(value); err != nil {
		return err
	} else if !strings.HasSuffix(value, ".socket") && strings.IndexByte(value, '/') < 0 {
		return bad("neither yes, no, a name that ends in .socket, nor a path: ", value)
	}
	p.SocketUnit.add([]string{value}, from)
	return nil
}

func (socketField) reset(p *Policy, _ Origin) { p.SocketUnit = List[string]{} }
func (socketField) isSet(p *Policy) bool      { return p.SocketUnit.IsSet() }
func (socketField) write(p *Policy, each func(string, Origin)) {
	for i := range p.SocketUnit.Items {
		each(p.SocketUnit.Items[i].V, p.SocketUnit.Items[i].From)
	}
}
