package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
)

func TestParseCage(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want cageArgs
	}{
		{"/srv/d -- named", cageArgs{dir: "/srv/d", command: "named"}},
		{"/srv/d --user=bind -- named -f -u x", cageArgs{dir: "/srv/d", user: "bind", command: "named", args: []string{"-f", "-u", "x"}}},
		{"--user bind /srv/d --file=/a --file /b -- named", cageArgs{dir: "/srv/d", user: "bind", files: []string{"/a", "/b"}, command: "named"}},
		{"-u bind:dns d -- named -- x", cageArgs{dir: "d", user: "bind:dns", command: "named", args: []string{"--", "x"}}},
		{"-user=bind d -- -x", cageArgs{dir: "d", user: "bind", command: "-x"}},
	} {
		got, err := parseCage(strings.Fields(tt.in))
		if err != nil || got.dir != tt.want.dir || got.user != tt.want.user || got.command != tt.want.command ||
			!slices.Equal(got.files, tt.want.files) || !slices.Equal(got.args, tt.want.args) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		in    []string
		fails string
	}{
		{nil, "no directory"},
		{[]string{"--", "named"}, "no directory"},
		{[]string{"/d"}, "no command"},
		{[]string{"/d", "--"}, "no command"},
		{[]string{"/d", "--", ""}, "no command"},
		{[]string{"/d", "named"}, "a second directory \"named\"; the command stands behind --"},
		{[]string{"", "--", "named"}, "an empty word"},
		{[]string{"/d", "--user=", "--", "named"}, "--user= has an empty value"},
		{[]string{"/d", "--user", "", "--", "named"}, "--user has an empty value"},
		{[]string{"/d", "--user", "--", "named"}, "--user needs a value"},
		{[]string{"/d", "--user=a", "--user=b", "--", "named"}, "twice"},
		{[]string{"/d", "--users=a", "--", "named"}, "unknown option \"--users=a\""},
		{[]string{"/d", "---user=a", "--", "named"}, "unknown option"},
	} {
		got, err := parseCage(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.fails) || got.dir+got.user+got.command != "" {
			t.Errorf("%q: got %+v, %v, want error %q", tt.in, got, err, tt.fails)
		}
	}
}

func TestCageUser(t *testing.T) {
	dir := t.TempDir()
	db := caps.Database{Passwd: dir + "/passwd", Group: dir + "/group"}
	for file, text := range map[string]string{
		db.Passwd: "root:x:0:0::/root:/bin/sh\nbind:x:102:105::/var/cache/bind:/usr/sbin/nologin\nlost:x:103:999::/:/bin/sh\n",
		db.Group:  "root:x:0:\nbind:x:105:\ndns:x:53:\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		in   string
		want ns.CageUser
	}{
		{"bind", ns.CageUser{Name: "bind", UID: 102, GID: 105, Group: "bind", Home: "/var/cache/bind"}},
		{"102", ns.CageUser{Name: "bind", UID: 102, GID: 105, Group: "bind", Home: "/var/cache/bind"}},
		{"bind:dns", ns.CageUser{Name: "bind", UID: 102, GID: 53, Group: "dns", Home: "/var/cache/bind"}},
		{"lost:53", ns.CageUser{Name: "lost", UID: 103, GID: 53, Group: "dns", Home: "/"}},
	} {
		got, err := cageUser(db, tt.in)
		if err != nil || *got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"nobody", "7777", "7777:53", "lost", "bind:", "bind:gone", "bind:7777", "bind:dns,root", "bind:dns:root", ":dns", ""} {
		if got, err := cageUser(db, in); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func TestCageCommand(t *testing.T) {
	var out, errs strings.Builder
	if status := cageCommand([]string{"/d", "named"}, &out, &errs); status != 64 || out.Len() > 0 ||
		errs.String() != "hardrun: cage: a second directory \"named\"; the command stands behind --\nhardrun: hint: "+cageUsage+"\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, out.String(), errs.String())
	}
	errs.Reset()
	if status := cageCommand([]string{"/d", "--user=no-such-user-here", "--", "named"}, &out, &errs); status != 1 ||
		!strings.HasPrefix(errs.String(), "hardrun: cage: unknown user \"no-such-user-here\"\nhardrun: hint: ") {
		t.Errorf("status %d, stderr %q", status, errs.String())
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: a cage belongs to root")
	}
	dir := filepath.Join(t.TempDir(), "cage")
	errs.Reset()
	if status := cageCommand([]string{dir, "--user=root", "--", "sh", "/etc/rc"}, &out, &errs); status != 0 || errs.Len() > 0 {
		t.Fatalf("status %d, stderr %q", status, errs.String())
	}
	for _, want := range []string{"cage " + dir + " for /usr/bin/sh: ", "\n  made /etc/passwd (the one user)\n", "\n  arguments: /etc/rc is not copied unless --file=/etc/rc asks for it\n", "\n  config: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
