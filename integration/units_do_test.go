//go:build linux

package integration

import (
	"strings"
	"testing"
)

// TestDo is --do=reload and --do=stop for daemons without a parent that knows of the service:
// what is run, what is signalled, and what is left. Each script has /run and processes of its
// own, and leaves its last words in $?.
func TestDo(t *testing.T) {
	requireRoot(t)
	const ready = "until test -e up; do sleep 0.01; done\n"
	for _, c := range []struct {
		name, unit, script string
		said               string // on standard error
	}{
		{
			"reload behind a parent that only waits",
			"PrivatePIDs=yes\nExecStart=/bin/sh -c 'trap : HUP; echo 1 >up; while :; do sleep 0.05; done'\nExecReload=/bin/sh -c 'echo $$MAINPID >asked'\n",
			`"$h" --unit ./a.service & p=$!; ` + ready + `
			"$h" --unit ./a.service --do=reload --pid=$p
			test $(cat asked) = $p
			kill -0 $p
			"$h" --unit ./a.service --do=stop --pid=$p`,
			"",
		},
		{
			"and its user is the daemon's",
			"User=nobody\nPrivatePIDs=yes\nExecStart=/bin/sleep 1000\nExecReload=+/bin/sh -c 'echo $$MAINPID >asked'\n",
			`"$h" --unit ./a.service & p=$!
			until grep -qsx sleep $(printf /proc/%d/comm $(cat /proc/$p/task/$p/children)); do sleep 0.01; done
			"$h" --unit ./a.service --do=reload --pid=$p
			test $(cat asked) = $p`,
			"",
		},
		{
			"a stop without limit and without SIGKILL",
			"TimeoutStopSec=infinity\nSendSIGKILL=no\nExecStart=/bin/sh -c 'trap \"exit 0\" TERM; echo 1 >up; while :; do sleep 0.05; done'\n",
			`"$h" --unit ./a.service & p=$!; ` + ready + `
			"$h" --unit ./a.service --do=stop --pid=$p
			wait $p`,
			"",
		},
		{
			"which is none",
			"TimeoutStopSec=300ms\nSendSIGKILL=no\nRuntimeDirectory=do\nExecStopPost=/bin/sh -c 'echo 1 >post'\nExecStart=/bin/sh -c 'trap : TERM; echo 1 >up; while :; do sleep 0.05; done'\n",
			`sed '/^\(Timeout\|ExecStopPost\|SendSIGKILL\)/d' a.service >b.service
			"$h" --unit ./b.service --parent=never & p=$!; ` + ready + `
			! "$h" --unit ./a.service --do=stop --pid=$p
			test -d /run/do; test ! -e post; kill -0 $p`,
			"--do=stop: the main process has not ended, and SendSIGKILL=no",
		},
		{
			"a directory that another service uses",
			"RuntimeDirectory=do\nExecStart=/bin/sh -c 'echo 1 >up; exec sleep 1000'\n",
			`"$h" --unit ./a.service & a=$!; ` + ready + `rm up
			cp a.service b.service
			"$h" --unit ./b.service --parent=never & b=$!; ` + ready + `
			"$h" --unit ./b.service --do=stop --pid=$b
			test -d /run/do
			"$h" --unit ./a.service --do=stop --pid=$a
			test ! -e /run/do`,
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t, 0o755)
			write(t, dir+"/a.service", "[Service]\nWorkingDirectory="+dir+"\n"+c.unit, 0o644)
			r := program{dir: dir, argv: []string{
				"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-xeuc",
				"h=$1; mount -t tmpfs run /run; " + c.script, "sh", hardrun,
			}}.run(t)
			if r.code != 0 || !strings.Contains(r.stderr, c.said) {
				t.Errorf("status %d: %s", r.code, r.stderr)
			}
		})
	}
}

// TestSettingsHint: a misspelt name has its hint.
func TestSettingsHint(t *testing.T) {
	r := run(t, "plan", "--settings", "--", "Usr")
	if r.code != 64 || !strings.Contains(r.stderr, "hint: did you mean User?") {
		t.Errorf("status %d: %s", r.code, r.stderr)
	}
}

// TestReadyFDPassed: --ready-fd is a descriptor that was passed, none of hardrun's own.
func TestReadyFDPassed(t *testing.T) {
	for n := 3; n < 12; n++ {
		refused(t, run(t, "--ready-fd="+itoa(n), "--", "/bin/true"), 202, "--ready-fd", "descriptor "+itoa(n)+" was not passed")
	}
	r := runs(t, "sh", "-c", `{ "$1" --ready-fd=3 -- sh -c 'sleep 0.2; ! echo >&3' 3>&1 >&2; } 2>/dev/null`, "sh", hardrun)
	if r.code != 0 || r.stdout != "\n" {
		t.Errorf("status %d, told %q", r.code, r.stdout)
	}
}
