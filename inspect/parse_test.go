package inspect

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/process"
)

const statRest = " S 7 5 5 0 -1 4194560 100 0 0 0 1 2 0 0 20 -5 3 0 4242 1000 200 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 9 2 0 0 0 0 0 0 0 0 0 0 0\n"

func TestParseStat(t *testing.T) {
	for _, name := range []string{"sleep", "", ")", ") R 1", "a b", "a) Z 1 2 3\n4 (b", "\x00\xff\x1b[31m"} {
		s, err := parseStat("12 (" + name + ")" + statRest)
		want := stat{state: 'S', parent: 7, nice: -5, start: 4242, priority: 9, policy: 2}
		if err != nil || s != want {
			t.Errorf("%q: got %+v, %v, want %+v", name, s, err, want)
		}
	}
	if s, _ := parseStat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0"); !s.kernel || s.policy != -1 || s.scheduling() != "unknown" {
		t.Errorf("a thread of the kernel: %+v, %s", s, s.scheduling())
	}
	for _, bad := range []string{"", "1", "1 (a)", "1 (a) S 1 2", "1 (a) SS" + statRest[2:], strings.Replace("1 (a)"+statRest, "4242", "x", 1), strings.Replace("1 (a)"+statRest, " 7 ", " x ", 1)} {
		if s, err := parseStat(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, s)
		}
	}
	for _, x := range []struct {
		policy, priority int
		want             string
	}{{0, 0, "other"}, {1, 10, "fifo 10"}, {2, 99, "rr 99"}, {3, 0, "batch"}, {5, 0, "idle"}, {6, 0, "deadline"}, {7, 0, "ext"}, {70, 0, "70"}} {
		s := stat{policy: x.policy, priority: x.priority}
		if got := s.scheduling(); got != x.want {
			t.Errorf("policy %d: got %q, want %q", x.policy, got, x.want)
		}
	}
}

const statusText = `Name:	a\nUid:1	\\x
Umask:	0027
State:	S (sleeping)
Tgid:	12
Pid:	12
PPid:	7
TracerPid:	3
Uid:	1	2	3	4
Gid:	5	6	7	8
Groups:	30 20 4294967295 
NSpid:	12	3	1
CapInh:	0000000000000001
CapPrm:	0000000000000002
CapEff:	0000000000000003
CapBnd:	000001ffffffffff
CapAmb:	0000000000000400
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	3
Cpus_allowed_list:	0-1
`

func TestParseStatus(t *testing.T) {
	s, err := parseStatus(statusText)
	want := status{
		name: "a\nUid:1\t\\x", run: 'S', parent: 7, tracer: 3, pids: []int{12, 3, 1}, umask: 0o27, masked: true,
		state: Credentials{
			UID: [4]uint32{1, 2, 3, 4}, GID: [4]uint32{5, 6, 7, 8}, Groups: []uint32{20, 30, 4294967295},
			Inheritable: 1, Permitted: 2, Effective: 3, Bounding: 0x1ffffffffff, Ambient: 0x400, NoNewPrivs: true, Seccomp: 2, Filters: 3,
		},
	}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, %v\nwant %+v", s, err, want)
	}
	// Another kernel tells less: none of that is zero without a word about it.
	s, err = parseStatus("Name:\tx\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n")
	if err != nil || s.masked || s.state.Seccomp != -1 || s.state.Filters != -1 {
		t.Errorf("got %+v, %v", s, err)
	}
	if want := []string{"Groups", "Inheritable", "Permitted", "Bounding", "Ambient", "NoNewPrivs", "Seccomp", "Filters"}; !slices.Equal(s.state.Absent, want) {
		t.Errorf("absent are %q, want %q", s.state.Absent, want)
	}
	for _, x := range [][2]string{
		{"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3"},
		{"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3\t4\t5"},
		{"Uid:\t1\t2\t3\t4", "Uid:\t1\t2\t3\t-1"},
		{"Uid:\t1\t2\t3\t4\n", ""},
		{"CapEff:\t0000000000000003", "CapEff:\t"},
		{"CapEff:\t0000000000000003", "CapEff:\tx"},
		{"NoNewPrivs:\t1", "NoNewPrivs:\t2"},
		{"NoNewPrivs:\t1", "NoNewPrivs:\t1\nNoNewPrivs:\t0"},
		{"Seccomp:\t2", "Seccomp:\ttwo"},
		{"Umask:\t0027", "Umask:\t0999"},
		{"Groups:\t30", "Groups:\tx"},
		{"PPid:\t7", "PPid"},
	} {
		if s, err := parseStatus(strings.Replace(statusText, x[0], x[1], 1)); err == nil {
			t.Errorf("%q: got %+v, want an error", x[1], s)
		}
	}
}

