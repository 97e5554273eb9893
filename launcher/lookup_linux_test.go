package launcher

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// An elfFile is what the kernel looks at in an ELF file: its header, and a table of one entry, a
// PT_INTERP whose text comes behind it.
type elfFile struct {
	narrow, big bool
	size, count int    // of the program headers; 0 for what is right
	phoff, off  uint64 // the same
	n           uint64
	kind        uint32
	interp      string
	length      int // of the file; 0 for all of it
}

func (f elfFile) bytes() []byte {
	var order binary.ByteOrder = binary.LittleEndian
	head := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 57)...)
	entry := make([]byte, 56)
	if f.narrow {
		head, entry = head[:52], entry[:32]
		head[4] = 1
	}
	if f.big {
		head[5], order = 2, binary.BigEndian
	}
	or := func(v, otherwise uint64) uint64 {
		if v != 0 {
			return v
		}
		return otherwise
	}
	size, count := or(uint64(f.size), uint64(len(entry))), or(uint64(f.count), 1)
	if f.count < 0 {
		count = 0
	}
	order.PutUint16(head[16:], 2) // ET_EXEC
	phoff, off, n := or(f.phoff, uint64(len(head))), or(f.off, uint64(len(head)+len(entry))), or(f.n, uint64(len(f.interp)))
	order.PutUint32(entry, uint32(or(uint64(f.kind), 3)))
	if f.narrow {
		order.PutUint32(head[28:], uint32(phoff))
		order.PutUint16(head[42:], uint16(size))
		order.PutUint16(head[44:], uint16(count))
		order.PutUint32(entry[4:], uint32(off))
		order.PutUint32(entry[16:], uint32(n))
	} else {
		order.PutUint64(head[32:], phoff)
		order.PutUint16(head[54:], uint16(size))
		order.PutUint16(head[56:], uint16(count))
		order.PutUint64(entry[8:], off)
		order.PutUint64(entry[32:], n)
	}
	all := slices.Concat(head, entry, []byte(f.interp))
	if f.length > len(all) {
		return append(all, make([]byte, f.length-len(all))...)
	}
	if f.length > 0 {
		return all[:f.length]
	}
	return all
}

