package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/unit"
)

// fuzzEnv is a machine that has everything, and that is the same for all units.
func fuzzEnv(p *policy.Policy, args []string, given *launcher.Given) *launcher.Env {
	all := caps.All(40)
	tree := cgroup.Tree{Unified: true, Mount: "/cg", Own: "/own"}
	env := &launcher.Env{
		For: "root", GOOS: "linux", GOARCH: "amd64", LastCap: 40, Proc: true, PID: 100, Landlock: 6,
		Caps:       launcher.CapState{Permitted: all, Effective: all, Bounding: all},
		Snapshot:   launcher.Snapshot{Affinity: process.CPUSet{3}, AffinityBytes: 8, Environ: []string{"PATH=/bin", "A=1"}},
		Command:    launcher.Command{Args: args, Path: "/bin/daemon"},
		User:       caps.User{Name: "www", UID: 33, GID: 34, Home: "/var/www", Shell: "/bin/sh", Entry: true},
		UserGroups: []uint32{34, 4, 27},
		Own:        caps.User{Name: "root", Home: "/root", Shell: "/bin/sh", Entry: true},
		EnvFiles:   make([][]string, len(p.EnvironmentFile.Items)),
		Given:      given,
		CGroups: launcher.CGroups{
			Read: true, Trees: []cgroup.Tree{tree}, Lack: "is not looked for",
			Devices: make([][]cgroup.Device, len(p.DeviceAllow.Items)), Memory: 1 << 30, Swap: 1 << 20, Tasks: 1000,
		},
	}
	for i := range env.EnvFiles {
		env.EnvFiles[i] = []string{"B=2", "C="}
	}
	return env
}

// saysWhy holds an error to have a text; what a terminal would act upon say takes away.
func saysWhy(t *testing.T, err error) {
	t.Helper()
	if err == nil || strings.TrimSpace(printable(err.Error())) == "" {
		t.Errorf("an error without a text: %#v", err)
	}
}

// FuzzUnit: a unit of any bytes is refused with reasons, or it has a plan for each of its
// commands. What a process is told of it is what was read.
func FuzzUnit(f *testing.F) {
	f.Add("a@b.service", []byte(fuzzDaemon), []byte(""), false)
	f.Add("a.service", []byte(fuzzDaemon), []byte("[Service]\nExecStart=\nExecStart=+-@!/x y z\nUser=\n"), true)
	f.Add("a.service", []byte(fuzzService), []byte("[Service]\nDynamicUser=no\nSystemCallFilter=\nRootDirectory=/srv\n"), false)
	f.Add("a.socket", []byte("[Socket]\nListenStream=53\nListenFIFO=/run/a\nSocketUser=b\nAccept=no\n[Install]\nWantedBy=sockets.target\n"), []byte(""), false)
	f.Add("a@.service", []byte("\ufeff[Service]\r\nExecStart=|/bin/sh ${A} $B\\\n  $$ %n; \\; /x ; /y\r\n"), []byte("[Unit]\nConditionPathExists=|!/x\nAssertHost=a*\n"), true)
	f.Add("a.service", []byte("[Service]\nNosuch=x\nUser=\nX-Hardrun-KeepFD=5\n[X-A]\nb=c\n[Nosuch]\nd"), []byte("e=f"), true)
	f.Fuzz(func(t *testing.T, name string, text, dropIn []byte, warns bool) {
		if len(name) > 300 || len(text)+len(dropIn) > 16<<10 {
			return
		}
		u := &unit.Unit{Name: name, Path: "/etc/systemd/system/a.service", Files: []string{"/etc/systemd/system/a.service"}}
		for i, part := range [][]byte{text, dropIn} {
			list, err := unit.Parse([]string{"a.service", "b.conf"}[i], part)
			u.Assignments = append(u.Assignments, list...)
			if list, ok := err.(unit.Errors); ok {
				u.Problems = append(u.Problems, list...)
			}
		}
		var in invocation
		var warn func(error)
		if warns {
			warn = func(err error) { saysWhy(t, err) }
		}
		in.unit = u
		if err := u.Apply(&in.policy, warn); err != nil {
			eachError(err, func(err error, _ string) { saysWhy(t, err) })
			return
		}
		p := &in.policy
		p.UnitDefaults()
		if errs := p.Validate(true); len(errs) > 0 {
			for _, err := range errs {
				saysWhy(t, err)
			}
			return
		}
		if _, err := settingsText(terminal{}, p, nil); err != nil {
			t.Error(err)
		}
		p.NeedsParent()
		directoryList(p, p.DynamicUser.V)
		for list := range p.Service.Commands {
			for i := range p.Service.Commands[list].Items {
				q := p.ForCommand(list, i)
				given := launcher.Given{Unit: name, Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}
				if q.DynamicUser.V {
					given.Who = &caps.User{Name: "a", UID: 61184, GID: 61184, Home: "/", Shell: "/usr/sbin/nologin"}
				}
				dirs, _ := directoryList(p, given.Who != nil)
				giveDirectories(&given, dirs)
				args := commandArgs(&p.Service.Commands[list].Items[i].V, &given)
				plan := launcher.Compile(&q, fuzzEnv(&q, args, &given))
				if len(plan.Entries) == 0 && len(plan.Refused) == 0 {
					t.Errorf("%s: neither a step nor a refusal", policy.ExecNames[list])
				}
				for _, r := range plan.Refused {
					if r.Text == "" || r.Exit == 0 {
						t.Errorf("a refusal without a reason: %+v", r)
					}
				}
				o := errand{unit: u, list: list, index: i, given: given, exec: -1, lock: -1}
				heard, err := hear(o.tell())
				if err != nil {
					t.Fatal(err)
				}
				if len(heard.unit.Assignments) != len(u.Assignments) || !reflect.DeepEqual(heard.given.Environ, append([]string{}, given.Environ...)) || heard.given.Unit != name {
					t.Errorf("told %+v, heard %+v", o, heard)
				}
				for i := range u.Assignments {
					a, b := u.Assignments[i], heard.unit.Assignments[i]
					a.Head = 0
					if a != b {
						t.Errorf("told %+v, heard %+v", a, b)
					}
				}
			}
		}
	})
}

