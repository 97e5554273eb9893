//go:build linux

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	badTime   = 5 * time.Second // of a CPU
	badMemory = 400 << 10       // KiB of data: a unit of 64 MiB is read whole
	badLines  = 25              // of messages: 20 problems, and what is said of the rest
)

// badHead does something that would be seen: directories, a command before, and one.
const badHead = `[Service]
RuntimeDirectory=bad
StateDirectory=bad
DynamicUser=yes
ExecStartPre=+/bin/touch /var/lib/marker
ExecStart=/bin/touch /var/lib/bad/marker
`

// badUnit is a unit that cannot be started.
type badUnit struct {
	name string
	text string // of the file bad.service
	make func(t *testing.T, dir string)
	word string // what --unit is given; DIR/bad.service if it is empty
	user bool   // started by nobody
	say  []string
}

func badLink(from, to string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Symlink(to, dir+"/"+from); err != nil {
			t.Error(err)
		}
	}
}

func badMode(mode fs.FileMode) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Chmod(dir+"/bad.service", mode); err != nil {
			t.Error(err)
		}
	}
}

// badDropIns are n drop-ins with that text.
func badDropIns(n int, text string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		for i := range n {
			write(t, fmt.Sprintf("%s/bad.service.d/%05d.conf", dir, i), fmt.Sprintf(text, i), 0o644)
		}
	}
}

// badSpecifiers are lines of 8 KiB, each of which becomes 1 MiB by the name of a unit.
func badSpecifiers(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "Environment=A%d=%s\n", i, strings.Repeat("%n", 4100))
	}
	return b.String()
}

var badLongName = strings.Repeat("x", 240) + ".service"

