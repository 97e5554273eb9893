package policy

import (
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/process"
)

// TestParseSignal: signal(7), and kill(1) for the real-time ones: SIGRTMIN is 34.
func TestParseSignal(t *testing.T) {
	for s, want := range map[string]int{
		"SIGHUP": 1, "HUP": 1, "SIGTERM": 15, "15": 15, "64": 64, "USR1": 10, "SIGSTKFLT": 16, "SIGPWR": 30, "SIGPOLL": 29, "SIGIO": 29,
		"SIGRTMIN": 34, "RTMIN+0": 34, "SIGRTMIN+30": 64, "RTMAX": 64, "SIGRTMAX-30": 34,
	} {
		if got, err := ParseSignal(s); err != nil || got != want {
			t.Errorf("%s: %d (%v), want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "0", "65", "-1", "sigterm", "SIG", "SIGSIGHUP", "RTMIN-1", "RTMAX+1", "RTMIN+31", "RTMIN+", "RTMIN1", "01", "TERM "} {
		if got, err := ParseSignal(s); err == nil {
			t.Errorf("%q is taken: %d", s, got)
		}
	}
	for n := 1; n <= 64; n++ {
		if back, err := ParseSignal(SignalName(n)); err != nil || back != n {
			t.Errorf("%d is printed as %s, which is %d (%v)", n, SignalName(n), back, err)
		}
	}
}

// TestParseExitStatuses: systemd.service(5), SuccessExitStatus=, whose example is
// "TEMPFAIL 250 SIGKILL": 75, 250 and the signal.
func TestParseExitStatuses(t *testing.T) {
	v, err := ParseExitStatuses("TEMPFAIL 250 SIGKILL")
	if err != nil || !v.Has(75) || !v.Has(250) || !v.HasSignal(9) || v.Has(9) || v.HasSignal(75) || v.Has(0) || v.HasSignal(0) {
		t.Errorf("the manual's example: %+v (%v)", v, err)
	}
	for _, s := range []string{"256", "-1", "tempfail", "EX_TEMPFAIL", "EXIT_CHDIR", "1,2", "0x1", `"1`} {
		if v, err := ParseExitStatuses(s); err == nil {
			t.Errorf("%s is taken: %+v", s, v)
		}
	}
	// The names of another program, where it is there. EXIT_BPF has moved since.
	out, err := exec.Command("systemd-analyze", "exit-status").Output()
	if err != nil {
		t.Skip("systemd-analyze: ", err)
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		n, err := strconv.Atoi(words[1])
		if err != nil || words[0] == "BPF" {
			continue
		}
		found++
		if v, err := ParseExitStatuses(words[0]); err != nil || !v.Has(uint8(n)) {
			t.Errorf("%s: %+v (%v), want %d", words[0], v, err, n)
		}
	}
	if found < 60 {
		t.Errorf("systemd-analyze has told %d names", found)
	}
}

// TestTimes: systemd.service(5): a number without a unit is in seconds, 0 switches the times
// of start, stop and abort off, TimeoutSec= is the first two.
func TestTimes(t *testing.T) {
	var p Policy
	mustSet(t, &p, "TimeoutSec", "1min", line(1))
	mustSet(t, &p, "TimeoutAbortSec", "0", line(2))
	mustSet(t, &p, "RuntimeMaxSec", "0", line(3))
	s := &p.Service
	if s.TimeoutStartSec.V != 60e6 || s.TimeoutStopSec.V != 60e6 || s.TimeoutStopSec.From != line(1) || s.TimeoutAbortSec.V != process.Infinity || s.RuntimeMaxSec.V != 0 {
		t.Errorf("times: %+v", s)
	}
	mustSet(t, &p, "TimeoutStartSec", "5", line(4))
	if s.TimeoutStartSec.V != 5e6 || s.TimeoutStopSec.V != 60e6 {
		t.Errorf("TimeoutStartSec= after TimeoutSec=: %+v", s)
	}
	mustSet(t, &p, "TimeoutSec", "", line(5))
	if s.TimeoutStartSec.Set || s.TimeoutStopSec.Set {
		t.Errorf("TimeoutSec= does not reset: %+v", s)
	}
}

// TestParseOpenFile: systemd.service(5), OpenFile=.
func TestParseOpenFile(t *testing.T) {
	for s, want := range map[string]OpenFile{
		"/etc/x":                         {Path: "/etc/x", Name: "x"},
		"/etc/x:y":                       {Path: "/etc/x", Name: "y"},
		"/etc/x::read-only":              {Path: "/etc/x", Name: "x", ReadOnly: true},
		"/a b:n:append,graceful":         {Path: "/a b", Name: "n", Append: true, Graceful: true},
		`/a\:b:n:truncate`:               {Path: "/a:b", Name: "n", Truncate: true},
		`/a\x3ab/c:n`:                    {Path: "/a:b/c", Name: "n"},
		"/etc/x:y:":                      {Path: "/etc/x", Name: "y"},
		"/run/x:y:graceful,read-only":    {Path: "/run/x", Name: "y", Graceful: true, ReadOnly: true},
		"/var//log/./x:y:append":         {Path: "/var/log/x", Name: "y", Append: true},
		"/dev/null:null:read-only":       {Path: "/dev/null", Name: "null", ReadOnly: true},
		`/a\\b:n`:                        {Path: `/a\b`, Name: "n"},
		"/a:" + strings.Repeat("n", 255): {Path: "/a", Name: strings.Repeat("n", 255)},
	} {
		got, err := ParseOpenFile(s)
		if err != nil || got != want {
			t.Errorf("%s: %+v (%v), want %+v", s, got, err, want)
		}
		if back, err := ParseOpenFile(openFileText(got)); err != nil || back != got {
			t.Errorf("%s printed as %s is %+v (%v)", s, openFileText(got), back, err)
		}
	}
	for _, s := range []string{"", "x", ":n", "/a:n:ro", "/a:n:append,append", "/a:n:read-only,append", "/a:n:append,", "/a:n::", "/a:\x01", "/a/../b", `/a\q`, "/a:" + strings.Repeat("n", 256), `/a\:b`} {
		if got, err := ParseOpenFile(s); err == nil {
			t.Errorf("%q is taken: %+v", s, got)
		}
	}
}

// TestParseDirectories: systemd.exec(5), RuntimeDirectory=, and what systemd was seen to do:
// names are normalised, "\:" is a colon, a directory may have several links.
func TestParseDirectories(t *testing.T) {
	for _, c := range []struct {
		value string
		kind  DirectoryKind
		want  []Directory
	}{
		{"foo/bar baz", RuntimeDirectory, []Directory{{Name: "foo/bar"}, {Name: "baz"}}},
		{"foo:bar foo:baz", RuntimeDirectory, []Directory{{Name: "foo", Links: []string{"bar", "baz"}}}},
		{"foo::ro", ConfigurationDirectory, []Directory{{Name: "foo", ReadOnly: true}}},
		{"./a///./b/.", RuntimeDirectory, []Directory{{Name: "a/b"}}},
		{`a:b 'c d':"e\:f" x\:y:d\:ef:ro`, StateDirectory, []Directory{{Name: "a", Links: []string{"b"}}, {Name: "c d", Links: []string{"e:f"}}, {Name: "x:y", Links: []string{"d:ef"}, ReadOnly: true}}},
		{"a:b:ro a:c b", CacheDirectory, []Directory{{Name: "a", Links: []string{"b", "c"}, ReadOnly: true}, {Name: "b"}}},
		{"a a:b a:b", LogsDirectory, []Directory{{Name: "a", Links: []string{"b"}}}},
		{"privateer a/private", LogsDirectory, []Directory{{Name: "privateer"}, {Name: "a/private"}}},
	} {
		got, err := ParseDirectories(c.value, c.kind)
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %+v (%v), want %+v", c.value, got, err, c.want)
			continue
		}
		for i := range got {
			if got[i].Name != c.want[i].Name || strings.Join(got[i].Links, " ") != strings.Join(c.want[i].Links, " ") || got[i].ReadOnly != c.want[i].ReadOnly {
				t.Errorf("%s: %+v, want %+v", c.value, got[i], c.want[i])
			}
		}
	}
	for _, s := range []string{"/a", "..", "a/..", "a/../b", ".", "./.", ":b", "a:/b", "a:..", "a:b:rw", "a:b:ro:x", "private", "private/x", "./private", "a:private", "a:a", "a:./a", `"a`, "a\x00", `"a\nb"`, `""`} {
		if got, err := ParseDirectories(s, StateDirectory); err == nil {
			t.Errorf("%q is taken: %+v", s, got)
		}
	}
	for _, s := range []string{"hardrun", "hardrun/notify", "./hardrun", "credentials", "a:hardrun", "a:credentials/b"} {
		if got, err := ParseDirectories(s, RuntimeDirectory); err == nil {
			t.Errorf("%q: got %+v, want an error", s, got)
		}
		if _, err := ParseDirectories(s, StateDirectory); err != nil {
			t.Errorf("%q below /var/lib: %v", s, err)
		}
	}
	if got, err := ParseDirectories("a:b", ConfigurationDirectory); err == nil {
		t.Errorf("a link of ConfigurationDirectory= is taken: %+v", got)
	}
	// Lines are united, and copies stay apart.
	var p Policy
	mustSet(t, &p, "StateDirectory", "a:b c", line(1))
	q := p
	mustSet(t, &p, "StateDirectory", "a:d:ro", line(2))
	mustSet(t, &q, "StateDirectory", "a:e", line(3))
	if l := p.Directories[StateDirectory].Items; len(l) != 2 || !reflect.DeepEqual(l[1], Item[Directory]{Directory{"a", []string{"b", "d"}, true}, line(2)}) {
		t.Errorf("united: %+v", l)
	}
	if l := q.Directories[StateDirectory].Items; len(l) != 2 || !reflect.DeepEqual(l[1], Item[Directory]{Directory{"a", []string{"b", "e"}, false}, line(3)}) {
		t.Errorf("the copy: %+v", l)
	}
	for kind, name := range DirectoryNames {
		if f, ok := Lookup(name).fieldOf().(directoryField); !ok || int(f) != kind {
			t.Errorf("%s= fills the kind %v, want %d", name, f, kind)
		}
	}
}

// FuzzParseDirectories: what is taken is a normal relative path, and is printed and read back
// the same.
func FuzzParseDirectories(f *testing.F) {
	for _, s := range []string{"a:b:ro a", "./a///./b/.", `x\:y "z w"`, "private", "..", "a::ro"} {
		f.Add(s, uint8(1))
	}
	f.Fuzz(func(t *testing.T, s string, n uint8) {
		kind := DirectoryKind(n) % DirectoryKinds
		got, err := ParseDirectories(s, kind)
		if err != nil {
			return
		}
		var text []string
		for _, d := range got {
			text = append(text, directoryText(d))
			for _, name := range append([]string{d.Name}, d.Links...) {
				if path, err := ParsePath("/" + name); err != nil || path != "/"+name || name == "private" || strings.HasPrefix(name, "private/") {
					t.Fatalf("%q gives %q", s, name)
				}
			}
		}
		back, err := ParseDirectories(strings.Join(text, " "), kind)
		if err != nil || !reflect.DeepEqual(back, got) {
			t.Fatalf("%q printed as %q gives %+v (%v), want %+v", s, text, back, err, got)
		}
	})
}

// TestCredentials: systemd.exec(5), "CREDENTIALS".
func TestCredentials(t *testing.T) {
	var p Policy
	mustSet(t, &p, "LoadCredential", "a:/b:c", line(1))
	mustSet(t, &p, "SetCredential", `a:x\n\x00\000\x0ay:z`, line(2))
	mustSet(t, &p, "ImportCredential", "my.original.*:my.renamed.", line(3))
	want := []Credential{{ID: "a", Path: "/b:c"}, {ID: "a", Data: "x\n\x00\x00\ny:z", Set: true}, {ID: "my.original.*", Import: true, Rename: "my.renamed."}}
	for i, item := range p.Credentials.Items {
		if item.V != want[i] || item.From != line(i+1) {
			t.Errorf("%+v, want %+v", item, want[i])
		}
	}
	mustSet(t, &p, "SetCredential", "", line(4))
	if l := p.Credentials.Items; len(l) != 2 || l[0].V != want[0] || l[1].V != want[2] {
		t.Errorf("after SetCredential=: %+v", l)
	}
	for _, c := range []struct{ name, value string }{
		{"LoadCredential", ":/a"},
		{"LoadCredential", "a/b"},
		{"LoadCredential", ".."},
		{"LoadCredential", "a:b/c"},
		{"LoadCredential", "a:/b/../c"},
		{"LoadCredential", "a:"},
		{"LoadCredential", "ä"},
		{"LoadCredential", strings.Repeat("a", 256)},
		{"SetCredential", "a"},
		{"SetCredential", ":b"},
		{"SetCredential", `a:\q`},
		{"SetCredential", "a:\x00"},
		{"ImportCredential", "a*b"},
		{"ImportCredential", "a?"},
		{"ImportCredential", "**"},
		{"ImportCredential", "[a]*"},
		{"ImportCredential", "a*:"},
		{"ImportCredential", "a:b/c"},
		{"ImportCredential", "/a*"},
	} {
		var p Policy
		if err := p.Set(c.name, c.value, line(1)); err == nil {
			t.Errorf("%s=%q is taken: %+v", c.name, c.value, p.Credentials.Items)
		}
	}
	// Encrypted ones are refused by name.
	for _, name := range []string{"LoadCredentialEncrypted", "SetCredentialEncrypted"} {
		if d := Lookup(name); d.Support != Impossible {
			t.Errorf("%s is not refused", name)
		}
	}
}

// TestConditions: systemd.unit(5), "Conditions and Asserts".
func TestConditions(t *testing.T) {
	var p Policy
	mustSet(t, &p, "ConditionPathExists", "|!/a", line(1))
	mustSet(t, &p, "AssertPathExists", "| /b", line(2))
	mustSet(t, &p, "ConditionHost", "! x", line(3))
	want := []Condition{
		{Kind: "PathExists", Value: "/a", Trigger: true, Negate: true},
		{Kind: "PathExists", Value: "/b", Trigger: true, Assert: true},
		{Kind: "Host", Value: "x", Negate: true},
	}
	for i, item := range p.Conditions.Items {
		if item.V != want[i] || item.From != line(i+1) {
			t.Errorf("%+v, want %+v", item, want[i])
		}
	}
	// An empty value of any kind takes back all conditions, and leaves the assertions.
	mustSet(t, &p, "ConditionUser", "", line(4))
	if l := p.Conditions.Items; len(l) != 1 || l[0].V != want[1] {
		t.Errorf("after ConditionUser=: %+v", l)
	}
	mustSet(t, &p, "AssertHost", "", line(5))
	if p.Conditions.IsSet() {
		t.Errorf("after AssertHost=: %+v", p.Conditions)
	}
	for _, c := range []struct{ name, value string }{
		{"ConditionPathExists", "a"}, {"ConditionPathExists", "|"}, {"ConditionPathExists", "!|/a"}, {"AssertDirectoryNotEmpty", "|!a"}, {"ConditionNeedsUpdate", "etc"}, {"ConditionHost", "|!"},
	} {
		if err := p.Set(c.name, c.value, line(1)); err == nil {
			t.Errorf("%s=%s is taken", c.name, c.value)
		}
	}
}
