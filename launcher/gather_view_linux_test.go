package launcher

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
	"golang.org/x/sys/unix"
)

// What a view is made of must be there before anything changes; but for what a plan need not
// see, and what only the finished view will have.
func TestViewOf(t *testing.T) {
	dir := tree{"file": "x", "root": "/"}.make(t)
	g := &Given{Directories: []GivenDirectory{{Host: dir + "/given", Inside: dir + "/given"}}}
	const from = " (x.service:3)"
	const bind, rule = "BindPaths=: open @/none: no such file or directory" + from, "ReadOnlyPaths=: open @/none: no such file or directory" + from
	for _, tt := range []struct {
		who, set string
		g        *Given
		want     string
	}{
		{"launch", "BindPaths=@/file:/x", nil, ""},
		{"launch", "BindPaths=@/none:/x", nil, bind},
		{"self", "BindPaths=@/none:/x", nil, bind},
		{"launch", "BindReadOnlyPaths=@/none:/x", nil, "BindReadOnlyPaths=: open @/none: no such file or directory" + from},
		{"launch", "BindPaths=-@/none:/x", nil, ""},
		{"launch", "BindPaths=-@/file/x:/x", nil, "BindPaths=: open @/file/x: not a directory" + from},
		{"self", "BindPaths=@/given/x:/x", g, ""},
		{"launch", "BindPaths=@/given/x:/x", g, "BindPaths=: open @/given/x: no such file or directory" + from},
		{"self", "BindPaths=@/none:/x", g, bind},

		{"launch", "ReadOnlyPaths=@/file", nil, ""},
		{"launch", "ReadOnlyPaths=@/none", nil, rule},
		{"launch", "ReadOnlyPaths=-@/none", nil, ""},
		{"launch", "ReadWritePaths=@/none", nil, "ReadWritePaths=: open @/none: no such file or directory" + from},
		{"launch", "InaccessiblePaths=@/none", nil, "InaccessiblePaths=: open @/none: no such file or directory" + from},
		{"launch", "NoExecPaths=@/none", nil, "NoExecPaths=: open @/none: no such file or directory" + from},
		{"launch", "ExecPaths=@/none", nil, "ExecPaths=: open @/none: no such file or directory" + from},
		{"self", "ReadOnlyPaths=@/given", g, ""},
		{"launch", "ReadOnlyPaths=@/given", g, "ReadOnlyPaths=: open @/given: no such file or directory" + from},
		{"self", "ReadOnlyPaths=@/none", g, rule},
		{"launch", "ReadOnlyPaths=@/none|RootDirectory=@/root", nil, ""},
		{"launch", "ReadOnlyPaths=@/none|X-Hardrun-Chroot=@/root", nil, ""},
		{"launch", "ReadOnlyPaths=@/none|TemporaryFileSystem=/x", nil, ""},

		// Without a /proc there is nothing to read of the user namespace.
		{"launch", "PrivateUsers=yes", nil, ""},
	} {
		e := &Env{For: tt.who, GOOS: "linux", Given: tt.g, handles: handles{proc: -1, self: -1}}
		e.viewOf(policyOf(t, strings.Split(strings.ReplaceAll(tt.set, "@", dir), "|")...), nil)
		if got := strings.ReplaceAll(strings.Join(problems(e), "; "), dir, "@"); got != tt.want {
			t.Errorf("%s: %s: %q, want %q", tt.who, tt.set, got, tt.want)
		}
	}
	inOwnMounts(t, func() {
		if !memory(t, dir+"/root", 0, map[string]string{"x/file": "x"}) || unix.Chmod(dir+"/root/x", 0o700) != nil || !memory(t, "/run", 0, nil) {
			return
		}
		for _, tt := range []struct {
			who, set string
			g        *Given
			want     string
		}{
			{"launch", "BindReadOnlyPaths=/run/systemd/system", &Given{Booted: true}, ""},
			{"launch", "BindReadOnlyPaths=/run/systemd/system", nil, "BindReadOnlyPaths=: open /run/systemd/system: no such file or directory" + from},
			{"launch", "BindReadOnlyPaths=/run/systemd", &Given{Booted: true}, "BindReadOnlyPaths=: open /run/systemd: no such file or directory" + from},
			{"self", "BindPaths=@/root/x/file:/x", nil, ""},
			{"launch", "BindPaths=@/root/x/file:/x", nil, "BindPaths=: open @/root/x/file: permission denied" + from},
			{"self", "ReadOnlyPaths=@/root/x/file", nil, ""},
			{"launch", "ReadOnlyPaths=@/root/x/file", nil, ""},
		} {
			e := &Env{For: tt.who, GOOS: "linux", Given: tt.g, handles: handles{proc: -1, self: -1}}
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
			}
			e.viewOf(policyOf(t, strings.ReplaceAll(tt.set, "@", dir)), nil)
			if err := unix.Setfsuid(0); err != nil {
				t.Error(err)
			}
			if got := strings.ReplaceAll(strings.Join(problems(e), "; "), dir, "@"); got != tt.want {
				t.Errorf("%s: %s: %q, want %q", tt.who, tt.set, got, tt.want)
			}
			if e.InChroot {
				t.Error("in a chroot")
			}
		}
	})
	inRoot(t, dir, func() {
		e := &Env{For: "launch", GOOS: "linux", handles: handles{proc: -1, self: -1}}
		if e.viewOf(policyOf(t, "ReadOnlyPaths=/file"), nil); !e.InChroot || len(e.Problems) > 0 {
			t.Errorf("a root that is no mount is not noticed: %q", problems(e))
		}
	})
}

