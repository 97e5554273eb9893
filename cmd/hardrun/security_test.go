package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/exposure"
	"github.com/hardrun/hardrun/policy"

	"golang.org/x/sys/unix"
)

// scan reads a command line of security.
func scanned(t *testing.T, words ...string) (*asked, error) {
	t.Helper()
	a := &asked{threshold: -1, sort: "exposure"}
	return a, a.scan(words, a.securityOption, a.securityWord)
}

// ran runs a subcommand with its output in files: stdout, stderr, and the status.
func ran(t *testing.T, run func([]string) int, words ...string) (string, string, int) {
	t.Helper()
	dir := t.TempDir()
	saved, savedLog := os.Stdout, log
	defer func() { os.Stdout, log = saved, savedLog }()
	files := [2]*os.File{}
	for i := range files {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		files[i] = f
	}
	os.Stdout, log.fd = files[0], int(files[1].Fd())
	code := run(words)
	var text [2]string
	for i, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(b)
	}
	return text[0], text[1], code
}

// unitFile writes a unit.
func unitFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSecurityWords(t *testing.T) {
	for _, tt := range []struct{ line, units, given, command string }{
		{"a.service b", "a.service b", "", ""},
		{"./a b.service", "./a b.service", "", ""},
		{"--unit a --unit=./b", "a ./b", "", ""},
		{"--user=x app -f", "", "--user=x", "app -f"},
		{"--user x --private-tmp -- app.service", "", "--user=x --private-tmp=yes", "app.service"},
		{"--private-tmp a.service b", "a.service b", "--private-tmp=yes", ""},
		{"a --private-tmp", "a", "--private-tmp=yes", ""},
		{"-p User=x --sort name --threshold 2.5 --json", "", "-p=User=x", ""},
		{"--unit-path=/x --drop-in=@strict a", "a", "", ""},
		{"--instance i a@", "a@", "", ""},
	} {
		a, err := scanned(t, strings.Fields(tt.line)...)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
			continue
		}
		var given []string
		for _, o := range a.given {
			given = append(given, o.dashed+"="+o.value)
		}
		if got := strings.Join(a.units, " ") + "|" + strings.Join(given, " ") + "|" + strings.Join(a.command, " "); got != tt.units+"|"+tt.given+"|"+tt.command {
			t.Errorf("%q: got %s, want %s|%s|%s", tt.line, got, tt.units, tt.given, tt.command)
		}
	}
	a, err := scanned(t, "--pid", "12", "13", "--pid=14 15")
	if err != nil || len(a.pids) != 4 || a.pids[3] != 15 {
		t.Errorf("processes: %v, %v", a.pids, err)
	}
	for _, line := range []string{
		"--nosuch", "--sort=x", "--sort", "--json=x a", "--threshold=101 a", "--threshold", "--pid=0", "--pid=x", "--pid", "--pid 1 1", "--pid=1 --pid=x", "--pid= a",
		"--private-tmp yes", "--user", "--unit=", "--drop-in=@nosuch a", "--instance=a/b a@", "--user --private-tmp",
	} {
		if _, err := scanned(t, strings.Split(line, " ")...); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

func TestInstanced(t *testing.T) {
	for _, tt := range [][3]string{
		{"", "a@.service", "a@test_instance.service"},
		{"i", "/x/a@.service", "/x/a@i.service"},
		{"i", "a@", "a@i"},
		{"i", "a@b.service", "a@b.service"},
		{"i", "a.service", "a.service"},
	} {
		a := &asked{instance: tt[0]}
		if got := a.instanced(tt[1]); got != tt[2] {
			t.Errorf("%q of %q: got %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}

// Options score as a unit with the same lines does, but for what only a unit has by default.
func TestOptionsScore(t *testing.T) {
	mask := unix.Umask(0o27)
	defer unix.Umask(mask)
	const inherited = "KeyringMode=inherit\nUMask=0027\n"
	for _, tt := range []struct{ options, unit string }{
		{"--private-tmp", inherited + "PrivateTmp=yes"},
		{"--user=app --private-network --protect-system=full", inherited + "User=app\nPrivateNetwork=yes\nProtectSystem=full"},
		{"--user=app:app,log,adm", inherited + "User=app\nGroup=app\nSupplementaryGroups=log adm"},
		{"--user=app:app", inherited + "User=app\nGroup=app"},
		{"--caps=net_bind_service,chown -u app", inherited + "User=app\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN\nAmbientCapabilities=CAP_CHOWN"},
		{"--caps=net_bind_service", inherited + "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"},
		{"--caps=none -u app", inherited + "User=app\nCapabilityBoundingSet="},
		{"--caps=all --private-devices", inherited + "PrivateDevices=yes"},
		{"--caps=~sys_admin", inherited + "CapabilityBoundingSet=~CAP_SYS_ADMIN"},
		{"--chroot=/srv/x", inherited + "RootDirectory=/srv/x"},
		{"--minimal-root", inherited + "RootDirectory=/srv/x"},
		{"--seccomp=@system-service --seccomp=~@privileged", inherited + "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged"},
		{"--seccomp=~@mount:EPERM", inherited + "SystemCallFilter=~@mount:EPERM"},
		{"--restrict-address-families=AF_UNIX --restrict-namespaces", inherited + "RestrictAddressFamilies=AF_UNIX\nRestrictNamespaces=yes"},
		{"--restrict-namespaces=~user --restrict-namespaces=~net", inherited + "RestrictNamespaces=~user\nRestrictNamespaces=~net"},
		{"--restrict-address-families=none", inherited + "RestrictAddressFamilies=none"},
		{"--restrict-address-families=~AF_PACKET", inherited + "RestrictAddressFamilies=~AF_PACKET"},
		{"--umask=077 --keyring-mode=private", "UMask=077\nKeyringMode=private"},
		{"--dynamic-user", inherited + "DynamicUser=yes"},
		{"--capability-bounding-set=~CAP_CHOWN --capability-bounding-set=~CAP_KILL", inherited + "CapabilityBoundingSet=~CAP_CHOWN\nCapabilityBoundingSet=~CAP_KILL"},
		{"--ip-address-deny=any --ip-address-allow=localhost", inherited + "IPAddressDeny=any\nIPAddressAllow=localhost"},
		{"--device-policy=closed", inherited + "DevicePolicy=closed"},
		{"--system-call-architectures=native", inherited + "SystemCallArchitectures=native"},
		{"--protect-proc=invisible --proc-subset=pid", inherited + "ProtectProc=invisible\nProcSubset=pid"},
		{"-p RootImage=/x.img", inherited + "RootImage=/x.img"},
		{"--no-new-privs --user=65534", inherited + "NoNewPrivileges=yes\nUser=65534"},
	} {
		a, err := scanned(t, strings.Split(tt.options, " ")...)
		if err != nil {
			t.Errorf("%s: %v", tt.options, err)
			continue
		}
		got, err := a.options()
		if err != nil {
			t.Errorf("%s: %v", tt.options, err)
			continue
		}
		want, err := (&asked{}).unit(unitFile(t, "a.service", "[Service]\nExecStart=/bin/true\n"+tt.unit+"\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.unit, err)
			continue
		}
		sameRows(t, tt.options, got, want)
	}
}

// sameRows holds two to be equally good in every row.
func sameRows(t *testing.T, what string, got, want *scored) {
	t.Helper()
	for i := range got.results {
		g, w := &got.results[i], &want.results[i]
		if g.Badness != w.Badness || g.NotApplicable != w.NotApplicable {
			t.Errorf("%s: %s: badness %d (%s), want %d (%s)", what, exposure.Checks[i].ID, g.Badness, g.Why, w.Badness, w.Why)
		}
	}
	if got.total != want.total {
		t.Errorf("%s: %s, want %s", what, got.total, want.total)
	}
}

// What options inherit is scored as it is, and said; what is set is not said.
func TestOptionsInherit(t *testing.T) {
	for line, want := range map[string][]string{
		"--private-tmp":                      {"UMask= is not", "KeyringMode= is not"},
		"--umask=077":                        {"KeyringMode= is not"},
		"--umask=077 --keyring-mode=private": nil,
		"--umask=077 --keyring-mode=private -p SystemCallFilter=@known --seccomp-bpf=/x": {"--seccomp-bpf"},
	} {
		a, err := scanned(t, strings.Fields(line)...)
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.options()
		if err != nil {
			t.Fatal(err)
		}
		said := s.said()
		if len(said) != len(want) {
			t.Errorf("%s: said %q, want %q", line, said, want)
			continue
		}
		for i := range want {
			if !strings.Contains(said[i], want[i]) {
				t.Errorf("%s: said %q, want %q", line, said, want)
			}
		}
	}
}

// Options over a unit are as if they stood in a last drop-in.
func TestOptionsOverUnit(t *testing.T) {
	const unit = "[Service]\nExecStart=/bin/true\nUser=app\nRestrictNamespaces=~user\nSystemCallFilter=@system-service\nPrivateTmp=yes\n"
	for _, tt := range []struct{ options, lines string }{
		{"--private-network", "PrivateNetwork=yes"},
		{"--private-tmp=no", "PrivateTmp=no"},
		{"--restrict-namespaces=~net", "RestrictNamespaces=~net"},
		{"--seccomp=~@resources", "SystemCallFilter=~@resources"},
		{"--user=b:c,d", "User=b\nGroup=c\nSupplementaryGroups=d"},
		{"--caps=chown", "CapabilityBoundingSet=CAP_CHOWN\nAmbientCapabilities=CAP_CHOWN"},
		{"--chroot=/a%b", "RootDirectory=/a%%b"},
		{"-p PrivateDevices=yes -p UMask=0077", "PrivateDevices=yes\nUMask=0077"},
		{"--system-call-filter=", "SystemCallFilter="},
	} {
		file := unitFile(t, "a.service", unit)
		a, err := scanned(t, append([]string{file}, strings.Split(tt.options, " ")...)...)
		if err != nil {
			t.Errorf("%s: %v", tt.options, err)
			continue
		}
		got, err := a.unit(file)
		if err != nil {
			t.Errorf("%s: %v", tt.options, err)
			continue
		}
		want, err := (&asked{}).unit(unitFile(t, "a.service", unit+tt.lines+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, tt.options, got, want)
	}
}

// What systemd passes over is said once for each line, and that hardrun would refuse it.
func TestSecurityRefused(t *testing.T) {
	file := unitFile(t, "a.service", "[Service]\nExecStart=/bin/true\nPrivateTmp=maybe\nNoSuch=1\nstray\nUMask=999\n")
	s, err := (&asked{}).unit(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(s.said(), "\n")
	for _, want := range []string{"a.service:3: systemd passes over PrivateTmp=", "a.service:4: systemd passes over NoSuch=", "a.service:5: systemd passes over this line: ", "a.service:6: systemd passes over UMask=", "refuses this unit, for ", "hint: hardrun plan --unit " + file} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
	if s.refused < 4 {
		t.Errorf("%d errors, want 4 at least", s.refused)
	}
	clean, err := (&asked{}).unit(unitFile(t, "a.service", "[Unit]\nAfter=b.service\n[Service]\nExecStart=/bin/true\nRestart=always\nX-Other=1\n[X-Foo]\na=b\n"))
	if err != nil {
		t.Fatal(err)
	}
	if said := clean.said(); len(said) > 0 {
		t.Errorf("said of a unit with nothing wrong: %q", said)
	}
}

func TestSecurityStatus(t *testing.T) {
	bare := unitFile(t, "bare.service", "[Service]\nExecStart=/bin/true\n") // 9.4
	broken := unitFile(t, "broken.service", "[Service]\nPrivateTmp=yes\n")
	masked := unitFile(t, "masked.service", "")
	socket := unitFile(t, "a.socket", "[Socket]\nListenStream=1\n")
	for _, tt := range []struct {
		words []string
		code  int
		out   string // in stdout
		errs  string // in stderr
	}{
		{[]string{bare}, 0, "for bare.service: 9.4 UNSAFE", ""},
		{[]string{"--threshold=94", bare}, 0, "9.4", ""},
		{[]string{"--threshold=9.3", bare}, 1, "9.4", ""},
		{[]string{"--threshold=100", bare}, 0, "9.4", ""},
		{[]string{"--threshold=93", bare, broken}, 78, "9.4", "broken.service"},
		{[]string{bare, filepath.Dir(bare) + "/x.service"}, 78, "bare.service", "no such file"},
		{[]string{broken}, 78, "", "systemd would not load it"},
		{[]string{masked}, 78, "", "masked"},
		{[]string{socket}, 64, "", "no service"},
		{[]string{}, 64, "", "a unit, an option or --pid is missing"},
		{[]string{"--json"}, 64, "", "is missing"},
		{[]string{"--nosuch"}, 64, "", "unknown option"},
		{[]string{"--user="}, 64, "", "--user"},
		{[]string{"--protect-system=maybe"}, 64, "", "--protect-system"},
		{[]string{"--pid=1", bare}, 64, "", "no process ID"},
		{[]string{bare, "--pid=1"}, 64, "", "either processes or units"},
		{[]string{"--private-tmp", "--threshold=0"}, 1, "options: ", ""},
		{[]string{"--private-tmp", "--", "/usr/bin/app", "-f"}, 0, "level for app: ", ""},
		{[]string{"--help"}, 0, "hardrun", ""},
	} {
		text, errs, code := ran(t, securityCommand, tt.words...)
		if code != tt.code || !strings.Contains(text, tt.out) || !strings.Contains(errs, tt.errs) || tt.errs == "" && errs != "" || tt.out == "" && text != "" {
			t.Errorf("%q: status %d, want %d; stdout %.300q, stderr %q", tt.words, code, tt.code, text, errs)
		}
	}
}

// A file is read alone with the drop-ins beside it; with a unit path it is a unit of that path.
func TestSecurityDropIns(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("[Service]\n"+text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("a-b.service", "ExecStart=/bin/true")
	put("a-b.service.d/x.conf", "PrivateTmp=yes")
	put("a-.service.d/x.conf", "PrivateDevices=yes")
	put("a-.service.d/y.conf", "PrivateNetwork=yes")
	put("t@.service", "ExecStart=/bin/true\nRootDirectory=/srv/%i")
	put("t@.service.d/x.conf", "PrivateTmp=yes")
	put("t@one.service.d/y.conf", "PrivateNetwork=yes")
	good := func(name string, words ...string) string {
		t.Helper()
		a, err := scanned(t, words...)
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.unit(a.units[0])
		if err != nil {
			t.Fatal(err)
		}
		if s.name != name {
			t.Errorf("%q: %s, want %s", words, s.name, name)
		}
		text := ""
		for _, id := range []string{"PrivateTmp=", "PrivateDevices=", "PrivateNetwork=", "RootDirectory=/RootImage="} {
			if s.results[exposure.Index(id)].Badness == 0 {
				text += id
			}
		}
		return text
	}
	for _, tt := range []struct {
		name, want string
		words      []string
	}{
		{"a-b.service", "PrivateTmp=", []string{dir + "/a-b.service"}},
		{"a-b.service", "PrivateTmp=PrivateNetwork=", []string{"--unit-path=" + dir, dir + "/a-b.service"}},
		{"a-b.service", "PrivateTmp=PrivateNetwork=", []string{"--unit-path=" + dir, "a-b"}},
		{"t@test_instance.service", "PrivateTmp=RootDirectory=/RootImage=", []string{dir + "/t@.service"}},
		{"t@one.service", "PrivateTmp=PrivateNetwork=RootDirectory=/RootImage=", []string{"--instance=one", "--unit-path=" + dir, "t@"}},
	} {
		if got := good(tt.name, tt.words...); got != tt.want {
			t.Errorf("%q: good are %q, want %q", tt.words, got, tt.want)
		}
	}
	put("drop.conf", "PrivateDevices=yes")
	if got := good("a-b.service", "--drop-in="+dir+"/drop.conf", dir+"/a-b.service"); got != "PrivateTmp=PrivateDevices=" {
		t.Errorf("--drop-in: good are %q", got)
	}
}

// Names of hostile units and processes do not act on a terminal.
func TestSecurityHostile(t *testing.T) {
	s := sampleUnit()
	s.name = "a" + hostile
	s.first, s.file, s.passed = hostile, hostile, []passed{{policy.Origin{File: hostile}, hostile}}
	s.notes = []string{hostile}
	p := sampleProcess()
	p.name = hostile + "[1]"
	for i := range p.results {
		p.results[i].Why = hostile
	}
	for _, tt := range []terminal{narrowTerminal, wideTerminal, noTerminal, {}} {
		tame(t, "unit", tt.security(s, "exposure"))
		tame(t, "process", tt.security(p, "exposure"))
		tame(t, "summary", tt.summary([]scored{*s, *p}))
	}
}
