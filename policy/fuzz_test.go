package policy

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/seccomp"
)

func FuzzParseCondition(f *testing.F) {
	for _, s := range []string{"", "|!/a", "! x", "!!x", "| |x", "|", "/a b", "x\x00"} {
		f.Add(true, s)
		f.Add(false, s)
	}
	f.Fuzz(func(t *testing.T, path bool, s string) {
		kind := "Host"
		if path {
			kind = "PathExists"
		}
		c, err := ParseCondition(kind, s)
		if err != nil {
			if c != (Condition{}) {
				t.Fatalf("%s %q: an error, and %+v", kind, s, c)
			}
			return
		}
		if c.Value == "" || path && c.Value[0] != '/' || !strings.HasSuffix(s, c.Value) || c.Kind != kind {
			t.Fatalf("%s %q: %+v", kind, s, c)
		}
		if again, err := ParseCondition(kind, conditionText(&c)); err != nil || again != c {
			t.Fatalf("%s %q: %+v comes back as %+v, %v", kind, s, c, again, err)
		}
	})
}

func FuzzParseCredential(f *testing.F) {
	for _, s := range []string{"", "a", "a:/b//c", "a:b", "a:", "a*", "*", "a*:b.", `a:x\x00\n\\ `, "../a", "a:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range map[string]func(string) (Credential, error){
			"load": ParseLoadCredential, "import": ParseImportCredential,
			"set": func(s string) (Credential, error) { return ParseSetCredential(s, nil) },
		} {
			c, err := parse(s)
			if err != nil {
				if c != (Credential{}) {
					t.Fatalf("%s %q: an error, and %+v", name, s, c)
				}
				continue
			}
			id := c.ID
			if c.Import {
				id = strings.TrimSuffix(id, "*")
			}
			for _, id := range []string{id, c.Rename} {
				if strings.ContainsAny(id, "/:\x00\n") || id == ".." || id == "." {
					t.Fatalf("%s %q: %+v", name, s, c)
				}
			}
			if again, err := parse(credentialText(&c)); err != nil || again != c {
				t.Fatalf("%s %q: %+v comes back as %+v, %v", name, s, c, again, err)
			}
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	for _, s := range []string{"", "SIGTERM", "HUP", "RTMIN+3", "RTMAX-30", "SIGRTMIN", "0", "64", "SUCCESS 3 SIGKILL", `"1" 'USAGE'`, "EPERM", "kill", "4095", "007", "log"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSignal(s)
		if (err == nil) != (n >= 1 && n <= 64) || err != nil && n != 0 {
			t.Fatalf("%q: signal %d, %v", s, n, err)
		}
		if err == nil {
			if again, err := ParseSignal(SignalName(n)); err != nil || again != n {
				t.Fatalf("%q: signal %d comes back as %d, %v", s, n, again, err)
			}
		}
		v, err := ParseExitStatuses(s)
		if err != nil && v != (ExitStatuses{}) {
			t.Fatalf("%q: an error, and %+v", s, v)
		}
		if err == nil {
			if again, err := ParseExitStatuses(exitStatusesText(v)); err != nil || again != v {
				t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
			}
		}
		a, err := ParseErrorNumber(s)
		if err != nil && a != 0 || err == nil && (a.Passes() || a == seccomp.Errno) {
			t.Fatalf("%q: action %#x, %v", s, uint32(a), err)
		}
		if err == nil {
			if again, err := ParseErrorNumber(errorNumberText(a)); err != nil || again != a {
				t.Fatalf("%q: action %#x comes back as %#x, %v", s, uint32(a), uint32(again), err)
			}
		}
	})
}

func FuzzParseOpenFile(f *testing.F) {
	for _, s := range []string{"", "/a", "/a:b:read-only", `/a\:b:c\x20d:append,graceful`, "/a::", "/a:b:c:d", "/", "/a:b:read-only,truncate"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseOpenFile(s)
		if err != nil {
			if v != (OpenFile{}) {
				t.Fatalf("%q: an error, and %+v", s, v)
			}
			return
		}
		if clean, err := ParsePath(v.Path); err != nil || clean != v.Path || v.Name == "" || strings.Contains(v.Name, ":") || v.ReadOnly && (v.Append || v.Truncate) {
			t.Fatalf("%q: %+v, %v", s, v, err)
		}
		if again, err := ParseOpenFile(openFileText(v)); err != nil || again != v {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
		}
	})
}