// An empty root knows root, the daemon's user and groups, and nobody else.
func TestUserDatabase(t *testing.T) {
	useNames(t, "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1001:Me,,,:/home/me:/bin/bash\nhomeless:x:1002:1002:::\n",
		"root:x:0:\nstaff:x:50:me\nwww:x:34:\nme:x:1001:\nown:x:77:\n")
	const root, rootGroup = "root:x:0:0::/:/usr/sbin/nologin\n", "root:x:0:\n"
	www := caps.User{Name: "www", UID: 33, GID: 34, Home: "/var/www", Entry: true}
	for _, tt := range []struct {
		what          string
		set           []string
		e             Env
		passwd, group string
	}{
		{
			"a user with groups",
			[]string{"User=www"},
			Env{User: www, UserGroups: []uint32{34, 50, 12345}, Extra: []uint32{1001, 50}, UIDs: [3]uint32{0, 1000, 0}},
			"www:x:33:34::/var/www:/usr/sbin/nologin\n", "www:x:34:\nstaff:x:50:\nme:x:1001:\n",
		},
		{"its group is not among them", []string{"User=www"}, Env{User: www, GIDs: [3]uint32{0, 1001, 0}}, "www:x:33:34::/var/www:/usr/sbin/nologin\n", "www:x:34:\n"},
		{
			"another group",
			[]string{"User=www", "Group=own"},
			Env{User: www, Group: caps.Group{Name: "own", GID: 77}},
			"www:x:33:34::/var/www:/usr/sbin/nologin\n", "www:x:34:\nown:x:77:\n",
		},
		{
			"a group that is not asked for",
			[]string{"User=www"},
			Env{User: www, Group: caps.Group{Name: "own", GID: 77}},
			"www:x:33:34::/var/www:/usr/sbin/nologin\n", "www:x:34:\n",
		},
		{
			"a user without a home",
			[]string{"User=homeless"},
			Env{User: caps.User{Name: "homeless", UID: 1002, GID: 50}},
			"homeless:x:1002:50::/:/usr/sbin/nologin\n", "staff:x:50:\n",
		},
		{"a number that has no entry", []string{"User=12", "Group=own"}, Env{User: caps.User{UID: 12, GID: 77}, Group: caps.Group{Name: "own", GID: 77}}, "", "own:x:77:\n"},
		{"root by its name", []string{"User=root"}, Env{User: caps.User{Name: "root", Home: "/root", Entry: true}}, "", ""},
		{"another name of root", []string{"User=toor"}, Env{User: caps.User{Name: "toor", GID: 50, Entry: true}}, "", "staff:x:50:\n"},
		{
			"who started hardrun", nil,
			Env{UIDs: [3]uint32{0, 1000, 0}, GIDs: [3]uint32{0, 50, 0}},
			"me:x:1000:1001::/home/me:/usr/sbin/nologin\n", "staff:x:50:\nme:x:1001:\n",
		},
		{"who has no entry", nil, Env{UIDs: [3]uint32{0, 12, 0}, GIDs: [3]uint32{0, 77, 0}, User: www}, "", "own:x:77:\n"},
		{
			"a user of DynamicUser=",
			[]string{"User=dyn"},
			Env{User: *aDynamicUser(), UserGroups: []uint32{61200}, Extra: []uint32{50}, Given: &Given{Who: aDynamicUser()}},
			"dyn:x:61200:61200::/:/usr/sbin/nologin\n", "staff:x:50:\ndyn:!*:61200:\n",
		},
	} {
		texts := tt.e.userDatabase(policyOf(t, tt.set...))
		if len(texts) != 2 || texts[0] != (ns.Text{Path: "/etc/passwd", Text: root + tt.passwd}) || texts[1] != (ns.Text{Path: "/etc/group", Text: rootGroup + tt.group}) {
			t.Errorf("%s:\n%s", tt.what, texts)
		}
	}
}