var badUnits = []badUnit{
	{name: "empty", text: "", say: []string{"masked"}},
	{name: "truncated in a section", text: "[Serv", say: []string{"bad.service:1", `without "]"`}},
	{name: "truncated in a name", text: badHead + "NoNewPriv", say: []string{"bad.service:7", `"="`}},
	{name: "truncated in a value", text: badHead + "NoNewPrivileges=y\nProtectSystem=stri", say: []string{"bad.service:8", "ProtectSystem="}},
	{name: "truncated behind a backslash", text: badHead + "ExecStart=/bin/true \\", say: []string{"bad.service", "ExecStart="}},
	{name: "truncated before the command", text: "[Service]\nRuntimeDirectory=bad\n", say: []string{"ExecStart="}},
	{name: "NUL", text: badHead + "Environment=A=\x00b\n", say: []string{"bad.service:7", "NUL"}},
	{name: "NUL alone", text: "\x00", say: []string{"bad.service:1", "NUL"}},
	{name: "zeros", text: strings.Repeat("\x00", 1<<20), say: []string{"bad.service:1", "NUL"}},
	{name: "a mark behind the beginning", text: "\n\ufeff" + badHead, say: []string{"bad.service:2"}},
	{name: "two marks", text: "\ufeff\ufeff" + badHead, say: []string{"bad.service:1"}},
	{name: "UTF-16", text: "\xff\xfe[\x00S\x00e\x00r\x00v\x00i\x00c\x00e\x00]\x00\n\x00", say: []string{"bad.service:1"}},
	{name: "carriage returns", text: strings.ReplaceAll(badHead, "\n", "\r"), say: []string{"bad.service:1", "carriage return"}},
	{name: "a carriage return within a line", text: badHead + "#a\rUser=root\n", say: []string{"bad.service:7", "carriage return"}},
	{name: "not UTF-8", text: badHead + "Environment=A=\xff\n", say: []string{"bad.service:7", "UTF-8"}},
	{name: "half a character", text: badHead + "Environment=A=\xe2\x82\n", say: []string{"bad.service:7", "UTF-8"}},
	{name: "control characters", text: badHead + "\x1b[31mNo=\x07\n[\x1b]\n", say: []string{"bad.service"}},
	{name: "a line of 1 MiB", text: badHead + "Environment=A=" + strings.Repeat("x", 1<<20) + "\n", say: []string{"bad.service:7", "1 MiB"}},
	{name: "a comment of 1 MiB", text: "#" + strings.Repeat("x", 1<<20) + "\n" + badHead, say: []string{"bad.service:1", "1 MiB"}},
	{name: "no end of lines", text: badHead + strings.Repeat("ab", 30<<20), say: []string{"bad.service:7", "1 MiB"}},
	{name: "a file of 65 MiB", text: badHead + strings.Repeat("#\n", 65<<19), say: []string{"bad.service", "64 MiB"}},
	{name: "a hundred thousand unknown lines", text: badHead + strings.Repeat("NoSuch=x\n", 100_000), say: []string{"bad.service:7", "NoSuch", "more than 20 problems"}},
	{name: "a hundred thousand lines without a section", text: strings.Repeat("A=b\n", 100_000), say: []string{"bad.service:1", "more than 20 problems"}},
	{name: "a hundred thousand lines, and a bad one", text: badHead + strings.Repeat("Environment=A=b\n", 100_000) + "User=\xff\n", say: []string{"bad.service:100007", "UTF-8"}},
	{name: "a hundred thousand lines for a manager, and a bad one", text: badHead + "[Unit]\n" + strings.Repeat("After=x.service\n", 100_000) + "Nosuch=x\n", say: []string{"bad.service:100008", "Nosuch"}},
	{name: "a hundred thousand sections", text: badHead + strings.Repeat("[Nosuch]\nA=b\n", 100_000), say: []string{"bad.service:7", "Nosuch", "more than 20 problems"}},
	{name: "a hundred thousand continuations", text: badHead + "Environment=A=" + strings.Repeat("abcdefghijk\\\n", 100_000) + "\n", say: []string{"bad.service", "1 MiB"}},
	{name: "continuations to a bad line", text: badHead + "NoNewPrivileges=" + strings.Repeat("\\\n", 100_000) + "maybe\n", say: []string{"bad.service:7", "NoNewPrivileges="}},
	{name: "backslashes", text: badHead + strings.Repeat("\\", 1<<20) + "\n", say: []string{"bad.service:7"}},
	{name: "quotes", text: badHead + "Environment=" + strings.Repeat(`"`, 100_001) + "\n", say: []string{"bad.service:7", "Environment="}},
	{name: "a specifier without end", text: badHead + "Environment=A=" + strings.Repeat("%n", 500_000) + "\n", word: badLongName, say: []string{badLongName + ":7", "specifiers", "4 MiB"}},
	{name: "a specifier bomb", text: badHead + badSpecifiers(4000), word: badLongName, say: []string{badLongName, "specifiers"}},
	{name: "specifiers that there are not", text: badHead + strings.Repeat("Environment=%~%Z%z\n", 1000), say: []string{"bad.service:7", "%Z"}},
	{name: "an instance upwards", text: badHead, word: "bad@a/../../../etc/passwd.service", say: []string{"bad@a", "systemd-escape"}},
	{name: "an instance of dots", text: badHead, word: "bad@../../..", say: []string{"bad@.."}},
	{name: "a name upwards", text: badHead, word: "../../etc/passwd", say: []string{"no suffix of a unit", "passwd"}},
	{name: "a name with a NUL's escape", text: badHead, word: "bad\\x00", say: []string{"bad"}},
	{name: "a name of control characters", text: badHead, word: "bad\n\x1b[31m.service", say: []string{`bad`}},
	{name: "a long name", text: badHead, word: strings.Repeat("x", 100_000), say: []string{"xxx"}},
	{name: "no name", text: badHead, word: ".service", say: []string{".service"}},
	{name: "a template", text: badHead, word: "bad@.service", say: []string{"template"}},
	{name: "a template's instance of nothing", word: "nosuch@x.service", say: []string{"nosuch@x.service"}},
	{name: "a missing file", word: "DIR/nosuch.service", say: []string{"no such file"}},
	{name: "another type", text: "", word: "DIR/bad.mount", say: []string{"only services and sockets"}},
	{name: "a FIFO", make: func(t *testing.T, dir string) {
		t.Helper()
		if err := syscall.Mkfifo(dir+"/bad.service", 0o666); err != nil {
			t.Error(err)
		}
	}, say: []string{"a FIFO"}},
	{name: "a directory", make: func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Mkdir(dir+"/bad.service", 0o777); err != nil {
			t.Error(err)
		}
	}, say: []string{"a directory"}},
	{name: "a device", make: badLink("bad.service", "/dev/zero"), say: []string{"bad.service"}},
	{name: "endless /proc", make: badLink("bad.service", "/proc/kmsg"), say: []string{"/proc/kmsg"}},
	{name: "a link to itself", make: badLink("bad.service", "bad.service"), say: []string{"bad.service"}},
	{name: "links in a circle", make: func(t *testing.T, dir string) {
		t.Helper()
		badLink("bad.service", "other.service")(t, dir)
		badLink("other.service", "bad.service")(t, dir)
	}, say: []string{"other.service"}},
	{name: "unreadable", text: badHead, make: badMode(0), user: true, say: []string{"bad.service", "permission denied"}},
	{name: "unreadable drop-ins", text: badHead, make: func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Mkdir(dir+"/bad.service.d", 0); err != nil {
			t.Error(err)
		}
	}, user: true, say: []string{"bad.service.d", "permission denied"}},
	{name: "drop-ins in a circle", text: badHead, make: func(t *testing.T, dir string) {
		t.Helper()
		badLink("bad.service.d", "other.d")(t, dir)
		badLink("other.d", "bad.service.d")(t, dir)
	}, say: []string{"bad.service.d", "too many"}},
	{name: "a drop-in in a circle", text: badHead, make: func(t *testing.T, dir string) {
		t.Helper()
		write(t, dir+"/bad.service.d/a.conf", "[Service]\nUser=nobody\n", 0o644)
		badLink("bad.service.d/b.conf", "b.conf")(t, dir)
	}, say: []string{"b.conf", "too many"}},
	{name: "a drop-in that leads nowhere", text: badHead, make: func(t *testing.T, dir string) {
		t.Helper()
		write(t, dir+"/bad.service.d/a.conf", "[Service]\nUser=nobody\n", 0o644)
		badLink("bad.service.d/b.conf", "/nosuch")(t, dir)
	}, say: []string{"b.conf", "no such file"}},
	{name: "a FIFO as a drop-in", text: badHead, make: func(t *testing.T, dir string) {
		t.Helper()
		write(t, dir+"/bad.service.d/a.conf", "[Service]\nUser=nobody\n", 0o644)
		if err := syscall.Mkfifo(dir+"/bad.service.d/b.conf", 0o666); err != nil {
			t.Error(err)
		}
	}, say: []string{"b.conf", "a FIFO"}},
	{name: "5000 drop-ins, each bad", text: badHead, make: badDropIns(5000, "[Service]\nNoSuch%d=x\n"), say: []string{"00000.conf:2", "NoSuch0", "more than 20 problems"}},
	{name: "5000 drop-ins, the last bad", text: badHead, make: func(t *testing.T, dir string) {
		t.Helper()
		badDropIns(5000, "[Service]\nEnvironment=A%d=x\n")(t, dir)
		write(t, dir+"/bad.service.d/99999.conf", "[Service]\nNoSuch=x\n", 0o644)
	}, say: []string{"99999.conf:2", "NoSuch"}},
}

