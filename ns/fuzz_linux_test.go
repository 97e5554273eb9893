package ns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

func FuzzParseMap(f *testing.F) {
	for _, s := range []string{"", "         0          0 4294967295\n", "0 1000 1\n1 100000 65536\n", "0 0", "-1 0 1\n", "0 0 4294967296\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseMap(text)
		if err != nil {
			if list != nil {
				t.Fatalf("%q: an error, and %v", text, list)
			}
			return
		}
		var b strings.Builder
		for _, m := range list {
			for _, n := range []uint32{m.Inside, m.Outside, m.Count} {
				b.WriteString(strconv.FormatUint(uint64(n), 10) + " ")
			}
			b.WriteString("\n")
		}
		if again, err := ParseMap(b.String()); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %v comes back as %v, %v", text, list, again, err)
		}
		if !Covers(list, nil) || len(list) > 0 && Covers(nil, list) {
			t.Fatalf("%q: what covers nothing covers it", text)
		}
	})
}

// closed holds a closure to its root: what it lists is there, and reached without a link.
func closed(t *testing.T, root string) {
	t.Helper()
	why := bounded.Excess(func() {
		files, notes, err := Closure(root, "/bin/x", "/etc/more")
		again, notes2, err2 := Closure(root, "/bin/x", "/etc/more")
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || !slices.Equal(files, again) || !slices.Equal(notes, notes2) {
			t.Fatalf("%v, %v, and again %v, %v", files, err, again, err2)
		}
		if err != nil {
			var path *os.PathError
			var missing *MissingError
			if files != nil || err.Error() == "" || errors.As(err, &path) && path.Path == "" || errors.As(err, &missing) && missing.Error() == "" {
				t.Fatalf("%v, %v", files, err)
			}
			return
		}
		wellFormed(t, files)
		for _, x := range files {
			info, err := os.Lstat(root + x.Path)
			if err != nil {
				t.Fatalf("%+v is not there: %v", x, err)
			}
			kind := map[os.FileMode]Kind{0: KindFile, os.ModeDir: KindDir, os.ModeSymlink: KindSymlink}[info.Mode().Type()]
			if kind != x.Kind || slices.Contains(strings.Split(x.Path, "/"), "..") {
				t.Fatalf("%+v is %v", x, info.Mode())
			}
			if x.Kind == KindFile {
				if text, err := os.ReadFile(root + x.Path); err != nil || bytes.Equal(text, secret) {
					t.Fatalf("%+v is a file from outside: %v", x, err)
				}
			}
		}
	})
	if why != "" {
		t.Fatal(why)
	}
}

// secret is outside of the root.
var secret = image{class: 64, machine: 62, kind: 3, flags1: 1, trailer: []byte("outside")}.bytes()

