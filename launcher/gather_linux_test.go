package launcher

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/integration/testrow"
	"github.com/hardrun/hardrun/policy"
	"golang.org/x/sys/unix"
)

// The variables of sd_listen_fds(3) count where they are for this process, and must be right then.
func TestListen(t *testing.T) {
	for _, tt := range []struct {
		environ string
		n       int
		anyone  bool
		names   []string
		problem string
	}{
		{"A=1", 0, false, nil, ""},
		{"LISTEN_PID=812 LISTEN_FDS=2 LISTEN_FDNAMES=a:b", 2, true, []string{"a", "b"}, ""},
		{"LISTEN_PID=812 LISTEN_FDS=2", 2, true, nil, ""},
		{"LISTEN_PID=812 LISTEN_FDS=0", 0, true, nil, ""},
		{"LISTEN_PID=812 LISTEN_FDS=4096", 4096, true, nil, ""},
		{"LISTEN_PID=812 LISTEN_FDS=4097", 0, true, nil, `LISTEN_FDS="4097" is no count of descriptors`},
		{"LISTEN_PID=812 LISTEN_FDS=-1", 0, true, nil, `LISTEN_FDS="-1" is no count of descriptors`},
		{"LISTEN_PID=812 LISTEN_FDS=two", 0, true, nil, `LISTEN_FDS="two" is no count of descriptors`},
		{"LISTEN_PID=813 LISTEN_FDS=2 LISTEN_FDNAMES=a:b", 0, true, nil, ""},
		{"LISTEN_PID=813", 0, true, nil, ""},
		{"LISTEN_FDS=2", 0, true, nil, ""},
		{"LISTEN_FDNAMES=a", 0, true, nil, ""},
	} {
		e := &Env{PID: 812, Snapshot: Snapshot{Environ: strings.Fields(tt.environ)}}
		e.listen()
		if got := strings.Join(problems(e), "; "); e.Listen != tt.n || e.ListenFor != tt.anyone || !slices.Equal(e.FDNames, tt.names) || got != tt.problem {
			t.Errorf("%s: %d, %v, %q, %q", tt.environ, e.Listen, e.ListenFor, e.FDNames, got)
		}
	}
}

// In a second start LISTEN_PID= is the number that the process has by now.
func TestRenumber(t *testing.T) {
	for _, tt := range []struct {
		starter       int
		environ, want string
	}{
		{700, "LISTEN_PID=700 A=700", "LISTEN_PID=812 A=700"},
		{700, "LISTEN_PID=701 LISTEN_PID=7000", "LISTEN_PID=701 LISTEN_PID=7000"},
		{0, "LISTEN_PID=0", "LISTEN_PID=0"},
		{812, "LISTEN_PID=812", "LISTEN_PID=812"},
	} {
		was := strings.Fields(tt.environ)
		e := &Env{PID: 812, Snapshot: Snapshot{Environ: was, Again: Again{Starter: tt.starter}}}
		e.renumber()
		if got := strings.Join(e.Environ, " "); got != tt.want || strings.Join(was, " ") != tt.environ {
			t.Errorf("%d: %s: %s, want %s; the caller's is %s", tt.starter, tt.environ, got, tt.want, was)
		}
		if tt.starter == 0 || tt.starter == 812 {
			if &e.Environ[0] != &was[0] {
				t.Errorf("%d: copied for nothing", tt.starter)
			}
		}
	}
}

