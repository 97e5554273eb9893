//go:build linux

package integration

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestNotifyOfUser starts a unit of Type=notify as a user, who has no /run/hardrun: the socket
// is in a runtime directory that is the user's alone, or has an abstract name.
func TestNotifyOfUser(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("needs perl")
	}
	dir := directory(t, 0o755)
	write(t, dir+"/notify.pl", `use Socket;
$| = 1;
my $name = $ENV{NOTIFY_SOCKET};
print "$name\n";
$name =~ s/^@/\0/;
socket(S, AF_UNIX, SOCK_DGRAM, 0) && send(S, "READY=1", 0, sockaddr_un($name)) || die "$name: $!\n";
select(undef, undef, undef, 0.3);
`, 0o644)
	const abstract = `@hardrun-[0-9a-f]{32}`
	owned := func(mode os.FileMode, name string) string {
		d := directory(t, 0o755) + name
		if err := os.MkdirAll(d, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(d, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	alone, open, long := owned(0o700, ""), owned(0o755, ""), owned(0o700, "/"+strings.Repeat("x", 80))
	for _, x := range []struct{ name, runtime, line, want string }{
		{"own", alone, "", regexp.QuoteMeta(alone) + `/hardrun/notify-[0-9]+`},
		{"own and hidden", alone, "ProtectHome=yes", abstract},
		{"others may look", open, "", abstract},
		{"too long", long, "", abstract},
		{"relative", "run", "", abstract},
		{"missing", dir + "/nosuch", "", abstract},
		{"none", "", "", abstract},
	} {
		t.Run(x.name, func(t *testing.T) {
			unit := write(t, directory(t, 0o755)+"/a.service", "[Service]\nType=notify\n"+x.line+"\nTimeoutStartSec=20\nExecStart=/usr/bin/perl "+dir+"/notify.pl\nExecStartPost=/bin/echo post\n", 0o644)
			r := program{argv: unprivileged(t, hardrun, "--unit="+unit), env: []string{"XDG_RUNTIME_DIR=" + x.runtime}}.run(t)
			if !regexp.MustCompile("^"+x.want+"\npost\n$").MatchString(r.stdout) || r.code != 0 || r.stderr != "" {
				t.Errorf("status %d, %q, want %s and post; stderr %q", r.code, r.stdout, x.want, r.stderr)
			}
			left, err := os.ReadDir(alone + "/hardrun")
			if err == nil && len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}
