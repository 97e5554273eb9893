package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// words are values that many directives take, or refuse.
var words = []string{
	"yes", "no", "0", "1", "-1", "3", "64", "65535", "infinity", "max", "idle", "auto", "strict", "full", "tmpfs", "read-only", "private", "disconnected", "invisible",
	"inherit", "null", "journal", "socket", "shared", "slave", "none", "~", "all", "native", "x86-64", "x86", "EPERM", "kill", "log", "any", "localhost", "10.0.0.0/8", "::1",
	"/srv", "/srv/a /srv/b", "-/srv/none", "/srv/a:/srv/b", "/srv:ro,size=1M", "/dev/null rw", "char-pts rw", "/dev/sda 1M", "file:/srv/out", "append:/srv/log", "~user", "user net",
	"CAP_CHOWN", "CAP_KILL CAP_SETUID", "~CAP_SYS_ADMIN", "@system-service", "~@privileged", "~@mount:EPERM", "AF_UNIX AF_INET", "~AF_PACKET", "tcp:80", "udp", "www", "33", "www:www,adm",
	"A=1 \"B=2 3\"", "HOME", "1M", "50%", "5s", "1min 30s", "100ms", "022", "0750", "0-3", "0 2", "fifo", "batch", "best-effort", "SIGTERM", "mixed", "simple", "oneshot", "notify",
	"keep-caps", "noroot noroot-locked", "a", "a b/c", "a:b", "a:/srv/b", "a*", "eth0", "~lo", "ext4 tmpfs", "cpu memory", "SGVsbG8=", "text \\n", "name.of.host", "%n", "%Z", "\"", "\\", "@nosuch",
}

// pool are values of one directive that it takes and that it refuses.
type pool struct {
	d         *policy.Directive
	good, bad []string
}

