package exposure

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/seccomp"
)

// lines are those of [Service], behind an ExecStart=, from line 3 on.
func lines(text ...string) []Line {
	list := []Line{{Section: "Service", Name: "ExecStart", Value: "/bin/true", From: policy.Origin{File: "a.service", Line: 2}}}
	for i, s := range text {
		name, value, _ := strings.Cut(s, "=")
		section := "Service"
		if unit, rest, ok := strings.Cut(name, "."); ok {
			section, name = unit, rest
		}
		list = append(list, Line{Section: section, Name: name, Value: value, From: policy.Origin{File: "a.service", Line: i + 3}})
	}
	return list
}

func results(t *testing.T, text ...string) [81]Result {
	t.Helper()
	s, _, err := Read(lines(text...), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s.Results()
}

func TestChecks(t *testing.T) {
	sum := 0
	texts := map[string]bool{}
	for i := range Checks {
		c := &Checks[i]
		sum += c.Weight
		if Index(c.ID) != i || Index(c.Field) != i {
			t.Errorf("%s is at %d and %d, not %d", c.ID, Index(c.ID), Index(c.Field), i)
		}
		if text := Text(i); text == "" || len(text) > 60 || strings.HasSuffix(text, ".") || texts[text] {
			t.Errorf("%s: %q", c.ID, text)
		}
		texts[Text(i)] = true
	}
	if sum != 56460 {
		t.Errorf("the weights come to %d", sum)
	}
	if Index("") >= 0 || Index("PrivateTmp") != checkPrivateTmp || Index("Nothing=") >= 0 {
		t.Error("a check that there is not")
	}
	for i := range checkBounding {
		if k := &switches[i]; k.name != "" && k.name+"=" != Checks[i].ID {
			t.Errorf("%s is at the place of %s", k.name, Checks[i].ID)
		}
	}
	for i, first := range map[int]string{checkBounding: "CapabilityBoundingSet=", checkFamilies: "RestrictAddressFamilies=", checkSpaces: "RestrictNamespaces=", checkFilter: "SystemCallFilter="} {
		if !strings.HasPrefix(Checks[i].ID, first) || strings.HasPrefix(Checks[i-1].ID, first) {
			t.Errorf("%s does not begin at %d", first, i)
		}
	}
	for i := checkBounding; i < checkFamilies; i++ {
		if set, _, err := caps.ParseSet(Checks[i].Words); err != nil || set.Empty() {
			t.Errorf("%s: %v", Checks[i].ID, err)
		}
	}
	for i := checkFilter; i < len(Checks); i++ {
		if _, ok := seccomp.GroupByName(Checks[i].Words); !ok {
			t.Errorf("%s: no group", Checks[i].ID)
		}
	}
	for i := checkSpaces; i < checkFilter; i++ {
		if Checks[i].Words != spaceNames[i-checkSpaces] {
			t.Errorf("%s is at the place of %s", Checks[i].ID, spaceNames[i-checkSpaces])
		}
	}
}

// What is in switches is known to policy, and its first word is the default there.
func TestSwitches(t *testing.T) {
	for i := range switches {
		k := &switches[i]
		if k.name == "" {
			continue
		}
		d := policy.Lookup(k.name)
		if d == nil {
			t.Errorf("%s is unknown", k.name)
			continue
		}
		if got := k.initial(); got != "unset" && got != d.Default && d.Default != "" && k.name != "PrivateUsers" {
			t.Errorf("%s begins with %s, and its default is %s", k.name, got, d.Default)
		}
		if k.best != "" {
			if b, ok := k.badness(k.best); !ok || b != 0 {
				t.Errorf("%s=%s has badness %d", k.name, k.best, b)
			}
		}
		if _, ok := k.parse("unset"); ok {
			t.Errorf("%s can be unset by that word", k.name)
		}
	}
}

func TestScore(t *testing.T) {
	for _, c := range []struct {
		tenths     int
		text, name string
	}{
		{100, "10.0", "DANGEROUS"},
		{99, "9.9", "UNSAFE"},
		{90, "9.0", "UNSAFE"},
		{89, "8.9", "EXPOSED"},
		{75, "7.5", "EXPOSED"},
		{74, "7.4", "MEDIUM"},
		{50, "5.0", "MEDIUM"},
		{49, "4.9", "OK"},
		{10, "1.0", "OK"},
		{9, "0.9", "SAFE"},
		{1, "0.1", "SAFE"},
		{0, "0.0", "PERFECT"},
	} {
		if s := (Score{c.tenths}); s.String() != c.text || s.Level().Name != c.name || s.Level().Face == "" {
			t.Errorf("%d is %s, %v", c.tenths, s, s.Level())
		}
	}
}

func TestSum(t *testing.T) {
	var r [81]Result
	if got := Sum(&r); got.Tenths != 0 {
		t.Errorf("nothing bad: %s", got)
	}
	for i := range r {
		r[i].Badness = Checks[i].Range
	}
	if got := Sum(&r); got.Tenths != 100 {
		t.Errorf("all bad: %s", got)
	}
	for i := range r {
		r[i].NotApplicable = true
	}
	if got := Sum(&r); got.Tenths != 0 {
		t.Errorf("nothing applies: %s", got)
	}
	if Row(0, &r[0], &r) != 0 {
		t.Error("a row that does not apply has a share")
	}

	// Both are rounded up, and what does not count leaves both sums.
	r = [81]Result{}
	r[checkProcSubset].Badness = 1 // weight 10 of 56460
	if got := Sum(&r); got.Tenths != 1 || Row(checkProcSubset, &r[checkProcSubset], &r) != 1 {
		t.Errorf("the smallest weight: %s", got)
	}
	r[checkProcSubset].Badness = 1000
	if got := Sum(&r); got.Tenths != 1 {
		t.Errorf("badness beyond the range: %s", got)
	}
	r = [81]Result{}
	r[checkPrivateNetwork].Badness = 1 // 2500
	for i := range r {
		r[i].Unknown = i != checkPrivateNetwork && i != checkPrivateTmp // 1000
	}
	if got := Sum(&r); got.Tenths != 72 { // 250000 / 3500, up
		t.Errorf("one of two: %s", got)
	}
	if got := Row(checkPrivateNetwork, &r[checkPrivateNetwork], &r); got != 72 {
		t.Errorf("its row: %d", got)
	}
	r[checkProtectProc] = Result{Badness: 1} // of 3: 333.3 of 1000
	if got := Row(checkProtectProc, &r[checkProtectProc], &r); got != (33334+4500-1)/4500 {
		t.Errorf("a third: %d", got)
	}
}

// The examples of the arithmetic that systemd-analyze has printed.
func TestKnown(t *testing.T) {
	if r := results(t); Sum(&r).String() != "9.4" || Sum(&r).Level().Name != "UNSAFE" {
		t.Errorf("nothing but ExecStart=: %s", Sum(&r))
	}
	r := results(t, "PrivateTmp=yes")
	if Sum(&r).String() != "9.2" {
		t.Errorf("PrivateTmp=yes: %s", Sum(&r))
	}
}

// Each line that decides is named, and what it is named for.
func TestFrom(t *testing.T) {
	for _, c := range []struct {
		check string
		line  int // 0 for none
		why   string
		text  []string
	}{
		{"PrivateTmp=", 0, "PrivateTmp= is no", nil},
		{"PrivateTmp=", 4, "PrivateTmp= is yes", []string{"PrivateTmp=no", "PrivateTmp=yes", "PrivateTmp=maybe"}},
		{"PrivateTmp=", 3, "PrivateTmp= is yes, by DynamicUser=", []string{"DynamicUser=yes", "PrivateTmp=no"}},
		{"ProtectHome=", 4, "ProtectHome= is tmpfs", []string{"DynamicUser=yes", "ProtectHome=tmpfs"}},
		{"PrivateMounts=", 0, "PrivateMounts= is not set", nil},
		{"User=/DynamicUser=", 3, "the user is www", []string{"User=www"}},
		{"User=/DynamicUser=", 3, "the user is a dynamic one", []string{"DynamicUser=yes"}},
		{"RemoveIPC=", 3, "the service runs as root, for which it is no matter", []string{"User=root"}},
		{"CapabilityBoundingSet=~CAP_KILL", 3, "the bounding set holds CAP_KILL", []string{"CapabilityBoundingSet=CAP_KILL"}},
		{"CapabilityBoundingSet=~CAP_MAC_*", 3, "the bounding set holds CAP_MAC_ADMIN", []string{"CapabilityBoundingSet=CAP_MAC_ADMIN"}},
		{"CapabilityBoundingSet=~CAP_SYSLOG", 4, "the bounding set is without CAP_SYSLOG, by ProtectKernelLogs=", []string{"PrivateTmp=yes", "ProtectKernelLogs=yes"}},
		{"CapabilityBoundingSet=~CAP_SYSLOG", 3, "the bounding set is without CAP_SYSLOG", []string{"CapabilityBoundingSet=CAP_KILL", "ProtectKernelLogs=yes"}},
		{"DeviceAllow=", 3, "DevicePolicy= is closed, by PrivateDevices=, and no device is added", []string{"PrivateDevices=yes"}},
		{"DeviceAllow=", 4, "ProtectClock= adds char-rtc", []string{"PrivateDevices=yes", "ProtectClock=yes"}},
		{"IPAddressDeny=", 4, "IPAddressAllow= has more than localhost", []string{"IPAddressDeny=any", "IPAddressAllow=10.0.0.1"}},
		{"SystemCallFilter=~@clock", 3, "the filter denies all of @clock", []string{"SystemCallFilter=~@clock", "SystemCallFilter=~@swap"}},
		{"SystemCallFilter=~@swap", 4, "the filter denies all of @swap", []string{"SystemCallFilter=~@clock", "SystemCallFilter=~@swap"}},
		{"SystemCallFilter=~@mount", 3, "the filter allows chroot of @mount", []string{"SystemCallFilter=~@clock", "SystemCallFilter=~@swap"}},
		{"SystemCallFilter=~@swap", 4, "the filter allows swapon of @swap", []string{"SystemCallFilter=@clock", "SystemCallFilter=swapon"}},
		{"SystemCallFilter=~@swap", 0, "there is no filter of system calls", nil},
		{"RestrictNamespaces=~user", 4, "RestrictNamespaces= closes user", []string{"RestrictNamespaces=user", "RestrictNamespaces=~user"}},
		{"RestrictAddressFamilies=~AF_(INET|INET6)", 3, "RestrictAddressFamilies= closes AF_INET and AF_INET6", []string{"RestrictAddressFamilies=none"}},
		{"RootDirectory=/RootImage=", 3, "the root is /srv", []string{"RootDirectory=//srv/."}},
		{"PrivateTmp=", 3, "the service is of early boot: DefaultDependencies= is no", []string{"Unit.DefaultDependencies=no"}},
	} {
		all := results(t, c.text...)
		r := &all[Index(c.check)]
		if r.Why != c.why || r.From.Line != c.line {
			t.Errorf("%q: %s is %q by line %d, want %q by %d", c.text, c.check, r.Why, r.From.Line, c.why, c.line)
		}
	}
}

func TestIgnored(t *testing.T) {
	for _, c := range []struct{ line, why string }{
		{"PrivateTmp=maybe", "not a value of it"},
		{"PrivateTmp=", "an empty value is none"},
		{"Nonsense=yes", "unknown in [Service]"},
		{"KeepFD=3", "unknown in [Service]"},
		{"DefaultDependencies=no", "it belongs to [Unit]"},
		{"Foo.PrivateTmp=yes", "unknown section [Foo]"},
		{"UMask=99", `not an octal mode: "99"`},
		{"CapabilityBoundingSet=CAP_KILL CAP_FOO", `unknown capability "CAP_FOO"`},
		{"RestrictNamespaces=user foo", `unknown kind of namespace "foo", and with it the whole line`},
		{"RestrictAddressFamilies=AF_FOO AF_UNIX", `unknown address family "AF_FOO", and with it what follows`},
		{"SystemCallFilter=~@clock foo", `unknown call or group "foo"`},
		{"SystemCallFilter=~@io-uring", `unknown call or group "@io-uring"`},
		{"SystemCallFilter=read:EPERM", `an allowed call has no error number: "read:EPERM"`},
		{"SystemCallArchitectures=native foo", `unknown architecture "foo"`},
		{"IPAddressDeny=any foo", `not an address: "foo"`},
		{"IPIngressFilterPath=x", "not an absolute path"},
		{"DeviceAllow=/foo", `not a device: "/foo"`},
		{"MountImages=/a", `no place to mount it: "/a"`},
		{"ExecStop=-x/y", "neither an absolute path nor a name without a slash"},
		{"BusName=x", "not a name on the bus"},
	} {
		_, ignored, err := Read(lines(c.line), nil)
		if err != nil || len(ignored) != 1 || ignored[0].Text != c.why || ignored[0].From.Line != 3 {
			t.Errorf("%s: %v %v, want %s", c.line, ignored, err, c.why)
		}
	}
	for _, line := range []string{"X-Foo=1", "CPUQuota=foo", "Unit.After=x", "Install.WantedBy=x", "PrivateTmp=yes", "Service.StartLimitBurst=1"} {
		if _, ignored, err := Read(lines(line), nil); err != nil || len(ignored) != 0 {
			t.Errorf("%s: %v %v", line, ignored, err)
		}
	}
}

func TestNotLoadable(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
		line bool
	}{
		{"User=a/b", `a.service:3: User=: not the name of a user or group: "a/b"`, true},
		{"DynamicUser=", "a.service:3: DynamicUser=: neither yes nor no", true},
		{"RootDirectory=x", "a.service:3: RootDirectory=: not an absolute path", true},
		{"ExecStart=", "there is none of ExecStart=, ExecStop= and SuccessAction=", false},
		{"Type=dbus", "Type=dbus takes a BusName=", false},
	} {
		s, _, err := Read(lines(c.text), nil)
		var of *policy.Error
		if s != nil || err == nil || err.Error() != c.want || errors.As(err, &of) != c.line {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if _, _, err := Read(nil, nil); err == nil {
		t.Error("nothing at all is loaded")
	}
}

// FuzzRead: whatever is read, it is read twice alike, and the score is one.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"PrivateTmp=yes\nUser=%i\nDynamicUser=yes",
		"CapabilityBoundingSet=~CAP_SYS_ADMIN \"CAP_KILL\nCapabilityBoundingSet=63 0x10\nAmbientCapabilities=~",
		"RestrictAddressFamilies=~AF_UNIX\nRestrictAddressFamilies=AF_DECnet none\nRestrictNamespaces=user ~mnt",
		"SystemCallFilter=@system-service\nSystemCallFilter=~@clock:EPERM x:\nSystemCallArchitectures=native \"x86",
		"IPAddressDeny=any ::ffff:0:0/0x60 1.2.3.4/33\nIPAddressAllow=::1 127.0.0.1/8",
		"DeviceAllow=\"/dev/a b\" rw\nDevicePolicy=closed\nMountImages=/a:/b:c \"x\nRootImage=/%n",
		"ExecStart=-@|+!!/x \"a b\" ; /y \\x41 \\\nType=oneshot\nExecStop=\"",
		"UMask=0777\nBusName=:1.x\nRootImagePolicy=root=verity\\:x:=\nWorkingDirectory=-%Q\nPIDFile=../x",
		"ProtectHostname=private:%H\nDelegate=\nSupplementaryGroups=a \\ b",
	} {
		f.Add(seed)
	}
	expand := func(s string) (string, error) {
		if strings.Contains(s, "%Q") {
			return "", errors.New("unknown specifier")
		}
		return strings.ReplaceAll(s, "%i", ""), nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := lines(strings.Split(text, "\n")...)
		a, ignored, err := Read(list, expand)
		b, again, err2 := Read(slices.Clone(list), expand)
		if (err == nil) != (err2 == nil) || !reflect.DeepEqual(ignored, again) || (a == nil) != (err != nil) {
			t.Fatalf("%v, %v, then %v, %v", ignored, err, again, err2)
		}
		if err != nil {
			if err.Error() != err2.Error() {
				t.Fatalf("%v, then %v", err, err2)
			}
			return
		}
		r, r2 := a.Results(), b.Results()
		if r != r2 || r != a.Results() {
			t.Fatal("two readings have two results")
		}
		if s := Sum(&r); s.Tenths < 0 || s.Tenths > 100 {
			t.Fatalf("score %s", s)
		}
		for i := range r {
			if r[i].Badness < 0 || r[i].Badness > Checks[i].Range || r[i].Why == "" || r[i].Badness == 0 && r[i].Advice != "" {
				t.Fatalf("%s: %+v", Checks[i].ID, r[i])
			}
			if row := Row(i, &r[i], &r); row < 0 || row > 100 || row > 0 != (r[i].Badness > 0 && !r[i].NotApplicable) {
				t.Fatalf("%s: %d for %+v", Checks[i].ID, row, r[i])
			}
		}
	})
}
