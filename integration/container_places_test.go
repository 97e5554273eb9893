//go:build linux

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardrun/hardrun/seccomp"
)

// place is what hardrun may find around it: a container, a user namespace, a
// machine without /proc. Every place has the same files: the test's own below /srv,
// and in /home, /root, /tmp and /var a file "marker" each.
type place struct {
	name  string
	start []string // what stands before each program, in the place
	enter func(t *testing.T, f *placeFiles, script string) result

	refused  map[string]int // the cases that cannot be had there, by their options, and the status
	noMounts bool           // nothing can be mounted, and all that cannot be had is said together
	unproven bool           // there is no /proc: what is made of mounts could not be read back
	own      bool           // a user namespace may be made for it
	call     string         // what the refusals of noMounts name beside the directive
}

// placeFiles are the two directories that a place is made of.
type placeFiles struct{ root, srv string }

const smallPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// newPlaceFiles makes them: a root with the host's /usr in it, as far as a place
// mounts it there, and what is seen as /srv.
func newPlaceFiles(t *testing.T) *placeFiles {
	t.Helper()
	f := &placeFiles{directory(t, 0o755), directory(t, 0o777)}
	for _, d := range []string{"usr", "proc", "sys", "dev", "etc", "run", "var", "home", "root", "srv", "mnt", "tmp"} {
		mkdir(t, f.root+"/"+d)
	}
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+l, f.root+"/"+l); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(f.root+"/tmp", 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"home", "root", "var", "tmp"} {
		write(t, f.root+"/"+d+"/marker", "marker\n", 0o666)
	}
	write(t, f.root+"/etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", 0o644)
	write(t, f.root+"/etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644)
	for _, d := range []string{"in", "out", "data", "hidden", "prog/yes", "root/proc", "root/sys", "root/dev", "root/run", "root/tmp"} {
		mkdir(t, f.srv+"/"+d)
	}
	for _, d := range []string{"out", "data", "root"} {
		if err := os.Chmod(f.srv+"/"+d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"other", "data/file", "hidden/file"} {
		write(t, f.srv+"/"+n, "text\n", 0o666)
	}
	for _, n := range []string{"probe", "prog/probe", "prog/yes/probe", "root/probe"} {
		copied(t, probe, f.srv+"/"+n, 0o755)
	}
	copied(t, hardrun, f.srv+"/hardrun", 0o755)
	// 83 is mkdir(2) of x86-64, which the probe calls.
	write(t, f.srv+"/mkdir.bpf", string(errnoFilter(uint32(syscall.ENXIO), 83).Bytes()), 0o644)
	write(t, f.srv+"/nosetattr.bpf", string(errnoFilter(uint32(syscall.ENOSYS), sysMountSetattr).Bytes()), 0o644)
	write(t, f.srv+"/nouserns.bpf", string(withoutUserNamespaces().Bytes()), 0o644)
	return f
}

const sysMountSetattr = 442 // Linux 5.12, the same number everywhere

// errnoFilter answers these calls of the machine's own kind by an errno.
func errnoFilter(errno uint32, calls ...uint32) seccomp.Program {
	p := seccomp.Program{{Code: 0x20}} // ld [nr]
	for _, nr := range calls {
		p = append(p, seccomp.Instruction{Code: 0x15, JF: 1, K: nr}, seccomp.Instruction{Code: 0x06, K: uint32(seccomp.Errno) | errno})
	}
	return append(p, seccomp.Instruction{Code: 0x06, K: uint32(seccomp.Allow)})
}

// withoutUserNamespaces answers unshare and clone with CLONE_NEWUSER by EPERM, and
// clone3 by ENOSYS.
func withoutUserNamespaces() seccomp.Program {
	return seccomp.Program{
		{Code: 0x20},
		{Code: 0x15, JT: 2, K: syscall.SYS_UNSHARE},
		{Code: 0x15, JT: 1, K: syscall.SYS_CLONE},
		{Code: 0x15, JT: 4, JF: 2, K: 435 /* clone3 */},
		{Code: 0x20, K: 16}, // ld [args[0]], the lower half
		{Code: 0x45, JT: 1, K: syscall.CLONE_NEWUSER},
		{Code: 0x06, K: uint32(seccomp.Allow)},
		{Code: 0x06, K: uint32(seccomp.Errno) | uint32(syscall.EPERM)},
		{Code: 0x06, K: uint32(seccomp.Errno) | uint32(syscall.ENOSYS)},
	}
}

// machineSetup says how the root of a machine is put together, in the script of sh
// that does it.
type machineSetup struct {
	noProc, noSys, noDev bool
	procOptions          string
	before               string // after all is mounted, and before the root changes; $R is the root
	chroot               bool   // by chroot(2): the root is no mount
	after                string // what stands before the command, in the new root
}

// script makes the machine. $R and $D are its directories, "$@" is what runs in it.
func (m machineSetup) script() string {
	var b strings.Builder
	if !m.chroot {
		b.WriteString("mount --bind \"$R\" \"$R\"\n")
	}
	b.WriteString("mount --rbind /usr \"$R/usr\"; mount --bind \"$D\" \"$R/srv\"\n")
	if !m.noProc {
		b.WriteString("mount -t proc -o '" + cmpOr(m.procOptions, "nosuid") + "' proc \"$R/proc\"\n")
	}
	if !m.noSys {
		b.WriteString("mount --rbind /sys \"$R/sys\"\n")
	}
	if !m.noDev {
		b.WriteString(`mount -t tmpfs -o mode=755 dev "$R/dev"; mkdir "$R/dev/shm"
for n in null zero full random urandom tty; do touch "$R/dev/$n"; mount --bind "/dev/$n" "$R/dev/$n"; done
`)
	}
	b.WriteString(m.before + "\n")
	if m.chroot {
		b.WriteString("exec " + m.after + " chroot \"$R\" \"$@\"\n")
	} else {
		b.WriteString("cd \"$R\"; pivot_root . .; /srv/probe try umount . >&2; cd /\nexec " + m.after + " \"$@\"\n")
	}
	return b.String()
}

// inMachine enters a root of the test's own, in mounts and processes of its own.
func inMachine(t *testing.T, f *placeFiles, m machineSetup, attr *syscall.SysProcAttr, script string) result {
	t.Helper()
	return long(t, program{
		argv: []string{"unshare", "--mount", "--uts", "--propagation=private", "--pid", "--fork", "--kill-child", "--", "sh", "-euc", m.script(), "sh", "/bin/sh", "-u", script},
		env:  []string{smallPath, "R=" + f.root, "D=" + f.srv},
		attr: attr,
	})
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// long runs what starts many programs: its end is not awaited for one minute only.
func long(t *testing.T, p program) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := p.command(ctx)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v; stdout %.2000q, stderr %.2000q", p.argv, err, out.String(), errs.String())
	}
	return result{stdout: out.String(), stderr: errs.String(), argv: p.argv}
}

