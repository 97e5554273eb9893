package ns

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// plant makes a tree below dir from lines of "path", "path -> target" and
// "path/"; contents gives regular files their bytes, which are executable.
func plant(t testing.TB, dir string, contents map[string][]byte, lines ...string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for p, b := range contents {
		p = filepath.Join(dir, p)
		must(os.MkdirAll(filepath.Dir(p), 0o755))
		must(os.WriteFile(p, b, 0o755))
	}
	for _, l := range lines {
		p, target, link := strings.Cut(l, " -> ")
		p = filepath.Join(dir, p)
		if link {
			must(os.MkdirAll(filepath.Dir(p), 0o755))
			must(os.Symlink(target, p))
			continue
		}
		must(os.MkdirAll(p, 0o755))
	}
}

// program and library are ELF files for the machine of the tests' roots.
func program(interp string, needed ...string) []byte { return programOf(interp, "", "", needed...) }

func programOf(interp, rpath, runpath string, needed ...string) []byte {
	m := library("", rpath, runpath, needed...)
	m.kind, m.interp = 3, interp
	return m.bytes()
}

func library(soname, rpath, runpath string, needed ...string) image {
	m := image{class: 64, machine: 62, kind: 3, flags1: 1}
	for _, d := range []dynWord{{dtSoname, soname}, {dtRpath, rpath}, {dtRunpath, runpath}} {
		if d.text != "" {
			m.dyn = append(m.dyn, d)
		}
	}
	for _, n := range needed {
		m.dyn = append(m.dyn, dynWord{dtNeeded, n})
	}
	return m
}

const gnu = "/lib64/ld-linux-x86-64.so.2"

// ldso is a glibc loader whose own directories are /lib64 and /usr/lib64.
var ldso = func() []byte {
	m := library("ld-linux-x86-64.so.2", "", "")
	m.trailer = []byte("\x00/lib64/\x00/usr/lib64/\x00")
	return m.bytes()
}()