// pools are made of the words and of the units of the tests.
func pools(f testing.TB) []pool {
	f.Helper()
	given := map[*policy.Directive][]string{}
	files, err := filepath.Glob("../../integration/units/*.service")
	if err != nil || len(files) < 100 {
		f.Fatalf("%d units of the tests, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		list, err := unit.Parse(filepath.Base(file), text)
		if err != nil && list == nil {
			continue // made to be refused
		}
		for _, a := range list {
			if d := policy.Lookup(a.Name); d != nil {
				given[d] = append(given[d], a.Value)
			}
		}
	}
	var all []pool
	for _, d := range policy.Directives {
		if d.Value == nil || d.Section != "Service" || d.NoOption && d.Own {
			continue
		}
		p := pool{d: d}
		for _, v := range append(slices.Compact(slices.Sorted(slices.Values(given[d]))), words...) {
			var q policy.Policy
			switch err := q.SetDirective(d, v, policy.Origin{File: "a.service", Line: 1}); {
			case v == "" || len(v) > 200 || strings.Contains(v, "%") || strings.HasSuffix(v, `\`): // the last would go on
			case err != nil:
				p.bad = append(p.bad, v)
			case len(p.good) < 12:
				p.good = append(p.good, v)
			}
		}
		if len(p.good) > 0 {
			all = append(all, p)
		}
	}
	if len(all) < 150 {
		f.Fatalf("only %d directives have values", len(all))
	}
	return all
}

// chooser gives numbers out of bytes, and zeros behind their end.
type chooser struct{ b []byte }

func (c *chooser) next(n int) int {
	if len(c.b) == 0 || n <= 0 {
		return 0
	}
	v := int(c.b[0])
	c.b = c.b[1:]
	if n > 256 && len(c.b) > 0 {
		v |= int(c.b[0]) << 8
		c.b = c.b[1:]
	}
	return v % n
}

// written is a line of a unit that was made.
type written struct {
	file  int // 0 for the unit, 1 for its drop-in
	line  int // on which it begins
	d     *policy.Directive
	value string
}

// unitOf makes a unit and a drop-in of bytes. The lines of damaged have values that their directive refuses; there are
// none where there is none to damage.
func unitOf(b []byte, all []pool, damage int) (texts [2]string, lines []written, damaged int) {
	c := &chooser{b}
	damaged = -1
	eol := []string{"\n", "\r\n"}[c.next(2)]
	for file := range texts {
		var t strings.Builder
		n := 1
		put := func(s string) {
			t.WriteString(s + eol)
			n += 1 + strings.Count(s, "\n")
		}
		if c.next(8) == 1 {
			t.WriteString("\ufeff")
		}
		put("[Service]")
		if file == 0 {
			lines = append(lines, written{0, n, policy.Lookup("ExecStart"), "/bin/daemon -f"})
			put("ExecStart=/bin/daemon -f")
		}
		for range c.next(13) {
			p := &all[c.next(len(all))]
			if p.d.Name == "ExecStart" || p.d.Name == "Type" {
				continue // one main command
			}
			value := p.good[c.next(len(p.good))]
			bad := ""
			if len(p.bad) > 0 {
				bad = p.bad[c.next(len(p.bad))]
			}
			if damage == len(lines) && bad != "" {
				damaged, value = len(lines), bad
			}
			style := c.next(8)
			if style == 1 {
				put("# " + p.d.ConfigName() + "=" + value + "\\")
			}
			lines = append(lines, written{file, n, p.d, value})
			switch at := strings.IndexByte(value, ' '); {
			case style == 2:
				put("  " + p.d.ConfigName() + " =\t" + value + "  ")
			case style == 3 && at > 0 && !strings.ContainsAny(value, "\"'\\"):
				put(p.d.ConfigName() + "=" + value[:at] + " \\" + eol + "; between" + eol + value[at+1:])
			case style == 4 && !strings.HasSuffix(value, "\\"):
				put(p.d.ConfigName() + "=\\" + eol + value)
			default:
				put(p.d.ConfigName() + "=" + value)
			}
			if style == 5 {
				put("")
				put("[X-Other]")
				put("User=root")
				put("[Service]")
			}
		}
		texts[file] = t.String()
	}
	return texts, lines, damaged
}

// made is what becomes of a unit: plans, or the errors.
type made struct {
	plans []*launcher.Plan
	json  []string
	errs  []error
}

var textNames = [...]string{"a.service", "b.conf"}

func makePlans(texts [2]string) (m made) {
	u := &unit.Unit{Name: "a.service", Path: "/etc/systemd/system/a.service", Files: []string{"/etc/systemd/system/a.service", "/etc/systemd/system/a.service.d/b.conf"}}
	for i, text := range texts {
		list, err := unit.Parse(textNames[i], []byte(text))
		u.Assignments = append(u.Assignments, list...)
		if list, ok := err.(unit.Errors); ok {
			u.Problems = append(u.Problems, list...)
		}
	}
	var p policy.Policy
	if err := u.Apply(&p, nil); err != nil {
		eachError(err, func(err error, _ string) { m.errs = append(m.errs, err) })
		return m
	}
	p.UnitDefaults()
	if m.errs = p.Validate(true); len(m.errs) > 0 {
		return m
	}
	for list := range p.Service.Commands {
		for i := range p.Service.Commands[list].Items {
			q := p.ForCommand(list, i)
			given := launcher.Given{Unit: u.Name, Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}
			if q.DynamicUser.V {
				given.Who = &caps.User{Name: "a", UID: 61184, GID: 61184, Home: "/", Shell: "/usr/sbin/nologin"}
			}
			places, _ := directoryList(&p, given.Who != nil)
			giveDirectories(&given, places)
			args := commandArgs(&p.Service.Commands[list].Items[i].V, &given)
			plan := launcher.Compile(&q, fuzzEnv(&q, args, &given))
			m.plans, m.json = append(m.plans, plan), append(m.json, planJSON(plan, false))
		}
	}
	return m
}

// placed tells whether an error names a line of one of the texts: its file and a number that it has.
func placed(err error, texts [2]string) bool {
	var p *policy.Error
	var u *unit.Error
	file, line := "", 0
	switch {
	case errors.As(err, &p):
		file, line = p.From.File, p.From.Line
	case errors.As(err, &u):
		file, line = u.File, u.Line
	default:
		return strings.HasPrefix(err.Error(), "more than ")
	}
	i := slices.Index(textNames[:], file)
	return i >= 0 && line >= 1 && line <= strings.Count(texts[i], "\n")+1
}

// FuzzPlan: a unit made of the directives of the table, with its drop-in. It is refused, by file and line, or has
// plans: their JSON is read, they are the same twice, and each step says what it is for. With one value that its
// directive refuses there is no plan: it is never one without that step.
func FuzzPlan(f *testing.F) {
	all := pools(f)
	f.Add([]byte{0}, uint8(0))
	for i := range 40 {
		b := make([]byte, 60)
		for j := range b {
			b[j] = byte((i*131 + j*71 + i*j*37) >> 1)
		}
		b[2] = byte(3 + i%10)
		f.Add(b, uint8(1+i%5))
	}
	f.Fuzz(func(t *testing.T, b []byte, damage uint8) {
		if len(b) > 400 {
			return
		}
		texts, lines, _ := unitOf(b, all, -1)
		m := makePlans(texts)
		if again := makePlans(texts); !slices.Equal(m.json, again.json) || len(m.errs) != len(again.errs) {
			t.Fatalf("%q: two plans differ: %q and %q", texts, m.json, again.json)
		}
		for _, err := range m.errs {
			saysWhy(t, err)
			if !placed(err, texts) {
				t.Errorf("%q: names no line: %v", texts, err)
			}
		}
		if len(m.errs) > 0 {
			return
		}
		for i, plan := range m.plans {
			var doc struct {
				Steps   []struct{ Stage, Step, Directive, Origin, Because, Mechanism string }
				Refused []struct {
					Directive, Origin, Text string
					Status                  int
				}
			}
			if err := json.Unmarshal([]byte(m.json[i]), &doc); err != nil {
				t.Fatalf("%q: %v in %s", texts, err, m.json[i])
			}
			if len(doc.Steps) != len(plan.Entries) || len(doc.Steps) == 0 && len(doc.Refused) == 0 {
				t.Fatalf("%q: %d steps, and in JSON %s", texts, len(plan.Entries), m.json[i])
			}
			for _, e := range plan.Entries {
				if e.Step.String() == "" || e.Stage.String() == "" || e.Directive != "" && !strings.HasSuffix(e.Directive, "=") {
					t.Errorf("%q: a step without a text: %+v", texts, e)
				}
				if e.Origin.File == "" {
					continue
				}
				// Where it says so a line stands. It is of that directive, one of hardrun's own that sets others, or what implies it.
				at := slices.IndexFunc(lines, func(w written) bool { return textNames[w.file] == e.Origin.File && w.line == e.Origin.Line })
				names := strings.Fields(strings.ReplaceAll(e.Directive, "=", "")) // a step may be for several
				switch {
				case at < 0:
					t.Fatalf("%s %s is said to come from %s, where no line is of %q", e.Stage, e.Step, e.Origin, texts)
				case e.Because != "" || slices.Contains(names, lines[at].d.Name) || lines[at].d.Own:
				case slices.ContainsFunc(plan.Implied, func(i policy.Implied) bool { return slices.Contains(names, i.Name) }):
				default:
					t.Fatalf("%s %s is said to come from %s %s, where %s= stands in %q", e.Stage, e.Step, e.Directive, e.Origin, lines[at].d.Name, texts)
				}
			}
			for _, r := range doc.Refused {
				if r.Text == "" || r.Status == 0 {
					t.Fatalf("%q: a refusal without a reason: %+v", texts, r)
				}
			}
		}
		texts, lines, at := unitOf(b, all, int(damage))
		if at < 0 {
			return
		}
		m = makePlans(texts)
		want := lines[at]
		if len(m.plans) > 0 || !slices.ContainsFunc(m.errs, func(err error) bool {
			var p *policy.Error
			return errors.As(err, &p) && p.From.File == textNames[want.file] && p.From.Line == want.line
		}) {
			t.Errorf("%q: %s=%q on line %d has %d plans, %v", texts, want.d.Name, want.value, want.line, len(m.plans), m.errs)
		}
	})
}

// FuzzArguments: what the subcommands read of their lines.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"/srv/a\n--user=b\n--\n/c\nd", "--\nx", "/a\n/b\n--\nc", "2.5", "100", "10.0", "1.23", "a@b.service\n--json", "/a\n--file=/b\n--file=c\n--\nd\n--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\n")
		a, err := parseCage(args)
		if err != nil && (a.dir != "" || a.command != "") {
			t.Fatalf("%q: %+v, %v", args, a, err)
		}
		if err == nil {
			at := slices.Index(args, "--")
			if a.dir == "" || a.command == "" || at < 0 || !slices.Equal(append([]string{a.command}, a.args...), args[at+1:]) || slices.Contains(a.files, "") {
				t.Fatalf("%q: %+v", args, a)
			}
		}
		n, err := parseThreshold(s)
		if n < 0 || n > 100 || err != nil && n != 0 {
			t.Fatalf("%q: %d, %v", s, n, err)
		}
	})
}

// FuzzHear: what a process is told of its errand, of any bytes. What is heard and told again is the same.
func FuzzHear(f *testing.F) {
	u := &unit.Unit{Name: "a@b.service", Path: "/a", Prefix: "a", Instance: "b", Files: []string{"/a", "/b"}}
	u.Assignments = []unit.Assignment{{Section: "Service", Name: "User", Value: "c", From: policy.Origin{File: "a", Line: 3}}}
	o := errand{unit: u, list: policy.ExecStart, exec: 5, lock: -1, given: launcher.Given{Unit: "a@b.service", Environ: []string{"A=b"}, Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}}
	f.Add(o.tell())
	o.given.Who = &caps.User{Name: "a", UID: 61184, GID: 61184, Home: "/", Shell: "/x", Entry: true}
	o.child, o.unit = true, nil
	f.Add(o.tell())
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		heard, err := hear(b)
		if (heard == nil) == (err == nil) {
			t.Fatalf("%+v, %v", heard, err)
		}
		if err != nil {
			return
		}
		told := heard.tell()
		again, err := hear(told)
		if err != nil || !slices.Equal(again.tell(), told) {
			t.Fatalf("%+v, told again %+v, %v", heard, again, err)
		}
	})
}

// FuzzListen: an address that a unit may have is one that can be listened on. Which families of netlink there are is found
// when it is opened.
func FuzzListen(f *testing.F) {
	for _, s := range []string{"53", "127.0.0.1:53", "[::1]:80%lo", "/run/a", "@a", "vsock:2:1", "vsock::", "route 1", "a", "[::ffff:1.2.3.4]:5", "1.2.3.4:0", "065"} {
		for kind := range uint8(7) {
			f.Add(kind, s)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, s string) {
		ours, theirs := policy.ListenKind(n%7), dirs.ListenKind(n%7)
		l, err := policy.ParseListener(s, ours)
		if err != nil || ours == policy.ListenNetlink {
			return
		}
		if _, err := dirs.ParseAddress(theirs, l.Address); err != nil {
			t.Errorf("%d %q is taken as %q, and cannot be listened on: %v", ours, s, l.Address, err)
		}
	})
}