// TestBadUnits: few clear lines, status 78, and nothing was done.
func TestBadUnits(t *testing.T) {
	requireRoot(t)
	for i := range badUnits {
		c := &badUnits[i]
		t.Run(c.name, func(t *testing.T) {
			dir := directory(t, 0o755)
			word := dir + "/bad.service"
			file := word
			switch {
			case c.word == badLongName:
				word, file = dir+"/"+c.word, dir+"/"+c.word
			case c.word != "":
				word = strings.Replace(c.word, "DIR", dir, 1)
			}
			if c.text != "" || c.make == nil {
				write(t, file, c.text, 0o644)
			}
			if c.make != nil {
				c.make(t, dir)
			}
			for _, command := range [][]string{nil, {"plan"}} {
				c.try(t, append(slices.Clone(command), "--unit-path="+dir, "--unit="+word))
			}
		})
	}
}

// try starts it in a machine on which whatever it does is seen.
func (c *badUnit) try(t *testing.T, words []string) {
	t.Helper()
	var before, after []string
	var err error
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Who needs more memory ends by that, with another status.
	argv := append([]string{"sh", "-euc", `ulimit -d "$0"; exec "$@"`, itoa(badMemory), hardrun}, words...)
	if c.user {
		argv = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}, argv...)
	}
	cmd := program{argv: argv}.command(ctx)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	terr := threads(1, func() error { return errors.Join(manyMounts(), unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)) }, func() {
		before = badSeen(t)
		err = cmd.Run()
		after = badSeen(t)
	})
	if terr != nil {
		t.Fatal(terr)
	}
	if err == nil || ctx.Err() != nil || cmd.ProcessState.ExitCode() != 78 {
		t.Errorf("%.200q: %v, want status 78: %s", words, err, cut(stderr.String()))
	}
	if stdout.Len() > 0 {
		t.Errorf("%.200q: said %s", words, cut(stdout.String()))
	}
	if !slices.Equal(before, after) {
		t.Errorf("%.200q: made %q", words, after)
	}
	lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	if len(lines) > badLines && !strings.Contains(stderr.String(), "hint:") || len(lines) > 2*badLines {
		t.Errorf("%.200q: %d lines", words, len(lines))
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "hardrun: ") || len(line) > 1000 {
			t.Errorf("%.200q: no clear line: %s", words, cut(line))
		}
	}
	if !utf8.ValidString(stderr.String()) || strings.ContainsFunc(strings.ReplaceAll(stderr.String(), "\n", ""), unicode.IsControl) {
		t.Errorf("%.200q: not for a terminal: %q", words, cut(stderr.String()))
	}
	for _, say := range c.say {
		if !strings.Contains(stderr.String(), say) {
			t.Errorf("%.200q: does not say %q: %s", words, say, cut(stderr.String()))
		}
	}
	if took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); took > badTime {
		t.Errorf("%.200q: took %v", words, took)
	}
}

// badSeen is what there is in the places where a service makes something, and the children of this process.
func badSeen(t *testing.T) (all []string) {
	t.Helper()
	for _, top := range []string{"/run", "/var/lib"} {
		list, err := manyPaths(top)
		if err != nil {
			t.Error(err)
		}
		for _, path := range list {
			all = append(all, top+path)
		}
	}
	list, err := filepath.Glob("/proc/thread-self/children")
	if err == nil {
		for _, file := range list {
			text, _ := os.ReadFile(file)
			all = append(all, string(text))
		}
	}
	return all
}

func cut(text string) string {
	if len(text) > 600 {
		return text[:600] + "…"
	}
	return text
}
