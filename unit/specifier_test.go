package unit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpecifiers: systemd.unit(5), SPECIFIERS, for the system manager.
func TestSpecifiers(t *testing.T) {
	plain := &Unit{Name: "foo-bar.service", Path: "/srv/units/foo-bar.service"}
	instance := &Unit{Name: `foo-b\x2dar@dev-disk\x2da.service`, Path: "/srv/units/foo@.service"}
	none := &Unit{}
	tests := []struct {
		unit     *Unit
		in, want string
		bad      string // what the error says
	}{
		{plain, "no specifier", "no specifier", ""},
		{plain, "", "", ""},
		// systemd.unit(5): "Use %% in place of % to specify a single percent sign".
		{plain, "%%", "%", ""},
		{plain, "%%n %%%n", "%n %foo-bar.service", ""},
		// As systemd was seen to do it: what is no letter and no digit behind a "%" stays.
		{plain, "50%", "50%", ""},
		{plain, "50% x%-%é", "50% x%-%é", ""},
		{plain, "%\x00", "%\x00", ""},
		{plain, "%Z", "", "unknown specifier %Z"},
		{plain, "%5", "", "unknown specifier %5"},
		{plain, "%c%r%R", "", "unknown specifier %c"},
		{plain, "%n", "foo-bar.service", ""},
		{plain, "%N", "foo-bar", ""},
		{plain, "%p", "foo-bar", ""},
		{plain, "%P", "foo/bar", ""},
		{plain, "%j", "bar", ""},
		{plain, "%J", "bar", ""},
		{plain, "%f", "/foo/bar", ""},
		{plain, "[%i%I]", "[]", ""},
		{plain, "%d", "/run/credentials/foo-bar.service", ""},
		{plain, "%y %Y", "/srv/units/foo-bar.service /srv/units", ""},
		{instance, "%n", `foo-b\x2dar@dev-disk\x2da.service`, ""},
		{instance, "%N", `foo-b\x2dar@dev-disk\x2da`, ""},
		{instance, "%p", `foo-b\x2dar`, ""},
		{instance, "%P", "foo/b-ar", ""},
		{instance, "%j", `b\x2dar`, ""},
		{instance, "%J", "b-ar", ""},
		{instance, "%i", `dev-disk\x2da`, ""},
		{instance, "%I", "dev/disk-a", ""},
		{instance, "%f", "/dev/disk-a", ""},
		{&Unit{Name: "a@-.service"}, "%f", "/", ""},
		{&Unit{Name: "a@..-..-etc.service"}, "%f", "", "specifier %f: no escaped path"},
		{&Unit{Name: "a@..-..-etc.service"}, "%I", "../../etc", ""},
		{&Unit{Name: `a@\x00.service`}, "%I", "", "specifier %I: no escape"},
		{&Unit{Name: `a@\y.service`}, "%I", "", "specifier %I"},
		{&Unit{Name: `a@\y.service`}, "%i", `\y`, ""},
		{plain, "%C %D %E %L %S %t %T %V", "/var/cache /usr/share /etc /var/log /var/lib /run /tmp /var/tmp", ""},
		{plain, "%u %U %g %G %h", "root 0 root 0 /root", ""},
		{none, "%t", "/run", ""},
		{none, "%n", "", "specifier %n: there is no unit"},
		{none, "%y", "", "specifier %y: there is no unit file"},
		{&Unit{Name: "bad"}, "%n", "", "specifier %n: no suffix"},
	}
	t.Setenv("TMPDIR", "/srv/evil")
	t.Setenv("HOME", "/srv/evil")
	t.Setenv("SHELL", "/srv/evil")
	t.Setenv("XDG_RUNTIME_DIR", "/srv/evil")
	for _, tt := range tests {
		got, err := tt.unit.Expander()(tt.in)
		if got != tt.want || (err != nil) != (tt.bad != "") || err != nil && !strings.HasPrefix(err.Error(), tt.bad) {
			t.Errorf("%s: %q gives %q, %v, want %q %s", tt.unit.Name, tt.in, got, err, tt.want, tt.bad)
		}
	}
	_, err := plain.Expander()("%Z")
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || hint.Hint() != `a per cent sign is written "%%"` {
		t.Errorf("hint of %v", err)
	}
	// As much as a line can have, but not more memory than that.
	if _, err := plain.Expander()(strings.Repeat("%n", 1<<19)); err == nil || !strings.Contains(err.Error(), "longer than 1 MiB") {
		t.Error(err)
	}
}