// An empty root is made of the command and what it needs, of the time zone, and of the files
// that are bound where they are.
func TestMinimalRoot(t *testing.T) {
	useNames(t, "", "")
	static := string(elfFile{kind: 1}.bytes())
	dir := tree{"bin/tool": static, "opt/bad=0644": static, "opt/tool": static, "mod=0644": "x", "other=0644": "x", "lib/m": "/", "etc/localtime=0644": "UTC"}.make(t)
	files := func(set, command string) string {
		e := &Env{For: "launch", GOOS: "linux", handles: handles{proc: -1, self: -1}}
		args := []string{command}
		if command == "" {
			args = nil
		}
		e.minimalRoot(policyOf(t, strings.Split("X-Hardrun-MinimalRoot=yes|"+set, "|")...), args)
		var out []string
		for _, f := range e.Closure {
			if f.Kind != ns.KindDir {
				out = append(out, f.Path+" ("+f.Why+")")
			}
		}
		for _, text := range e.Texts {
			out = append(out, text.Path)
		}
		if len(problems(e)) == 0 && command != "" && !slices.ContainsFunc(e.ClosureNotes, func(n string) bool { return strings.HasPrefix(n, "not known: config: ") }) {
			t.Errorf("%s: what is not known of it: %q", command, e.ClosureNotes)
		}
		out = append(out, problems(e)...)
		return strings.Join(out, ", ")
	}
	const texts, zone = ", /etc/passwd, /etc/group, /etc/nsswitch.conf", ", /etc/localtime (the time zone)"
	const problem = "X-Hardrun-MinimalRoot=: "
	const from = " (x.service:3)"
	inRoot(t, dir, func() {
		for _, tt := range []struct{ set, command, want string }{
			{"User=root", "", ""},
			{"User=root", "/bin/tool", "/bin/tool (the command)" + zone + texts},
			{"Environment=PATH=:bin:/none:/bin:/opt", "tool", "/bin/tool (the command)" + zone + texts},
			{"Environment=PATH=/opt/", "tool", zone[2:] + ", /opt/tool (the command)" + texts},
			{"Environment=PATH=/opt", "bad", problem + "command not found: bad (searched /opt)" + from},
			{"User=root", "bin/tool", problem + `the command "bin/tool" is neither absolute nor a plain name, and the root is made for a path` + from},
			{"User=root", "/none", problem + "look up /none: no such file or directory" + from},
			{"BindPaths=/mod /other:/x /lib/m /none", "/bin/tool", "/bin/tool (the command)" + zone + texts},
			{"TemporaryFileSystem=/bin", "/bin/tool", "/bin/tool (the command)" + zone + texts},
		} {
			if got := files(tt.set, tt.command); got != tt.want {
				t.Errorf("%s: %s: %q, want %q", tt.set, tt.command, got, tt.want)
			}
		}
		if got := besides(policyOf(t, "BindPaths=/mod /other:/x /lib/m /none")); !slices.Equal(got, []string{"/etc/localtime", "/mod"}) {
			t.Errorf("besides the command: %q", got)
		}
		// A time zone that is not there, or no file, is left out.
		if err := unix.Unlink("/etc/localtime"); err != nil {
			t.Error(err)
		}
		if got := files("User=root", "/bin/tool"); got != "/bin/tool (the command)"+texts {
			t.Errorf("without a time zone: %q", got)
		}
		if err := unix.Mkdir("/etc/localtime", 0o755); err != nil {
			t.Error(err)
		}
		if got := besides(policyOf(t)); len(got) > 0 {
			t.Errorf("a directory for a time zone: %q", got)
		}
	})
}

