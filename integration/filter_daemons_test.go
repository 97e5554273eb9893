//go:build linux

package integration

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// serviceFilter is the filter that systemd.exec(5) advises for services: what they use,
// without what needs privileges, or changes limits. Any other call kills.
var serviceFilter = opt("--system-call-filter=@system-service", "--system-call-filter=~@privileged @resources")

// serving are programs that serve HTTP, in languages whose runtimes make calls that
// no program asks for.
var serving = []struct {
	name, program, pkg string
	source             string // of main.go
	args, more         []string
	port               int
}{
	{
		name: "Go", program: "go", pkg: "golang-go", port: 8091,
		source: `package main

import (
	"bufio"
	"net"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:8091")
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			bufio.NewReader(c).ReadString('\n')
			c.Write([]byte("HTTP/1.0 200 OK\r\n\r\nserved by Go\n"))
			c.Close()
		}()
	}
}
`,
	},
	{
		name: "Python", program: "/usr/bin/python3", pkg: "python3", port: 8092,
		args: []string{"-c", `import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served by Python\n")
http.server.ThreadingHTTPServer(("127.0.0.1", 8092), H).serve_forever()`},
	},
	{
		name: "Node", program: "node", pkg: "nodejs", port: 8093,
		// Its compiler guards what it writes by pkey_alloc(2), which is not in
		// @system-service, and does without where that is an error.
		more: opt("--system-call-filter=@pkey"), args: []string{"-e", nodeServer},
	},
	{name: "Node", program: "node", pkg: "nodejs", port: 8093, more: opt("--system-call-filter=~@pkey:EPERM"), args: []string{"-e", nodeServer}},
}

const nodeServer = `require("http").createServer((q, r) => r.end("served by Node\n")).listen(8093, "127.0.0.1")`

// filteredThreads holds that every thread of a daemon has one filter.
func filteredThreads(t *testing.T, pid int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/" + itoa(pid) + "/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	before := number(t, status(t, os.Getpid(), "Seccomp_filters"))
	for _, task := range tasks {
		text := read(t, task)
		for _, line := range []string{"Seccomp:\t2\n", "Seccomp_filters:\t" + itoa(before+1) + "\n"} {
			if !strings.Contains(text, line) {
				t.Errorf("%s: without %q", task, line)
			}
		}
	}
}

// Daemons whose programs do not know of it run under the filter for services, and
// answer.
func TestFilterDaemons(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	for i := range services {
		s := &services[i]
		t.Run(s.program, func(t *testing.T) {
			t.Parallel()
			l := s.lay(t, s.high)
			mkdir(t, l.scratch)
			l.own(t, l.scratch)
			d := l.start(t, append(slices.Clone(serviceFilter), "--user="+s.account, "--caps=none", "--no-new-privileges")...)
			l.answers(t, d)
			l.confined(t, d.cmd.Process.Pid, none)
			filteredThreads(t, d.cmd.Process.Pid)
			l.stop(t, d)
		})
	}
	for _, s := range serving {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			argv := append([]string{requireProgram(t, s.program, s.pkg)}, s.args...)
			if s.source != "" {
				dir := directory(t, 0o755)
				build := exec.Command(argv[0], "build", "-o", dir+"/server", write(t, dir+"/main.go", s.source, 0o644))
				build.Env = append(build.Environ(), "CGO_ENABLED=0")
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("go build: %v\n%s", err, out)
				}
				argv = []string{dir + "/server"}
			}
			ground(t)
			start := under(slices.Concat(serviceFilter, s.more, opt("--user=nobody", "--no-new-privileges"))...)
			d := program{argv: slices.Concat(start, argv)}.start(t)
			pid := d.cmd.Process.Pid
			eventually(t, "an answer of "+s.name, func() bool {
				if status(t, pid, "State")[:1] == "Z" {
					t.Fatalf("%s has ended: %s", s.name, d.stderr.String())
				}
				return strings.HasSuffix(exchange(t, s.port, "GET / HTTP/1.0\r\n\r\n"), "served by "+s.name+"\n")
			})
			filteredThreads(t, pid)
			// Who asks for what is forbidden is killed, under the same filter.
			killed := runs(t, slices.Concat(start, []string{probe, "try", "chroot", "/"})...)
			equal(t, "chroot", killed.signal, syscall.SIGSYS)
		})
	}
}

// The lines of the unit that unbound itself brings, contrib/unbound.service.in: it
// starts as root, binds port 53, and gives up root by itself.
func TestFilterUnboundUnit(t *testing.T) {
	t.Parallel()
	s := services[1]
	s.files = maps.Clone(s.files)
	s.files["unbound.conf"] = strings.ReplaceAll(s.files["unbound.conf"], `username: ""`, `username: "unbound"`)
	l := s.lay(t, s.low)
	mkdir(t, l.scratch)
	l.own(t, l.scratch)
	var options []string
	for _, line := range []string{
		"CapabilityBoundingSet=CAP_CHOWN CAP_IPC_LOCK CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SYS_CHROOT CAP_SYS_RESOURCE CAP_NET_ADMIN CAP_DAC_OVERRIDE",
		"MemoryDenyWriteExecute=true", "NoNewPrivileges=true", "PrivateDevices=true", "PrivateTmp=true",
		"ProtectHome=true", "ProtectControlGroups=true", "ProtectKernelModules=true", "ProtectKernelTunables=true", "ProtectSystem=strict",
		"ReadWritePaths=/run /var/lib/unbound",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX", "RestrictRealtime=true", "RestrictNamespaces=yes", "LockPersonality=yes", "RestrictSUIDSGID=yes",
		"SystemCallArchitectures=native",
		"SystemCallFilter=~@clock @cpu-emulation @debug @keyring @module mount @obsolete @resources",
	} {
		options = append(options, "-p", line)
	}
	d := l.start(t, options...)
	l.answers(t, d)
	pid := d.cmd.Process.Pid
	eventually(t, "unbound as its user", func() bool { return strings.HasPrefix(status(t, pid, "Uid"), l.user[2]+"\t") })
	filteredThreads(t, pid)
	l.stop(t, d)
}