// TestClosureSearch: the order of ld.so(8), and musl's ldso/dynlink.c.
func TestClosureSearch(t *testing.T) {
	a := func(rpath, runpath string, needed ...string) []byte {
		return library("", rpath, runpath, needed...).bytes()
	}
	other := image{class: 64, machine: 183, kind: 3, flags1: 1}.bytes()
	narrow := image{class: 32, machine: 62, kind: 3, flags1: 1}.bytes()
	const musl = "/lib/ld-musl-x86_64.so.1"
	glibcCancel := image{class: 64, machine: 62, kind: 3, interp: gnu, dyn: []dynWord{{dtNeeded, "libc.so.6"}}, imports: []string{"pthread_exit", "getpwnam"}}.bytes()
	libc234 := library("libc.so.6", "", "")
	libc234.strings = "x\x00GLIBC_2.34\x00"
	noDefault := library("", "", "", "libx.so")
	noDefault.interp, noDefault.flags1 = gnu, df1NoDefLib
	cacheOf := func(entries ...cacheEntry) []byte {
		return newCache(binary.LittleEndian, 2, entries...)
	}
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		lines []string
		extra []string
		want  string // the files, without directories, links, command and loader
		fails string
	}{
		{name: "default directory", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": a("", "", "libb.so"), "/usr/lib64/libb.so": a("", "")}, want: "/lib64/liba.so /usr/lib64/libb.so"},
		{name: "the first default directory wins", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": a("", ""), "/usr/lib64/liba.so": a("", "")}, want: "/lib64/liba.so"},
		{name: "missing", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": a("", "", "libgone.so.3")}, fails: "libgone.so.3, needed by /lib64/liba.so, is not found"},
		{name: "another machine and class are passed over", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": other, "/usr/lib64/liba.so": a("", "")}, want: "/usr/lib64/liba.so"},
		{name: "only of another class", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": narrow}, fails: "liba.so, needed by /bin/x, is not found"},
		{name: "no ELF file", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": []byte("INPUT(libb.so)")}, fails: "load for /bin/x /lib64/liba.so: not an ELF file"},
		{name: "DT_RPATH is inherited", files: map[string][]byte{"/bin/x": programOf(gnu, "/opt/p", "", "liba.so"), "/opt/p/liba.so": a("", "", "libb.so"), "/opt/p/libb.so": a("", "")}, want: "/opt/p/liba.so /opt/p/libb.so"},
		{name: "DT_RUNPATH is not inherited", files: map[string][]byte{"/bin/x": programOf(gnu, "", "/opt/p", "liba.so"), "/opt/p/liba.so": a("", "", "libb.so"), "/opt/p/libb.so": a("", "")}, fails: "libb.so, needed by /opt/p/liba.so, is not found"},
		{name: "DT_RUNPATH switches DT_RPATH off", files: map[string][]byte{"/bin/x": programOf(gnu, "/r", "/run", "liba.so"), "/r/liba.so": a("", ""), "/run/liba.so": a("", "")}, want: "/run/liba.so"},
		{name: "DT_RUNPATH of the library switches its loader's DT_RPATH off", files: map[string][]byte{"/bin/x": programOf(gnu, "/r", "", "liba.so"), "/r/liba.so": a("", "/run", "libb.so"), "/r/libb.so": a("", "")}, fails: "libb.so, needed by /r/liba.so, is not found"},
		{name: "$ORIGIN", files: map[string][]byte{"/opt/x/bin/x": programOf(gnu, "", "$ORIGIN/../lib", "liba.so"), "/opt/x/lib/liba.so": a("", "${ORIGIN}/sub", "libb.so"), "/opt/x/lib/sub/libb.so": a("", "")}, lines: []string{"/bin/x -> ../opt/x/bin/x"}, want: "/opt/x/bin/x /opt/x/lib/liba.so /opt/x/lib/sub/libb.so"},
		{name: "$LIB and $PLATFORM", files: map[string][]byte{"/bin/x": programOf(gnu, "", "/opt/$LIB/$PLATFORM", "liba.so"), "/opt/lib64/x86_64/liba.so": a("", "")}, want: "/opt/lib64/x86_64/liba.so"},
		{name: "an unknown token", files: map[string][]byte{"/bin/x": programOf(gnu, "", "/opt/$HOME", "liba.so")}, fails: `load for /bin/x: cannot expand "$HOME" in its search path`},
		{name: "empty and relative directories are the working directory's", files: map[string][]byte{"/bin/x": programOf(gnu, "", ":lib:.", "liba.so"), "/lib/liba.so": a("", "")}, fails: "liba.so, needed by /bin/x, is not found"},
		{name: "a path as a name", files: map[string][]byte{"/bin/x": program(gnu, "/opt/liba.so"), "/opt/liba.so": a("", "")}, want: "/opt/liba.so"},
		{name: "a relative path as a name", files: map[string][]byte{"/bin/x": program(gnu, "./liba.so")}, fails: "load for /bin/x ./liba.so: the name is relative to the working directory"},
		{name: "cache", files: map[string][]byte{
			"/bin/x": program(gnu, "liba.so"), "/opt/liba.so": a("", ""), "/lib64/liba.so": a("", ""),
			"/etc/ld.so.cache": cacheOf(cacheEntry{name: "liba.so", path: "/opt/liba.so"}),
		}, want: "/etc/ld.so.cache /opt/liba.so"},
		{name: "cache, in a directory the loader searches anyway", files: map[string][]byte{
			"/bin/x": program(gnu, "liba.so"), "/usr/lib64/liba.so": a("", ""),
			"/etc/ld.so.cache": cacheOf(cacheEntry{name: "liba.so", path: "/usr/lib64/liba.so"}),
		}, want: "/usr/lib64/liba.so"},
		{name: "cache, stale entry", files: map[string][]byte{
			"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": a("", ""),
			"/etc/ld.so.cache": cacheOf(cacheEntry{name: "liba.so", path: "/gone/liba.so"}),
		}, want: "/lib64/liba.so"},
		{name: "cache, variants for processors come along", files: map[string][]byte{
			"/bin/x": program(gnu, "liba.so"), "/opt/liba.so": a("", ""), "/opt/v3/liba.so": a("", "", "libb.so"), "/lib64/libb.so": a("", ""),
			"/etc/ld.so.cache": cacheOf(cacheEntry{name: "liba.so", path: "/opt/v3/liba.so", hwcap: 1<<62 | 1}, cacheEntry{name: "liba.so", path: "/opt/liba.so"}),
		}, want: "/etc/ld.so.cache /lib64/libb.so /opt/liba.so /opt/v3/liba.so"},
		{name: "cache, damaged", files: map[string][]byte{"/bin/x": program(gnu), "/etc/ld.so.cache": []byte("garbage")}, fails: "read /etc/ld.so.cache: not in the format of glibc 2.2 or later"},
		{name: "no cache, ld.so.conf", files: map[string][]byte{
			"/bin/x": program(gnu, "liba.so"), "/opt/l/liba.so": a("", ""),
			"/etc/ld.so.conf": []byte("include ld.so.conf.d/*.conf\n"), "/etc/ld.so.conf.d/a.conf": []byte("/opt/l\n"),
		}, want: "/opt/l/liba.so"},
		{name: "ld.so.conf includes itself", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/etc/ld.so.conf": []byte("include ld.so.conf\n")}, fails: "too many nested includes"},
		{name: "DF_1_NODEFLIB", files: map[string][]byte{"/bin/x": noDefault.bytes(), "/lib64/libx.so": a("", "")}, fails: "libx.so, needed by /bin/x, is not found"},
		{name: "a soname that is loaded already", files: map[string][]byte{"/bin/x": programOf(gnu, "/opt", "", "liba.so", "libb.so"), "/opt/liba.so": library("libb.so", "", "").bytes()}, want: "/opt/liba.so"},
		{name: "libraries that need each other", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/lib64/liba.so": a("", "", "libb.so"), "/lib64/libb.so": a("", "", "liba.so")}, want: "/lib64/liba.so /lib64/libb.so"},
		{name: "links", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/usr/lib64/liba.so.1.2": a("", "")}, lines: []string{"/lib64/liba.so -> /usr/lib64/liba.so.1.2"}, want: "/usr/lib64/liba.so.1.2"},
		{name: "links in a circle", files: map[string][]byte{"/bin/x": program(gnu, "liba.so")}, lines: []string{"/lib64/liba.so -> libb.so", "/lib64/libb.so -> liba.so"}, fails: "look up /lib64/liba.so: too many levels of symbolic links"},
		{name: "links do not lead out of the root", files: map[string][]byte{"/bin/x": program(gnu, "liba.so"), "/in/liba.so": a("", "")}, lines: []string{"/lib64/liba.so -> ../../../../../../../../in/liba.so"}, want: "/in/liba.so"},
		{name: "libgcc_s for pthread_exit, NSS before 2.34", files: map[string][]byte{
			"/bin/x": glibcCancel, "/lib64/libc.so.6": library("libc.so.6", "", "").bytes(), "/lib64/libgcc_s.so.1": a("", "", "libc.so.6"),
			"/lib64/libnss_files.so.2": a("", ""), "/lib64/libnss_dns.so.2": a("", "", "libresolv.so.2"), "/lib64/libresolv.so.2": a("", ""),
		}, want: "/lib64/libc.so.6 /lib64/libgcc_s.so.1 /lib64/libnss_dns.so.2 /lib64/libnss_files.so.2 /lib64/libresolv.so.2"},
		{name: "NSS is part of glibc 2.34", files: map[string][]byte{"/bin/x": glibcCancel, "/lib64/libc.so.6": libc234.bytes(), "/lib64/libnss_files.so.2": a("", "")}, want: "/lib64/libc.so.6"},
		{name: "musl", files: map[string][]byte{
			"/bin/x": program(musl, "libc.so", "libpthread.so.0", "libc.musl-x86_64.so.1", "liba.so"), musl: a("", ""), "/usr/local/lib/liba.so": a("", ""),
		}, want: "/usr/local/lib/liba.so"},
		{name: "musl inherits DT_RUNPATH", files: map[string][]byte{"/bin/x": programOf(musl, "", "/p", "liba.so"), musl: a("", ""), "/p/liba.so": a("", "", "libb.so"), "/p/libb.so": a("", "")}, want: "/p/liba.so /p/libb.so"},
		{name: "musl's path file replaces its directories", files: map[string][]byte{"/bin/x": program(musl, "liba.so"), musl: a("", ""), "/etc/ld-musl-x86_64.path": []byte("/q\n"), "/q/liba.so": a("", ""), "/lib/liba.so": a("", "")}, want: "/etc/ld-musl-x86_64.path /q/liba.so"},
		{name: "NetBSD", files: map[string][]byte{"/bin/x": program("/libexec/ld.elf_so", "liba.so", "libb.so"), "/libexec/ld.elf_so": a("", ""), "/etc/ld.so.conf": []byte("/usr/pkg/lib\n"), "/usr/pkg/lib/liba.so": a("", ""), "/usr/lib/libb.so": a("", "")}, want: "/etc/ld.so.conf /usr/lib/libb.so /usr/pkg/lib/liba.so"},
		{name: "no loader", files: map[string][]byte{"/bin/x": program("/gone/ld.so")}, fails: `interpreter "/gone/ld.so", needed by /bin/x, is not found`},
		{name: "a loader for another machine", files: map[string][]byte{"/bin/x": program("/ld.so"), "/ld.so": other}, fails: "use /ld.so: for another machine than /bin/x"},
		{name: "a module that was asked for", files: map[string][]byte{"/bin/x": program(gnu), "/m/mod.so": a("", "$ORIGIN", "liba.so"), "/m/liba.so": a("", ""), "/m/README": []byte("text")}, extra: []string{"/m/mod.so", "/m/README"}, want: "/m/README /m/liba.so /m/mod.so"},
		{name: "a directory that was asked for", files: map[string][]byte{"/bin/x": program(gnu), "/m/a/b": nil, "/m/c": []byte("x")}, lines: []string{"/m/up -> ../m", "/m/gone -> nowhere"}, extra: []string{"/m"}, want: "/m/a/b /m/c"},
		{name: "the whole root was asked for", files: map[string][]byte{"/bin/x": program(gnu)}, extra: []string{"/bin/.."}, fails: "use /bin/..: the whole root cannot be in a closure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, map[string][]byte{gnu: ldso}, "/usr/lib64/")
			plant(t, root, tt.files, tt.lines...)
			files, notes, err := Closure(root, "/bin/x", tt.extra...)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || files != nil || notes != nil {
					t.Fatalf("got %v, error %v, want error %q", files, err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range files {
				if f.Kind == KindFile && f.Path != "/bin/x" && !strings.HasPrefix(f.Why, "loader of") {
					got = append(got, f.Path)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
			if len(notes) == 0 {
				t.Error("no notes: configuration files are never known")
			}
			wellFormed(t, files)
		})
	}
}

// wellFormed: sorted, no path twice, each after its directory.
func wellFormed(t *testing.T, files []File) {
	t.Helper()
	kinds := map[string]Kind{"/": KindDir}
	last := ""
	for _, f := range files {
		if f.Path <= last {
			t.Errorf("%s does not stand after %s", f.Path, last)
		}
		if kinds[parent(f.Path)] != KindDir {
			t.Errorf("%s comes before its directory", f.Path)
		}
		if f.Why == "" || (f.Kind == KindSymlink) != (f.Target != "") {
			t.Errorf("incomplete: %+v", f)
		}
		last, kinds[f.Path] = f.Path, f.Kind
	}
}

// TestClosureLinks: everything on the way is part of the closure, what is left
// by ".." included.
func TestClosureLinks(t *testing.T) {
	root := t.TempDir()
	plant(t, root, map[string][]byte{"/usr/lib/real.so": program("")}, "/lib -> usr/lib", "/opt/d/", "/bin/x -> ../opt/d/../../lib/./real.so")
	files, _, err := Closure(root, "/bin/x")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, strings.TrimSpace(f.Kind.String()+" "+f.Path+" "+f.Target))
	}
	want := []string{"dir /bin", "link /bin/x ../opt/d/../../lib/./real.so", "link /lib usr/lib", "dir /opt", "dir /opt/d", "dir /usr", "dir /usr/lib", "file /usr/lib/real.so"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// execve(2): interpreter scripts; env(1) for the second.
func TestClosureScripts(t *testing.T) {
	elf := program("")
	for _, tt := range []struct {
		name, command string
		files         map[string][]byte
		want, fails   string
	}{
		{"script", "/bin/x", map[string][]byte{"/bin/x": []byte("#!/bin/sh -e\n"), "/bin/sh": elf}, "/bin/sh /bin/x", ""},
		{"env", "/bin/x", map[string][]byte{"/bin/x": []byte("#!/usr/bin/env py\n"), "/usr/bin/env": elf, "/usr/bin/py": elf}, "/bin/x /usr/bin/env /usr/bin/py", ""},
		{"env -S", "/bin/x", map[string][]byte{"/bin/x": []byte("#!/usr/bin/env -S A=1 py -u\n"), "/usr/bin/env": elf, "/bin/py": elf}, "/bin/py /bin/x /usr/bin/env", ""},
		{"env finds nothing", "/bin/x", map[string][]byte{"/bin/x": []byte("#!/usr/bin/env py\n"), "/usr/bin/env": elf}, "", `program "py", needed by /bin/x, is not found`},
		{"env finds itself", "/bin/x", map[string][]byte{"/bin/x": []byte("#!/usr/bin/env x\n"), "/usr/bin/env": elf}, "", "execute /bin/x: too many levels of symbolic links"},
		{"no interpreter", "/bin/x", map[string][]byte{"/bin/x": []byte("#!/bin/sh\r\n"), "/bin/sh": elf}, "", `interpreter "/bin/sh\r", needed by /bin/x, is not found`},
		{"relative interpreter", "/bin/x", map[string][]byte{"/bin/x": []byte("#!sh\n")}, "", `execute /bin/x: interpreter "sh" is not absolute`},
		{"not executable data", "/bin/x", map[string][]byte{"/bin/x": []byte("data")}, "", "execute /bin/x: neither an ELF program nor a #! script"},
		{"empty", "/bin/x", map[string][]byte{"/bin/x": nil}, "", "execute /bin/x: neither an ELF program nor a #! script"},
		{"plain name", "x", map[string][]byte{"/usr/bin/x": elf, "/bin/x": elf}, "/usr/bin/x", ""},
		{"plain name that is nowhere", "y", nil, "", `"y" is in none of /usr/local/sbin:`},
		{"relative", "bin/x", nil, "", `the command "bin/x" is neither absolute nor a plain name`},
		{"empty command", "", nil, "", "the command is empty"},
		{"a directory", "/bin", map[string][]byte{"/bin/x": elf}, "", "use /bin: not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			plant(t, root, tt.files)
			files, _, err := Closure(root, tt.command)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("got %v, error %v, want error %q", files, err, tt.fails)
				}
				return
			}
			var got []string
			for _, f := range files {
				if f.Kind == KindFile {
					got = append(got, f.Path)
				}
			}
			if s := strings.Join(got, " "); s != tt.want || err != nil {
				t.Errorf("got %s, %v, want %s", s, err, tt.want)
			}
		})
	}
	t.Run("not executable", func(t *testing.T) {
		root := t.TempDir()
		plant(t, root, map[string][]byte{"/bin/x": elf})
		if err := os.Chmod(root+"/bin/x", 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Closure(root, "/bin/x"); !errors.Is(err, unix.EACCES) {
			t.Errorf("got %v, want EACCES", err)
		}
	})
	t.Run("a FIFO does not block", func(t *testing.T) {
		root := t.TempDir()
		plant(t, root, nil, "/bin/")
		if err := unix.Mkfifo(root+"/bin/x", 0o755); err != nil {
			t.Skip(err)
		}
		if _, _, err := Closure(root, "/bin/x"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

// TestClosureScriptDepth: as many "#!" as the running kernel takes, which is
// asked itself.
func TestClosureScriptDepth(t *testing.T) {
	for n := 1; n <= 7; n++ {
		dir := t.TempDir()
		interp := "/bin/true"
		for i := 1; i <= n; i++ {
			p := dir + "/s" + strconv.Itoa(i)
			if err := os.WriteFile(p, []byte("#!"+interp+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			interp = p
		}
		_, _, err := Closure("/", interp)
		if want := n > maxScripts; errors.Is(err, unix.ELOOP) != want || (err != nil) != want {
			t.Errorf("%d scripts: %v", n, err)
		}
		if runErr := exec.Command(interp).Run(); onLinux && (runErr == nil) != (err == nil) {
			t.Errorf("%d scripts: the kernel says %v, the closure %v", n, runErr, err)
		}
	}
}

// TestClosureNotes: each is there because of an import, and only then.
func TestClosureNotes(t *testing.T) {
	topics := func(imports ...string) []string {
		root := t.TempDir()
		m := image{class: 64, machine: 62, kind: 3, interp: gnu, flags1: 1, imports: imports}
		if slices.Contains(imports, "SSL") {
			m.dyn = []dynWord{{dtNeeded, "libcrypto.so.3"}}
		}
		plant(t, root, map[string][]byte{"/bin/x": m.bytes(), gnu: ldso, "/lib64/libcrypto.so.3": library("", "", "").bytes()})
		_, notes, err := Closure(root, "/bin/x")
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, n := range notes {
			list = append(list, n.Topic)
		}
		return list
	}
	for _, tt := range []struct {
		imports string
		want    []string
	}{
		{"printf", []string{"config"}},
		{"dlopen", []string{"dlopen", "config"}},
		{"getaddrinfo setlocale", []string{"names", "locale", "config"}},
		{"iconv_open localtime syslog", []string{"gconv", "time", "log", "config"}},
		{"SSL", []string{"openssl", "config"}},
	} {
		if got := topics(strings.Fields(tt.imports)...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.imports, got, tt.want)
		}
	}
}
