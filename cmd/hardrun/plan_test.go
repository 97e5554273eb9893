package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
)

var someRows = []planRow{
	{"namespaces", "network namespace", "PrivateNetwork=", "some.service:3", ""},
	{"mounts", "bind /dev/log", "PrivateDevices=", "some.service:4", "syslog(3) writes there"},
	{"mounts", "read-only /proc/acpi", "ProtectKernelTunables=", "some.service:5", ""},
	{"mounts", "read-only /proc/apm", "ProtectKernelTunables=", "some.service:5", ""},
	{"mounts", "read-only /proc/asound", "ProtectKernelTunables=", "some.service:5", ""},
	{"mounts", "read-only /proc/bus", "ProtectKernelTunables=", "some.service:5", ""},
	{"mounts", "inaccessible /proc/kcore", "ProtectKernelTunables=", "some.service:5", ""},
	{"mounts", "read-only /, but for /proc /sys /dev /home /root /run/user", "ProtectSystem=", "some.service:6", ""},
	{"process", "not dumpable until execve", "", "", "another process of the daemon's user must not get hold of this one"},
	{"capabilities", "permitted, effective {cap_chown,cap_dac_override,cap_fowner,cap_kill,cap_setgid,cap_setuid,cap_setpcap,cap_net_bind_service,cap_sys_chroot}, inheritable {}", "CapabilityBoundingSet=", "--capability-bounding-set", ""},
	{"affinity", "CPUs as inherited", "", "", "hardrun starts on one CPU"},
	{"exec", "/usr/sbin/daemon '  two  blanks'", "", "", ""},
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// At a terminal no line is longer than it is wide, no word is lost, and the name of a stage
// stands there once.
func TestPlanColumns(t *testing.T) {
	for _, width := range []int{60, 80, 100, 120, 250} {
		w := &planWriter{t: terminal{colour: true, width: width}}
		w.rows(slices.Clone(someRows), "  ")
		text := escapes.ReplaceAllString(w.String(), "")
		if text == w.String() || strings.Contains(text, "\x1b") {
			t.Errorf("%d: no colours, or broken ones: %q", width, w.String())
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); cells(line) > width || strings.TrimRight(line, " ") != line {
				t.Errorf("%d columns: %q", width, line)
			}
		}
		flat := strings.Join(strings.Fields(text), "")
		for _, r := range someRows {
			parts := append(strings.Fields(r.step), r.directive, r.origin, strings.ReplaceAll(r.because, " ", ""))
			for _, p := range parts {
				if !strings.Contains(flat, p) {
					t.Errorf("%d columns: %q is not there", width, p)
				}
			}
		}
		for _, stage := range []string{"mounts ", "namespaces ", "process "} {
			if n := strings.Count(text, "  "+stage); n != 1 {
				t.Errorf("%d columns: %q stands there %d times\n%s", width, stage, n, text)
			}
		}
		if !strings.Contains(text, "'  two  blanks'") {
			t.Errorf("%d columns: blanks are lost", width)
		}
	}
}

// A window that is too narrow loses no word either.
func TestPlanNarrow(t *testing.T) {
	for width := 1; width < 60; width++ {
		w := &planWriter{t: terminal{width: width}}
		w.rows(slices.Clone(someRows), "  ")
		w.pair("RemoveIPC= the objects are removed", "some.service:3")
		w.remark(warning, "note:", "a text of some words", "some-id")
		flat := strings.Join(strings.Fields(w.String()), "")
		for _, want := range []string{"read-only/proc/acpi/proc/apm/proc/asound/proc/bus(4)", "anotherprocessofthedaemon'susermustnotgetholdofthisone", "areremovedsome.service:3", "words[some-id]"} {
			if !strings.Contains(flat, want) {
				t.Errorf("%d columns: no %q in %s", width, want, flat)
			}
		}
	}
}

// The layout at 80 columns, as a person sees it.
func TestPlanLayout(t *testing.T) {
	w := &planWriter{t: terminal{width: 80}}
	w.rows(slices.Clone(someRows), "")
	want := `namespaces    network namespace         PrivateNetwork= some.service:3
mounts        bind /dev/log             PrivateDevices= some.service:4
                because syslog(3) writes there
              read-only /proc/acpi /proc/apm /proc/asound /proc/bus (4)
                ProtectKernelTunables= some.service:5
              inaccessible /proc/kcore  ProtectKernelTunables= some.service:5
              read-only /, but for /proc /sys /dev /home /root /run/user
                ProtectSystem= some.service:6
process       not dumpable until execve
                because another process of the daemon's user must not get hold
                  of this one
capabilities  permitted, effective {cap_chown,cap_dac_override,cap_fowner,
                cap_kill,cap_setgid,cap_setuid,cap_setpcap,cap_net_bind_service,
                cap_sys_chroot}, inheritable {}
                CapabilityBoundingSet= --capability-bounding-set
affinity      CPUs as inherited         because hardrun starts on one CPU
exec          /usr/sbin/daemon '  two  blanks'
`
	if w.String() != want {
		t.Errorf("got\n%s\nwant\n%s", w.String(), want)
	}
}

