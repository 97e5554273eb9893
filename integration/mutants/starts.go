//go:build linux

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/hardrun/hardrun/integration/shapes"
)

// start is a launch whose daemon, or refusal, is compared with that of no mutant.
type start struct {
	name  string
	argv  []string // /srv is the place of the shapes
	files map[string]string
	lacks string // the capabilities that are missing, in base 16
}

const serviceHead = "[Service]\nLimitNOFILE=512:1024\nLimitMEMLOCK=64K\nKeyringMode=private\n"

// moreStarts are those that no shape has.
var moreStarts = []start{
	{name: "cage", argv: []string{"/srv/hardrun", "--chroot=/srv/root", "--user=nobody", "--caps=net_bind_service", "--nice=5", "--limit-core=0", "--no-new-privs", "--", "/probe", "setuid0", "bind:53", "stat:/etc/passwd"}},
	{name: "bare", argv: []string{"/srv/hardrun", "--", "/srv/probe", "setuid0"}},
	{name: "streams", argv: []string{
		"/srv/hardrun", "--user=nobody", "--standard-input=file:/srv/other", "--standard-error=append:/tmp/marker", "--environment=MODE=tested",
		"--unset-environment=LANG", "--memory-ksm", "--memory-thp=disable", "--personality=x86", "--keyring-mode=shared", "--numa-policy=default", "--", "/srv/probe", "read:/tmp/marker",
	}},
	{name: "group", argv: []string{
		"/srv/hardrun", "--user=nobody", "--private-network", "--private-mounts=no", "--device-allow=/dev/null rw", "--ip-address-deny=localhost",
		"--ip-address-allow=127.0.0.9", "--restrict-network-interfaces=lo", "--socket-bind-deny=any", "--socket-bind-allow=udp:1053", "--", "/srv/probe",
		"open:/dev/null:w", "open:/dev/zero:r", "bind:53", "loopback",
	}},
	{name: "group strict", argv: []string{
		"/srv/hardrun", "--device-policy=strict", "--device-allow=/dev/zero r", "--ip-address-deny=any", "--restrict-network-interfaces=~lo", "--socket-bind-deny=tcp",
		"--", "/srv/probe", "open:/dev/null:w", "open:/dev/zero:r", "open:/dev/zero:w", "bind:53", "loopback",
	}},
	{name: "landlock", lacks: "200000", argv: []string{
		"/srv/hardrun", "--protect-system=strict", "--read-write-paths=/srv/data", "--inaccessible-paths=/srv/hidden", "--no-exec-paths=/srv/data",
		"--allow-landlock=ReadWritePaths,InaccessiblePaths,NoExecPaths,ProtectSystem",
		"--", "/srv/probe", "open:/srv/data/file:w", "open:/srv/other:w", "stat:/tmp/marker",
	}},
	{name: "without SYS_ADMIN", lacks: "200000", argv: []string{"/srv/hardrun", "--user=nobody", "--private-users", "--private-tmp", "--private-devices", "--", "/srv/probe", "stat:/tmp/marker"}},
	{name: "without SETUID", lacks: "80", argv: []string{"/srv/hardrun", "--user=nobody", "--", "/srv/probe"}},
	{name: "without SETPCAP", lacks: "100", argv: []string{"/srv/hardrun", "--user=nobody", "--capability-bounding-set=CAP_CHOWN", "--", "/srv/probe"}},
	{name: "without MKNOD", lacks: "8000000", argv: []string{"/srv/hardrun", "--user=nobody", "--private-devices", "--", "/srv/probe", "open:/dev/null:w"}},
	{name: "view", argv: []string{
		"/srv/hardrun", "--protect-system=strict", "--protect-home=tmpfs", "--protect-kernel-logs", "--protect-control-groups=strict", "--proc-subset=pid",
		"--private-devices", "--tmpfs=/opt:size=1m,mode=0700", "--bind-read-only-paths=/etc:/mnt", "--bind-paths=/srv/data:/media", "--read-write-paths=/var",
		"--no-exec-paths=/var", "--exec-paths=-/var/lib", "--mount-flags=private", "--", "/srv/probe", "open:/srv/other:w", "create:/var/lib/mine", "open:/media/file:w", "create:/opt/mine",
	}},
	{name: "bindless", argv: []string{"/srv/hardrun", "--user=nobody", "--caps=none", "--secure-bits=noroot noroot-locked", "--limit-nofile=512:1024", "--", "/srv/probe", "open-many:600"}},
	{
		name: "parent", argv: []string{"/srv/hardrun", "--unit=/srv/parent.service"},
		files: map[string]string{"parent.service": serviceHead + `User=nobody
RuntimeDirectory=parent
PrivateTmp=yes
ExecStartPre=/srv/probe stat:/run/parent
ExecStartPre=+/srv/probe setuid0
ExecStart=/srv/probe setuid0 create:/run/parent/mine
ExecStartPost=-/srv/probe setuid0
ExecStopPost=/srv/probe stat:/run/parent/mine
`},
	},
	{
		name: "oneshot", argv: []string{"/srv/hardrun", "--unit=/srv/oneshot.service"},
		files: map[string]string{"oneshot.service": "[Unit]\nConditionPathExists=/srv/other\n" + serviceHead + `Type=oneshot
User=daemon
CapabilityBoundingSet=CAP_CHOWN
StateDirectory=one/two:alias
CacheDirectory=cached
CacheDirectoryMode=0700
ConfigurationDirectory=one
UMask=0077
ProtectSystem=full
NoNewPrivileges=yes
Environment=A=b
EnvironmentFile=-/srv/none
ExecCondition=/bin/true
ExecStart=/srv/probe setuid0 create:/var/lib/one/two/mine open:/srv/other:w
ExecStart=/srv/probe stat:/var/lib/one/two/mine stat:/var/lib/alias/mine
ExecStartPost=/srv/probe setuid0
`},
	},
	{
		name: "forking", argv: []string{"/srv/hardrun", "--unit=/srv/forking.service"},
		files: map[string]string{"forking.service": serviceHead + `Type=exec
ExecStart=/bin/sh -c 'trap "exit 3" TERM; /srv/probe & wait; exit 7'
SuccessExitStatus=7
ExecStop=/bin/true
TimeoutStopSec=5
Restart=no
`},
	},
	{
		name: "skipped", argv: []string{"/srv/hardrun", "--unit=/srv/skipped.service"},
		files: map[string]string{"skipped.service": "[Unit]\nConditionPathExists=!/srv/other\n" + serviceHead + "ExecStart=/srv/probe\n"},
	},
	{name: "refused user", argv: []string{"/srv/hardrun", "--user=nobody-here", "--", "/srv/probe"}},
	{name: "refused command", argv: []string{"/srv/hardrun", "--user=nobody", "--", "/srv/other"}},
	{name: "refused path", argv: []string{"/srv/hardrun", "--read-only-paths=/srv/none", "--", "/srv/probe"}},
	{name: "refused directory", argv: []string{"/srv/hardrun", "--working-directory=/srv/none", "--", "/srv/probe"}},
	{name: "refused limit", argv: []string{"/srv/hardrun", "--user=nobody", "--chroot=/srv/data", "--", "/none"}},
}

