package policy

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func readNames(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// TestEverySystemdName compares the table with the names of systemd 262.
//
// testdata/systemd-262-names.txt holds every name in the headings of the plain
// text of systemd.exec(5), systemd.service(5), systemd.kill(5),
// systemd.resource-control(5) and systemd.unit(5): a heading is a run of lines
// indented by 7 columns which begins with "Name=" and is directly followed by a
// line indented by 11; its names are the words before each "=" at its start or
// after a comma.
//
// testdata/systemd-262-old-names.txt holds what systemd still takes, or takes
// note of, without a heading: the HISTORY of systemd.resource-control(5), and
// the configuration items which its parser keeps for compatibility (the items
// of [Unit], [Service] and [Install] that systemd --dump-configuration-items
// prints and that have no heading, and those the parser calls legacy).
//
// testdata/systemd-262-socket-names.txt holds what systemd.socket(5) has beyond the others: the
// items of [Socket] that systemd 252 --dump-configuration-items prints and no list above has, and
// what the NEWS of 253 to 262 add to them.
func TestEverySystemdName(t *testing.T) {
	names := readNames(t, "testdata/systemd-262-names.txt")
	old := readNames(t, "testdata/systemd-262-old-names.txt")
	socket := readNames(t, "testdata/systemd-262-socket-names.txt")
	if len(names) != 401 || len(old) != 29 || len(socket) != 66 {
		t.Fatalf("read %d names, %d old ones and %d of sockets, want 401, 29 and 66", len(names), len(old), len(socket))
	}
	names = append(names, socket...)
	known := map[string]bool{}
	for _, n := range append(names, old...) {
		if known[n] {
			t.Errorf("%s is in the lists twice", n)
		}
		known[n] = true
		if d := Lookup(n); d == nil {
			t.Errorf("%s= of systemd 262 is not in the table", n)
		} else if d.Own {
			t.Errorf("%s= of systemd 262 is a row of our own", n)
		}
	}
	for _, d := range Directives {
		for _, n := range append([]string{d.Name}, d.Aliases...) {
			if known[n] == d.Own {
				t.Errorf("%s: in systemd's lists: %v, own: %v", n, known[n], d.Own)
			}
		}
	}
}

func TestNamesAndOptionsAreUnique(t *testing.T) {
	seen := map[string]string{}
	add := func(kind, word, name string) {
		if before, ok := seen[kind+word]; ok {
			t.Errorf("%s %q: both %s and %s", kind, word, before, name)
		}
		seen[kind+word] = name
	}
	for _, d := range Directives {
		add("name", d.Name, d.Name)
		for _, a := range d.Aliases {
			add("name", a, d.Name)
		}
		if d.Option != "" {
			add("option", d.Option, d.Name)
		}
		for _, o := range d.OptionAliases {
			add("option", o, d.Name)
		}
		if d.Short != "" {
			add("short", d.Short, d.Name)
		}
	}
}

// words that are reserved as options of the program itself, not of a policy.
var reservedOptions = []string{"json", "for", "help", "version", "all", "threshold", "property"}

// kebab derives an option from a directive's name: words are parted where an
// upper-case letter follows a lower-case one, and before the last letter of a
// run of capitals that a lower-case one follows.
func kebab(name string) string {
	var b strings.Builder
	r := []rune(name)
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) &&
			(unicode.IsLower(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// irregular are the options that the rule would part at the wrong letter, as
// DESIGN and people have them.
var irregular = map[string]string{
	"UMask":                 "umask",
	"PrivatePIDs":           "private-pids",
	"SELinuxContext":        "selinux-context",
	"AppArmorProfile":       "apparmor-profile",
	"TTYVHangup":            "tty-vhangup",
	"TTYVTDisallocate":      "tty-vt-disallocate",
	"RootMStack":            "root-mstack",
	"TimerSlackNSec":        "timer-slack-nsec",
	"AllowedCPUs":           "allowed-cpus",
	"StartupAllowedCPUs":    "startup-allowed-cpus",
	"CPUSetPartition":       "cpuset-partition",
	"MemoryZSwapMax":        "memory-zswap-max",
	"StartupMemoryZSwapMax": "startup-memory-zswap-max",
	"MemoryZSwapWriteback":  "memory-zswap-writeback",
	"CGroup":                "cgroup",
}

func TestOptionNames(t *testing.T) {
	for _, d := range Directives {
		want, special := irregular[d.Name]
		if !special {
			want = kebab(d.Name)
		} else if want == kebab(d.Name) {
			t.Errorf("%s: %s is regular", d.Name, want)
		}
		if d.NoOption {
			want = ""
		}
		if d.Option != want {
			t.Errorf("%s: option %q, want %q", d.Name, d.Option, want)
		}
		if slices.Contains(reservedOptions, d.Option) {
			t.Errorf("%s: option %q is the program's own", d.Name, d.Option)
		}
	}
	for _, c := range []struct{ option, name string }{
		{"oom-score-adjust", "OOMScoreAdjust"},
		{"cpu-affinity", "CPUAffinity"},
		{"cpu-scheduling-policy", "CPUSchedulingPolicy"},
		{"numa-policy", "NUMAPolicy"},
		{"io-scheduling-class", "IOSchedulingClass"},
		{"io-read-iops-max", "IOReadIOPSMax"},
		{"limit-nofile", "LimitNOFILE"},
		{"limit-as", "LimitAS"},
		{"ignore-sigpipe", "IgnoreSIGPIPE"},
		{"private-bpf", "PrivateBPF"},
		{"private-ipc", "PrivateIPC"},
		{"remove-ipc", "RemoveIPC"},
		{"memory-ksm", "MemoryKSM"},
		{"memory-thp", "MemoryTHP"},
		{"mount-apivfs", "MountAPIVFS"},
		{"mount-api-vfs", "MountAPIVFS"},
		{"restrict-suidsgid", "RestrictSUIDSGID"},
		{"exec-search-path", "ExecSearchPath"},
		{"pam-name", "PAMName"},
		{"ip-address-deny", "IPAddressDeny"},
		{"nft-set", "NFTSet"},
		{"bpf-delegate-maps", "BPFDelegateMaps"},
		{"tty-path", "TTYPath"},
		{"no-new-privs", "NoNewPrivileges"},
		{"seccomp", "SystemCallFilter"},
		{"read-only-directories", "ReadOnlyPaths"},
		{"ro-bind", "RoBind"},
		{"keep-fd", "KeepFD"},
		{"ready-fd", "ReadyFD"},
		{"pid", "PID"},
		{"seccomp-bpf", "SeccompBPF"},
		{"drop-in", "DropIn"},
		{"caps", "Caps"},
		{"cgroup", "CGroup"},
		{"kill-mode", "KillMode"},
	} {
		if d := ByOption(c.option); d == nil || d.Name != c.name {
			t.Errorf("ByOption(%q) = %v, want %s", c.option, d, c.name)
		}
	}
}

// TestOwnRows holds the list of hardrun's own options.
func TestOwnRows(t *testing.T) {
	applied := strings.Fields("Caps CGroup Chroot Env ClearEnv KeepFD KeepTTY Init Waive Strict Log Parent Unknown SeccompBPF " +
		"Bind RoBind Tmpfs MinimalRoot AllowLandlock AllowNewCalls FilterBackend FilterOut ExplainDenials " +
		"Unit UnitPath DropIn Socket Listen Do PID ReadyFD SkipStatus")
	notYet := strings.Fields("Prove")
	for _, d := range Directives {
		if !d.Own {
			continue
		}
		if list := map[Support][]string{Applied: applied, NotYet: notYet}[d.Support]; !slices.Contains(list, d.Name) {
			t.Errorf("%s: support %d is not what is listed", d.Name, d.Support)
		}
	}
	for _, n := range append(applied, notYet...) {
		if d := Lookup("X-Hardrun-" + n); d == nil || !d.Own {
			t.Errorf("X-Hardrun-%s= is unknown", n)
		}
	}
}

func TestRows(t *testing.T) {
	mans := []string{manExec, manService, manKill, manResource, manUnit, manSocket}
	for _, d := range Directives {
		if d.Own != (d.Man == "") || d.Man != "" && !slices.Contains(mans, d.Man) {
			t.Errorf("%s: manual page %q", d.Name, d.Man)
		}
		if !slices.Contains([]string{"Service", "Unit", "Install", "Socket"}, d.Section) {
			t.Errorf("%s: section %q", d.Name, d.Section)
		}
		if (d.Man == manUnit || d.Man == manSocket) == (d.Section == "Service") || (d.Man == manSocket) != (d.Section == "Socket") {
			t.Errorf("%s: section %q with %s", d.Name, d.Section, d.Man)
		}
		if d.Section != "Service" && !d.NoOption {
			t.Errorf("%s: an option for what stands in [%s]", d.Name, d.Section)
		}
		if !sentence(d.Doc) || len(d.Doc) >= 120 || strings.Contains(d.Doc, ". ") {
			t.Errorf("%s: Doc is not one short sentence: %q", d.Name, d.Doc)
		}
		if d.Notes != "" && !sentence(d.Notes) && !strings.HasPrefix(d.Notes, "journal") &&
			!strings.HasPrefix(d.Notes, "auto") && !strings.HasPrefix(d.Notes, "select(2)") && !strings.HasPrefix(d.Notes, "systemd") && !strings.HasPrefix(d.Notes, "libseccomp") {
			t.Errorf("%s: Notes are no sentences: %q", d.Name, d.Notes)
		}
		if d.Arg == "" {
			t.Errorf("%s: no Arg", d.Name)
		}
		if (d.Support == Applied) != (d.Value != nil) || (d.Support == Applied) != (d.Why == "") {
			t.Errorf("%s: support %d with value %v and why %q", d.Name, d.Support, d.Value, d.Why)
		}
		if d.Why != "" && (!unicode.IsLower(rune(d.Why[0])) || strings.HasSuffix(d.Why, ".")) {
			t.Errorf("%s: Why is not the tail of a message: %q", d.Name, d.Why)
		}
		if (d.Support == NotYet) != strings.HasPrefix(d.Why, "not yet applied: ") {
			t.Errorf("%s: support %d with why %q", d.Name, d.Support, d.Why)
		}
		if d.Support == Manager && (!d.NoOption || d.Class != ClassPlain && d.Class != ClassLog) {
			t.Errorf("%s: a manager's directive is no option, and nothing to waive", d.Name)
		}
		if d.Value != nil && d.Value.Bool != strings.HasPrefix(d.Arg, "BOOL") {
			t.Errorf("%s: Bool %v with %s", d.Name, d.Value.Bool, d.Arg)
		}
	}
}

func sentence(s string) bool {
	return s != "" && strings.HasSuffix(s, ".") && unicode.IsUpper(rune(s[0])) || strings.HasPrefix(s, "0 to 2")
}

// TestDefaultsParse sets each default. Of a directive that is not applied the
// default must ask for nothing, or a unit that writes it out would be refused.
func TestDefaultsParse(t *testing.T) {
	for _, d := range Directives {
		if d.Default == "" {
			continue
		}
		var p Policy
		if err := p.SetDirective(d, d.Default, sampleOrigin(d.ConfigName(), 7)); err != nil {
			t.Errorf("%s=%s: %v", d.Name, d.Default, err)
		}
		if len(p.NotApplied) > 0 {
			t.Errorf("%s=%s is the default and would be refused", d.Name, d.Default)
		}
	}
}

// TestDefaults holds defaults of systemd 262 for a system service, read from
// the sections of the manual that describe them.
func TestDefaults(t *testing.T) {
	for name, want := range map[string]string{
		"UMask": "0022", "KeyringMode": "private", "IgnoreSIGPIPE": "yes", "NoNewPrivileges": "no",
		"StandardInput": "null", "StandardOutput": "journal", "StandardError": "inherit",
		"TTYPath": "/dev/console", "LimitNOFILE": "1024:524288", "WorkingDirectory": "/",
		"RuntimeDirectoryMode": "0755", "SyslogFacility": "daemon", "KillSignal": "SIGTERM",
		"Type": "simple", "DevicePolicy": "auto", "ProtectProc": "default", "MemoryTHP": "inherit",
		"CapabilityBoundingSet": "", "User": "",
	} {
		if d := Lookup(name); d == nil || d.Default != want {
			t.Errorf("%s: default %q, want %q", name, d.Default, want)
		}
	}
}

func TestWordsAreValid(t *testing.T) {
	for _, d := range Directives {
		if d.Value == nil {
			continue
		}
		valid := 0
		for _, w := range d.Value.Words {
			if strings.HasSuffix(w, ":") {
				w += "/tmp/x"
			}
			var p Policy
			err := p.SetDirective(d, w, sampleOrigin(d.ConfigName(), 7))
			if err == nil {
				valid++
			}
			// Which personalities there are depends on the machine.
			if err != nil && d.Name != "Personality" {
				t.Errorf("%s completes %q: %v", d.Name, w, err)
			}
		}
		if valid == 0 && len(d.Value.Words) > 0 {
			t.Errorf("%s: no word of its completion is valid", d.Name)
		}
	}
}

// TestWaivable: what says who the daemon is, what its paths mean and what it
// is connected to cannot be waived; protections and limits can, by name.
func TestWaivable(t *testing.T) {
	for name, want := range map[string]bool{
		"User": false, "Group": false, "SupplementaryGroups": false, "DynamicUser": false,
		"RootDirectory": false, "PrivateTmp": false, "BindPaths": false, "TemporaryFileSystem": false,
		"NetworkNamespacePath": false, "MountFlags": false, "X-Hardrun-RoBind": false, "X-Hardrun-MinimalRoot": false, "StandardInput": false, "Environment": false,
		"ConditionPathExists": false, "ExecStart": false, "Restart": false, "X-Hardrun-Chroot": false,
		"NoNewPrivileges": true, "CapabilityBoundingSet": true, "SystemCallFilter": true, "PrivateNetwork": true,
		"ProtectSystem": true, "InaccessiblePaths": true, "PrivatePIDs": true, "PrivateUsers": true, "PrivateIPC": true,
		"ProtectHostname": true, "ProtectClock": true, "PrivateDevices": true, "ProtectProc": true, "LimitNOFILE": true, "CPUQuota": true, "SELinuxContext": true,
		"SyslogIdentifier": true, "X-Hardrun-Caps": true,
		"DeviceAllow": true, "IPAddressDeny": true, "RestrictFileSystems": true, "MemoryMax": true, "KillMode": true, "X-Hardrun-CGroup": false, "Delegate": false,
	} {
		if d := Lookup(name); d == nil || d.Class.Waivable() != want {
			t.Errorf("%s: waivable %v, want %v", name, !want, want)
		}
	}
}
