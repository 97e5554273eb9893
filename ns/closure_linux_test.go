package ns

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const onLinux = true

// ldd asks the real loader which files it would map.
func ldd(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.Command("ldd", program).CombinedOutput()
	text := string(out)
	if strings.Contains(text, "not a dynamic executable") || strings.Contains(text, "statically linked") {
		return nil
	}
	if err != nil {
		t.Skipf("ldd %s: %v: %s", program, err, text)
	}
	var list []string
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " (0x")
		if _, p, ok := strings.Cut(line, " => "); ok {
			line = p
		}
		if strings.HasPrefix(line, "/") {
			real, err := filepath.EvalSymlinks(line)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, real)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestClosureOracle compares real programs with ldd(1). The closure may have
// more only by what glibc loads itself.
func TestClosureOracle(t *testing.T) {
	programs := []string{"/usr/sbin/named", "/bin/sh", "/usr/bin/env", "/usr/bin/perl", "/usr/bin/gdb", "/usr/bin/git", "/usr/sbin/unbound", "/usr/bin/python3.11"}
	if !testing.Short() {
		more, _ := filepath.Glob("/usr/sbin/*")
		programs = append(programs, more[:min(len(more), 40)]...)
	}
	n := 0
	for _, p := range programs {
		head := make([]byte, 4)
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		_, err = f.Read(head)
		_ = f.Close()
		if err != nil || string(head) != "\x7fELF" {
			continue
		}
		want := ldd(t, p)
		files, _, err := Closure("/", p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		wellFormed(t, files)
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			hidden := strings.HasPrefix(f.Why, "loaded by ") || f.Path == "/etc/ld.so.cache"
			if f.Kind == KindFile && f.Path != real && (!hidden || slices.Contains(want, f.Path)) {
				got = append(got, f.Path)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nldd: %q", p, got, want)
		}
		n++
	}
	if n == 0 {
		t.Skip("none of the programs is here")
	}
	t.Logf("%d programs", n)
}

// build compiles a program with a tool, or skips.
func build(t *testing.T, tool, file, source string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Skipf("no %s", tool)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, dir+"/"+file)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GO111MODULE=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir + "/x"
}

const hello = "#include <unistd.h>\nint main(void) { return write(1, \"hello\\n\", 6) != 6; }\n"

func TestClosureStatic(t *testing.T) {
	for _, tt := range []struct{ name, tool, file, source string }{
		{"go", "go", "x.go", "package main\n\nfunc main() { println() }\n"},
		{"c", "gcc", "x.c", hello},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"-static", "-o", "x"}
			if tt.name == "go" {
				args = []string{"build", "-o", "x"}
			}
			x := build(t, tt.tool, tt.file, tt.source, args...)
			files, notes, err := Closure("/", x)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if f.Kind == KindFile && f.Path != x {
					t.Errorf("a static program needs %s (%s)", f.Path, f.Why)
				}
			}
			if !slices.ContainsFunc(notes, func(n Note) bool { return n.Topic == "static" }) {
				t.Errorf("no note that it is static: %v", notes)
			}
		})
	}
}

func TestClosureMusl(t *testing.T) {
	x := build(t, "musl-gcc", "x.c", hello, "-o", "x")
	files, _, err := Closure("/", x)
	if err != nil {
		t.Fatal(err)
	}
	loader, err := filepath.EvalSymlinks("/lib/ld-musl-x86_64.so.1")
	if err != nil {
		t.Skip(err)
	}
	for _, f := range files {
		if f.Kind == KindFile && f.Path != x && f.Path != loader && f.Path != "/etc/ld-musl-x86_64.path" {
			t.Errorf("unexpected %s (%s)", f.Path, f.Why)
		}
	}
	if !slices.ContainsFunc(files, func(f File) bool { return f.Path == loader }) {
		t.Errorf("the loader %s is not in %v", loader, files)
	}
}

// TestOpenBeneath: openat2 and the way component by component agree.
func TestOpenBeneath(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string][]byte{"/a/b/f": []byte("x")}, "/l -> a", "/a/lf -> b/f", "/abs -> /etc")
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	proc, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(proc) }()
	for _, tt := range []struct {
		dir   int
		name  string
		oneFS bool
		ok    bool
	}{
		{fd, "a/b/f", true, true},
		{fd, ".", true, true},
		{fd, "a/lf", false, false},
		{fd, "l/b/f", false, false},
		{fd, "abs/passwd", false, false},
		{fd, "a/../../x", false, false},
		{fd, "../" + filepath.Base(dir), false, false},
		{fd, "gone", false, false},
		{fd, "a/b/f/x", false, false},
		{proc, "proc/version", false, true},
		{proc, "proc/version", true, false},
	} {
		for name, open := range map[string]func(int, string, int, bool) (int, error){"openat2": openBeneath, "openat": openByStep} {
			got, err := open(tt.dir, tt.name, unix.O_RDONLY, tt.oneFS)
			if (err == nil) != tt.ok {
				t.Errorf("%s %q, one file system %v: %v", name, tt.name, tt.oneFS, err)
			}
			if err == nil {
				flags, _ := unix.FcntlInt(uintptr(got), unix.F_GETFD, 0)
				if flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("%s %q stays open on exec", name, tt.name)
				}
				_ = unix.Close(got)
			}
		}
	}
	if _, err := openByStep(proc, "proc/version", unix.O_RDONLY, true); !errors.Is(err, unix.EXDEV) {
		t.Errorf("got %v, want EXDEV", err)
	}
}