// Users and groups are those of the host's files.
func TestNames(t *testing.T) {
	useNames(t, "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1001:Me,,,:/home/me:/bin/bash\n", "me:x:1001:\nstaff:x:50:me\nown:x:77:\n")
	me := caps.User{Name: "me", UID: 1000, GID: 1001, Home: "/home/me", Shell: "/bin/bash", Entry: true}
	dyn := aDynamicUser()
	service := &Given{Unit: "x.service"}
	type want struct {
		user, own caps.User
		groups    []uint32
		group     caps.Group
		extra     []uint32
		problems  string
	}
	for _, tt := range []struct {
		set   string
		exact bool
		given *Given
		uid   uint32
		want  want
	}{
		{"User=me", false, nil, 0, want{user: me, groups: []uint32{1001, 50}}},
		{"User=1000", false, service, 0, want{user: me, groups: []uint32{1001, 50}}},
		{"User=me|Group=own", false, nil, 0, want{user: me, groups: []uint32{1001, 50}, group: caps.Group{Name: "own", GID: 77}}},
		{"User=me|Group=own", true, nil, 0, want{user: me, group: caps.Group{Name: "own", GID: 77}}},
		{"User=12|Group=own", false, nil, 0, want{user: caps.User{UID: 12, GID: 77, Home: "/"}, groups: []uint32{77}, group: caps.Group{Name: "own", GID: 77}}},
		{"User=12", false, nil, 0, want{user: caps.User{UID: 12, Home: "/"}, problems: "User=: no entry for uid 12, so its group is not known (x.service:3)"}},
		{"User=who", false, nil, 0, want{user: caps.User{Home: "/"}, problems: `User=: unknown user "who" (x.service:3)`}},
		{"Group=own", false, nil, 0, want{group: caps.Group{Name: "own", GID: 77}}},
		{"Group=none", false, nil, 0, want{problems: `Group=: unknown group "none" (x.service:3)`}},
		{"SupplementaryGroups=staff none 9", false, nil, 0, want{extra: []uint32{50, 9}, problems: `SupplementaryGroups=: unknown group "none" (x.service:3)`}},
		// Whom hardrun runs as counts for a service alone.
		{"", false, service, 1000, want{own: me}},
		{"", false, service, 12, want{own: caps.User{Name: "12", UID: 12}}},
		{"", false, nil, 1000, want{}},
		// The user of DynamicUser= has a group of its own, which bears its name.
		{"User=dyn", false, &Given{Who: dyn}, 0, want{user: *dyn, groups: []uint32{61200}}},
		{"User=dyn|Group=dyn", false, &Given{Who: dyn}, 0, want{user: *dyn, groups: []uint32{61200}, group: caps.Group{Name: "dyn", GID: 61200}}},
		{"User=dyn|Group=own", false, &Given{Who: dyn}, 0, want{user: *dyn, groups: []uint32{61200}, group: caps.Group{Name: "own", GID: 77}}},
	} {
		p := policyOf(t)
		if tt.set != "" {
			p = policyOf(t, strings.Split(tt.set, "|")...)
		}
		p.ExactGroups.Set = tt.exact
		e := &Env{Given: tt.given, UIDs: [3]uint32{0, tt.uid, 0}}
		e.names(p)
		if got := (want{e.User, e.Own, e.UserGroups, e.Group, e.Extra, strings.Join(problems(e), "; ")}); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n%+v, want\n%+v", tt.set, got, tt.want)
		}
	}
	// A file that cannot be read is told once for each directive that asks it.
	caps.Host.Group = t.TempDir()
	for set, want := range map[string]int{"User=me": 1, "User=12|Group=50": 1, "User=me|Group=50": 2} {
		e := &Env{}
		e.names(policyOf(t, strings.Split(set, "|")...))
		if len(e.Problems) != want {
			t.Errorf("%s: %q", set, problems(e))
		}
	}
}

