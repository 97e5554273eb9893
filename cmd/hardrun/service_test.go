package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
)

// starting is a command line as serve reads it, of a unit demo.service with these lines where
// there are any.
func starting(t *testing.T, unit string, words ...string) *invocation {
	t.Helper()
	if unit != "" {
		unit = "[Service]\n" + strings.ReplaceAll(unit, "; ", "\n") + "\n"
		words = append([]string{"--unit=" + unitFile(t, "demo.service", unit)}, words...)
	}
	in, err := parse(words, nil)
	if err != nil {
		t.Fatal(err)
	}
	if errs := readyService(in); len(errs) > 0 {
		t.Fatal(errs)
	}
	return in
}

// A command alone has the name that its unit would have.
func TestServiceName(t *testing.T) {
	for _, tt := range []struct {
		unit  string
		words []string
		want  string
	}{
		{"ExecStart=/bin/x", nil, "demo.service"},
		{"ExecStart=/bin/x", []string{"/bin/y"}, "demo.service"},
		{"", []string{"/usr/bin/redis-server", "-f"}, "redis-server.service"},
		{"", []string{"--do=stop"}, "hardrun.service"},
	} {
		if got := serviceName(starting(t, tt.unit, tt.words...)); got != tt.want {
			t.Errorf("%q %q: %s, want %s", tt.unit, tt.words, got, tt.want)
		}
	}
}

