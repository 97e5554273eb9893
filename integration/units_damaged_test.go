//go:build linux

package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
	"github.com/hardrun/hardrun/policy"
)

var (
	damagedAll  = flag.Bool("damaged-all", false, "TestDamagedUnits: try 2000 units, and write the record")
	damagedSeed = flag.Uint64("damaged-seed", 0, "TestDamagedUnits: which units to take; 0 for new ones")
)

// confining are lines that a unit is confined by.
var confining = strings.Split(strings.TrimSpace(`
User=nobody
Group=nogroup
SupplementaryGroups=daemon bin
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_CHOWN
CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_SYS_PTRACE
AmbientCapabilities=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
SecureBits=noroot noroot-locked
ProtectSystem=strict
ProtectHome=tmpfs
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateIPC=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
ReadOnlyPaths=/usr /etc
InaccessiblePaths=/srv -/opt
NoExecPaths=/tmp
ReadWritePaths=-/var/lib/daemon
TemporaryFileSystem=/srv:ro,size=1M
BindReadOnlyPaths=/usr/share:/srv/share
MountFlags=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=~user net
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
KeyringMode=private
UMask=0077
LimitNOFILE=4096:8192
LimitNPROC=64
LimitCORE=0
LimitMEMLOCK=64K
Nice=5
OOMScoreAdjust=500
CPUAffinity=0
CPUSchedulingPolicy=batch
IOSchedulingClass=idle
TimerSlackNSec=1ms
Personality=x86-64
RemoveIPC=yes
IgnoreSIGPIPE=yes
StandardInput=null
StandardOutput=null
Environment=A=1 "B=2 3"
UnsetEnvironment=HOME
DevicePolicy=closed
RestrictFileSystems=ext4 tmpfs
IPAddressDeny=any
MemoryMax=1G
TasksMax=64
`), "\n")

// defects are what can be wrong with a line. Each gives the lines in its place, and which of them is wrong; "" where
// this defect makes no bad line of that one.
var defects = []struct {
	name string
	make func(r *rand.Rand, name, value string) (lines string, at int)
}{
	{"a letter is missing", func(r *rand.Rand, name, value string) (string, int) {
		i := r.IntN(len(name))
		return misspelt(name[:i]+name[i+1:], value)
	}},
	{"a letter stands twice", func(r *rand.Rand, name, value string) (string, int) {
		i := r.IntN(len(name))
		return misspelt(name[:i]+name[i:i+1]+name[i:], value)
	}},
	{"two letters are swapped", func(r *rand.Rand, name, value string) (string, int) {
		i := r.IntN(len(name) - 1)
		return misspelt(name[:i]+name[i+1:i+2]+name[i:i+1]+name[i+2:], value)
	}},
	{"lower case", func(_ *rand.Rand, name, value string) (string, int) { return misspelt(strings.ToLower(name), value) }},
	{"a blank in the name", func(_ *rand.Rand, name, value string) (string, int) { return misspelt(name[:2]+" "+name[2:], value) }},
	{"a byte order mark", func(_ *rand.Rand, name, value string) (string, int) { return misspelt("\ufeff"+name, value) }},
	{"a no-break space", func(_ *rand.Rand, name, value string) (string, int) { return misspelt("\u00a0"+name, value) }},
	{"no equals sign", func(_ *rand.Rand, name, value string) (string, int) {
		return name + " " + strings.ReplaceAll(value, "=", ""), 0
	}},
	{"a colon for it", func(_ *rand.Rand, name, value string) (string, int) {
		return name + ": " + strings.ReplaceAll(value, "=", ""), 0
	}},
	{"no name", func(_ *rand.Rand, _, value string) (string, int) { return "=" + value, 0 }},
	{"NUL", func(r *rand.Rand, name, value string) (string, int) {
		i := r.IntN(len(value) + 1)
		return name + "=" + value[:i] + "\x00" + value[i:], 0
	}},
	{"a carriage return", func(r *rand.Rand, name, value string) (string, int) {
		i := r.IntN(len(value))
		return name + "=" + value[:i] + "\r" + value[i:], 0
	}},
	{"not UTF-8", func(r *rand.Rand, name, value string) (string, int) {
		i := r.IntN(len(value) + 1)
		return name + "=" + value[:i] + "\xe9" + value[i:], 0
	}},
	{"another section", func(_ *rand.Rand, name, value string) (string, int) {
		return "[Unit]\n" + name + "=" + value + "\n[Service]", 1
	}},
	{"a misspelt section", func(_ *rand.Rand, name, value string) (string, int) {
		return "[Servce]\n" + name + "=" + value + "\n[Service]", 0
	}},
	{"an open section", func(_ *rand.Rand, name, value string) (string, int) {
		return "[Service\n" + name + "=" + value + "\n[Service]", 0
	}},
	{"a comment behind it", func(_ *rand.Rand, name, value string) (string, int) { return invalid(name, value+" # really") }},
	{"a full stop", func(_ *rand.Rand, name, value string) (string, int) { return invalid(name, value+".") }},
	{"a semicolon", func(_ *rand.Rand, name, value string) (string, int) { return invalid(name, value+";") }},
	{"an open quote", func(_ *rand.Rand, name, value string) (string, int) { return invalid(name, value+`"`) }},
	{"a quote of a word processor", func(_ *rand.Rand, name, value string) (string, int) {
		return invalid(name, "\u201c"+value+"\u201d")
	}},
	{"cut off", func(r *rand.Rand, name, value string) (string, int) { return invalid(name, value[:r.IntN(len(value))]) }},
	{"a byte is another", func(r *rand.Rand, name, value string) (string, int) {
		b := []byte(value)
		b[r.IntN(len(b))] = byte(' ' + r.IntN(95))
		return invalid(name, string(b))
	}},
	{"the value of another line", func(r *rand.Rand, name, _ string) (string, int) {
		_, other, _ := strings.Cut(confining[r.IntN(len(confining))], "=")
		return invalid(name, other)
	}},
	{"an unset variable of a template", func(_ *rand.Rand, name, _ string) (string, int) { return invalid(name, "${VALUE}") }},
}

