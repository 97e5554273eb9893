//go:build linux

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The units of units/ check themselves; units/README.md says how they are written.

// unitCheck is one of them: what it needs, and what is to come of it.
type unitCheck struct {
	start    string   // what --unit is given
	args     []string // further words of hardrun
	env      []string // of hardrun
	needs    []string // "root", "userns"
	put      []unitFile
	send     []string // a signal for each line "ready"
	status   string   // a number, "failure", "any"
	stdout   []string // all lines; nil for any
	holds    []string // lines among those of stdout
	stderr   []string // texts in it
	leaves   []string // what it leaves behind, "PATH [MODE OWNER]", "PATH/" for all below
	outlived bool     // processes may be left
	breaks   []string // expressions of sed, each of which makes it fail
}

// unitFile is what stands there before the start.
type unitFile struct {
	Kind string // "file", "link", "socket"
	Path string // relative: beside the unit; with a slash at its end, a directory
	Mode uint32
	Text string // the content, or where a link leads
}

// checkOf reads the marks in a unit's comments. file is the name of the unit's own file.
func checkOf(file, text string) (*unitCheck, error) {
	c := &unitCheck{start: file, status: "0", put: []unitFile{{"file", file, 0o644, text}}}
	var last *unitFile // takes the lines "# | "
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if content, ok := strings.CutPrefix(line, "# |"); ok {
			if last == nil {
				return nil, fmt.Errorf("%q belongs to no file", line)
			}
			last.Text += strings.TrimPrefix(content, " ") + "\n"
			continue
		}
		rest, ok := strings.CutPrefix(line, "# ")
		mark, value, found := strings.Cut(rest, ": ")
		if !ok || !found || strings.Trim(mark, "abcdefghijklmnopqrstuvwxyz") != "" {
			continue
		}
		last = nil
		first, second, _ := strings.Cut(value, " ")
		switch mark {
		case "expect":
			if err := c.expect(value); err != nil {
				return nil, err
			}
		case "start":
			c.start = value
		case "instance":
			c.start = strings.Replace(file, "@.", "@"+value+".", 1)
		case "args":
			c.args = append(c.args, strings.Fields(value)...)
		case "env":
			c.env = append(c.env, value)
		case "needs":
			c.needs = append(c.needs, strings.Fields(value)...)
		case "file":
			if strings.HasPrefix(second, "0") { // the name may have blanks, and a mode behind it
				value = first
			} else if i := strings.LastIndex(value, " 0"); i > 0 {
				value, second = value[:i], value[i+1:]
			} else {
				second = "0644"
				if strings.HasSuffix(value, "/") {
					second = "0755"
				}
			}
			mode, err := strconv.ParseUint(second, 8, 32)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			c.put = append(c.put, unitFile{"file", value, uint32(mode), ""})
			last = &c.put[len(c.put)-1]
		case "link":
			c.put = append(c.put, unitFile{"link", first, 0, second})
		case "socket":
			c.put = append(c.put, unitFile{"socket", value, 0o666, ""})
		case "send":
			c.send = append(c.send, strings.Fields(value)...)
		case "leaves":
			if value == "process" {
				c.outlived = true
			} else {
				c.leaves = append(c.leaves, value)
			}
		case "breaks":
			c.breaks = append(c.breaks, value)
		default:
			return nil, fmt.Errorf("%q is no mark", line)
		}
	}
	return c, nil
}

// expect reads what follows "# expect: ".
func (c *unitCheck) expect(value string) error {
	i := strings.IndexAny(value, "=~")
	if i < 0 {
		return fmt.Errorf("expect: %q", value)
	}
	switch text := value[i+1:]; value[:i+1] {
	case "status=":
		c.status = text
	case "stdout=":
		c.stdout = append(c.stdout, text)
	case "stdout~":
		c.holds = append(c.holds, text)
	case "stderr~":
		c.stderr = append(c.stderr, text)
	case "refused=":
		c.status = "78"
		c.stderr = append(c.stderr, text)
	default:
		return fmt.Errorf("expect: %q", value)
	}
	return nil
}

