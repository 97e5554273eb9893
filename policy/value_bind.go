package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// ParseBinds reads a line of BindPaths= or BindReadOnlyPaths=, systemd.exec(5):
// words SOURCE[:TARGET[:OPTIONS]] of SplitWords, in which "\:" and a colon in
// quotes belong to a path. A "-" before the source lets it be missing; without a
// target it is the source. The options are "rbind" and "norbind"; what is
// mounted below the source comes along unless it is "norbind".
//
// As systemd it refuses relative paths and a colon with nothing behind it before
// the target. Errors are also an empty option, which systemd takes for "rbind",
// and the target "/".
func ParseBinds(s string) ([]Bind, error) {
	words, err := splitWords(s, colonsPart)
	if err != nil {
		return nil, err
	}
	binds := make([]Bind, 0, len(words))
	for _, w := range words {
		b, err := bindOf(strings.Split(w, fieldEnd))
		if err != nil {
			return nil, err
		}
		binds = append(binds, b)
	}
	return binds, nil
}

// ParseBindWord reads SRC[:DST] of --bind and --ro-bind: one word, taken as it
// is. It cannot say a path that has a colon.
func ParseBindWord(s string) (Bind, error) {
	fields := strings.Split(s, ":")
	if len(fields) > 2 {
		return Bind{}, errors.New("more than one colon in " + strconv.Quote(s) + ": a path that has one, and options, are for BindPaths= and BindReadOnlyPaths=")
	}
	if strings.HasPrefix(s, "-") {
		return Bind{}, errors.New(`"-" before ` + strconv.Quote(s[1:]) + " is for BindPaths= and BindReadOnlyPaths=")
	}
	return bindOf(fields)
}

func bindOf(fields []string) (b Bind, err error) {
	source, tolerate := strings.CutPrefix(fields[0], "-")
	b.Tolerate = tolerate
	if b.Source, err = ParsePath(source); err != nil {
		return Bind{}, err
	}
	b.Target = b.Source
	if len(fields) > 1 {
		if b.Target, err = ParsePath(fields[1]); err != nil {
			return Bind{}, errors.New("target: " + err.Error())
		}
	}
	switch {
	case len(fields) > 3:
		return Bind{}, errors.New("more than source, target and options of " + strconv.Quote(source))
	case b.Target == "/":
		return Bind{}, errors.New(`the target "/" would be a new root: say RootDirectory=`)
	case len(fields) < 3 || fields[2] == "rbind":
	case fields[2] == "norbind":
		b.Shallow = true
	default:
		return Bind{}, &process.WordError{What: "option of a bind mount", Word: fields[2], Words: []string{"rbind", "norbind"}}
	}
	return b, nil
}

// bindText prints a bind mount as ParseBinds takes it.
func bindText(b Bind) string {
	source := b.Source
	if b.Tolerate {
		source = "-" + source
	}
	switch {
	case b.Shallow:
		return fieldsText(source, b.Target, "norbind")
	case b.Target != b.Source:
		return fieldsText(source, b.Target)
	}
	return fieldsText(source)
}
