package ns

import (
	"errors"
	"os"
	"strconv"
	"strings"
)

// runPaths are the directories of DT_RPATH and DT_RUNPATH which the loader
// searches for a library that by needs, in its order.
func (l *loader) runPaths(by *object) ([]string, error) {
	var dirs []string
	add := func(list string, o *object) error {
		for d := range strings.SplitSeq(list, ":") {
			if d == "" {
				continue // the working directory, whatever it will be
			}
			p, err := l.expand(d, o)
			if err != nil {
				return err
			}
			if p[0] == '/' {
				dirs = append(dirs, p)
			}
		}
		return nil
	}
	// musl treats both tags alike and inherits both (ldso/dynlink.c,
	// load_library); others inherit DT_RPATH only, and DT_RUNPATH switches an
	// object's own and its loaders' DT_RPATH off (ld.so(8)).
	for o := by; o != nil; o = o.parent {
		list := o.elf.rpath
		if o.elf.runpath != "" {
			list = o.elf.runpath
			if l.kind != loaderMusl && o != by {
				continue
			}
		}
		if err := add(list, o); err != nil {
			return nil, err
		}
		if l.kind == loaderNetBSD || (l.kind != loaderMusl && o == by && by.elf.runpath != "") {
			break
		}
	}
	return dirs, nil
}

// expand replaces $ORIGIN, $LIB and $PLATFORM, with or without braces: ld.so(8),
// "Dynamic string tokens". musl and the BSDs know only $ORIGIN.
func (l *loader) expand(s string, o *object) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(s, "$")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		name, rest := token(after)
		value := ""
		switch {
		case name == "ORIGIN":
			value = o.origin
		case name == "LIB" && l.kind == loaderGlibc:
			value = l.lib
		case name == "PLATFORM" && l.kind == loaderGlibc:
			value = platform(o.elf.machine)
		}
		if value == "" {
			return "", &os.PathError{Op: "load for", Path: o.path, Err: errors.New("cannot expand " + strconv.Quote("$"+after) + " in its search path")}
		}
		out.WriteString(value)
		s = rest
	}
}

// token cuts NAME or {NAME} from what stands behind a "$".
func token(s string) (name, rest string) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		if name, rest, ok = strings.Cut(inner, "}"); ok {
			return name, rest
		}
		return "", ""
	}
	n := 0
	for n < len(s) && (s[n] >= 'A' && s[n] <= 'Z' || s[n] == '_') {
		n++
	}
	return s[:n], s[n:]
}

// platform is AT_PLATFORM, getauxval(3), where it does not vary by processor.
func platform(machine uint16) string {
	switch machine {
	case 3:
		return "i686"
	case 62:
		return "x86_64"
	case 183:
		return "aarch64"
	}
	return ""
}