// judge is what is not as expected, one line for each.
func (c *unitCheck) judge(r *machineResult) []string {
	var wrong []string
	say := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	if r.Problem != "" {
		say("%s", r.Problem)
	}
	switch c.status {
	case "any":
	case "failure":
		if r.Code == 0 {
			say("status 0, want a failure")
		}
	default:
		if strconv.Itoa(r.Code) != c.status {
			say("status %d, want %s", r.Code, c.status)
		}
	}
	lines := strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\n")
	if c.stdout != nil && !slices.Equal(lines, c.stdout) {
		say("stdout %q, want %q", lines, c.stdout)
	}
	for _, l := range c.holds {
		if !slices.Contains(lines, l) {
			say("stdout has no line %q", l)
		}
	}
	for _, text := range c.stderr {
		if !strings.Contains(r.Stderr, text) {
			say("stderr does not say %q", text)
		}
	}
	if r.Code == 0 { // where all went well, hardrun has nothing to say but what is expected
		for line := range strings.Lines(r.Stderr) {
			said, ok := strings.CutPrefix(strings.TrimSpace(line), "hardrun: ")
			if ok && !slices.ContainsFunc(c.stderr, func(text string) bool { return strings.Contains(said, text) }) {
				say("hardrun says %q", said)
			}
		}
	}
	if c.outlived != (len(r.Processes) > 0) {
		say("processes left: %q", r.Processes)
	}
	if !r.Isolated {
		return wrong // where others work, nobody knows who left a file
	}
	for _, l := range c.leaves {
		path, attributes, _ := strings.Cut(l, " ")
		switch got, ok := r.After[strings.TrimSuffix(path, "/")]; {
		case !ok:
			say("%s is not there afterwards", path)
		case attributes != "" && got != attributes:
			say("%s is %s afterwards, want %s", path, got, attributes)
		}
	}
	for path, got := range r.After {
		if was, ok := r.Before[path]; (!ok || was != got) && !c.mayLeave(path) {
			say("%s is left behind: %s, before: %q", path, got, was)
		}
	}
	for path := range r.Before {
		if _, ok := r.After[path]; !ok && !c.mayLeave(path) {
			say("%s was removed", path)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// mayLeave tells whether the path may have come or changed.
func (c *unitCheck) mayLeave(path string) bool {
	switch {
	case path == "/run/hardrun", filepath.Dir(path) == "/run/hardrun", // its own directories and locks, with nothing in them
		path == "/run/credentials", path == "/run/systemd": // places for mounts that a view has
		return true
	}
	return slices.ContainsFunc(c.leaves, func(l string) bool {
		l, _, _ = strings.Cut(l, " ")
		return path == strings.TrimSuffix(l, "/") || strings.HasSuffix(l, "/") && strings.HasPrefix(path, l)
	})
}

// need skips what cannot be had.
func (c *unitCheck) need(t *testing.T) {
	t.Helper()
	root := os.Geteuid() == 0
	for _, n := range c.needs {
		switch n {
		case "root":
			requireRoot(t)
		case "userns":
			if !root && exec.Command("unshare", "--user", "--map-root-user", "--mount", "true").Run() != nil {
				t.Skip("needs user namespaces for users")
			}
		default:
			t.Fatalf("needs: %q", n)
		}
	}
	for _, f := range c.put {
		if filepath.IsAbs(f.Path) && !slices.Contains(c.needs, "root") {
			t.Fatalf("%s is put where only root can, and the unit does not say that it needs root", f.Path)
		}
	}
}

// unitChecks calls f with every unit, a few at a time.
func unitChecks(t *testing.T, f func(t *testing.T, file, text string, c *unitCheck)) {
	t.Helper()
	names, err := filepath.Glob("units/*.service")
	if err != nil || len(names) == 0 {
		t.Fatal("no units: ", err)
	}
	slots := make(chan struct{}, 4)
	for _, name := range names {
		file, text := filepath.Base(name), read(t, name)
		c, err := checkOf(file, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Run(strings.TrimSuffix(file, ".service"), func(t *testing.T) {
			t.Parallel()
			c.need(t)
			slots <- struct{}{}
			defer func() { <-slots }()
			f(t, file, text, c)
		})
	}
}

// start starts the unit in a machine of its own, and waits for its end.
func (c *unitCheck) run(t *testing.T) *machineResult {
	t.Helper()
	return machineJob{
		Hardrun: hardrun, Start: c.start, Args: c.args, Env: c.env, Put: c.put, Send: c.send, Quick: c.outlived,
	}.run(t)
}

func (r *machineResult) String() string {
	return fmt.Sprintf("status %d\nstdout:\n%sstderr:\n%s", r.Code, r.Stdout, r.Stderr)
}

// TestUnits starts every unit of units/, and holds what its comments expect.
func TestUnits(t *testing.T) {
	unitChecks(t, func(t *testing.T, _, _ string, c *unitCheck) {
		r := c.run(t)
		for _, wrong := range c.judge(r) {
			t.Error(wrong)
		}
		if t.Failed() {
			t.Log(r)
		}
	})
}

// TestUnitsCanFail changes every unit as its marks "breaks" say. It must be one that is
// started, and must not be as expected any more: a check that cannot fail shows nothing.
func TestUnitsCanFail(t *testing.T) {
	unitChecks(t, func(t *testing.T, file, text string, c *unitCheck) {
		for _, expression := range c.breaks {
			changed, err := sed(expression, text)
			if err != nil {
				t.Errorf("%s: %v", expression, err)
				continue
			}
			if changed == text {
				t.Errorf("%s changes nothing", expression)
				continue
			}
			other, err := checkOf(file, changed)
			if err != nil {
				t.Errorf("%s: %v", expression, err)
				continue
			}
			r := other.run(t)
			if r.Code == 64 || r.Code == 78 {
				t.Errorf("%s: refused, which shows nothing\n%s", expression, r)
			}
			if r.Problem != "" {
				t.Errorf("%s: %s", expression, r.Problem)
			}
			if len(c.judge(r)) == 0 {
				t.Errorf("%s: still as expected\n%s", expression, r)
			}
		}
	})
}

// sed changes what is no mark "breaks" or "expect".
func sed(expression, text string) (string, error) {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# breaks: ") && !strings.HasPrefix(line, "# expect: ") {
			kept.WriteString(line)
		} else {
			kept.WriteString("#\n") // the numbers of lines stay
		}
	}
	cmd := exec.Command("sed", "-e", expression)
	cmd.Stdin = strings.NewReader(kept.String())
	out, err := cmd.Output()
	if status := (*exec.ExitError)(nil); errors.As(err, &status) {
		err = fmt.Errorf("sed: %s", status.Stderr)
	}
	if string(out) == kept.String() {
		return text, err
	}
	return string(out), err
}