func FuzzParseListener(f *testing.F) {
	for _, s := range []string{"", "53", "/run//a", "@a", "127.0.0.1:53", "[::1]:80%lo", "vsock:2:1", "vsock-dgram::5", "route 1", "/q", "[1::2%a]:3", "1.2.3.4:065"} {
		for k := range uint8(7) {
			f.Add(k, s)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, s string) {
		kind := ListenKind(n % 7)
		l, err := ParseListener(s, kind)
		if err != nil {
			if l != (Listener{}) {
				t.Fatalf("%d %q: an error, and %+v", kind, s, l)
			}
			return
		}
		if strings.ContainsAny(l.Address, "\x00\n") {
			t.Fatalf("%d %q: %+v", kind, s, l)
		}
		if again, err := ParseListener(l.Address, kind); err != nil || again != l {
			t.Fatalf("%d %q: %+v comes back as %+v, %v", kind, s, l, again, err)
		}
		if a, err := ParseAddress(s); err == nil && strings.ContainsAny(a[:1], "[123456789") && strings.Contains(a, ":") {
			text, _, _ := strings.Cut(a, "%")
			if p, err := netip.ParseAddrPort(text); err != nil || p.Port() == 0 {
				t.Fatalf("%q is taken, and netip says %v, %v", s, p, err)
			}
		}
	})
}