const fuzzDaemon = `[Unit]
Description=A daemon
After=network.target

[Service]
Type=notify
User=www
Group=www
Environment=A=1 "B=2 3"
EnvironmentFile=-/etc/default/daemon
ExecStartPre=-/bin/mkdir -p /run/daemon
ExecStart=/usr/sbin/daemon -f $A %i \
    --long
ExecReload=/bin/kill -HUP $MAINPID
ExecStopPost=+/bin/rm -f /run/daemon.pid
PIDFile=/run/daemon.pid
Restart=on-failure
RuntimeDirectory=daemon daemon/keys
StateDirectory=daemon
LimitNOFILE=4096:8192
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID
AmbientCapabilities=CAP_NET_BIND_SERVICE
KillMode=mixed
TimeoutStopSec=1min 30s

[Install]
WantedBy=multi-user.target
`

const fuzzService = `[Service]
DynamicUser=yes
ExecStart=!/usr/bin/service
ProtectSystem=strict
ProtectHome=tmpfs
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ReadWritePaths=-/srv +/x
BindPaths=/a:/b:norbind
TemporaryFileSystem=/c:ro,size=1M
InaccessiblePaths=-/d
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET
RestrictNamespaces=~user
MemoryDenyWriteExecute=yes
IPAddressDeny=any
IPAddressAllow=localhost 10.0.0.0/8
MemoryMax=50%
DeviceAllow=char-pts rw
SetCredential=a:b
LoadCredential=c:/d
StandardInput=socket
UMask=027
OOMScoreAdjust=-500
CPUAffinity=0-3
`

// BenchmarkUnit is what a start by a unit costs before anything is done: the file read, applied, completed
// and compiled. The whole launch of such a unit takes some milliseconds: make bench has both.
func BenchmarkUnit(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(dir+"/daemon.service", []byte(fuzzService), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		finder := unit.Finder{Path: []string{dir}}
		u, err := finder.Load("daemon")
		if err != nil {
			b.Fatal(err)
		}
		var p policy.Policy
		if err := u.Apply(&p, nil); err != nil {
			b.Fatal(err)
		}
		p.UnitDefaults()
		q := p.ForCommand(policy.ExecStart, 0)
		given := launcher.Given{Unit: u.Name, Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}
		args := commandArgs(&p.Service.Commands[policy.ExecStart].Items[0].V, &given)
		launcher.Compile(&q, fuzzEnv(&q, args, &given))
	}
}