// In a pipe each step is one line, whatever its length.
func TestPlanLines(t *testing.T) {
	w := &planWriter{}
	w.rows(slices.Clone(someRows), "")
	lines := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
	if len(lines) != len(someRows) || strings.Contains(w.String(), "\x1b") {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(someRows), w.String())
	}
	for i, r := range someRows {
		if !strings.HasPrefix(lines[i], r.stage+" ") || !strings.Contains(lines[i], "  "+r.step) || !strings.Contains(lines[i], r.because) {
			t.Errorf("%q", lines[i])
		}
	}
}

func TestFolded(t *testing.T) {
	row := func(step string, line string) planRow { return planRow{"mounts", step, "A=", line, ""} }
	for _, tt := range []struct {
		name string
		rows []planRow
		want []string
	}{
		{"two", []planRow{row("read-only /a", "1"), row("read-only /b", "1")}, []string{"read-only /a /b"}},
		{"four are counted", []planRow{row("read-only /a", "1"), row("read-only /b", "1"), row("read-only /c", "1"), row("read-only /d", "1")}, []string{"read-only /a /b /c /d (4)"}},
		{"another verb", []planRow{row("read-only /a", "1"), row("inaccessible /b", "1")}, []string{"read-only /a", "inaccessible /b"}},
		{"another line", []planRow{row("read-only /a", "1"), row("read-only /b", "2")}, []string{"read-only /a", "read-only /b"}},
		{"more than a path", []planRow{row("read-only /, but for /b", "1"), row("read-only /c", "1")}, []string{"read-only /, but for /b", "read-only /c"}},
		{"no path", []planRow{row("set gid 3", "1"), row("set gid 4", "1")}, []string{"set gid 3", "set gid 4"}},
		{"not neighbours", []planRow{row("read-only /a", "1"), row("noexec /b", "1"), row("read-only /c", "1")}, []string{"read-only /a", "noexec /b", "read-only /c"}},
		{"none", nil, nil},
	} {
		var got []string
		for _, r := range folded(tt.rows) {
			got = append(got, r.step)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What was written by others does nothing to a terminal.
func TestPlanIsPrintable(t *testing.T) {
	w := &planWriter{t: terminal{colour: true, width: 80}}
	const evil = "/x\x1b]0;title\x07\r\n\u009b2J"
	w.rows([]planRow{{"mounts", "bind " + evil, "BindPaths=", evil, evil}}, "")
	w.line(bold, evil)
	w.pair(evil, evil)
	w.rest([]launcher.Refusal{{Text: evil, Hint: evil}}, nil, []launcher.Note{{ID: "log", Text: evil}})
	lint, _ := lintText(w.t, "a", nil, []launcher.Note{{ID: "x", Text: evil, Class: launcher.NoteLint, Origin: policy.Origin{File: evil}}})
	if got := escapes.ReplaceAllString(w.String()+lint, ""); strings.ContainsAny(got, "\x1b\x07\r\u009b") {
		t.Errorf("%q", got)
	}
}

func TestLint(t *testing.T) {
	refused := []launcher.Refusal{{Directive: "User=", Origin: policy.Origin{File: "a.service", Line: 3}, Text: "unknown user"}}
	notes := []launcher.Note{
		{ID: "gid-0", Text: "one", Class: launcher.NoteLint, Origin: policy.Origin{File: "--user"}},
		{ID: "manager", Text: "two", Class: launcher.NoteInfo},
		{ID: "root-kept", Text: "three", Class: launcher.NoteLint},
	}
	text, n := lintText(terminal{}, "a.service", refused, notes)
	if want := "a.service:3: User=: unknown user [refused]\n--user: one [gid-0]\na.service: three [root-kept]\n"; text != want || n != 3 {
		t.Errorf("%d\n%s\nwant\n%s", n, text, want)
	}
	if got := allowed(notes, []string{"gid-0", "manager"}); len(got) != 1 || got[0].ID != "root-kept" || len(notes) != 3 {
		t.Errorf("%+v", got)
	}
	var j struct {
		Notes []struct{ ID, Class, Origin string }
	}
	if err := json.Unmarshal([]byte(lintJSON("root", refused, notes)), &j); err != nil || len(j.Notes) != 2 || j.Notes[0].Origin != "--user" || j.Notes[1].Class != "lint" {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestPlanOptions(t *testing.T) {
	for _, tt := range []struct{ line, err string }{
		{"--lint -- x", ""},
		{"--lint=error --allow-note=root-kept --allow-note=inherited -- x", ""},
		{"--lint=warn -- x", "--lint: \"warn\" is neither nothing nor error"},
		{"--allow-note -- x", "--allow-note: the id of a note is wanted, by \"=\""},
		{"--allow-note=root-kep -- x", "--allow-note: there is no note \"root-kep\""},
	} {
		in, err := parse(strings.Fields(tt.line), planOption)
		if tt.err == "" && (err != nil || in.lint == "") || tt.err != "" && (err == nil || err.Error() != tt.err) {
			t.Errorf("%s: %v, want %q", tt.line, err, tt.err)
		}
	}
	_, err := parse([]string{"--allow-note=root-kep"}, planOption)
	if u, ok := err.(*usageError); !ok || u.hint != "did you mean --allow-note=root-kept?" {
		t.Errorf("%+v", err)
	}
	for _, name := range []string{"--json", "--for=", "--filter", "--settings", "--lint", "--allow-note="} {
		if !strings.Contains(planOptions, " "+name) && !strings.Contains(planOptions, " "+name+"[") {
			t.Errorf("help does not know %s", name)
		}
	}
}