// TestEverySpecifier: each letter is one of Table 5 of systemd.unit(5), or refused.
func TestEverySpecifier(t *testing.T) {
	const known = "aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY"
	expand := (&Unit{Name: "a@b.service", Path: "/srv/a@.service"}).Expander()
	for c := byte('0'); c <= 'z'; c++ {
		if !alnum(c) {
			continue
		}
		_, err := expand("%" + string(rune(c)))
		unknown := err != nil && strings.HasPrefix(err.Error(), "unknown specifier")
		if unknown == strings.Contains(known, string(rune(c))) {
			t.Errorf("%%%c: %v", c, err)
		}
	}
}

// machineTree is a machine for specifiers.
func machineTree(t *testing.T, files ...string) *expander {
	return &expander{unit: &Unit{}, machine: machine{root: tree(t, files...)}}
}

func TestFacts(t *testing.T) {
	e := machineTree(t,
		"etc/os-release: # x\nID=debian\nVERSION_ID=\"12 \\\"x\\\"\"\nBUILD_ID='b'\nIMAGE_ID=first\nIMAGE_ID=second\nVARIANT_ID=\n",
		"etc/machine-id: 0123456789ABCDEF0123456789abcdef\n",
		"proc/sys/kernel/random/boot_id: 01234567-89ab-cdef-0123-456789abcdef\n",
		"etc/machine-info: PRETTY_HOSTNAME=\"Wile E.'s Box\"\n",
		"bin/bash: x",
	)
	got, err := e.expand("%o|%w|%B|%M|%W|%A|%m|%b|%q|%s")
	if want := `debian|12 "x"|b|second|||0123456789abcdef0123456789abcdef|0123456789abcdef0123456789abcdef|Wile E.'s Box|/bin/bash`; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	// Each is read once.
	if err := os.RemoveAll(e.root); err != nil {
		t.Fatal(err)
	}
	if again, err := e.expand("%o|%w|%B|%M|%W|%A|%m|%b|%q"); err != nil || !strings.HasPrefix(got, again) {
		t.Errorf("%q, %v", again, err)
	}

	// os-release(5): /usr/lib/os-release where /etc has none.
	if got, err := machineTree(t, "usr/lib/os-release: ID=x\n").expand("%o%w"); err != nil || got != "x" {
		t.Errorf("%q, %v", got, err)
	}
	// systemd.unit(5): "If not set, resolves to the short hostname."
	e = machineTree(t, "etc/machine-info: DEPLOYMENT=x\n")
	got, err = e.expand("%q %s")
	if short, bad := e.expand("%l /bin/sh"); err != nil || bad != nil || got != short {
		t.Errorf("%q, %v; %q, %v", got, err, short, bad)
	}

	for _, tt := range []struct{ file, in, want string }{
		{"x: ", "%m", "specifier %m: ROOT/etc/machine-id: cannot be read: no such file"},
		{"etc/machine-id: uninitialized\n", "%m", "specifier %m: /etc/machine-id: no ID"},
		{"etc/machine-id: ", "%m", "no ID"},
		{"etc/machine-id: 00000000000000000000000000000000\n", "%m", "no ID"},
		{"etc/machine-id: 0123456789abcdef0123456789abcdeg\n", "%m", "no ID"},
		{"etc/machine-id: +1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1\n", "%m", "no ID"},
		{"etc/machine-id: 0123456789abcdef0123456789abcdef\n\n", "%m", "no ID"},
		{"etc/machine-id |", "%m", "not a regular file but a FIFO"},
		{"etc/machine-id: " + strings.Repeat("0", 5000), "%m", "larger than 4096 bytes"},
		{"x: ", "%o", "ROOT/usr/lib/os-release: cannot be read"},
		{"etc/os-release/", "%o", "not a regular file but a directory"},
		{"etc/os-release: A=\"", "%o", "ROOT/etc/os-release: line 1"},
		{"etc/machine-info: A=\"", "%q", "ROOT/etc/machine-info: line 1"},
	} {
		e := machineTree(t, tt.file)
		if got, err := e.expand(tt.in); err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tt.want, "ROOT", e.root)) {
			t.Errorf("%s: %q, %v", tt.file, got, err)
		}
	}
}