// Credentials have one key only if they are the same.
func TestCredentialsKey(t *testing.T) {
	keys := map[string]int{}
	list := []Credentials{
		{},
		{UID: [4]uint32{1}},
		{UID: [4]uint32{0, 1}},
		{GID: [4]uint32{1}},
		{Groups: []uint32{1}},
		{Groups: []uint32{1, 2}},
		{Groups: []uint32{12}},
		{Inheritable: 1},
		{Permitted: 1},
		{Effective: 1},
		{Bounding: 1},
		{Ambient: 1},
		{NoNewPrivs: true},
		{Seccomp: 1},
		{Seccomp: -1},
		{Filters: 1},
		{Filters: -1},
		{Absent: []string{"Groups"}},
	}
	for i := range list {
		key := list[i].key()
		if j, found := keys[key]; found {
			t.Errorf("%+v and %+v have one key", list[i], list[j])
		}
		keys[key] = i
		again := list[i]
		again.Groups = slices.Clone(again.Groups)
		if again.key() != key {
			t.Errorf("%+v has two keys", list[i])
		}
	}
}

func TestParseLimits(t *testing.T) {
	list, err := parseLimits(`Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max core file size        0                    unlimited            bytes     
Max open files            1024                 524288               files     
Max nice priority         0                    40                   
Max of a newer kernel     1                    2                    
`)
	want := []Limit{{"CPU", process.Infinity, process.Infinity}, {"CORE", 0, process.Infinity}, {"NOFILE", 1024, 524288}, {"NICE", 0, 40}}
	if err != nil || !slices.Equal(list, want) {
		t.Errorf("got %v, %v, want %v", list, err, want)
	}
	for _, bad := range []string{"", "x", "Max open files 1024\n", "Max open files many 1\n", "Max open files -1 1\n"} {
		if list, err := parseLimits(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, list)
		}
	}
}

func TestParseGroups(t *testing.T) {
	list, err := parseGroups("9:name=systemd:/a:b c\n4:cpu,cpuacct:/\n0::/x (deleted)\n")
	want := []Group{{"name=systemd", "/a:b c"}, {"cpu,cpuacct", "/"}, {"", "/x (deleted)"}}
	if err != nil || !slices.Equal(list, want) {
		t.Errorf("got %v, %v, want %v", list, err, want)
	}
	for _, bad := range []string{"\n", "0:/\n", "0::x\n"} {
		if list, err := parseGroups(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, list)
		}
	}
}

func TestParseArgs(t *testing.T) {
	for _, x := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a\x00", []string{"a"}},
		{"a\x00\x00b c\x00", []string{"a", "", "b c"}},
		{"nginx: master process\x00\x00\x00", []string{"nginx: master process", "", ""}},
		{"a title", []string{"a title"}},
		{"\x00", []string{""}},
	} {
		if got := parseArgs(x.text); !slices.Equal(got, x.want) {
			t.Errorf("%q: got %q, want %q", x.text, got, x.want)
		}
	}
}

func TestParseSpace(t *testing.T) {
	if kind, inode, ok := parseSpace("net:[4026531840]"); kind != "net" || inode != 4026531840 || !ok {
		t.Errorf("got %s %d %t", kind, inode, ok)
	}
	for _, bad := range []string{"", "net", "net:4", "net:[4", "net:[x]", ":[4]", "net:[4] "} {
		if kind, inode, ok := parseSpace(bad); ok {
			t.Errorf("%q: got %s %d", bad, kind, inode)
		}
	}
}

// mountsOfText are the mounts of a text, the last covered ones marked.
func mountsOfText(t *testing.T, text string, top int) *mountView {
	t.Helper()
	var r mountReader
	for line := range strings.Lines(text) {
		if err := r.line(strings.TrimSuffix(line, "\n")); err != nil {
			t.Fatal(err)
		}
	}
	return view(r.list, top)
}

