//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const (
	namedConfig = `options {
	directory "/var/cache/bind";
	listen-on { 127.0.0.1; };
	listen-on-v6 { none; };
	recursion no;
	dnssec-validation no;
	pid-file "/run/named/named.pid";
	session-keyfile none;
};
controls { };
zone "example.test" { type primary; file "/etc/bind/db.example.test"; };
`
	namedZone = `$TTL 60
@	IN SOA	ns.example.test. root.example.test. ( 1 3600 600 86400 60 )
	IN NS	ns.example.test.
ns	IN A	127.0.0.1
www	IN A	192.0.2.80
`
)

// namedCage is a root for named, made by "hardrun cage", with a configuration and
// a zone. The directories that named writes to are owner's.
func namedCage(t *testing.T, user string, owner int) string {
	t.Helper()
	dir := filepath.Join(directory(t, 0o755), "cage")
	words := []string{"cage", dir}
	if user != "" {
		words = append(words, "--user="+user)
	}
	if r := run(t, append(words, "--", "named")...); r.code != 0 {
		t.Fatalf("status %d, %q", r.code, r.stderr)
	}
	write(t, dir+"/etc/bind/named.conf", namedConfig, 0o644)
	write(t, dir+"/etc/bind/db.example.test", namedZone, 0o644)
	for _, d := range []string{"/var/cache/bind", "/run/named"} {
		if err := os.MkdirAll(dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir+d, owner, -1); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The main job: named on port 53 without privilege, in a cage, as a user and as a
// root who has but one capability.
func TestNamed(t *testing.T) {
	requireRoot(t)
	requireProgram(t, "named", "bind9")
	dig := requireProgram(t, "dig", "bind9-dnsutils")
	requireProgram(t, "ip", "iproute2")
	bind, gid := bindUser(t)
	for _, x := range []struct {
		name   string
		words  []string
		user   string
		uid    int
		gid    int
		groups string
		sets   sets
		nproc  string
	}{
		{"root", []string{"--caps=net_bind_service"}, "", 0, 0, "", sets{none, netBind, netBind, netBind, none}, ""},
		{"bind", []string{"--user=bind", "--caps=net_bind_service", "--no-new-privs"}, "bind", bind, gid, itoa(gid), sets{netBind, netBind, netBind, netBind, netBind}, ""},
		// No CAP_SYS_RESOURCE, neither for named nor for hardrun: what named would raise
		// by itself is raised to where everybody may go, and the rest is lowered.
		{"bind with limits", []string{"--user=bind", "--caps=net_bind_service", "--no-new-privs", "--limit-nofile=8192", "--limit-nproc=64", "--limit-core=0", "--limit-fsize=16M", "--limit-memlock=64K"}, "bind", bind, gid, itoa(gid), sets{netBind, netBind, netBind, netBind, netBind}, "64"},
	} {
		t.Run(x.name, func(t *testing.T) {
			cage := namedCage(t, x.user, x.uid)
			file := directory(t, 0o777) + "/pid"
			argv := append([]string{hardrun, "--chroot=" + cage}, x.words...)
			argv = with("without=24", append(argv, "--", "named", "-f")...)
			// In a network of its own, where port 53 is free. The shell notes its PID,
			// which is to be hardrun's and named's as well.
			script := `ip link set lo up; echo "pid $$" > "$1"; shift; exec "$@"`
			d := program{argv: append([]string{"unshare", "--net", "--", "sh", "-euc", script, "sh", file}, argv...)}.start(t)
			pid, err := strconv.Atoi(strings.TrimPrefix(awaited(t, file, "pid "), "pid "))
			if err != nil || pid != d.cmd.Process.Pid {
				t.Fatalf("pid %d, want %d", pid, d.cmd.Process.Pid)
			}
			ask := func() result {
				return runs(t, "nsenter", "--net=/proc/"+itoa(pid)+"/ns/net", "--", dig, "+short", "+tries=1", "+time=1", "@127.0.0.1", "www.example.test", "A")
			}
			eventually(t, "an answer of named; it said "+d.stderr.String(), func() bool {
				if err := syscall.Kill(pid, 0); err != nil || status(t, pid, "State")[:1] == "Z" {
					t.Fatalf("named has ended: %s", d.stderr.String())
				}
				return ask().stdout == "192.0.2.80\n"
			})
			equal(t, "comm", strings.TrimSpace(read(t, "/proc/"+itoa(pid)+"/comm")), "named")
			root, err := os.Readlink("/proc/" + itoa(pid) + "/root")
			if err != nil || root != "/" { // pivot_root(2): the cage is the whole namespace
				t.Errorf("root %q, %v", root, err)
			}
			if _, err := os.Stat("/proc/" + itoa(pid) + "/root/etc/bind/db.example.test"); err != nil {
				t.Error(err)
			}
			tasks, err := filepath.Glob("/proc/" + itoa(pid) + "/task/*/status")
			if err != nil || len(tasks) < 2 {
				t.Fatalf("%d threads, %v", len(tasks), err)
			}
			for _, task := range tasks {
				got := map[string]string{}
				for l := range strings.Lines(read(t, task)) {
					k, v, _ := strings.Cut(l, ":")
					got[k] = strings.Join(strings.Fields(v), " ")
				}
				equal(t, "Uid", got["Uid"], strings.TrimSpace(strings.Repeat(itoa(x.uid)+" ", 4)))
				equal(t, "Gid", got["Gid"], strings.TrimSpace(strings.Repeat(itoa(x.gid)+" ", 4)))
				equal(t, "Groups", got["Groups"], x.groups)
				equal(t, "CapBnd", got["CapBnd"], x.sets.bnd)
				// named itself gives up what it does not need; what it keeps is at most ours.
				for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
					if v := got[set]; v != none && v != netBind {
						t.Errorf("%s is %s", set, v)
					}
				}
				if x.user != "" {
					equal(t, "NoNewPrivs", got["NoNewPrivs"], "1")
					equal(t, "CapAmb", got["CapAmb"], x.sets.amb)
					equal(t, "CapPrm", got["CapPrm"], x.sets.prm)
				}
			}
			if x.nproc != "" {
				limits := read(t, "/proc/"+itoa(pid)+"/limits")
				for _, l := range []string{"Max processes 64 64", "Max open files 8192 8192", "Max core file size 0 0", "Max file size 16777216 16777216", "Max locked memory 65536 65536"} {
					if !strings.Contains(strings.Join(strings.Fields(limits), " "), l) {
						t.Errorf("no %q in %s", l, limits)
					}
				}
			}
			d.signal(t, syscall.SIGTERM)
			equal(t, "status of named", d.end(t), 0)
		})
	}
	t.Run("without the capability", func(t *testing.T) {
		cage := namedCage(t, "bind", bind)
		log := directory(t, 0o777) + "/log"
		d := program{argv: []string{
			"unshare", "--net", "--", "sh", "-euc", `ip link set lo up; exec "$@"`, "sh",
			hardrun, "--user=bind", "--caps=none", "--chroot=" + cage, "--standard-error=file:" + log, "--", "named", "-g",
		}}.start(t)
		eventually(t, "named's complaint in "+log, func() bool {
			b, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(b), "interface lo failed") && strings.Contains(string(b), " running\n")
		})
		r := runs(t, "nsenter", "--net=/proc/"+itoa(d.cmd.Process.Pid)+"/ns/net", "--", dig, "+short", "+tries=1", "+time=1", "@127.0.0.1", "www.example.test", "A")
		if strings.Contains(r.stdout, "192.0.2.80") {
			t.Error("named answers on port 53 without the capability")
		}
		d.signal(t, syscall.SIGTERM)
		d.end(t)
	})
}

func bindUser(t *testing.T) (uid, gid int) {
	t.Helper()
	for l := range strings.Lines(read(t, "/etc/passwd")) {
		if f := strings.Split(l, ":"); len(f) > 3 && f[0] == "bind" {
			uid, err := strconv.Atoi(f[2])
			if err != nil {
				t.Fatal(err)
			}
			if gid, err = strconv.Atoi(f[3]); err != nil {
				t.Fatal(err)
			}
			return uid, gid
		}
	}
	t.Skip("needs the user bind of the package bind9")
	return 0, 0
}