func FuzzParseRetained(f *testing.F) {
	for _, s := range []string{"", "user", "mnt net ipc", "user user", "cgroup\tuts", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		flags, err := ParseRetained(s)
		if (err == nil) != (flags != 0) || flags&^seccomp.Namespaces != 0 {
			t.Fatalf("%q: %#x, %v", s, flags, err)
		}
		if err != nil || flags == seccomp.Namespaces {
			return // all of them is written "no"
		}
		if again, err := ParseRetained(retainedText(flags)); err != nil || again != flags {
			t.Fatalf("%q: %#x comes back as %#x, %v", s, flags, again, err)
		}
	})
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func FuzzParseEnvName(f *testing.F) {
	for _, s := range []string{"", "A", "_1", "1A", "A\n", "Ä", "A="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := ParseEnvName(s); (err == nil) != (envName.MatchString(s) && !strings.HasSuffix(s, "\n")) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

// FuzzAmounts: those of package process, by the names that this package gives them.
func FuzzAmounts(f *testing.F) {
	for _, s := range []string{"", "1.5G", "2min 200ms", "5", "infinity", "10ns"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseSize(s); err == nil {
			if again, err := ParseSize(process.FormatSize(v)); err != nil || again != v {
				t.Fatalf("%q: size %d comes back as %d, %v", s, v, again, err)
			}
		}
		v, err := ParseTimespan(s, process.Second)
		if err == nil {
			if again, err := ParseTimespan(process.FormatTimespan(v), 1); err != nil || again != v {
				t.Fatalf("%q: span %d comes back as %d, %v", s, v, again, err)
			}
		}
		// In microseconds it is a thousandth, but for the parts of each number that are cut off.
		if n, err := ParseNsec(s); err == nil && n != process.Infinity {
			if u, err := ParseTimespan(s, 1); err == nil && u != process.Infinity && !strings.Contains(s, "n") && u > 0 && strings.ContainsAny(s, "smhdwyM") {
				if _, bare := strconv.ParseUint(s, 10, 64); bare != nil && u > n && n >= 1000 {
					t.Fatalf("%q: %d us and %d ns", s, u, n)
				}
			}
		}
	})
}

// Every directive takes or refuses a text of a MiB soon, and with little memory: the longest line of a unit.
func TestBounded(t *testing.T) {
	parsers := map[string]func(string){
		"words":            func(s string) { _, _ = SplitWords(s) },
		"quote":            func(s string) { QuoteWord(s) },
		"commands":         func(s string) { _, _ = ParseCommands(s, nil) },
		"a command":        func(s string) { _, _ = ParseCommands("/a "+s, nil) },
		"environment file": func(s string) { _, _ = ParseEnvironmentFile([]byte(s)) },
		"a variable":       func(s string) { _, _ = ParseEnvironment("A=" + s) },
		"a credential":     func(s string) { _, _ = ParseSetCredential("a:"+s, nil) },
		"a path":           func(s string) { _, _ = ParsePath("/" + s) },
		"binds":            func(s string) { _, _ = ParseBinds("/a " + s) },
		"tmpfs":            func(s string) { _, _ = ParseTmpfs("/a:" + s) },
		"nodes":            func(s string) { _, _ = ParseTmpfs("/a:mpol=bind:" + s) },
		"calls":            func(s string) { _, _ = ParseCallLine("~read " + s) },
		"addresses":        func(s string) { _, _ = ParseIPRules("any " + s) },
		"families":         func(s string) { _, _ = ParseFamilies("AF_UNIX " + s) },
		"base64":           func(s string) { _, _ = ParseBase64(s) },
		"text":             func(s string) { _, _ = ParseInputText(s) },
		"listen":           func(s string) { _, _ = ParseListen("unix:/a," + s) },
		"statuses":         func(s string) { _, _ = ParseExitStatuses("1 " + s) },
		"name":             func(s string) { Nearest(s); NearestOption(s) },
	}
	for name, parse := range parsers {
		t.Run(name, func(t *testing.T) {
			bounded.Check(t, parse, "/a:/b ", "@system-service ", "read ", "10.0.0.0/8 ", "AF_UNIX ", "QUJD", "name=a,", "A='b'\n", "A=\"\\\n", "SIGTERM ")
		})
	}
}

// And every directive of the table, with a part of that.
func TestDirectivesBounded(t *testing.T) {
	for _, d := range Directives {
		if d.Value == nil {
			continue
		}
		parts := []string{"a ", "/a ", "1,", ":", "\\", "%n", "\"", "\xff"}
		for _, c := range sample {
			if c.name == d.ConfigName() && len(c.values) > 0 && c.values[0] != "" {
				parts = append(parts, c.values[0]+" ", c.values[0]+",")
			}
		}
		bounded.Repeated(t, 32<<10, func(s string) {
			var p Policy
			err := p.SetDirective(d, s, line(1))
			if err != nil && len(err.Error()) > 4*len(s)+1000 {
				t.Errorf("%s: the error has %d bytes", d.Name, len(err.Error()))
			}
		}, parts...)
	}
}

func FuzzSequence(f *testing.F) {
	at := func(name string) uint16 { return uint16(slices.Index(Directives, Lookup(name))) }
	f.Add(at("ReadWritePaths"), "/a /b", "", "/c")
	f.Add(at("SystemCallFilter"), "@system-service", "~@mount", "")
	f.Add(at("CapabilityBoundingSet"), "CAP_CHOWN", "~CAP_KILL", "")
	f.Add(at("Environment"), "A=b", "", "C=d")
	f.Fuzz(func(t *testing.T, n uint16, first, second, third string) {
		// A line that is refused changes nothing: with it or without, the policy is the same.
		d := Directives[int(n)%len(Directives)]
		var with, without Policy
		for i, v := range []string{first, second, third} {
			before := with
			if err := with.SetDirective(d, v, line(i+1)); err != nil {
				with.Noted, with.NotApplied = before.Noted, before.NotApplied
				continue
			}
			if err := without.SetDirective(d, v, line(i+1)); err != nil {
				t.Fatalf("%s: %q is taken behind a line that was refused, and not without it: %v", d.Name, v, err)
			}
		}
		with.Noted, with.NotApplied, without.Noted, without.NotApplied = nil, nil, nil, nil
		if !reflect.DeepEqual(with, without) {
			t.Fatalf("%s: %q, %q, %q\n got %+v\nwant %+v", d.Name, first, second, third, with, without)
		}
	})
}