// visited is one program to be started in a place.
type visited struct {
	argv  []string
	stdin string
}

// visit starts programs in a place, one after the other, as one script of sh.
func (p *place) visit(t *testing.T, f *placeFiles, list []visited) []result {
	t.Helper()
	var b strings.Builder
	b.WriteString(`start() { n=$1; shift; "$@" <"/srv/in/$n" >"/srv/out/$n.out" 2>"/srv/out/$n.err"; echo $? >"/srv/out/$n.code"; }` + "\n")
	for i, v := range list {
		write(t, fmt.Sprintf("%s/in/%d", f.srv, i), v.stdin, 0o644)
		b.WriteString("start " + strconv.Itoa(i))
		for _, w := range slices.Concat(p.start, v.argv) {
			b.WriteString(" '" + strings.ReplaceAll(w, "'", `'\''`) + "'")
		}
		b.WriteString("\n")
	}
	write(t, f.srv+"/script", b.String(), 0o644)
	whole := p.enter(t, f, "/srv/script")
	all := make([]result, len(list))
	for i, v := range list {
		name := fmt.Sprintf("%s/out/%d", f.srv, i)
		code, err := strconv.Atoi(strings.TrimSpace(read(t, name+".code")))
		if err != nil {
			t.Fatalf("%s: %q: %v; %q", p.name, v.argv, err, whole.stderr)
		}
		all[i] = result{code: code, stdout: read(t, name+".out"), stderr: read(t, name+".err"), argv: v.argv}
		for _, s := range []string{".code", ".out", ".err"} {
			if err := os.Remove(name + s); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// dockerCaps are what Docker leaves to a container's root.
var dockerCaps = strings.Fields("CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE")

// dockerDenied are the calls that Docker's filter answers by EPERM to a container
// with these capabilities. clone(2) with namespaces is as well, and clone3(2) is
// answered by ENOSYS.
var dockerDenied = strings.Fields(`acct add_key bpf clock_settime create_module delete_module fanotify_init finit_module fsconfig fsmount fsopen
	fspick get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load
	keyctl lookup_dcookie mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open
	pidfd_getfd pivot_root process_vm_readv process_vm_writev query_module quotactl quotactl_fd reboot request_key set_mempolicy
	set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon sysfs _sysctl syslog umount umount2 unshare uselib
	userfaultfd ustat vhangup`)

var (
	dockerMasked   = strings.Fields("/proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_list /proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware")
	dockerReadOnly = strings.Fields("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger")
)

// dockerFilter is the filter, in the words of the OCI runtime specification.
func dockerFilter() object {
	rules := []object{
		{"names": dockerDenied, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
		{"names": []string{"clone3"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
	}
	for _, flag := range []uint64{
		syscall.CLONE_NEWNS, syscall.CLONE_NEWUTS, syscall.CLONE_NEWIPC, syscall.CLONE_NEWUSER, syscall.CLONE_NEWPID, syscall.CLONE_NEWNET, 0x02000000, /* CLONE_NEWCGROUP */
	} {
		rules = append(rules, object{"names": []string{"clone"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": []object{{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}}})
	}
	for _, family := range []int{38 /* AF_ALG */, 40 /* AF_VSOCK */} {
		rules = append(rules, object{"names": []string{"socket"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": []object{{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}}})
	}
	return object{"defaultAction": "SCMP_ACT_ALLOW", "architectures": []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}, "syscalls": rules}
}

// object is one of JSON.
type object = map[string]any

var containers atomic.Int64

// container enters a container as Docker makes it, by runc(8): its capabilities, its
// filter, its masked paths. change is made to the configuration.
func container(uid uint32, change func(config object)) func(*testing.T, *placeFiles, string) result {
	return func(t *testing.T, f *placeFiles, script string) result {
		t.Helper()
		runc := requireProgram(t, "runc", "runc")
		mount := func(kind, source, target string, options ...string) object {
			return object{"type": kind, "source": source, "destination": target, "options": options}
		}
		caps := object{"bounding": dockerCaps}
		if uid == 0 {
			caps["effective"], caps["permitted"] = dockerCaps, dockerCaps
		}
		var namespaces []object
		for _, kind := range []string{"pid", "network", "ipc", "uts", "mount"} {
			namespaces = append(namespaces, object{"type": kind})
		}
		id := fmt.Sprintf("hardrun-test.%d.%d", os.Getpid(), containers.Add(1))
		config := object{
			"ociVersion": "1.0.2",
			"hostname":   "container",
			"root":       object{"path": f.root},
			"process": object{
				"user":         object{"uid": uid, "gid": uid, "additionalGids": []uint32{uid}},
				"args":         []string{"/bin/sh", "-u", script},
				"env":          []string{smallPath},
				"cwd":          "/",
				"capabilities": caps,
			},
			"mounts": []object{
				mount("proc", "proc", "/proc"),
				mount("tmpfs", "tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
				mount("devpts", "devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
				mount("tmpfs", "shm", "/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
				mount("mqueue", "mqueue", "/dev/mqueue", "nosuid", "noexec", "nodev"),
				mount("sysfs", "sysfs", "/sys", "nosuid", "noexec", "nodev", "ro"),
				mount("bind", "/usr", "/usr", "rbind"),
				mount("bind", f.srv, "/srv", "rbind"),
				mount("bind", f.root+"/home", "/home", "rbind"), // a volume
			},
			"linux": object{
				"namespaces":    namespaces,
				"cgroupsPath":   "/" + id,
				"maskedPaths":   dockerMasked,
				"readonlyPaths": dockerReadOnly,
				"seccomp":       dockerFilter(),
			},
		}
		if change != nil {
			change(config)
		}
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		bundle := directory(t, 0o700)
		write(t, bundle+"/config.json", string(text), 0o600)
		state := mkdir(t, bundle+"/state")
		t.Cleanup(func() { noContainer(t, runc, state, id) })
		return long(t, program{argv: []string{runc, "--root", state, "run", "--bundle", bundle, id}})
	}
}

// noContainer removes what a container may have left, where its end went wrong.
func noContainer(t *testing.T, runc, state, id string) {
	if exists(state + "/" + id) {
		if out, err := exec.Command(runc, "--root", state, "delete", "--force", id).CombinedOutput(); err != nil {
			t.Errorf("runc delete: %v: %s", err, out)
		}
	}
	left, err := filepath.Glob("/sys/fs/cgroup/*/" + id)
	if err != nil {
		t.Error(err)
	}
	for _, dir := range append(left, "/sys/fs/cgroup/"+id) {
		if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
}