// misspelt is a line with that name, unless it is one that there is.
func misspelt(name, value string) (lines string, at int) {
	trimmed := strings.Trim(name, " \t\r")
	if trimmed == "" || policy.Lookup(trimmed) != nil || strings.HasPrefix(trimmed, "X-") {
		return "", 0
	}
	return name + "=" + value, 0
}

// invalid is a line with that value, unless the directive takes it, when it is another unit and no bad one.
func invalid(name, value string) (lines string, at int) {
	value = strings.TrimSpace(value)
	var p policy.Policy
	if value == "" || strings.HasSuffix(value, `\`) || p.Set(name, value, policy.Origin{File: "a", Line: 1}) == nil {
		return "", 0
	}
	return name + "=" + value, 0
}

// TestDamagedUnits: units that are confined by up to twenty lines, of which one has a defect, in the unit or in its
// drop-in. There is no plan and no start, and what is said names that file and line.
func TestDamagedUnits(t *testing.T) {
	requireRoot(t)
	seed := *damagedSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	n := 300
	if *damagedAll {
		n = 2000
	}
	t.Logf("seed %d: -damaged-seed=%d takes the same units", seed, seed)
	r := rand.New(rand.NewPCG(seed, 8))
	dir := directory(t, 0o755)
	marker := dir + "/marker"
	files := [2]string{dir + "/bad.service", dir + "/bad.service.d/a.conf"}
	shown := [2]string{"bad.service:", "a.conf:"}
	start := time.Now()
	tried, failed := map[string]int{}, 0
	for tries := 0; tries < n; {
		var texts [2]strings.Builder
		texts[0].WriteString("[Unit]\nDescription=One of the tests\n[Service]\nExecStart=/bin/touch " + marker + "\n")
		texts[1].WriteString("[Service]\n")
		lines := r.Perm(len(confining))[:4+r.IntN(17)]
		hit, file := r.IntN(len(lines)), r.IntN(2)
		defect := &defects[tries%len(defects)]
		name, value, _ := strings.Cut(confining[lines[hit]], "=")
		bad, at := defect.make(r, name, value)
		if bad == "" {
			continue
		}
		line := 0
		for i, l := range lines {
			to := r.IntN(2)
			text := confining[l]
			if i == hit {
				to, text = file, bad
				line = strings.Count(texts[to].String(), "\n") + 1 + at
			}
			texts[to].WriteString(text + "\n")
		}
		for i := range files {
			write(t, files[i], texts[i].String(), 0o644)
		}
		tries++
		tried[defect.name]++
		for _, words := range [][]string{{"plan"}, {"plan", "--json"}, nil} {
			if words != nil && words[len(words)-1] != "plan" && tries%10 != 0 {
				continue
			}
			got := run(t, append(words, "--unit-path="+dir, "--unit=bad.service")...)
			want := fmt.Sprintf("%s%d: ", shown[file], line)
			if got.code != 78 || got.stdout != "" || !strings.Contains(got.stderr, want) || exists(marker) {
				failed++
				t.Errorf("%s, %q of line %s\n%q: status %d, stdout %.300q, stderr %.600q, started %v; the unit is\n%s\nand the drop-in\n%s",
					defect.name, bad, want, got.argv, got.code, got.stdout, got.stderr, exists(marker), &texts[0], &texts[1])
			}
		}
		if failed > 10 {
			t.Fatal("that is enough")
		}
	}
	for i := range defects {
		if tried[defects[i].name] == 0 {
			t.Errorf("no unit had the defect: %s", defects[i].name)
		}
	}
	// And each line is one that is taken: a defect in it would not be seen otherwise.
	t.Run("whole", func(t *testing.T) {
		var whole strings.Builder
		whole.WriteString("[Service]\nExecStart=/bin/touch " + marker + "\n")
		for _, l := range confining {
			whole.WriteString(l + "\n")
			name, value, _ := strings.Cut(l, "=")
			var p policy.Policy
			if err := p.Set(name, value, policy.Origin{File: "a", Line: 1}); err != nil {
				t.Errorf("%s: %v", l, err)
			}
		}
		write(t, files[0], whole.String(), 0o644)
		write(t, files[1], "", 0o644)
		if got := run(t, "plan", "--unit-path="+dir, "--unit=bad.service"); got.code != 0 && got.code != 1 || got.stdout == "" {
			t.Errorf("status %d, %s", got.code, got.stderr)
		}
	})
	if *damagedAll && !t.Failed() {
		err := (&assurance.Run{
			Name:    "damaged",
			Title:   "Units with one defect in a line that confines",
			Command: "go test ./integration -run TestDamagedUnits -damaged-all",
			Took:    assurance.Span(time.Since(start)),
			Figures: []assurance.Figure{assurance.Zero("started, planned, or refused without the line", failed), assurance.Count("units", n), assurance.Count("kinds of defects", len(defects))},
		}).Save()
		if err != nil {
			t.Error(err)
		}
	}
}