// closureRoot is a root directory in which the fuzzed files are placed, beside what must not be found.
func closureRoot(f *testing.F) string {
	dir := f.TempDir()
	plant(f, dir, map[string][]byte{"/libx.so": secret, "/libl.so": secret, "/etc/passwd": secret}, "/root/")
	root := filepath.Join(dir, "root")
	plant(f, root, map[string][]byte{gnu: ldso, "/usr/lib64/libm.so": library("libm.so", "", "").bytes()}, "/lib -> usr/lib", "/usr/lib/", "/bin/", "/etc/ld.so.conf.d/", "/out -> ../../..", "/up -> /../..")
	return root
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// link makes a link anew; where the target is none, there is none.
func link(t *testing.T, path, target string) {
	t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if target != "" && len(target) < 4096 && !strings.Contains(target, "\x00") {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzClosure: a program, a library, the loader's files and a link, all of any bytes.
func FuzzClosure(f *testing.F) {
	root := closureRoot(f)
	lib := library("libl.so", "", "$ORIGIN/../up", "libm.so").bytes()
	cache := newCache(binary.LittleEndian, 2, cacheEntry{name: "libl.so", path: "/up/libl.so", flags: 0x303}, cacheEntry{name: "libx.so", path: "/out/libx.so", flags: 0x303})
	f.Add(program(gnu, "libl.so"), lib, []byte("/lib64\ninclude /etc/ld.so.conf.d/*.conf\n"), []byte(nil), "../usr/lib64/libm.so")
	f.Add(programOf(gnu, "/out:/up", "", "libl.so", "libx.so"), lib, []byte("/out\n/up\n"), cache, "/out/libx.so")
	f.Add([]byte("#!/lib64/liblink\n"), lib, []byte("include /up/*\n"), []byte("glibc-ld.so.cache1.1"), "liblink")
	f.Add([]byte("#!/bin/x"), []byte("#!"), []byte{0}, []byte(nil), "")
	f.Add(program("/up/ld.so"), lib, []byte("include /etc/ld.so.conf\n"), []byte(nil), "/../../../../../etc/passwd")
	f.Add(image{class: 32, big: true, machine: 8, kind: 2, interp: "/lib64/liblink", dyn: []dynWord{{dtAudit, "libl.so"}, {dtFilter, "../../libx.so"}}}.bytes(), lib, []byte(nil), []byte(nil), "/lib64/libl.so")
	f.Fuzz(func(t *testing.T, prog, lib, conf, cache []byte, target string) {
		put(t, root+"/bin/x", prog)
		put(t, root+"/lib64/libl.so", lib)
		put(t, root+"/etc/ld.so.conf", conf)
		put(t, root+"/etc/ld.so.cache", cache)
		put(t, root+"/etc/ld.so.conf.d/a.conf", conf)
		link(t, root+"/lib64/liblink", target)
		link(t, root+"/etc/more", target)
		closed(t, root)
	})
}

// FuzzClosureNames: whatever names a program and its library have in them.
func FuzzClosureNames(f *testing.F) {
	root := closureRoot(f)
	if err := os.WriteFile(root+"/etc/more", nil, 0o644); err != nil {
		f.Fatal(err)
	}
	f.Add(gnu, "libl.so", "", "$ORIGIN/../lib64", "libm.so", "", "/lib64\n")
	f.Add(gnu, "../../libx.so", "/out", "", "libx.so", "/up/libl.so", "/up\n")
	f.Add("/up/lib64/ld-linux-x86-64.so.2", "libl.so", "${LIB}:$PLATFORM", "$ORIGIN", "libl.so", "a:b", "")
	f.Add("ld.so", "", "", "", "", "", "include *")
	f.Add("/lib/ld-musl-x86_64.so.1", "libc.so", "", "", "libm.so", "", "")
	f.Fuzz(func(t *testing.T, interp, needed, rpath, runpath, second, audit, conf string) {
		if strings.Contains(interp+needed+rpath+runpath+second+audit, "\x00") {
			return // a name ends there
		}
		m := library("", rpath, runpath, needed)
		m.interp = interp
		if audit != "" {
			m.dyn = append(m.dyn, dynWord{dtAudit, audit})
		}
		put(t, root+"/bin/x", m.bytes())
		put(t, root+"/lib64/libl.so", library("libl.so", runpath, rpath, second).bytes())
		put(t, root+"/etc/ld.so.conf", []byte(conf))
		closed(t, root)
	})
}

func TestBounded(t *testing.T) {
	bounded.Check(t, func(s string) { _, _ = parseLDConf(s, "/etc", func(string) error { return nil }) }, "include /a/*\n", "/usr/lib\n", "/a:/b,", "hwcap 1 a\n")
	bounded.Check(t, func(s string) { parseMuslPath(s) })
	bounded.Check(t, func(s string) { _, _ = ParseMap(s) }, "0 0 1\n")
	bounded.Check(t, func(s string) { _, _, _ = parseShebang([]byte("#!" + s)) })
	bounded.Check(t, func(s string) { loaderDirs([]byte(s)) }, "/lib64/\x00", "\x00/lib/\x00", "/")
	bounded.Check(t, func(s string) { var m mountLine; _ = m.parse([]byte(s)) }, "36 35 98:0 / /a rw - ext3 /dev/root rw ")
	bounded.Check(t, func(s string) { _, _ = parseLDCache([]byte(s), false) }, "glibc-ld.so.cache1.1", "ld.so-1.7.0\x00")
	// A header in front of it, and tables that claim to be as long as the file.
	for _, m := range []image{full, program0} {
		head := m.bytes()
		bounded.Check(t, func(s string) {
			b := append(head[:len(head):len(head)], s...)
			_, _ = parseELF(bytes.NewReader(b), int64(len(b)))
		}, string(head))
	}
	big := full
	for range 30_000 {
		big.dyn = append(big.dyn, dynWord{dtNeeded, "liba.so.1"})
		big.imports = append(big.imports, "printf")
	}
	b := big.bytes()
	if why := bounded.Excess(func() { _, _ = parseELF(bytes.NewReader(b), int64(len(b))) }); why != "" {
		t.Errorf("%d bytes: %s", len(b), why)
	}
}

var program0 = image{class: 64, machine: 62, kind: 2, interp: gnu}