// A descriptor that is a directory, or that was opened by O_PATH, leads to other files.
func TestLeads(t *testing.T) {
	dir := tree{"file": "x"}.make(t)
	err := testrow.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_FILES); err != nil {
			return err
		}
		for _, tt := range []struct {
			path  string
			flags int
			want  uint8
		}{{dir, 0, 2}, {dir + "/file", unix.O_PATH, 2}, {dir, unix.O_PATH, 2}, {dir + "/file", 0, 0}, {"/dev/null", 0, 0}} {
			for fd, how := range []struct {
				path  string
				flags int
			}{{"/dev/null", 0}, {tt.path, tt.flags}, {"/dev/null", 0}} {
				at, err := unix.Open(how.path, how.flags|unix.O_CLOEXEC, 0)
				if err == nil {
					err = errors.Join(unix.Dup3(at, fd, unix.O_CLOEXEC), unix.Close(at))
				}
				if err != nil {
					return err
				}
			}
			var e Env
			if err := e.leads(); err != nil || e.Leads != tt.want {
				t.Errorf("%s, flags %#x: %b, %v, want %b", tt.path, tt.flags, e.Leads, err, tt.want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What came over execve(2) is told by fcntl(2), and by fdinfo where there is a /proc.
func TestInherited(t *testing.T) {
	open := func(flags int) int {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		})
		return fd
	}
	const gone = 1 << 20
	kept, own := open(0), open(unix.O_CLOEXEC)
	info := func(fd int, text string) int {
		_, self := tree{"fdinfo/" + strconv.Itoa(fd) + "=0644": text}.open(t)
		return self
	}
	for _, tt := range []struct {
		what string
		self int
		fd   int
		want bool
	}{
		{"without /proc, kept", -1, kept, true},
		{"without /proc, own", -1, own, false},
		{"without /proc, none", -1, gone, false},
		{"kept", info(kept, "pos:\t0\nflags:\t0100000\nmnt_id:\t20\n"), kept, true},
		{"own by fdinfo alone", info(kept, "pos:\t0\nflags:\t02100000\nmnt_id:\t20\n"), kept, false},
		{"own by fcntl(2) alone", info(own, "pos:\t0\nflags:\t0100000\n"), own, false},
		{"a number that is none", info(kept, "flags:\t0x\n"), kept, false},
		{"no line of flags", info(kept, "pos:\t0\n"), kept, false},
		{"no file", info(own, ""), kept, false},
	} {
		e := &Env{handles: handles{self: tt.self}}
		if got := e.inherited(tt.fd); got != tt.want {
			t.Errorf("%s: %v", tt.what, got)
		}
	}
}

// A file that is not read well tells nothing.
func TestInheritedNotRead(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, self := tree{"fdinfo/" + strconv.Itoa(fd) + "=0644": "flags:\t0100000\n"}.open(t)
	answering(t, unix.SYS_CLOSE, unix.EIO, func() {
		if (&Env{handles: handles{self: self}}).inherited(fd) {
			t.Error("taken for inherited")
		}
	})
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
}

// The sets are those of the status text, where it tells all five, and else those that the kernel
// answers by its calls.
func TestReadCaps(t *testing.T) {
	const all = "Pid:\t812\nPPid:\t1\nCapInh:\t1\nCapPrm:\t2\nCapEff:\t4\nCapBnd:\t8\nCapAmb:\t10\n"
	var text [4096]byte
	of := func(status string) *Env {
		e := &Env{PID: 812, LastCap: 40, handles: handles{self: -1}}
		if status != "" {
			_, e.self = tree{"status=0644": status}.open(t)
		}
		return e
	}
	e := of(all)
	if err := e.readCaps(); err != nil || e.Caps != (CapState{1, 2, 4, 8, 16}) || e.ParentSeen != "1" || e.fullStatus {
		t.Errorf("%+v, %v", e, err)
	}
	err := testrow.OnThread(func() error {
		// A state of its own for the thread: one is lacking of the bounding set, and one is ambient.
		if os.Geteuid() == 0 {
			head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capget(&head, &data[0]); err != nil {
				return err
			}
			data[0].Inheritable = 1 << unix.CAP_KILL & data[0].Permitted
			if err := unix.Capset(&head, &data[0]); err != nil {
				return err
			}
			_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_KILL, 0, 0) // where it can be had
			_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_CHOWN, 0, 0, 0)
		}
		fd, err := unix.Open("/proc/thread-self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		n, err := unix.Read(fd, text[:])
		if err = errors.Join(err, unix.Close(fd)); err != nil {
			return err
		}
		want, err := parseStatus(string(text[:n]))
		if err != nil {
			return err
		}
		for _, status := range []string{"", strings.Replace(all, "CapAmb", "X", 1)} {
			e := of(status)
			if err := e.readCaps(); err != nil || e.Caps != want.caps {
				t.Errorf("%+v, %v, want %+v", e.Caps, err, want.caps)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		call uintptr
		want string
	}{{unix.SYS_CAPGET, "capget: input/output error"}, {unix.SYS_PRCTL, "prctl(PR_CAPBSET_READ): input/output error"}} {
		answering(t, tt.call, unix.EIO, func() {
			if err := of("").readCaps(); fails(err) != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	err = testrow.OnThread(func() error {
		if err := answerIf(unix.SYS_PRCTL, 0, unix.PR_CAP_AMBIENT, unix.EIO); err != nil {
			return err
		}
		if err := of("").readCaps(); fails(err) != "prctl(PR_CAP_AMBIENT_IS_SET): input/output error" {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	answering(t, unix.SYS_PRCTL, unix.EINVAL, func() {
		if err := of("").readCredentials(); fails(err) != "prctl(PR_CAPBSET_READ): the kernel knows no capability" {
			t.Error(err)
		}
	})
	e = of("")
	if err := e.readCredentials(); err != nil {
		t.Fatal(err)
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Groups) != len(groups) || len(groups) > 0 && e.Groups[0] != uint32(groups[0]) {
		t.Errorf("groups %v, want %v", e.Groups, groups)
	}
}

// The text of the own stat is that of the /proc that was verified.
func TestStat(t *testing.T) {
	_, self := tree{"stat=0644": "812 (x) R\n"}.open(t)
	if text, err := (&Env{handles: handles{self: self}}).stat(); text != "812 (x) R\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := (&Env{handles: handles{self: -1}}).stat(); fails(err) != "there is no /proc" {
		t.Error(err)
	}
}

// Whether TIOCSTI works is told by a file; where it is not, it does.
func TestSticky(t *testing.T) {
	_, off := tree{"sys/dev/tty/legacy_tiocsti=0644": "0\n"}.open(t)
	_, on := tree{"sys/dev/tty/legacy_tiocsti=0644": "1\n"}.open(t)
	_, none := tree{}.open(t)
	for proc, want := range map[int]bool{off: false, on: true, none: true, -1: true} {
		if got := sticky(proc); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	answering(t, unix.SYS_CLOSE, unix.EIO, func() {
		if !sticky(off) {
			t.Error("a file that was not read well counts")
		}
	})
}

// gatherIn gathers on a thread in a root without a /proc.
func gatherIn(t *testing.T, who string, snap Snapshot, g *Given, args string, settings ...string) *Env {
	t.Helper()
	e, err := GatherFor(policyOf(t, settings...), who, strings.Fields(args), snap, g)
	if err != nil {
		t.Error(err)
		return &Env{}
	}
	return e
}

// What is looked at is what a directive asks for.
func TestGatherWhatIsAsked(t *testing.T) {
	useNames(t, "", "")
	dir := tree{
		"bin/tool": "x", "etc/e=0644": "E=1\n", "root/bin/tool": "x", "sys/module/apparmor/parameters/enabled=0644": "Y\n", "sys/fs/smackfs": "/",
		"sys/devices/system/node/online=0644": "0-1\n", "sys/devices/system/node/node0/cpulist=0644": "0-1\n", "sys/devices/system/node/node1/cpulist=0644": "\n",
	}.make(t)
	inRoot(t, dir, func() {
		if err := testrow.Answer(unix.SYS_LSM_LIST_MODULES, unix.ENOSYS); err != nil {
			t.Error(err)
		}
		pid := strconv.Itoa(os.Getpid())
		e := gatherIn(t, "self", Snapshot{Environ: []string{"LISTEN_PID=700", "LISTEN_FDS=1"}, Again: Again{Starter: 700}}, nil, "/bin/tool", "UMask=022")
		if e.Environ[0] != "LISTEN_PID="+pid || e.Listen != 1 || e.Command.Path != "/bin/tool" || e.Proc {
			t.Errorf("%+v", e)
		}
		// The state is that of this process, or that of a root who has everything.
		if e.NoNewPrivs != true {
			t.Error("the thread of this test cannot gain privileges, and that is not seen")
		}
		if e := gatherIn(t, "root", Snapshot{}, nil, "/bin/tool", "UMask=022"); e.NoNewPrivs || !e.Proc || e.Caps.Effective != caps.All(e.LastCap) {
			t.Errorf("for root: %+v", e)
		}
		// Each file of variables is read.
		if e := gatherIn(t, "self", Snapshot{}, nil, "/bin/tool", "EnvironmentFile=/etc/e"); len(e.EnvFiles) != 1 {
			t.Errorf("%q", problems(e))
		}
		for set, want := range map[string]bool{
			"NoNewPrivileges=yes": true, "NoNewPrivileges=no": false, "SELinuxContext=c": true, "AppArmorProfile=p": true, "SmackProcessLabel=l": true, "UMask=022": false,
		} {
			if e := gatherIn(t, "self", Snapshot{}, nil, "", set); e.LSMs != (LSM{AppArmor: want}) {
				t.Errorf("%s: %+v", set, e.LSMs)
			}
		}
		if err := os.WriteFile("/sys/module/apparmor/parameters/enabled", []byte("N\n"), 0o644); err != nil {
			t.Error(err)
		}
		if l := listLSMs(); l != (LSM{}) {
			t.Errorf("none is on: %+v", l)
		}
		for set, want := range map[string]int{"NUMAMask=all": 2, "NUMAMask=0": 0, "CPUAffinity=numa": 2, "CPUAffinity=0": 0} {
			if e := gatherIn(t, "self", Snapshot{}, nil, "", set); len(e.Nodes) != want {
				t.Errorf("%s: %+v", set, e.Nodes)
			}
		}
		// A view is looked at where there will be one: it would be in a chroot(2).
		for _, tt := range []struct {
			set  string
			g    *Given
			want bool
		}{
			{"UMask=022", nil, false},
			{"UMask=022", &Given{Booted: true}, false},
			{"UMask=022", &Given{Booted: true, Sockets: []GivenSocket{{FD: 3}}}, true},
			{"ProtectSystem=yes", nil, true},
			{"RootDirectory=/root", nil, true},
			{"RootDirectory=/", nil, false},
			{"PrivateUsers=yes", nil, true},
			{"DynamicUser=yes", &Given{Who: aDynamicUser()}, true},
		} {
			if e := gatherIn(t, "self", Snapshot{}, tt.g, "", tt.set); e.InChroot != tt.want {
				t.Errorf("%s: looked at: %v", tt.set, e.InChroot)
			}
		}
		// The descriptors are those of a launch, and the notes those of a plan.
		if e := gatherIn(t, "launch", Snapshot{}, nil, "/bin/tool", "X-Hardrun-KeepFD=1000"); len(e.Problems) != 1 || e.Seen.Program.Path != "" {
			t.Errorf("launch: %q, %+v", problems(e), e.Seen)
		}
		if e := gatherIn(t, "self", Snapshot{}, nil, "/bin/tool", "X-Hardrun-KeepFD=1000"); len(e.Problems) != 0 || e.Seen.Program.Path != "/bin/tool" {
			t.Errorf("self: %q, %+v", problems(e), e.Seen)
		}
		// /bin is another directory than /usr/bin, or a link to it.
		split := func() bool { return gatherIn(t, "self", Snapshot{}, &Given{}, "", "UMask=022").Split }
		if !split() {
			t.Error("/bin is a directory, and that is not seen")
		}
		if err := errors.Join(os.Rename("/bin", "/b"), os.Symlink("b", "/bin")); err != nil || split() {
			t.Errorf("/bin is a link: %v", err)
		}
		// Whether a terminal is shared is asked where there is another user. Where nothing tells, it is.
		if err := testrow.Answer(unix.SYS_GETSID, unix.EIO); err != nil {
			t.Error(err)
		}
		if e := gatherIn(t, "self", Snapshot{}, nil, "", "User=7", "Group=7"); !e.Shared || !e.Terminal {
			t.Errorf("with a user: %v, %v", e.Shared, e.Terminal)
		}
		if e := gatherIn(t, "self", Snapshot{}, nil, "", "Group=7"); e.Shared || e.Terminal {
			t.Errorf("without a user: %v, %v", e.Shared, e.Terminal)
		}
		// Nodes that cannot be read are an error, and not a machine without nodes.
		const sys = "/sys/devices/system/node/"
		for _, tt := range []struct{ file, text, want string }{
			{"node1/cpulist", "x", sys + "node1/cpulist: "},
			{"node1/cpulist", "", "open " + sys + "node1/cpulist: no such file or directory"},
			{"online", "x", sys + "online: "},
			{"online", "", "open " + sys + "online: no such file or directory"},
		} {
			err := os.Remove(sys + tt.file)
			if tt.text != "" {
				err = os.WriteFile(sys+tt.file, []byte(tt.text), 0o644)
			}
			if err != nil {
				t.Error(err)
			}
			if _, err := GatherFor(policyOf(t, "NUMAMask=all"), "self", nil, Snapshot{}, nil); !strings.HasPrefix(fails(err), tt.want) {
				t.Errorf("%s: %v, want %s", tt.file, err, tt.want)
			}
		}
	})
}

// The security modules are those that the kernel lists, whatever files say.
func TestListLSMs(t *testing.T) {
	var ids [32]uint64
	size := uint32(unsafe.Sizeof(ids))
	n, _, errno := unix.RawSyscall(unix.SYS_LSM_LIST_MODULES, uintptr(unsafe.Pointer(&ids)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		t.Skipf("needs Linux 6.8: %v", errno)
	}
	want := LSM{SELinux: slices.Contains(ids[:n], 101), AppArmor: slices.Contains(ids[:n], 104), Smack: slices.Contains(ids[:n], 102)}
	dir := tree{"sys/module/apparmor/parameters/enabled=0644": map[bool]string{true: "N\n", false: "Y\n"}[want.AppArmor]}.make(t)
	inRoot(t, dir, func() {
		if got := listLSMs(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// A terminal that is shared is one to type through where TIOCSTI works.
func TestGatherTerminal(t *testing.T) {
	useNames(t, "", "")
	pid := "/proc/" + strconv.Itoa(os.Getpid())
	held := pid[6:] + " (x) R 1 1 1 1025 1\n" // the number of a terminal stands there
	dir := tree{"off=0644": "0\n", "on=0644": "1\n", "held=0644": held}.make(t)
	const tiocsti = "/proc/sys/dev/tty/legacy_tiocsti"
	if _, err := os.Stat(tiocsti); err != nil {
		t.Skip("needs Linux 6.2")
	}
	inOwnMounts(t, func() {
		if !memory(t, "/dev", 0, nil) {
			return
		}
		// Without openat2(2) other mounts below /proc are not seen, and there the test has what it needs.
		err := errors.Join(unix.Mount(dir+"/held", pid+"/stat", "", unix.MS_BIND, ""),
			testrow.Answer(unix.SYS_OPENAT2, unix.ENOSYS), testrow.Answer(unix.SYS_GETSID, unix.EIO))
		if err != nil {
			t.Error(err)
		}
		for file, want := range map[string]bool{"off": false, "on": true} {
			if err := unix.Mount(dir+"/"+file, tiocsti, "", unix.MS_BIND, ""); err != nil {
				t.Error(err)
			}
			if e := gatherIn(t, "self", Snapshot{}, nil, "", "User=7", "Group=7"); !e.Shared || e.Terminal != want {
				t.Errorf("%s: shared %v, %v, want %v", file, e.Shared, e.Terminal, want)
			}
		}
	})
}

// A /proc in which the process has no number is none.
func TestGatherStrangeProc(t *testing.T) {
	answering(t, unix.SYS_READLINKAT, unix.ENOENT, func() {
		e := gatherIn(t, "self", Snapshot{}, nil, "", "UMask=022")
		if e.Proc || e.proc != -1 || e.self != -1 || e.status != -1 {
			t.Errorf("%+v", e)
		}
		if err := testrow.Answer(unix.SYS_CLOSE, unix.EIO); err != nil {
			t.Error(err)
		}
		if _, err := GatherFor(&policy.Policy{}, "self", nil, Snapshot{}, nil); fails(err) != "close /proc: input/output error" {
			t.Errorf("a descriptor that cannot be closed: %v", err)
		}
	})
}

// setgroups(2) may be denied in a user namespace, which counts where groups would have to be set.
func TestNoSetgroups(t *testing.T) {
	if want := os.Getenv(childWord); want != "" {
		e, err := GatherFor(&policy.Policy{}, "self", nil, Snapshot{}, nil)
		if err != nil || strconv.FormatBool(e.NoSetgroups) != want {
			t.Errorf("denied: %v, want %s; groups %v of %v; %v", e.NoSetgroups, want, e.Groups, e.GIDs, err)
		}
		return
	}
	for want, groups := range map[string][]uint32{"true": nil, "false": {0}} {
		err := testrow.OnThread(func() error {
			var list unsafe.Pointer
			if len(groups) > 0 {
				list = unsafe.Pointer(&groups[0])
			}
			// Of this thread alone, and of the process that it starts.
			if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(list), 0); e != 0 {
				return e
			}
			runtime.KeepAlive(groups)
			again(t, want, asOwnRoot())
			return nil
		})
		if errors.Is(err, unix.EPERM) {
			t.Skipf("needs root: %v", err)
		} else if err != nil {
			t.Error(err)
		}
	}
}