// starts are all of them.
func starts() (list []start) {
	for i := range shapes.List {
		list = append(list, start{name: shapes.List[i].Name, argv: shapes.List[i].Argv()})
	}
	return append(list, moreStarts...)
}

// argv is a start in a room.
func (w *workspace) startArgv(s start) []string {
	return slices.Concat([]string{w.path("tools", "starter"), w.path("shapes"), cmp.Or(s.lacks, "0"), "-", "30"}, s.argv)
}

var anyNumber = regexp.MustCompile(`\d+`)

// said is what a start has said, without what differs by itself.
func (w *workspace) said(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "status %d\n", r.Status)
	if r.Over {
		return "no end\n"
	}
	for line := range strings.Lines(r.Stderr) {
		if strings.HasPrefix(line, "hardrun: ") {
			b.WriteString(anyNumber.ReplaceAllString(line, "#"))
		}
	}
	// Each command is an object with its state, one with what is around, answers, and an end.
	lines := strings.SplitAfter(strings.ReplaceAll(r.Stdout, r.Base, "ROOM"), "\n")
	if len(lines) < 3 {
		return b.String() + r.Stdout
	}
	head, tail := lines[0], strings.Join(lines[len(lines)-2:], "")
	parts := strings.SplitAfter(strings.Join(lines[1:len(lines)-2], ""), "{\"end\":true}\n")
	var texts []string
	for _, p := range parts {
		if strings.TrimSpace(p) == "" && len(parts) > 1 {
			continue
		}
		report, err := shapes.Parse(head+p+tail, w.path("shapes"))
		if err != nil {
			texts = append(texts, fmt.Sprintf("%v\n%s", err, anyNumber.ReplaceAllString(p, "#")))
			continue
		}
		text := "daemon " + fmt.Sprint(report.Started, report.Left, report.Files) + "\n" + strings.Join(report.Lines(), "\n") + "\n"
		for _, a := range report.Answers {
			text += a.Act + " " + a.Errno + "\n"
		}
		texts = append(texts, text)
	}
	// Commands of a service that run at one time print in any order.
	sort.Strings(texts)
	return b.String() + strings.Join(texts, "--\n")
}