func TestMountLine(t *testing.T) {
	m := mountsOfText(t, `36 35 98:0 /mnt1 /a\040b\012c\134d ro,noatime,nosuid master:1 shared:2 - ext3 /dev/ro\011ot rw,errors=continue
37 36 0:5 / /x rw - tmpfs none rw
38 36 0:6 / /y rw - fuse.x  ro
`, 0).mounts
	want := []Mount{
		{ID: 36, Parent: 35, Root: "/mnt1", Point: "/a b\nc\\d", Type: "ext3", Source: "/dev/ro\tot", Options: []string{"ro", "noatime", "nosuid"}, Super: []string{"rw", "errors=continue"}},
		{ID: 37, Parent: 36, Root: "/", Point: "/x", Type: "tmpfs", Source: "none", Options: []string{"rw"}, Super: []string{"rw"}},
		{ID: 38, Parent: 36, Root: "/", Point: "/y", Type: "fuse.x", Source: "", Options: []string{"rw"}, Super: []string{"ro"}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v\nwant %+v", m, want)
	}
	if !m[0].Has("ro") || !m[0].Has("nosuid") || m[0].Has("noexec") || m[1].Has("ro") || !m[2].Has("ro") || m[0].Has("errors=continue") {
		t.Error("options are not had as they are written")
	}
	for _, bad := range []string{"", "36", "36 35 98:0 / /a rw", "36 35 98:0 / /a rw shared:1", "36 35 98:0 / /a rw -", "x 35 98:0 / /a rw - a b c", "36 x 98:0 / /a rw - a b c", "36 35 98:0 / a rw - a b c"} {
		var r mountReader
		if err := r.line(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, r.list)
		}
	}
}

