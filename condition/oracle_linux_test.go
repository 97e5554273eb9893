package condition

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tree fills a directory with what paths are asked about.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"empty", "full", "hidden", "backups", "a b", "{x}", "deep/one/two"} {
		must(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for name, text := range map[string]string{
		"zero": "", "file": "x", "full/y": "x", "hidden/.h": "x", "deep/one/two/f.conf": "x", "deep/.dot": "x", "a b/c": "x", "[z]": "x", `back\slash`: "x",
		"backups/a~": "", "backups/x.dpkg-old": "", "backups/x.swp": "", "backups/x.bak": "", "backups/x.rpmsave": "", "backups/lost+found": "",
		"backups/x.ucf-dist": "", "backups/aquota.user": "", "backups/x.new": "", "backups/x.dpkg-backup": "",
	} {
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	must(os.WriteFile(filepath.Join(dir, "program"), nil, 0o644))
	must(os.Chmod(filepath.Join(dir, "program"), 0o645))
	for name, to := range map[string]string{"link": "file", "dangling": "nothing", "loop": "loop", "dirlink": "full", "linkprogram": "program"} {
		must(os.Symlink(to, filepath.Join(dir, name)))
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(err)
	t.Cleanup(func() { _ = l.Close() })
	return dir
}

// oracle is what systemd-analyze says to the same lines on this machine.
func oracle(t *testing.T, lines ...string) (holds bool, text string) {
	t.Helper()
	out, err := exec.Command("systemd-analyze", append([]string{"condition"}, lines...)...).CombinedOutput()
	if e := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &e) || e.ExitCode() != 1) {
		t.Fatalf("systemd-analyze condition %q: %v\n%s", lines, err, out)
	}
	return err == nil, string(out)
}

func needAnalyze(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
}

// What can be asked of systemd 252 as well has the same answer here.
func TestOracle(t *testing.T) {
	needAnalyze(t)
	dir := tree(t)
	t.Setenv("HARDRUN_SET", "a=b")
	t.Setenv("HARDRUN_EMPTY", "")
	creds := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", creds)
	for _, name := range []string{"one", "two.x"} {
		if err := os.WriteFile(filepath.Join(creds, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"ConditionArchitecture=native", "ConditionArchitecture=x86-64", "ConditionArchitecture=arm64", "ConditionArchitecture=x86", "ConditionArchitecture=!s390x",
		"ConditionFirmware=uefi", "ConditionFirmware=device-tree", "ConditionFirmware=device-tree-compatible(foo,bar)",
		"ConditionFirmware=smbios-field(sys_vendor = nobody)", "ConditionFirmware=smbios-field(sys_vendor$=*)",
		"ConditionHost=" + host, "ConditionHost=" + strings.ToUpper(host), "ConditionHost=" + host[:1] + "*", "ConditionHost=?" + host, "ConditionHost=!nowhere",
		"ConditionHost=00000000000000000000000000000001",
		"ConditionKernelCommandLine=quiet", "ConditionKernelCommandLine=nothere", "ConditionKernelCommandLine=!ro",
		"ConditionCredential=one", "ConditionCredential=two.x", "ConditionCredential=three",
		"ConditionEnvironment=HARDRUN_SET", "ConditionEnvironment=HARDRUN_SE", "ConditionEnvironment=HARDRUN_SET=a=b", "ConditionEnvironment=HARDRUN_SET=a",
		"ConditionEnvironment=HARDRUN_EMPTY", "ConditionEnvironment=HARDRUN_EMPTY=", "ConditionEnvironment=HARDRUN_NONE=",
		"ConditionCapability=CAP_NET_ADMIN", "ConditionCapability=cap_sys_time", "ConditionCapability=!CAP_BPF",
		"ConditionACPower=yes", "ConditionACPower=no", "ConditionFirstBoot=yes", "ConditionFirstBoot=no",
		"ConditionNeedsUpdate=/var", "ConditionNeedsUpdate=/etc", "ConditionNeedsUpdate=!/etc/",
		"ConditionUser=root", "ConditionUser=0", "ConditionUser=@system", "ConditionUser=daemon", "ConditionUser=nobody", "ConditionUser=nosuchuser", "ConditionUser=1",
		"ConditionGroup=root", "ConditionGroup=0", "ConditionGroup=daemon", "ConditionGroup=nosuchgroup", "ConditionGroup=12345",
		"ConditionControlGroupController=v1", "ConditionControlGroupController=v2", "ConditionControlGroupController=nosuch",
		"ConditionMemory=1", "ConditionMemory=>1G", "ConditionMemory=>= 1G 512M", "ConditionMemory=<1.5G", "ConditionMemory=>1E", "ConditionMemory=!=0", "ConditionMemory=<>0", "ConditionMemory===1K",
		"ConditionCPUs=1", "ConditionCPUs=>=2", "ConditionCPUs=> 4096", "ConditionCPUs=<1", "ConditionCPUs=!=1", "ConditionCPUs=<> 1", "ConditionCPUs==1",
		"ConditionMemoryPressure=100%", "ConditionCPUPressure=100%/10sec", "ConditionIOPressure=99.5%/1min", "ConditionIOPressure=99%/5min",
		"ConditionPathIsReadWrite=/proc", "ConditionPathIsReadWrite=/nothing", "ConditionPathIsReadWrite=/sys",
		"ConditionPathIsMountPoint=/", "ConditionPathIsMountPoint=/proc", "ConditionPathIsMountPoint=/dev", "ConditionPathIsMountPoint=/etc", "ConditionPathIsMountPoint=/proc/1",
		"ConditionPathIsMountPoint=//", "ConditionPathIsMountPoint=/nothing", "ConditionPathIsMountPoint=/proc/self",
		"ConditionPathIsEncrypted=/", "ConditionPathIsEncrypted=/proc", "ConditionPathIsEncrypted=/nothing",
	}
	if os.Getuid() == 0 { // the manager of a user has no controllers of the first version
		for _, name := range []string{"memory", "pids", "cpu memory", "io"} {
			lines = append(lines, "ConditionControlGroupController="+name)
		}
	}
	for _, kind := range []string{"PathExists", "PathIsDirectory", "PathIsSymbolicLink", "PathIsMountPoint", "PathIsReadWrite", "PathIsEncrypted", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable"} {
		for _, name := range []string{"", "/", "/zero", "/file", "/program", "/linkprogram", "/link", "/dangling", "/loop", "/dirlink", "/empty", "/full", "/hidden", "/backups", "/nothing", "/file/below", "/deep//./one/", "/socket"} {
			// systemd takes for read-write, and for a directory with something in it, what
			// it cannot look at.
			if kind == "PathIsReadWrite" && (name == "/loop" || name == "/file/below") || kind == "DirectoryNotEmpty" && name == "/loop" {
				continue
			}
			lines = append(lines, "Condition"+kind+"="+dir+name)
		}
	}
	for _, p := range []string{
		"/*", "/f*", "/q*", "/[ef]*", "/[!a-z]*", "/?ile", "/deep/*", "/deep/.*", "/deep/.d*", "/deep/*/two", "/deep/*/*/*.conf", "/deep/*/three", "/deep/o*/t*/f.con[f]",
		"/{q,file}", "/{q,r}", "/{q,f{il,oo}e}", "/dangling", "/d[a]ngling", "/loop", "/file/", "/full/", "/f*/", "/z*/", "/empty/*", "/hidden/*", "/hidden/.*", `/\[z]`, "/[[]z]", "/[z]",
		"/a*b/c", `/{x}`, `/\{x\}`, "/{x", "/[x", "/x[", "/nothing/*", "/file/*", `/back\\slash`, `/back*slash`, "/{,file}", "/{}", "/empty/{}", "/empty/{,x}", "/file{}", "/file/{}", "/deep//one///two/*", "/d*link/y", "/l[[:alpha:]]nk", "/l[[:digit:]]nk",
	} {
		lines = append(lines, "ConditionPathExistsGlob="+dir+p)
	}
	if x86 {
		for n, names := range []string{leaf1D, leaf1C, leaf7B, leaf81D, leaf81C, leaf87D} {
			for _, name := range strings.Fields(names) {
				if name != "-" {
					lines = append(lines, "ConditionCPUFeature="+name)
				} else if n == 0 {
					lines = append(lines, "ConditionCPUFeature=nosuch")
				}
			}
		}
		lines = append(lines, "ConditionCPUFeature=AVX", "ConditionCPUFeature=SSE2")
	}
	for _, name := range strings.Fields("yes no vm container private-users " + machines + " " + containers) {
		lines = append(lines, "ConditionVirtualization="+name, "ConditionVirtualization=!"+name)
	}
	for _, name := range strings.Fields(securities) {
		if name != "measured-uki" && name != "measured-os" {
			lines = append(lines, "ConditionSecurity="+name)
		}
	}
	for _, v := range []string{
		">5", ">=5 <7", "> 5", `"> 5"`, "< 5", "<5 >1", ">1 <99", "=5", "!=5", "==5", "<>5", "$=*", "!$=*", "*", "[0-9]*", "?", "$= *", "6.*", "nothing", ">5 6.*", "<999 nothing", "'>5'", "!=6.1 !=6.2",
	} {
		lines = append(lines, "ConditionKernelVersion="+v)
	}
	for _, v := range []string{
		"ID=debian", "ID!=debian", "ID$=deb*", "ID!$=deb*", `ID$=d[a-f]bian`, "ID$=d[!a-d]bian", "ID$=d[^a-d]bian", "ID$=?ebian", "ID$=*a*", "ID$=*z*", "ID$=*b*n", "ID$=*n*b", "ID$=[[:lower:]]*",
		"ID$=d[]e]bian", "ID$=d[e-]bian", "ID$=d[-e]bian", "ID$=d[a-]bian", "ID$=**n", "ID$=debian*", "ID$=debian?", `ID$=\\debian`, `ID$=de\\bian`, "ID$=[", "ID$=[d", "ID$=d[e", `ID$=d[\\e]bian`,
		"VERSION_ID>=11", "VERSION_ID<11", "VERSION_ID==12", "VERSION_ID<>12", "VERSION_ID>11 ID=debian", "VERSION_ID>11 ID=fedora", "NOTHING=x", "NOTHING!=x", "NOTHING<1", `PRETTY_NAME$="*GNU/Linux*"`,
		`"PRETTY_NAME$=Debian GNU*"`, "PRETTY_NAME='Debian GNU/Linux 12 (bookworm)'", "ID$=[[:nosuch:]]*", "ID$=d[[:alpha:][:digit:]]bian",
	} {
		lines = append(lines, "ConditionOSRelease="+v)
	}
	held := 0
	for _, l := range lines {
		want, text := oracle(t, l)
		if strings.Contains(text, "Couldn't determine") {
			t.Errorf("%s: systemd itself fails:\n%s", l, text)
		}
		i := line(t, l)
		failed, open, err := Check([]Item{i}, nil)
		if err != nil || len(open) > 0 || (failed == nil) != want {
			t.Errorf("%s: holds %v, %v, %v; systemd says %v", l, failed == nil, open, err, want)
		}
		if want {
			held++
		}
	}
	t.Log(strconv.Itoa(len(lines)) + " lines, " + strconv.Itoa(held) + " of them held")
}

// What systemd fails to evaluate is an error, and so are words that it takes for false.
func TestOracleErrors(t *testing.T) {
	needAnalyze(t)
	for _, l := range []string{
		"ConditionACPower=maybe", "ConditionFirstBoot=maybe", "ConditionCapability=CAP_NOTHING", "ConditionCapability=net_admin", "ConditionMemory=1X", "ConditionMemory=>", "ConditionMemory=$=1",
		"ConditionCPUs=x", "ConditionCPUs=-1", "ConditionCPUs=>=", "ConditionMemoryPressure=x", "ConditionMemoryPressure=10%/2min", "ConditionMemoryPressure=101%", "ConditionIOPressure=10",
		"ConditionKernelVersion=>", "ConditionKernelVersion=>5 <", "ConditionKernelVersion='>5", "ConditionOSRelease=ID", "ConditionOSRelease==x", "ConditionOSRelease=ID=", `ConditionOSRelease="ID= x"`,
		"ConditionFirmware=nosuch", "ConditionFirmware=smbios-field(x)", "ConditionFirmware=smbios-field(../x = y)", "ConditionFirmware=smbios-field(sys_vendor = y",
		"ConditionFirmware=smbios-field(sys_vendor y)", "ConditionArchitecture=amd64", "ConditionVirtualization=dockr", "ConditionSecurity=selinx",
	} {
		if holds, text := oracle(t, l); holds {
			t.Errorf("%s: systemd says that it holds\n%s", l, text)
		}
		if failed, open, err := Check([]Item{line(t, l)}, nil); err == nil || len(open) > 0 || failed != nil || !strings.HasPrefix(err.Error(), l+": ") {
			t.Errorf("%s: %v, %v, %v: no error", l, failed, open, err)
		}
	}
}

// The conditions of a unit together.
func TestOracleLists(t *testing.T) {
	needAnalyze(t)
	const yes, no = "PathExists=/", "PathExists=/nothing"
	for _, lines := range [][]string{
		{"Condition" + yes},
		{"Condition" + no},
		{"Condition" + yes, "Condition" + no},
		{"ConditionPathExists=|/", "ConditionPathExists=|/nothing"},
		{"ConditionPathExists=|/nothing", "ConditionPathExists=|/nothing"},
		{"ConditionPathExists=|/nothing", "Condition" + yes},
		{"ConditionPathExists=|!/nothing", "Condition" + yes},
		{"ConditionPathExists=|/", "Condition" + no},
		{"ConditionPathExists=|/", "ConditionPathExists=!/"},
		{"Assert" + yes},
		{"Assert" + no},
		{"Condition" + yes, "Assert" + no},
		{"ConditionPathExists=|/nothing", "AssertPathExists=|/"},
		{"ConditionPathExists=|/", "AssertPathExists=|/nothing"},
		{"ConditionPathExists=|/nothing", "ConditionPathExists=|/"},
	} {
		want, _ := oracle(t, lines...)
		var list []Item
		for _, l := range lines {
			list = append(list, line(t, l))
		}
		if failed, _, err := Check(list, nil); err != nil || (failed == nil) != want {
			t.Errorf("%q: %v, %v; systemd says %v", lines, failed, err, want)
		}
	}
}

var versions = []string{
	"", "~", "~1", "^", "-", ".", "0", "00", "1", "01", "1.", "1.0", "0.1", "1.2", "1_2", "1_", "_1", "1+", "1+2+3", "1.3.3", "11", "12", "123a", "123", "123.a", "123.b", "1~rc1", "1~rc2", "1~~", "1~~a", "1^",
	"1^1", "1-1", "1-2", "1.1", "1-a", "1^a", "1.a", "a", "A", "ab", "aB", "b", "systemd-123", "bar-123", "foo-123", "11α", "11β", "6.1.0-18-amd64", "6.1.0-9-amd64", "6.1", "6.1.0~rc3", "999999999999999999999", "1000000000000000000000",
	"5.15.0+", "5.15.0-custom", "v5", "~_2", "~2", "1-_2", "1-2.", "1 2", "1..2", "1.^2", "é", "1é2", "252.39-1~deb12u2", "252.4",
}

// compareVersions is what systemd-analyze compare-versions does.
func TestCompareVersions(t *testing.T) {
	needAnalyze(t)
	random := uint32(1)
	for range 400 {
		random = random*1664525 + 1013904223
		a := versions[random>>8%uint32(len(versions))]
		random = random*1664525 + 1013904223
		b := versions[random>>8%uint32(len(versions))]
		compareOne(t, a, b)
	}
	for n := range versions {
		compareOne(t, versions[n], versions[(n+1)%len(versions)])
	}
}

func compareOne(t *testing.T, a, b string) {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "compare-versions", "--", a, b).CombinedOutput()
	e := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := 9
	if e == nil {
		want = 0
	} else if code := e.ExitCode(); code == 11 {
		want = 1
	} else if code == 12 {
		want = -1
	}
	if got := compareVersions(a, b); got != want {
		t.Errorf("%q to %q: %d, systemd: %d %s", a, b, got, want, out)
	}
	if back := compareVersions(b, a); back != -compareVersions(a, b) {
		t.Errorf("%q to %q is not what it is the other way round", a, b)
	}
}