// What the kernel starts in place of a file stands in its first bytes, or where they lead.
func TestInterpreter(t *testing.T) {
	const damaged = "error: a damaged ELF file"
	path := "/lib/ld.so\x00"
	blanks := strings.Repeat(" ", 251)
	for _, tt := range []struct {
		name, text, want string
	}{
		{"nothing", "", "error: an empty file"},
		{"what only binfmt_misc may know", "MZ", ""},
		{"a script", "#!/bin/sh\n", "/bin/sh"},
		{"with an argument", "#!/bin/sh -e\n/x", "/bin/sh"},
		{"behind a blank", "#! /bin/sh\n", "/bin/sh"},
		{"between tabs", "#!\t/bin/sh\t-e\n", "/bin/sh"},
		{"before a NUL", "#!/bin/sh\x00-e\n", "/bin/sh"},
		{"a line without an end", "#!/bin/sh", "/bin/sh"},
		{"no word in the line", "#! \t\n/bin/sh\n", "error: \"#!\" without an interpreter"},
		{"as long as the kernel reads", "#!" + blanks + "/b\n", "/b"},
		{"cut where it ends to read", "#!" + blanks + "/bin/sh\n", "error: the path behind \"#!\" does not end in the 256 bytes that the kernel reads"},

		{"a program", string(elfFile{interp: path}.bytes()), "/lib/ld.so"},
		{"of 32 bits", string(elfFile{narrow: true, interp: path}.bytes()), "/lib/ld.so"},
		{"the other way round", string(elfFile{big: true, interp: path}.bytes()), "/lib/ld.so"},
		{"both", string(elfFile{narrow: true, big: true, interp: path}.bytes()), "/lib/ld.so"},
		{"a static one", string(elfFile{kind: 1, interp: path}.bytes()), ""},
		{"the end of a header of 32 bits", string(elfFile{narrow: true, interp: path, length: 51}.bytes()), damaged},
		{"the end of one of 64 bits", string(elfFile{interp: path, length: 63}.bytes()), damaged},
		{"a header of 32 bits without a table, and its end", string(elfFile{narrow: true, count: -1, length: 51}.bytes()), damaged},
		{"one of 64 bits", string(elfFile{count: -1, length: 63}.bytes()), damaged},
		{"entries of another size", string(elfFile{size: 57, interp: path}.bytes()), damaged},
		{"of that of 32 bits", string(elfFile{size: 32, interp: path, length: 200}.bytes()), damaged},
		{"more entries than the kernel takes", string(elfFile{count: 1025, interp: path, length: 60000}.bytes()), damaged},
		{"a table that is nowhere", string(elfFile{count: -1, phoff: 1 << 41, interp: path}.bytes()), damaged},
		{"a table before the file", string(elfFile{phoff: 1 << 63, interp: path}.bytes()), damaged},
		{"the end of the table", string(elfFile{count: 2, kind: 1, interp: path}.bytes()), damaged},
		{"a path that is empty", string(elfFile{n: 1, interp: "\x00"}.bytes()), damaged},
		{"longer than a path can be", string(elfFile{interp: "/" + strings.Repeat("x", 4095) + "\x00"}.bytes()), damaged},
		{"as long as it can be", string(elfFile{interp: "/" + strings.Repeat("x", 4094) + "\x00"}.bytes()), "/" + strings.Repeat("x", 4094)},
		{"a path before the file", string(elfFile{off: 1 << 63, interp: path}.bytes()), damaged},
		{"a path without an end", string(elfFile{n: 10, interp: path}.bytes()), damaged},
		{"the end of the file in it", string(elfFile{n: 11, interp: path[:10]}.bytes()), damaged},
	} {
		at := t.TempDir() + "/f"
		if err := os.WriteFile(at, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(at)
		if err != nil {
			t.Fatal(err)
		}
		head := []byte(tt.text)
		head = slices.Clip(head[:min(len(head), 512)])
		got, err := interpreter(head, int(f.Fd()))
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %.80q, want %.80q", tt.name, got, tt.want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	// A table that cannot be read is no damage.
	if _, err := interpreter(elfFile{interp: path}.bytes(), -1); fails(err) != "pread: bad file descriptor" {
		t.Errorf("without a file: %v", err)
	}
}

// programs are what a command may be.
var programs = tree{
	"plain":         "any text",
	"data=0644":     "any text",
	"empty":         "",
	"script":        "#!@/plain\n",
	"linked":        "-> script",
	"loop":          "-> loop",
	"dangling":      "-> nowhere",
	"exe":           "-> /proc/self/exe",
	"without":       "#!@/nowhere\n",
	"twice":         "#!@/without\n",
	"elf":           string(elfFile{interp: "/nowhere/ld-linux.so.2\x00"}.bytes()),
	"musl":          string(elfFile{interp: "/nowhere/ld-musl.so.1\x00"}.bytes()),
	"other":         string(elfFile{interp: "/nowhere/ld.so\x00"}.bytes()),
	"likeelf":       "#!/nowhere/ld-linux.so.2\n",
	"byloads":       "#!@/loads\n",
	"loader":        string(elfFile{interp: "/nowhere\x00"}.bytes()),
	"s1":            "#!@/s2\n",
	"s2":            "#!@/s3\n",
	"s3":            "#!@/s4\n",
	"s4":            "#!@/s5\n",
	"s5":            "#!@/s6\n",
	"s6":            "#!@/s7\n",
	"s7":            "#!@/plain\n",
	"closed=0711":   "#!@/nowhere\n",
	"bin/tool":      "first",
	"opt/tool":      "second",
	"bad/tool=0644": "not executable",
	"root/bin/tool": "inside",
	"root/etc/":     "/",
	"here/tool":     "of the working directory",
}

// A program is refused for what it lacks itself, and for what it would be started by.
func TestCheckProgram(t *testing.T) {
	dir := programs.make(t)
	// Of an ELF file the loader is known by its path alone: what that one names is not looked at.
	loads := elfFile{interp: dir + "/loader\x00"}.bytes()
	if err := os.WriteFile(dir+"/loads", loads, 0o755); err != nil {
		t.Fatal(err)
	}
	check := func(system, name string) (problem, interp string) {
		e := &Env{GOOS: system}
		err := e.checkProgram(host, dir+"/"+name, name, 0, false)
		return strings.ReplaceAll(fails(err), dir, "@"), strings.ReplaceAll(e.Command.Interp, dir, "@")
	}
	for _, tt := range []struct {
		system, name, problem, interp string
	}{
		{"linux", "plain", "", ""},
		{"linux", "script", "", "@/plain"},
		{"linux", "linked", "", "@/plain"},
		{"linux", "nowhere", "open @/nowhere: no such file or directory", ""},
		{"linux", "dangling", "open @/dangling: no such file or directory", ""},
		{"linux", "loop", "loop: symbolic links that loop, or lead through /proc", ""},
		{"linux", "exe", "exe: symbolic links that loop, or lead through /proc", ""},
		{"linux", "bin", "bin: not a regular file", ""},
		{"linux", "data", "data: not executable (mode 0644)", ""},
		{"linux", "empty", "empty: an empty file", ""},
		{"linux", "without", "without: its interpreter @/nowhere cannot be executed: open @/nowhere: no such file or directory", "@/nowhere"},
		{"linux", "twice", "@/without: its interpreter @/nowhere cannot be executed: open @/nowhere: no such file or directory", "@/without"},
		{"linux", "elf", "elf: its interpreter /nowhere/ld-linux.so.2 cannot be executed: open /nowhere/ld-linux.so.2: no such file or directory", "/nowhere/ld-linux.so.2"},
		{"linux", "loads", "", "@/loader"},
		{"linux", "s2", "", "@/s3"},
		{"linux", "s1", "@/s7: its interpreter @/plain cannot be executed: @/plain: more than five interpreters in a row", "@/s2"},
		// On other systems a program of Linux has a root of its own for its loader.
		{"netbsd", "script", "", "@/plain"},
		{"netbsd", "s7", "", "@/plain"},
		{"netbsd", "twice", "twice: its interpreter @/without cannot be executed: @/without: a script itself, which only Linux takes for an interpreter", "@/without"},
		{"netbsd", "byloads", "", "@/loads"},
		{"netbsd", "elf", "", ""},
		{"netbsd", "musl", "", ""},
		{"netbsd", "other", "other: its interpreter /nowhere/ld.so cannot be executed: open /nowhere/ld.so: no such file or directory", "/nowhere/ld.so"},
		{"netbsd", "likeelf", "likeelf: its interpreter /nowhere/ld-linux.so.2 cannot be executed: open /nowhere/ld-linux.so.2: no such file or directory", "/nowhere/ld-linux.so.2"},
	} {
		if problem, interp := check(tt.system, tt.name); problem != tt.problem || interp != tt.interp {
			t.Errorf("%s: %s: %q, interpreter %q, want %q and %q", tt.system, tt.name, problem, interp, tt.problem, tt.interp)
		}
	}
	// What may be executed and not read is left to the kernel.
	asNobody(t, dir, func() {
		if problem, _ := check("linux", "closed"); problem != "" && os.Geteuid() == 0 {
			t.Errorf("closed: %s", problem)
		}
	})
	// What cannot be looked at is refused.
	for _, tt := range []struct {
		call uintptr
		want string
	}{
		{unix.SYS_PREAD64, "plain: pread: input/output error"},
		{unix.SYS_CLOSE, "@/plain: close: input/output error"},
		{unix.SYS_FSTAT, "@/plain: fstat: input/output error"},
		{unix.SYS_FSTATFS, "@/plain: fstatfs: input/output error"},
	} {
		answering(t, tt.call, unix.EIO, func() {
			if problem, _ := check("linux", "plain"); problem != tt.want {
				t.Errorf("%q, want %q", problem, tt.want)
			}
		})
	}
	inOwnMounts(t, func() {
		if !memory(t, dir+"/root", unix.MS_NOEXEC, map[string]string{"tool": "text"}) {
			return
		}
		if problem, _ := check("linux", "root/tool"); problem != "root/tool: on a file system that is mounted noexec" {
			t.Errorf("noexec: %q", problem)
		}
	})
}

// found is what paths finds, in one line: the path, the interpreter, where it is searched for
// later, and the problems.
func found(e *Env, dir string) string {
	text := e.Command.Path
	if e.Command.Interp != "" {
		text += " by " + e.Command.Interp
	}
	if len(e.Command.Search) > 0 {
		text += " of " + strings.Join(e.Command.Search, ":")
	}
	for _, p := range problems(e) {
		text += "; " + p
	}
	return strings.ReplaceAll(text, dir, "@")
}

// The command is found where the daemon will look for it, and the directories that it needs are
// looked at. What only the finished view can show is left to that.
func TestPaths(t *testing.T) {
	dir := programs.make(t)
	t.Chdir(dir + "/here")
	if err := os.Mkdir(dir+"/secret", 0o700); err != nil {
		t.Fatal(err)
	}
	given := &Given{Directories: []GivenDirectory{{Host: dir + "/state", Inside: dir + "/state"}, {Host: dir + "/plain/below", Inside: dir + "/plain/below"}}}
	const from = " (x.service:3)"
	for _, tt := range []struct {
		who  string
		set  string // parted by "|"
		args string // the words, parted by blanks
		how  func(e *Env)
		want string
	}{
		{who: "launch", want: ""},
		{who: "launch", args: "@/script", want: "@/script by @/plain"},
		{who: "launch", args: "@/data", want: "@/data; @/data: not executable (mode 0644)"},
		{who: "launch", args: " ", want: "; the command is empty"},
		{who: "launch", how: func(e *Env) { e.Given = &Given{Argv0: true, Path: dir + "/plain"} }, want: "@/plain"},

		// PATH: no place is relative, and the first that is wrong is told where none is right.
		{who: "launch", set: "Environment=PATH=:here:.:@/bin:@/opt", args: "tool", want: "@/bin/tool"},
		{who: "launch", set: "Environment=PATH=@/plain:@/empty-not:@/opt/", args: "tool", want: "@/opt/tool"},
		{who: "launch", set: "Environment=PATH=@/bad:@/opt", args: "tool", want: "@/opt/tool"},
		{who: "launch", set: "Environment=PATH=@/bad:@/none:@/root", args: "tool", want: "@/bad/tool; @/bad/tool: not executable (mode 0644)"},
		{who: "launch", set: "Environment=PATH=@/bad:@", args: "bin", want: "@/bin; @/bin: not a regular file"},
		{who: "launch", set: "Environment=PATH=@:@/root", args: "bin", want: "@/bin; @/bin: not a regular file"},
		{who: "launch", set: "Environment=PATH=@/root:@/bad", args: "tool", want: "@/bad/tool; @/bad/tool: not executable (mode 0644)"},
		{who: "launch", set: "Environment=PATH=@/plain:here", args: "tool", want: "; command not found: tool (searched @/plain:here)"},
		{who: "launch", set: "Environment=PATH=@/bin|ExecSearchPath=@/opt", args: "tool", want: "@/opt/tool"},

		// A relative path is one of the working directory.
		{who: "launch", args: "./tool", want: "./tool"},
		{who: "launch", args: "./nowhere", want: "./nowhere; open ./nowhere: no such file or directory"},
		{who: "launch", set: "WorkingDirectory=@/opt", args: "./tool", want: "./tool"},
		{who: "launch", set: "WorkingDirectory=@/root", args: "./tool", want: "./tool; open @/root/./tool: no such file or directory"},
		{who: "launch", set: "WorkingDirectory=@/root", args: "@/bin/tool", want: "@/bin/tool"},
		{who: "launch", set: "WorkingDirectory=~", args: "./tool", how: func(e *Env) { e.User.Home = dir + "/opt" }, want: "./tool"},
		{who: "launch", set: "WorkingDirectory=~", args: "@/plain", want: "@/plain"},

		// A working directory that is missing.
		{who: "root", set: "WorkingDirectory=@/none", want: "; WorkingDirectory=: open @/none: no such file or directory" + from},
		{who: "root", set: "WorkingDirectory=-@/none", want: ""},
		{who: "root", set: "WorkingDirectory=-@/none", args: "./nowhere", want: "./nowhere; open //./nowhere: no such file or directory"},
		{who: "root", set: "WorkingDirectory=-@/plain", want: "; WorkingDirectory=: open @/plain: not a directory" + from},
		{who: "root", set: "WorkingDirectory=@/none|TemporaryFileSystem=/x", want: ""},
		{who: "root", set: "WorkingDirectory=@/plain|TemporaryFileSystem=/x", want: "; WorkingDirectory=: open @/plain: not a directory" + from},
		{who: "root", set: "WorkingDirectory=@/none|BindPaths=/x", want: ""},
		{who: "root", set: "WorkingDirectory=@/none|X-Hardrun-MinimalRoot=yes", want: ""},
		{who: "root", set: "WorkingDirectory=@/none|ProtectHome=tmpfs", want: ""},
		{who: "root", set: "WorkingDirectory=@/none|ProtectHome=read-only", want: "; WorkingDirectory=: open @/none: no such file or directory" + from},
		{who: "root", set: "WorkingDirectory=@/none|PrivateTmp=yes", want: ""},
		{who: "root", set: "WorkingDirectory=@/none|PrivateTmp=no", want: "; WorkingDirectory=: open @/none: no such file or directory" + from},
		{who: "root", set: "WorkingDirectory=@/none|MountAPIVFS=yes", want: ""},
		{who: "root", set: "WorkingDirectory=/none|RootDirectory=@/root", want: ""},
		{who: "root", set: "WorkingDirectory=/none|RootDirectory=@/root|MountAPIVFS=no", want: "; WorkingDirectory=: open /none: no such file or directory" + from},
		{who: "root", set: "WorkingDirectory=/none|RootDirectory=@/root|X-Hardrun-Chroot=@/root", want: "; WorkingDirectory=: open /none: no such file or directory" + from},
		{who: "root", set: "WorkingDirectory=/none|RootDirectory=@/root", how: func(e *Env) { e.GOOS = "netbsd" }, want: "; WorkingDirectory=: open /none: no such file or directory" + from},
		{who: "root", set: "WorkingDirectory=@/state/deep", how: func(e *Env) { e.Given = given }, want: ""},
		{who: "launch", set: "WorkingDirectory=@/state", how: func(e *Env) { e.Given = given }, want: "; WorkingDirectory=: open @/state: no such file or directory" + from},
		{who: "launch", set: "WorkingDirectory=@/state|RootDirectory=@/root|MountAPIVFS=no", how: func(e *Env) { e.Given = given }, want: ""},
		{who: "root", set: "WorkingDirectory=@/plain/below", how: func(e *Env) { e.Given = given }, want: "; WorkingDirectory=: open @/plain/below: not a directory" + from},

		// A new root: paths are those inside of it. "/" is none.
		{who: "launch", set: "RootDirectory=@/root", args: "/bin/tool", want: "/bin/tool"},
		{who: "launch", set: "RootDirectory=@/root", args: "bin/tool", want: "bin/tool"},
		{who: "launch", set: "RootDirectory=@/root", args: "@/plain", want: "@/plain; open @/plain: no such file or directory"},
		{who: "launch", set: "X-Hardrun-Chroot=@/root", args: "/bin/tool", want: "/bin/tool"},
		{who: "launch", set: "RootDirectory=@/root|Environment=PATH=/opt", args: "tool", want: "; command not found: tool (searched /opt, inside of the new root)"},
		{who: "launch", set: "RootDirectory=/", args: "./tool", want: "./tool"},
		{who: "launch", set: "RootDirectory=@/none", args: "/bin/tool", want: "; RootDirectory=: open @/none: no such file or directory" + from},
		{who: "root", set: "RootDirectory=@/none", args: "/bin/tool", want: "; RootDirectory=: open @/none: no such file or directory" + from},

		// A root that is one of the service's directories need not be there for a plan.
		{who: "root", set: "RootDirectory=@/state", args: "/bin/tool", how: func(e *Env) { e.Given = given }, want: "/bin/tool of /bin/tool"},
		{who: "root", set: "RootDirectory=@/state|ExecSearchPath=/bin", args: "tool", how: func(e *Env) { e.Given = given }, want: "tool of /bin/tool"},
		{who: "launch", set: "RootDirectory=@/state", args: "/bin/tool", how: func(e *Env) { e.Given = given }, want: "; RootDirectory=: open @/state: no such file or directory" + from},
		{who: "root", set: "RootDirectory=@/plain/below", args: "/bin/tool", how: func(e *Env) { e.Given = given }, want: "; RootDirectory=: open @/plain/below: not a directory" + from},

		// Where mounts decide what a path leads to, the search is left for later.
		{who: "launch", set: "BindPaths=/x", args: "/none/tool", want: "/none/tool of /none/tool"},
		{who: "launch", set: "BindPaths=/x", args: " ", want: "; the command is empty"},
		{who: "launch", set: "BindPaths=/x|Environment=PATH=:rel:@/bin/:@/none", args: "tool", want: "@/bin/tool of @/bin/tool:@/none/tool"},
		{who: "launch", set: "BindPaths=/x|Environment=PATH=@/none", args: "tool", want: "tool of @/none/tool"},
		{who: "launch", set: "BindPaths=/x|Environment=PATH=@/bad", args: "tool", want: "tool of @/bad/tool"},
		{who: "launch", set: "RootDirectory=@/root", args: "/none", how: func(e *Env) { e.Given = given }, want: "/none of /none"},
		{who: "launch", args: "/none", how: func(e *Env) { e.Given = given }, want: "/none; open /none: no such file or directory"},
	} {
		set := strings.Split(strings.ReplaceAll(tt.set, "@", dir), "|")
		if tt.set == "" {
			set = nil
		}
		args := strings.Fields(strings.ReplaceAll(tt.args, "@", dir))
		if tt.args == " " {
			args = []string{""}
		}
		e := &Env{For: tt.who, GOOS: "linux"}
		if tt.how != nil {
			tt.how(e)
		}
		e.paths(policyOf(t, set...), args)
		if got := found(e, dir); got != tt.want || !slices.Equal(e.Command.Args, args) && len(e.Problems) == 0 && len(args) > 0 {
			t.Errorf("%s: %s: %q: %q, want %q", tt.who, tt.set, tt.args, got, tt.want)
		}
	}
	// A root that only root can look into is no fault of the plan, and says so.
	if os.Geteuid() != 0 {
		return
	}
	asNobody(t, dir, func() {
		for who, want := range map[string]string{
			"self":   "; RootDirectory=: @/secret/root cannot be looked into without root: neither the directory nor the command was checked" + from,
			"launch": "; RootDirectory=: open @/secret/root: permission denied" + from,
		} {
			e := &Env{For: who, GOOS: "linux"}
			e.paths(policyOf(t, "RootDirectory="+dir+"/secret/root"), []string{"/x"})
			if got := found(e, dir); got != want {
				t.Errorf("%s: %q, want %q", who, got, want)
			}
		}
		e := &Env{For: "launch", GOOS: "linux"}
		e.paths(policyOf(t, "WorkingDirectory="+dir+"/secret/deep"), nil)
		if got := found(e, dir); got != "" {
			t.Errorf("a working directory that root's right may be needed for: %q", got)
		}
	})
	answering(t, unix.SYS_CLOSE, unix.EIO, func() {
		e := &Env{For: "launch", GOOS: "linux"}
		e.paths(policyOf(t, "RootDirectory="+dir+"/root", "WorkingDirectory=/etc"), nil)
		if got, want := found(e, dir), "; WorkingDirectory=: close: input/output error"+from+"; RootDirectory=: close: input/output error"+from; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// The PATH that counts is the last one that is set, and an empty one is none.
func TestSearchPath(t *testing.T) {
	for _, tt := range []struct {
		set, environ, file, want string
	}{
		{"", "", "", defaultPath},
		{"", "PATH=/inherited", "", "/inherited"},
		{"", "PATH=", "", defaultPath},
		{"X-Hardrun-ClearEnv=yes", "PATH=/inherited", "", defaultPath},
		{"Environment=PATH=/set", "PATH=/inherited", "", "/set"},
		{"Environment=PATH=", "PATH=/inherited", "", defaultPath},
		{"Environment=XPATH=/set", "PATH=/inherited", "", "/inherited"},
		{"Environment=PATH=/set", "PATH=/inherited", "PATH=/file", "/file"},
		{"", "PATH=/inherited", "A=b", "/inherited"},
	} {
		e := &Env{Snapshot: Snapshot{Environ: []string{"A=1", tt.environ}}}
		if tt.file != "" {
			e.EnvFiles = [][]string{{tt.file}}
		}
		p := policyOf(t)
		if tt.set != "" {
			p = policyOf(t, tt.set)
		}
		if got := e.searchPath(p); got != tt.want {
			t.Errorf("%q, %q, %q: %s, want %s", tt.set, tt.environ, tt.file, got, tt.want)
		}
	}
}

// A file is opened as it is inside of the root; no link of /proc leads elsewhere, and nothing
// waits for who writes into a fifo.
func TestViewOpen(t *testing.T) {
	dir := tree{"etc/f": "inside", "abs": "-> /etc/f", "out": "-> ../../../../../../../../etc/f", "only": "x"}.make(t)
	inside, err := enter(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func(v view, path string, flags int) string {
		fd, err := v.open(path, flags)
		if err == nil {
			err = unix.Close(fd)
		}
		return strings.ReplaceAll(fails(err), dir, "@")
	}
	if err := unix.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		v    view
		path string
		want string
	}{
		{inside, "/etc/f", ""},
		{inside, "abs", ""},
		{inside, "out", ""},
		{inside, "fifo", ""},
		{inside, dir + "/only", "open @/only: no such file or directory"},
		{host, dir + "/only", ""},
		{host, "/proc/self/exe", "open /proc/self/exe: too many levels of symbolic links"},
	} {
		if got := open(tt.v, tt.path, unix.O_RDONLY); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
	// Before Linux 5.6 there is only open(2), which knows no root but the present one.
	answering(t, unix.SYS_OPENAT2, unix.ENOSYS, func() {
		if got := open(host, dir+"/only", unix.O_RDONLY); got != "" {
			t.Errorf("without openat2(2): %s", got)
		}
		if got := open(inside, dir+"/only", unix.O_RDONLY); got != "open @/only: function not implemented" {
			t.Errorf("without openat2(2), inside: %q", got)
		}
	})
	if err := inside.leave(); err != nil {
		t.Error(err)
	}
	if err := (view{1 << 20}).leave(); fails(err) != "close: bad file descriptor" {
		t.Errorf("a root that is not open: %v", err)
	}
	if err := host.leave(); err != nil {
		t.Errorf("the present root is left: %v", err)
	}
}

// A terminal that is opened does not become that of the process.
func TestViewOpenTerminal(t *testing.T) {
	if os.Getenv(childWord) == "" {
		again(t, "yes", &syscall.SysProcAttr{Setsid: true})
		return
	}
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs a pty: %v", err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	fd, err := host.open("/dev/pts/"+strconv.Itoa(n), unix.O_RDONLY)
	if err != nil {
		t.Skipf("needs a pty: %v", err)
	}
	if tty, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC, 0); err != unix.ENXIO {
		t.Errorf("there is a controlling terminal: %d, %v", tty, err)
	}
	if err := errors.Join(unix.Close(fd), unix.Close(master)); err != nil {
		t.Error(err)
	}
}

// The command is looked for once more where the view is complete, and is the file that the last
// rows find at its path.
func TestOpenCommand(t *testing.T) {
	dir := programs.make(t)
	t.Chdir(dir + "/here")
	for _, tt := range []struct {
		path, at, search string // search is parted by ":"
		want             string // path, at and the plan's path, or the error
	}{
		{dir + "/bin/tool", dir + "/bin/tool", "@/bin/tool", "@/bin/tool @/bin/tool @/bin/tool"},
		{"tool", "tool", "@/none/tool:@/opt/tool", "@/opt/tool @/opt/tool @/opt/tool"},
		{"tool", "tool", "@/bad/tool:@/opt/tool", "@/opt/tool @/opt/tool @/opt/tool"},
		{"./tool", dir + "/opt/./tool", "@/opt/./tool", "./tool @/opt/./tool first"},
		{"./tool", dir + "/bin/tool", "@/opt/tool", "@/opt/tool @/opt/tool @/opt/tool"},
		{"./tool", dir + "/opt/tool", "@/none/tool:@/opt/tool", "@/opt/tool @/opt/tool @/opt/tool"},
		{"./tool", dir + "/none/tool", "@/none/tool:@/opt/tool", "@/opt/tool @/opt/tool @/opt/tool"},
		{"tool", "tool", "@/none/tool:@/void/tool", "command not found in the daemon's view (searched @/none/tool:@/void/tool)"},
		{"tool", "tool", "@/none/tool:@/bad/tool:@/void/tool", "@/bad/tool: not executable (mode 0644)"},
		{"tool", "tool", "@/bad/tool:@/data", "@/bad/tool: not executable (mode 0644)"},
	} {
		s := &openCommand{path: tt.path, at: tt.at, plan: &Plan{path: "first"}, search: strings.Split(strings.ReplaceAll(tt.search, "@", dir), ":")}
		got := ""
		if err := s.Apply(-1); err != nil {
			got = err.Error()
		} else {
			got = s.path + " " + s.at + " " + s.plan.path
			var st unix.Stat_t
			if err := unix.Stat(s.at, &st); err != nil || s.identity == nil || s.identity.Ino != st.Ino {
				t.Errorf("%s: %+v, %v", tt.search, s.identity, err)
			}
		}
		if got = strings.ReplaceAll(got, dir, "@"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.search, got, tt.want)
		}
	}
	// What is found and cannot be opened any more, or not be told from others, is not executed.
	s := &openCommand{path: "x", at: filepath.Join(dir, "none"), plan: &Plan{}, search: []string{dir + "/plain"}}
	answering(t, unix.SYS_STATX, unix.EIO, func() {
		if err := s.Apply(-1); fails(err) != "statx: input/output error" {
			t.Errorf("without statx(2): %v", err)
		}
	})
}

// Of a line that is longer than the kernel reads, the kernel takes what has an end, and no other.
func TestLongScriptLine(t *testing.T) {
	dir := t.TempDir()
	for n := 248; n <= 260; n++ {
		for _, behind := range []string{"", "\n", " \n", "\t#", "\x00", " an argument that goes on\n"} {
			path := strings.Repeat("/", n-2-len("bin/true")) + "bin/true"
			text := "#!" + path + behind
			file := filepath.Join(dir, strconv.Itoa(n))
			if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			run := exec.Command(file).Run()
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			got, err := interpreter([]byte(text), -1)
			if takes := !errors.Is(run, unix.ENOEXEC); takes != (err == nil) || takes && got != path {
				t.Errorf("%d bytes, then %q: %q, %v; execve(2): %v", n, behind, got, err, run)
			}
		}
	}
}