func TestUnescape(t *testing.T) {
	for _, x := range [][2]string{{`a`, "a"}, {`\040`, " "}, {`\134040`, `\040`}, {`\`, `\`}, {`\04`, `\04`}, {`\089`, `\089`}, {`\777`, `\777`}, {`\377`, "\xff"}} {
		if got := unescape(x[0]); got != x[1] {
			t.Errorf("%q: got %q, want %q", x[0], got, x[1])
		}
	}
}

// Mounts as "ID PARENT POINT", and which of them no path reaches.
func TestCovered(t *testing.T) {
	for _, x := range []struct {
		name, mounts string
		top          int
		want         []int
	}{
		{"a tree", "1 0 /|2 1 /a|3 1 /b|4 2 /a/b", 1, nil},
		{"two at one place", "1 0 /|2 1 /a|3 2 /a", 1, []int{2}},
		{"three at one place", "1 0 /|2 1 /a|3 2 /a|4 3 /a", 1, []int{2, 3}},
		{"a directory above", "1 0 /|2 1 /a/b|3 1 /a", 1, []int{2}},
		{"below a covered one", "1 0 /|2 1 /a/b|3 2 /a/b/c|4 1 /a", 1, []int{2, 3}},
		{"below one that is covered at its place", "1 0 /|2 1 /a|3 2 /a/b|4 2 /a", 1, []int{2, 3}},
		{"in the one on top", "1 0 /|2 1 /a|3 2 /a|4 3 /a/b", 1, []int{2}},
		{"names that begin alike", "1 0 /|2 1 /a|3 1 /ab|4 1 /a b|5 1 /a-b/c", 1, nil},
		{"in another order", "4 2 /a/b|3 1 /b|2 1 /a|1 0 /", 1, nil},
		{"over the root: a new one", "1 0 /|2 1 /|3 2 /a", 2, []int{1}},
		{"over the root: the old one", "1 0 /|2 1 /|3 2 /a|4 1 /b", 1, []int{2, 3}},
		{"the root is a directory", "5 1 /a|6 1 /a/b|7 5 /a/c", 1, []int{6}},
		{"its own parent", "1 1 /|2 1 /a", 1, nil},
		{"a circle", "1 2 /a|2 1 /a/b", 0, nil},
		{"many siblings", "1 0 /|2 1 /a/x|3 1 /a/y/z|4 1 /b|5 1 /a/y", 1, []int{3}},
		{"one below two others", "1 0 /|2 1 /a/b/c|3 1 /a/b|4 1 /a", 1, []int{2, 3}},
	} {
		var list []Mount
		for one := range strings.SplitSeq(x.mounts, "|") {
			f := strings.SplitN(one, " ", 3)
			id, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			parent, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, Mount{ID: id, Parent: parent, Point: f[2]})
		}
		view(list, x.top)
		var got []int
		for i := range list {
			if list[i].Covered {
				got = append(got, list[i].ID)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: covered are %v, want %v", x.name, got, x.want)
		}
	}
}

func TestOutside(t *testing.T) {
	const text = `10 9 8:0 / / rw - ext4 a rw
11 10 0:5 / /tmp rw - tmpfs a rw
12 10 0:6 / /var rw - tmpfs a rw
13 12 0:7 / /var rw - tmpfs a rw
`
	whole := mountsOfText(t, text, 10)
	// A chroot into a plain directory: its mount is not in the list.
	cage := mountsOfText(t, "11 10 0:5 / /tmp rw - tmpfs a rw\n", 10)
	for _, x := range []struct {
		v          *mountView
		path, root string
		mount      int
		want       string
	}{
		{whole, "/etc", "/", 10, ""},
		{whole, "/tmp", "/", 11, ""},
		{whole, "/tmp", "/", 10, "below another mount"},
		{whole, "/tmp/x", "/", 10, "below another mount"},
		{whole, "/tmpx", "/", 10, ""},
		{whole, "/var/x", "/", 12, "below another mount"},
		{whole, "/var/x", "/", 13, ""},
		{whole, "/etc", "/", 99, "outside of its root"},
		{cage, "/srv/cage/etc", "/srv/cage", 10, ""},
		{cage, "/srv/cage", "/srv/cage", 10, ""},
		{cage, "/srv/cagex", "/srv/cage", 10, "outside of its root"},
		{cage, "/", "/srv/cage", 10, "outside of its root"},
		{cage, "/srv/cage/tmp/x", "/srv/cage", 10, "below another mount"},
		{cage, "/srv/cage/tmp/x", "/srv/cage", 11, ""},
		{cage, "/proc", "/srv/cage", 12, "outside of its root"},
	} {
		if _, got := x.v.outside(x.path, x.root, x.mount); got != x.want {
			t.Errorf("%s on %d below %s: got %q, want %q", x.path, x.mount, x.root, got, x.want)
		}
	}
}

func TestInetAddress(t *testing.T) {
	words := func(b ...byte) string {
		s := ""
		for i := 0; i < len(b); i += 4 {
			h := strings.ToUpper(strconv.FormatUint(uint64(binary.NativeEndian.Uint32(b[i:])), 16))
			s += "00000000"[len(h):] + h
		}
		return s
	}
	one := append(make([]byte, 15), 1)
	for _, x := range [][2]string{
		{words(127, 0, 0, 1) + ":0035", "127.0.0.1:53"},
		{words(0, 0, 0, 0) + ":0000", "0.0.0.0:0"},
		{words(make([]byte, 16)...) + ":FFFF", "[::]:65535"},
		{words(one...) + ":0050", "[::1]:80"},
		{words(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1) + ":0001", "[2001:db8::1:0:0:1]:1"},
		{words(0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1) + ":0001", "[2001:db8:0:1:1:1:1:1]:1"},
		{words(0x20, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0) + ":0001", "[2001:0:0:1::]:1"},
		{words(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1) + ":0001", "[fe80::200:0:0:1]:1"},
		{words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1) + ":0001", "[::ffff:192.0.2.1]:1"},
	} {
		if got, ok := inetAddress(x[0]); !ok || got != x[1] {
			t.Errorf("%s: got %q, %t, want %q", x[0], got, ok, x[1])
		}
	}
	for _, bad := range []string{"", ":", "0100007F", "0100007F:", "0100007F:10000", "0100007:0035", "0100007F00:0035", "0100007G:0035", "+100007F:0035"} {
		if got, ok := inetAddress(bad); ok {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}

func TestSocketLines(t *testing.T) {
	local := "00000000:0035"
	line := func(state string) string {
		return "   0: " + local + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000     0        0 4321 1 0000000000000000 100 0 0 10 0"
	}
	for _, x := range []struct {
		name string
		read func(string, func(bound))
		line string
		want []bound
	}{
		{"tcp that listens", tcpLine, line("0A"), []bound{{4321, "0.0.0.0:53"}}},
		{"tcp that is connected", tcpLine, line("01"), nil},
		{"udp", udpLine, line("07"), []bound{{4321, "0.0.0.0:53"}}},
		{"udp that is connected", udpLine, line("01"), nil},
		{"the head", tcpLine, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", nil},
		{"sctp", sctpLine, " ffff8 ffff9 2   10  12   53    0     77 127.0.0.1 ::1", []bound{{77, "127.0.0.1:53"}, {77, "[::1]:53"}}},
		{"sctp that is connected", sctpLine, " ffff8 ffff9 2   1  12   53    0     77 127.0.0.1", nil},
		{"the head of sctp", sctpLine, " ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS", nil},
	} {
		var got []bound
		x.read(x.line, func(b bound) { got = append(got, b) })
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
	if inode, protocol, ok := netlinkLine("000000003c9238ea 15  0          00000000 0        0        0     2        0        4       "); inode != 4 || protocol != "kobject_uevent" || !ok {
		t.Errorf("netlink: got %d %s %t", inode, protocol, ok)
	}
}

// A name is written as it is. Who puts a line into one deceives nobody.
func TestUnixSockets(t *testing.T) {
	const (
		head  = "Num       RefCount Protocol Flags    Type St Inode Path\n"
		named = "ffff88800001: 00000002 00000000 00010000 0001 01  10 /run/a b\n"
	)
	for _, x := range []struct {
		name, text string
		want       map[uint64]string
	}{
		{"a name", head + named, map[uint64]string{10: "/run/a b"}},
		{"connected, and without a name", "ffff8: 00000003 00000000 00000000 0001 03 11\nffff8: 00000003 00000000 00000000 0001 03 12 /run/x\n", map[uint64]string{}},
		{"datagrams", "ffff88880: 00000003 00000000 00000000 0002 01 13 @a\nffff88880: 00000003 00000000 00000000 0002 03 14 @b\nffff88880: 00000003 00000000 00000000 0002 01 15\n", map[uint64]string{13: "@a"}},
		{"a name with lines", "ffff88880: 00000002 00000000 00010000 0001 01 16 @a\nb: c\n\n" + named, map[uint64]string{16: "@a\nb: c\n", 10: "/run/a b"}},
		{"a name that is like a line", named + "ffff88880: 00000002 00000000 00010000 0001 01 17 @\n" + strings.Replace(named, "/run/a b", "/run/lie", 1), map[uint64]string{10: "?", 17: "@"}},
		{"such a name before", "ffff88880: 00000002 00000000 00010000 0001 01 17 @\n" + strings.Replace(named, "/run/a b", "/run/lie", 1) + named, map[uint64]string{10: "?", 17: "@"}},
		{"for one that does not wait", "ffff88880: 00000003 00000000 00000000 0001 03 18\nffff88880: 00000002 00000000 00010000 0001 01 18 /lie\n", map[uint64]string{18: "?"}},
	} {
		var r unixReader
		for line := range strings.Lines(x.text) {
			r.line(strings.TrimSuffix(line, "\n"))
		}
		got := map[uint64]string{}
		for _, b := range r.list {
			got[b.inode] = b.address
		}
		if !reflect.DeepEqual(got, x.want) || len(r.list) != len(got) {
			t.Errorf("%s: got %v, want %v", x.name, r.list, x.want)
		}
	}
}

func TestFDInfo(t *testing.T) {
	f, err := parseFDInfo("pos:\t0\nflags:\t02100002\nmnt_id:\t30\nino:\t5\nPid:\t77\nNSpid:\t77\t3\n")
	if err != nil || f != (fdInfo{flags: 0o2100002, mount: 30, pid: 77}) {
		t.Errorf("got %+v, %v", f, err)
	}
	if f, err = parseFDInfo("pos:\t0\nflags:\t02\nmnt_id:\t15\nprog_type:\t15\nprog_id:\t9\n"); err != nil || f.object != "program 9" || f.pid != -1 {
		t.Errorf("got %+v, %v", f, err)
	}
	for _, bad := range []string{"flags:\t9", "mnt_id:\tx", "Pid:\t"} {
		if f, err := parseFDInfo(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, f)
		}
	}
}

func TestAnonymous(t *testing.T) {
	own := func(kind string, inode uint64) bool { return kind == "net" && inode == 5 }
	for _, x := range []struct {
		link string
		info fdInfo
		want string
	}{
		{"anon_inode:[eventpoll]", fdInfo{}, ""},
		{"anon_inode:[eventfd]", fdInfo{}, ""},
		{"anon_inode:inotify", fdInfo{}, ""},
		{"pipe:[7]", fdInfo{}, ""},
		{"anon_inode:[pidfd]", fdInfo{pid: 12}, ""},
		{"anon_inode:[pidfd]", fdInfo{pid: 1}, "process: pidfd of process 1"},
		{"pidfd:[7]", fdInfo{pid: 1}, "process: pidfd of process 1"},
		{"anon_inode:[pidfd]", fdInfo{pid: -1}, "process: pidfd of a process that has ended"},
		{"anon_inode:[pidfd]", fdInfo{pid: 0}, "process: pidfd of a process that cannot be seen from here"},
		{"anon_inode:bpf-prog", fdInfo{object: "program 9"}, "bpf: BPF program 9"},
		{"anon_inode:bpf-map", fdInfo{}, "bpf: BPF object bpf-map"},
		{"anon_inode:[perf_event]", fdInfo{}, "anonymous: performance event"},
		{"anon_inode:[io_uring]", fdInfo{}, "anonymous: io_uring"},
		{"anon_inode:[fanotify]", fdInfo{}, "anonymous: fanotify group"},
		{"anon_inode:[userfaultfd]", fdInfo{}, "anonymous: userfaultfd"},
		{"anon_inode:seccomp notify", fdInfo{}, "anonymous: seccomp listener: it decides for another process"},
		{"anon_inode:kvm-vm", fdInfo{}, "anonymous: anonymous file kvm-vm"},
		{"net:[5]", fdInfo{}, ""},
		{"net:[6]", fdInfo{}, "namespace: net namespace 6"},
		{"mnt:[5]", fdInfo{}, "namespace: mnt namespace 5"},
		{"something", fdInfo{}, "anonymous: anonymous file something"},
	} {
		f, matters := anonymous(x.link, x.info, 12, own)
		got := ""
		if matters {
			got = f.Kind + ": " + f.Text
		}
		if got != x.want {
			t.Errorf("%s: got %q, want %q", x.link, got, x.want)
		}
	}
}

func TestDeviceText(t *testing.T) {
	for _, x := range []struct {
		block        bool
		major, minor uint32
		path, want   string
	}{
		{false, 1, 3, "/dev/null", ""},
		{false, 1, 3, "/dev/mem", ""},
		{false, 136, 4, "/dev/pts/4", ""},
		{false, 4, 64, "/dev/ttyS0", ""},
		{false, 1, 1, "/dev/mem", "/dev/mem"},
		{false, 1, 1, "/srv/null", "/dev/mem as /srv/null"},
		{false, 10, 200, "/dev/net/tun", "/dev/net/tun"},
		{true, 8, 0, "/dev/sda", "block device 8:0 as /dev/sda"},
		{true, 1, 3, "/dev/ram3", "block device 1:3 as /dev/ram3"},
		{false, 13, 64, "/dev/input/event0", "input device 13:64 as /dev/input/event0"},
		{false, 511, 0, "/dev/x", "character device 511:0 as /dev/x"},
	} {
		if got, matters := deviceText(x.block, x.major, x.minor, x.path); got != x.want || matters != (x.want != "") {
			t.Errorf("%d:%d %s: got %q, want %q", x.major, x.minor, x.path, got, x.want)
		}
	}
}

func TestProcFile(t *testing.T) {
	for _, x := range []struct{ path, want string }{
		{"/1/mem", "process"},
		{"/12/mem", ""},
		{"/3/mem", ""},
		{"/self/mem", ""},
		{"/thread-self/mem", ""},
		{"/1", ""},
		{"/kcore", "file"},
		{"/kmsg", "file"},
		{"/sysrq-trigger", "file"},
		{"/meminfo", ""},
		{"/sys/kernel/x", ""},
		{"", ""},
		{"/", ""},
	} {
		kind, matters := procFile(x.path, []int{12, 3})
		if matters && kind != x.want || matters != (x.want != "") {
			t.Errorf("%s: got %q, %t, want %q", x.path, kind, matters, x.want)
		}
	}
}

func TestWhy(t *testing.T) {
	var p Process
	p.lacks("Files", "first")
	p.lacks("Files", "second")
	if p.Why("Files") != "first" || p.Why("Mounts") != "" || len(p.Unknown) != 1 {
		t.Errorf("got %v", p.Unknown)
	}
}

// No text of others makes a parser fail, and what it takes it takes with a meaning.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"12 (a)" + statRest, statusText, "Max open files 1 2\n", "0::/\n", "net:[1]",
		"36 35 98:0 / /a\\040 rw shared:1 - ext3 /dev/x rw\n37 36 98:0 / /a rw - ext3 /dev/x rw\n",
		"0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1", "ffff88880: 00000002 00000000 00010000 0001 01 16 @a\nb",
		"flags:\t02\nmnt_id:\t30\nPid:\t1\n", "anon_inode:[pidfd]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseStat(text); err == nil && s.state == 0 {
			t.Error("a process without a state")
		}
		if s, err := parseStatus(text); err != nil && !reflect.DeepEqual(s, status{}) {
			t.Errorf("with an error: %+v", s)
		} else if err == nil {
			if again, err := parseStatus(text); err != nil || again.state.key() != s.state.key() {
				t.Error("two readings differ")
			}
		}
		if list, err := parseLimits(text); err == nil && len(list) == 0 {
			t.Error("no limits, and no error")
		}
		if list, err := parseGroups(text); err == nil {
			for _, g := range list {
				if g.Path[0] != '/' {
					t.Errorf("%+v", g)
				}
			}
		}
		if args := parseArgs(text); strings.TrimSuffix(text, "\x00") != strings.Join(args, "\x00") {
			t.Errorf("arguments %q", args)
		}
		parseSpace(text)
		var r mountReader
		for line := range strings.Lines(text) {
			_ = r.line(strings.TrimSuffix(line, "\n")) // a line of another form is passed over here
		}
		for _, top := range []int{0, 36} {
			v := view(slices.Clone(r.list), top)
			for i := range v.mounts {
				v.outside(v.mounts[i].Point, "/", v.mounts[i].ID)
			}
		}
		var u unixReader
		for line := range strings.Lines(text) {
			tcpLine(line, func(b bound) {
				if b.inode == 0 || !strings.Contains(b.address, ":") {
					t.Errorf("%+v", b)
				}
			})
			sctpLine(line, func(bound) {})
			netlinkLine(line)
			u.line(strings.TrimSuffix(line, "\n"))
		}
		info, _ := parseFDInfo(text)
		if f, matters := anonymous(text, info, 1, func(string, uint64) bool { return false }); matters && (f.Kind == "" || f.Text == "") {
			t.Errorf("%+v", f)
		}
		procFile(text, []int{1})
	})
}

// Trees as the kernel makes them, also by descriptors below what is covered, against a walk of
// each path.
func TestCoveredAsWalked(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	points := []string{"/", "/a", "/a/b", "/a/b/c", "/ab", "/a b", "/d", "/d/e"}
	covered := 0
	for range 20000 {
		list := []Mount{{ID: 10, Parent: 1, Point: "/"}}
		for id := 11; id < 11+random.IntN(8); id++ {
			parent := list[random.IntN(len(list))]
			point := points[random.IntN(len(points))]
			if !within(point, parent.Point) || slices.ContainsFunc(list, func(m Mount) bool { return m.Parent == parent.ID && m.Point == point }) {
				continue
			}
			list = append(list, Mount{ID: id, Parent: parent.ID, Point: point})
		}
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		// The root directory is in the first mount, or in one over it.
		top := 10
		if over := slices.IndexFunc(list, func(m Mount) bool { return m.Parent == 10 && m.Point == "/" }); over >= 0 && random.IntN(2) == 0 {
			top = list[over].ID
		}
		view(list, top)
		for i := range list {
			walked := coveredAsWalked(list, i, top)
			if list[i].Covered {
				covered++
			}
			if list[i].Covered != walked {
				t.Fatalf("mount %d below %d: covered %t, by walking %t: %+v", list[i].ID, top, list[i].Covered, walked, list)
			}
		}
	}
	if covered < 1000 {
		t.Errorf("only %d were covered", covered)
	}
}

// coveredAsWalked walks the path of a mount from the root directory, as path_resolution(7) says.
func coveredAsWalked(mounts []Mount, i, top int) bool {
	at := top
	cross := func(point string) {
		for crossed := true; crossed; {
			crossed = false
			for j := range mounts {
				if mounts[j].Parent == at && mounts[j].Point == point {
					at, crossed = mounts[j].ID, true
					break
				}
			}
		}
	}
	point := mounts[i].Point
	for j := 2; j <= len(point); j++ {
		if j == len(point) || point[j] == '/' {
			cross(point[:j])
		}
	}
	return at != mounts[i].ID
}