// A parent stays for what only one can do. Small is what a process can do that only waits, and
// what only cleans up is no reason where --parent=never forbids one.
func TestParent(t *testing.T) {
	const socket = "[Socket]\nListenStream=/run/demo.sock\nRemoveOnStop="
	removes := "--socket=" + unitFile(t, "removes.socket", socket+"yes\n")
	leaves := "--socket=" + unitFile(t, "leaves.socket", socket+"no\n")
	for _, tt := range []struct {
		unit    string
		words   string
		reasons string // names; behind them "small" or "cleans"
		stays   bool
		refused string // with --parent=never
	}{
		{"ExecStart=/bin/x", "", "", false, ""},
		{"", "/bin/x", "", false, ""},
		{"", "--kill-mode=mixed /bin/x", "KillMode small", false, ""},
		{"ExecStart=/bin/x; KillMode=mixed", "", "KillMode", true, "KillMode="},
		{"ExecStart=/bin/x", "--init", "Init small", false, ""},
		{"", "--ready-fd=9 --kill-mode=mixed /bin/x", "ReadyFD, KillMode small", true, "ReadyFD="},
		{"Type=forking; RuntimeDirectory=a; ExecStart=/bin/x", "", "Type, RuntimeDirectory cleans", true, "Type="},
		{"RuntimeDirectory=a; ExecStart=/bin/x", "", "RuntimeDirectory cleans", true, ""},
		{"ExecStart=/bin/x", removes, "RemoveOnStop cleans", true, ""},
		{"ExecStart=/bin/x", leaves, "", false, ""},
		{"", "--listen=unix:/run/a.sock -p RemoveOnStop=yes /bin/x", "RemoveOnStop cleans", true, ""},
	} {
		name := tt.unit + " " + tt.words
		in := starting(t, tt.unit, strings.Fields(tt.words)...)
		var reasons []string
		for _, r := range in.parentReasons() {
			text := r.Name
			if r.Small {
				text += " small"
			}
			if r.CleansOnly {
				text += " cleans"
			}
			if r.Why == "" {
				t.Errorf("%s: %s: nothing says why", name, r.Name)
			}
			reasons = append(reasons, text)
		}
		if got := strings.Join(reasons, ", "); got != tt.reasons {
			t.Errorf("%s: reasons %q, want %q", name, got, tt.reasons)
		}
		if stays, refused := needsParent(in); stays != tt.stays || len(refused) > 0 {
			t.Errorf("%s: stays %v, refused %v; want %v", name, stays, refused, tt.stays)
		}
		in.policy.Parent = policy.Opt[string]{V: "never", Set: true}
		stays, list := needsParent(in)
		refused := ""
		for _, r := range list {
			refused += r.Directive
			if !strings.HasPrefix(r.Text, "needs a parent: ") || r.Hint == "" || r.Exit != launcher.ExitUsage {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if stays || refused != tt.refused {
			t.Errorf("%s, --parent=never: stays %v, refused %q; want %q", name, stays, refused, tt.refused)
		}
	}
}

// A command alone is a service where it asks for what has to be made, or done, beside it.
func TestIsService(t *testing.T) {
	for line, want := range map[string]bool{
		"":                             false,
		"--user=daemon":                false,
		"--kill-mode=mixed":            false, // a process that only waits does it
		"--init":                       false,
		"--parent=never":               false,
		"--parent=always":              true,
		"--dynamic-user":               true,
		"-p RemoveIPC=yes":             true,
		"--do=stop":                    true,
		"-p SetCredential=a:b":         true,
		"-p ConditionPathExists=/a":    true,
		"--listen=unix:/run/a.sock":    true,
		"--socket=a.socket":            true,
		"-p OpenFile=/etc/passwd":      true,
		"--ready-fd=9":                 true,
		"-p RuntimeDirectory=a":        true,
		"-p ConfigurationDirectory=a":  true,
		"-p ExecStartPre=/bin/true":    true,
		"-p ExecStopPost=/bin/true":    true,
		"-p RuntimeMaxSec=3":           true,
		"-p SuccessExitStatus=3":       true,
		"--explain-denials":            false,
		"-p NotifyAccess=none":         false,
		"-p RuntimeMaxSec=infinity":    false,
		"-p RuntimeDirectoryMode=0700": false,
	} {
		in, err := parse(append(strings.Fields(line), "/bin/x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := isService(&in.policy); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

// Each error of a unit has a line of its own, and its hint below it.
func TestBadUnit(t *testing.T) {
	first := &policy.Error{From: policy.Origin{File: "a", Line: 1}, Name: "Usr", Err: errors.New("unknown directive"), Hint: "did you mean User=?"}
	second := errors.New("the second")
	for _, tt := range []struct {
		errs []error
		want string
	}{
		{[]error{first, second}, "hardrun: " + first.Error() + "\nhardrun: hint: did you mean User=?\nhardrun: the second\n"},
		{[]error{&unitError{errors.Join(first, second)}}, "hardrun: " + first.Error() + "\nhardrun: hint: did you mean User=?\nhardrun: the second\n"},
	} {
		_, said, status := ran(t, func([]string) int { return badUnit(tt.errs) })
		if said != tt.want || status != launcher.ExitBadUnit {
			t.Errorf("status %d, said\n%s, want\n%s", status, said, tt.want)
		}
	}
}

// The user of DynamicUser= is that of User=, or has the name of the unit, or one made of it.
func TestDynamicName(t *testing.T) {
	for _, tt := range []struct{ user, unit, want string }{
		{"", "demo.service", "demo"},
		{"www", "demo.service", "www"},
		{"", "de:mo.service", dirs.UserName("de:mo")},
	} {
		p := &policy.Policy{User: policy.Opt[string]{V: tt.user, Set: tt.user != ""}}
		got := dynamicName(p, tt.unit)
		if got != tt.want {
			t.Errorf("User=%s of %s: %s, want %s", tt.user, tt.unit, got, tt.want)
		}
		if err := errDynamicName(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
	if err := errDynamicName("0day"); err == nil || !strings.HasPrefix(err.Error(), `"0day" is no name`) {
		t.Errorf("0day: %v", err)
	}
}

// What stands in a unit about its directories is what is made, systemd.exec(5).
func TestDirectoryList(t *testing.T) {
	in := starting(t, "ExecStart=/bin/x; StateDirectory=a:b c; StateDirectoryMode=0700; CacheDirectory=a::ro; ConfigurationDirectory=e")
	for _, tt := range []struct {
		dynamic bool
		want    []string
	}{
		{false, []string{
			"StateDirectory /var/lib/a 700 [/var/lib/b]",
			"StateDirectory /var/lib/c 700 []",
			"CacheDirectory /var/cache/a 755 [] ro",
			"ConfigurationDirectory /etc/e 755 [] keep",
		}},
		// The usual path is a link to the private one.
		{true, []string{
			"StateDirectory /var/lib/private/a 700 [/var/lib/a /var/lib/b]",
			"StateDirectory /var/lib/private/c 700 [/var/lib/c]",
			"CacheDirectory /var/cache/private/a 755 [/var/cache/a] ro",
			"ConfigurationDirectory /etc/e 755 [] keep",
		}},
	} {
		list, from := directoryList(&in.policy, tt.dynamic)
		var got []string
		for i := range list {
			d := &list[i]
			text := fmt.Sprintf("%s %s %o %v", d.Directive, d.Host(), d.Mode, linksOf(d))
			if d.ReadOnly {
				text += " ro"
			}
			if d.Keep {
				text += " keep"
			}
			if d.UID != -1 || d.GID != -1 {
				text += " has an owner"
			}
			got = append(got, text)
		}
		if !slices.Equal(got, tt.want) || from.Line != 6 {
			t.Errorf("dynamic %v, %v:\n%s\nwant\n%s", tt.dynamic, from, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// --socket opens the socket unit beside the service, or the one that it names; --listen comes last.
func TestSocketUnits(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "first"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"first/demo.socket": "[Socket]\nListenStream=/run/first.sock\n",
		"demo.service":      "[Service]\nExecStart=/bin/x\n",
		"demo.socket":       "[Socket]\nListenStream=/run/beside.sock\nAccept=yes\n",
		"other.socket":      "[Socket]\nListenStream=/run/other.sock\n",
		"wrong.socket":      "[Socket]\nListenStreem=/run/wrong.sock\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	byFile, byName := "--unit="+dir+"/demo.service ", "--unit-path="+dir+" "
	for _, tt := range []struct {
		line string
		want string // the units, with their addresses; or the error
	}{
		{byFile, ""},
		{byFile + "--socket", "demo.socket /run/beside.sock"},
		{byName + "--unit=demo --socket", "demo.socket /run/beside.sock"},
		{"--unit-path=" + dir + "/first " + byName + "--unit=demo --socket", "demo.socket /run/first.sock"}, // as systemd finds it
		{"--socket /usr/bin/hardrun-no-daemon", "unit hardrun-no-daemon.socket: not found"},
		{byFile + "--socket=" + dir + "/other.socket --listen=unix:/run/own.sock", "other.socket /run/other.sock,  /run/own.sock"},
		{byName + "--unit=demo --socket=other.socket --socket", "other.socket /run/other.sock, demo.socket /run/beside.sock"},
		{byFile + "--listen=unix:/run/own.sock", " /run/own.sock"},
		{byFile + "--socket=" + dir + "/demo.service", "demo.service is no socket unit"},
		{byFile + "--socket=" + dir + "/wrong.socket", "unknown directive"},
		{byFile + "--socket=" + dir + "/none.socket", "no such file"},
	} {
		in, err := parse(strings.Fields(tt.line), nil)
		if err != nil {
			t.Fatal(err)
		}
		all, errs := socketUnits(in)
		var got []string
		for _, a := range all {
			got = append(got, a.name+" "+a.socket.Listen.Items[0].V.Address)
		}
		for _, err := range errs {
			got = append(got, err.Error())
		}
		text := strings.Join(got, ", ")
		if text != tt.want && (len(errs) == 0 || !strings.Contains(text, tt.want)) {
			t.Errorf("%s: %q, want %q", tt.line, text, tt.want)
		}
		// What a socket unit says that is not applied is told with the rest.
		told := slices.ContainsFunc(in.policy.NotApplied, func(s policy.Setting) bool { return s.Directive.Name == "Accept" })
		if want := strings.Contains(tt.want, "beside"); told != want {
			t.Errorf("%s: Accept= is told of: %v, want %v", tt.line, told, want)
		}
	}
}

// The prefixes of a command tell how its words are meant. "+" and "!" are not for the user of
// DynamicUser=.
func TestCommandArgs(t *testing.T) {
	for _, tt := range []struct {
		line string
		want string
	}{
		{"/bin/x $A", "vars who /bin/x"},
		{":/bin/x $A", "who /bin/x"},
		{"+/bin/x $A", "vars /bin/x"},
		{"!/bin/x $A", "vars /bin/x"},
		{"@/bin/x $A", "vars argv0 who /bin/x"},
		{"|x $A", "vars shell who x"},
		{"@|x $A", "vars shell login argv0 who x"},
	} {
		p := &policy.Policy{}
		if err := p.Set("ExecStart", tt.line, policy.Origin{}); err != nil {
			t.Fatal(err)
		}
		c := &p.Service.Commands[policy.ExecStart].Items[0].V
		given := launcher.Given{Who: &caps.User{}}
		args := commandArgs(c, &given)
		got := ""
		for _, f := range []struct {
			word string
			is   bool
		}{{"vars ", given.Vars}, {"shell ", given.Shell}, {"login ", given.Login}, {"argv0 ", given.Argv0}, {"who ", given.Who != nil}} {
			if f.is {
				got += f.word
			}
		}
		got += given.Path
		if got != tt.want || !slices.Equal(args, c.Args) {
			t.Errorf("ExecStart=%s: %q, %q; want %q", tt.line, got, args, tt.want)
		}
	}
}

// Sockets are for ExecStart= alone, and so is what shows that there are some; but what the unit
// itself shows is seen by all of its commands.
func TestGivenTo(t *testing.T) {
	shows := &policy.Policy{}
	if err := shows.Set("BindReadOnlyPaths", booted, policy.Origin{}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		list            int
		p               *policy.Policy
		sockets, booted bool
	}{
		{policy.ExecStart, &policy.Policy{}, true, true},
		{policy.ExecStartPre, &policy.Policy{}, false, false},
		{policy.ExecStopPost, shows, false, true},
		{policy.ExecStart, shows, true, true},
	} {
		got := givenTo(tt.list, tt.p, launcher.Given{Sockets: make([]launcher.GivenSocket, 1), Booted: true})
		if len(got.Sockets) > 0 != tt.sockets || got.Booted != tt.booted {
			t.Errorf("%s=: %+v", policy.ExecNames[tt.list], got)
		}
		if got := givenTo(tt.list, tt.p, launcher.Given{}); got.Booted {
			t.Errorf("%s=: it is not to be seen, and is", policy.ExecNames[tt.list])
		}
	}
}

// A missing program of the main command is found before the start where nothing else comes
// before or behind it.
func TestStartsLater(t *testing.T) {
	for unit, want := range map[string]bool{
		"ExecStart=/bin/x":                              false,
		"ExecStart=/bin/x; ExecReload=/bin/y":           false,
		"ExecStart=-/bin/x":                             true,
		"Type=oneshot; ExecStart=/bin/x; ExecStart=/y":  true,
		"ExecStart=/bin/x; ExecCondition=/bin/y":        true,
		"ExecStart=/bin/x; ExecStartPre=/bin/y":         true,
		"ExecStart=/bin/x; ExecStartPost=/bin/y":        true,
		"ExecStart=/bin/x; ExecStop=/bin/y":             true,
		"ExecStart=/bin/x; ExecStopPost=/bin/y":         true,
		"Type=oneshot; ExecStart=/bin/x; ExecStop=/y":   true,
		"ExecStart=/bin/x; Type=oneshot; TimeoutSec=30": false,
	} {
		if got := startsLater(&starting(t, unit).policy); got != want {
			t.Errorf("%s: %v, want %v", unit, got, want)
		}
	}
}

// accounts makes these the accounts of the machine.
func accounts(t *testing.T, passwd, group string) {
	t.Helper()
	saved := caps.Host
	t.Cleanup(func() { caps.Host = saved })
	caps.Host = caps.Database{Passwd: unitFile(t, "passwd", passwd), Group: unitFile(t, "group", group)}
}

// A command with "+" or "!" has the variables of User= all the same, but for those of
// SetLoginEnvironment=no.
func TestLoginEnvironment(t *testing.T) {
	accounts(t, "www:x:33:33::/var/www:/usr/sbin/nologin\nann:x:1000:1000::/home/ann:/bin/sh\n", "")
	for _, tt := range []struct{ words, want string }{
		{"", ""},
		{"-p SetLoginEnvironment=yes", ""},
		{"--user=www", "HOME=/var/www LOGNAME=www USER=www"},
		{"--user=ann", "HOME=/home/ann LOGNAME=ann USER=ann SHELL=/bin/sh"},
		{"--user=ann -p SetLoginEnvironment=yes", "HOME=/home/ann LOGNAME=ann USER=ann SHELL=/bin/sh"},
		{"--user=ann -p SetLoginEnvironment=no", ""},
		{"--user=1234", ""}, // an id without an entry
		{"--user=nobody-else", ""},
	} {
		in := starting(t, "", append(strings.Fields(tt.words), "/bin/x")...)
		if got := strings.Join(loginEnvironment(&in.policy), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.words, got, tt.want)
		}
	}
}

// A parent keeps the capabilities that the end of its service takes, and no others.
func TestKeeps(t *testing.T) {
	const kill, removes, ipc = "{cap_kill}", "{cap_dac_override,cap_fowner,cap_kill}", "{cap_dac_override,cap_fowner,cap_kill,cap_sys_admin}"
	for _, tt := range []struct{ unit, words, want string }{
		{"ExecStart=/bin/x", "", kill},
		{"ExecStart=/bin/x; TimeoutStopSec=3; ExecStop=/bin/y", "", kill},
		{"ExecStart=/bin/x; PIDFile=/run/x.pid", "", removes},
		{"ExecStart=/bin/x; MemoryMax=1G", "", removes},
		{"ExecStart=/bin/x; RuntimeDirectory=a", "", removes},
		{"ExecStart=/bin/x; RuntimeDirectory=a; RuntimeDirectoryPreserve=yes", "", kill},
		{"ExecStart=/bin/x; RuntimeDirectory=a; RuntimeMaxSec=3; RemainAfterExit=yes", "", removes},
		{"ExecStart=/bin/x; User=1234; RemoveIPC=yes", "", ipc},
		{"ExecStart=/bin/x; DynamicUser=yes", "", ipc},
		{"", "--parent=always /bin/x", kill},
	} {
		if got := keeps(starting(t, tt.unit, strings.Fields(tt.words)...)).String(); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.unit, tt.words, got, tt.want)
		}
	}
}

// What a command of a service would need a parent for, that of the service does.
func TestCommandPolicy(t *testing.T) {
	in := starting(t, "ExecStart=/bin/x; KillMode=mixed", "--init")
	for _, child := range []bool{false, true} {
		p := commandPolicy(&in.policy, policy.ExecStart, 0, child)
		if p.Init.V == child || p.KillMode.Set == child {
			t.Errorf("child %v: Init=%v, KillMode=%+v", child, p.Init, p.KillMode)
		}
	}
}

// NOTIFY_SOCKET of who has started hardrun is for a daemon that tells of itself.
func TestOuterNotify(t *testing.T) {
	for _, tt := range []struct {
		unit   string
		handed bool
	}{
		{"", false},
		{"ExecStart=/bin/x", false},
		{"ExecStart=/bin/x; Type=exec", false},
		{"ExecStart=/bin/x; NotifyAccess=none", false},
		{"ExecStart=/bin/x; NotifyAccess=main", true},
		{"ExecStart=/bin/x; Type=notify", true},
		{"ExecStart=/bin/x; Type=notify-reload", true},
		{"ExecStart=/bin/x; Type=notify-reload; NotifyAccess=none", true},
		{"ExecStart=/bin/x; Type=notify; NotifyAccess=none", true},
	} {
		p := &starting(t, tt.unit, "/bin/x").policy
		var want []string
		if tt.handed {
			want = []string{"NOTIFY_SOCKET=/run/n"}
		}
		if got := outerNotify(p, []string{"A=b", "NOTIFY_SOCKET=/run/n"}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", tt.unit, got, want)
		}
		if got := outerNotify(p, []string{"A=b", "XNOTIFY_SOCKET=/run/n"}); got != nil {
			t.Errorf("%s: %q, and there is no NOTIFY_SOCKET", tt.unit, got)
		}
	}
}