// A bind, or a file system in memory, stands over the files of an empty root that lie there.
func TestUncovered(t *testing.T) {
	dir := tree{"full/lib/a": "x", "full/deep/a": "x", "empty": "/"}.make(t)
	files := func() []ns.File {
		return []ns.File{
			{Path: "/bin", Kind: ns.KindSymlink, Target: "usr/bin", Why: "w"},
			{Path: "/usr", Kind: ns.KindDir, Why: "w"},
			{Path: "/usr/deep/a", Kind: ns.KindFile, Why: "w"},
			{Path: "/usr/lib/a", Kind: ns.KindFile, Why: "w"},
			{Path: "/usr/lib/l", Kind: ns.KindSymlink, Target: "/usr/deep", Why: "w"},
			{Path: "/usrs", Kind: ns.KindDir, Why: "w"},
			{Path: "/var/tmp/f", Kind: ns.KindFile, Why: "w"},
			{Path: "/tmp/f", Kind: ns.KindFile, Why: "w"},
		}
	}
	const all = "/bin /usr /usr/deep/a /usr/lib/a /usr/lib/l /usrs /var/tmp/f /tmp/f"
	for _, tt := range []struct{ set, want string }{
		{"User=x", all},
		{"BindPaths=@/full/lib/a:/usr/lib/a", "/bin /usr /usr/deep/a /usr/lib/l /usrs /var/tmp/f /tmp/f"},
		{"BindPaths=@/full/deep:/usr/lib/l", "/bin /usr /usr/lib/a /usr/lib/l /usrs /var/tmp/f /tmp/f"}, // where the link leads
		{"BindPaths=@/full:/tmp", "/tmp/f (w) is covered by a bind of @/full, which does not have it: no such file or directory"},
		{"BindPaths=-@/none:/tmp", all},
		// The innermost counts, and of two at one place the last.
		{"TemporaryFileSystem=/usr/deep|BindPaths=@/full/deep/a:/usr/deep/a", "/bin /usr /usr/lib/a /usr/lib/l /usrs /var/tmp/f /tmp/f"},
		{"BindPaths=@/empty:/usr/deep|BindPaths=@/full/deep/a:/usr/deep/a", "/bin /usr /usr/lib/a /usr/lib/l /usrs /var/tmp/f /tmp/f"},
		{"BindPaths=@/full/deep/a:/usr/deep/a|BindPaths=@/empty:/usr/deep", "/bin /usr /usr/lib/a /usr/lib/l /usrs /var/tmp/f /tmp/f"},
		{"BindPaths=@/empty:/usr/deep|BindPaths=@/full/deep:/usr/deep", "/bin /usr /usr/lib/a /usr/lib/l /usrs /var/tmp/f /tmp/f"},
		// Files are bound into what is in memory, and links cannot be.
		{"TemporaryFileSystem=/usr/deep", all},
		{"TemporaryFileSystem=/usr/lib", "/usr/lib/l (w) is covered by the file system in memory on /usr/lib"},
	} {
		got := ""
		kept, err := uncovered(policyOf(t, strings.Split(strings.ReplaceAll(tt.set, "@", dir), "|")...), files())
		for _, f := range kept {
			got += " " + f.Path
		}
		if err != nil {
			got = " " + strings.ReplaceAll(err.Error(), dir, "@")
		}
		if got[1:] != tt.want {
			t.Errorf("%s: %q, want %q", tt.set, got[1:], tt.want)
		}
	}
	// PrivateTmp= is a file system in memory as well.
	for set, want := range map[string]string{"PrivateTmp=yes": "/tmp /var/tmp", "PrivateTmp=disconnected": "/tmp /var/tmp", "PrivateTmp=no": "", "TemporaryFileSystem=/a /b": "/a /b"} {
		var got []string
		for _, c := range covers(policyOf(t, set), nil) {
			got = append(got, c.target+c.source)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s covers %q, want %q", set, got, want)
		}
	}
}

// A path is followed through the links that are known, as the kernel does.
func TestFollowed(t *testing.T) {
	links := map[string]string{"/bin": "usr/bin", "/usr/bin/sh": "/alt/dash", "/usr/up": "../top", "/loop": "/loop", "/a": "/b/./c/"}
	deep := strings.Repeat("/d", 50)
	links[deep+"/bin"] = "/usr/bin" // links are counted, not the names on the way
	for path, want := range map[string]string{
		deep + "/bin/sh": "/alt/dash",
		"/":              "",
		"/etc//x/.":      "/etc/x",
		"/etc/../../x":   "/x",
		"/bin/true":      "/usr/bin/true",
		"/bin/sh":        "/alt/dash",
		"/usr/up/x":      "/top/x",
		"/a/d":           "/b/c/d",
		"/loop/x":        "/loop/x",
		"/none/bin/true": "/none/bin/true",
	} {
		if got := followed(path, links); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