// TestThisMachine compares with what the machine's own tools print.
func TestThisMachine(t *testing.T) {
	expand := (&Unit{}).Expander()
	for in, command := range map[string]string{
		"%v": "uname -r",
		"%H": "uname -n",
		"%l": "uname -n | sed 's/[.].*//'",
		"%o": ". /etc/os-release; echo $ID",
		"%w": ". /etc/os-release; echo $VERSION_ID",
		"%b": "tr -d - </proc/sys/kernel/random/boot_id",
		"%m": "cat /etc/machine-id",
	} {
		out, err := exec.Command("sh", "-ec", command).Output()
		if err != nil {
			t.Logf("%s: %v", command, err)
			continue
		}
		if got, err := expand(in); err != nil || got != strings.TrimSpace(string(out)) {
			t.Errorf("%s: %q, %v, and %s says %q", in, got, err, command, out)
		}
	}
	if tool, err := exec.LookPath("systemd-analyze"); err == nil {
		arch, err := expand("%a")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "condition", "ConditionArchitecture="+arch).CombinedOutput(); err != nil {
			t.Errorf("%%a is %q: %s", arch, out)
		}
	}
}

// TestArchitectures: systemd.unit(5), ConditionArchitecture=.
func TestArchitectures(t *testing.T) {
	for in, want := range map[string]string{
		"x86_64": "x86-64", "i686": "x86", "aarch64": "arm64", "armv7l": "arm", "armv5teb": "arm-be", "ppc64le": "ppc64-le",
		"s390x": "s390x", "sh4": "sh", "riscv64": "riscv64", "vax": "",
	} {
		if got, err := architecture(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

// TestPathSpecifier: systemd.unit(5), %y: "For linked unit files, the real path outside of
// the unit search directories is used".
func TestPathSpecifier(t *testing.T) {
	root, err := filepath.EvalSymlinks(tree(t, u("srv/real/thing"), "srv/way -> real", "etc/a.service -> ../srv/way/thing", u("etc/b@.service")))
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{"a": "/srv/real/thing", "b@c": "/etc/b@.service"} {
		got, err := (&Finder{Path: []string{root + "/etc"}}).Load(word)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := got.Expander()("%y"); err != nil || y != root+want {
			t.Errorf("%s: %q, %v", word, y, err)
		}
	}
	if _, err := realPath(root + "/none"); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}

func FuzzSpecifiers(f *testing.F) {
	for _, s := range []string{"%n", "%%", "%", "a%", "%i%I%f", "% %-", "%Z", "%y%Y%q%m", "\xff%\xff", "%%%"} {
		f.Add("a-b@c-d.service", s)
	}
	f.Add(`a@\x2e-b.service`, "%f%I%J%P%j")
	f.Add("a@..-..-etc.service", "%f")
	f.Fuzz(func(t *testing.T, unit, s string) {
		u := &Unit{Name: unit, Path: "/srv/" + unit}
		expand := u.Expander()
		got, err := expand(s)
		if err != nil && got != "" {
			t.Fatalf("%q and %v", got, err)
		}
		if !strings.Contains(s, "%") && (err != nil || got != s) {
			t.Fatalf("%q is %q, %v", s, got, err)
		}
		if escaped, err := expand(strings.ReplaceAll(s, "%", "%%")); err != nil && len(s) <= maxExpanded || err == nil && escaped != s {
			t.Fatalf("%q escaped is %q, %v", s, escaped, err)
		}
		if len(got) > maxExpanded || strings.Contains(got, "\x00") && !strings.Contains(s, "\x00") && !strings.Contains(unit, "\x00") {
			t.Fatalf("%d bytes: %.80q", len(got), got)
		}
		if path, err := expand("%f"); err == nil && filepath.Clean(path) != path {
			t.Fatalf("%%f of %q is %q", unit, path)
		}
	})
}
