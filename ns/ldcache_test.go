package ns

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// newCache lays a cache of the new format out by hand, glibc's dl-cache.h.
func newCache(order binary.AppendByteOrder, endian byte, entries ...cacheEntry) []byte {
	strings, offsets := "", []uint32{}
	at := uint32(cacheHeader + cacheEntryNew*len(entries))
	for _, e := range entries {
		offsets = append(offsets, at+uint32(len(strings)))
		strings += e.name + "\x00"
		offsets = append(offsets, at+uint32(len(strings)))
		strings += e.path + "\x00"
	}
	b := []byte("glibc-ld.so.cache1.1")
	b = order.AppendUint32(b, uint32(len(entries)))
	b = order.AppendUint32(b, uint32(len(strings)))
	b = append(b, endian)
	b = append(b, make([]byte, cacheHeader-len(b))...)
	for i, e := range entries {
		b = order.AppendUint32(b, e.flags)
		b = order.AppendUint32(b, offsets[2*i])
		b = order.AppendUint32(b, offsets[2*i+1])
		b = order.AppendUint32(b, 0)
		b = order.AppendUint64(b, e.hwcap)
	}
	return append(b, strings...)
}

// oldCache is the header that stands before a new cache in "compat" files:
// magic, padding, count, entries of 12 bytes, padding to 8.
func oldCache(n int) []byte {
	b := []byte("ld.so-1.7.0\x00")
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, make([]byte, 12*n)...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

var sample = []cacheEntry{
	{name: "libz.so.1", path: "/opt/lib/libz.so.1", flags: 0x303},
	{name: "libc.so.6", path: "/lib/glibc-hwcaps/x86-64-v3/libc.so.6", flags: 0x303, hwcap: 1<<62 | 2},
	{name: "libc.so.6", path: "/lib/libc.so.6", flags: 0x303},
}

func TestParseLDCache(t *testing.T) {
	little, big := binary.LittleEndian, binary.BigEndian
	for _, tt := range []struct {
		name string
		in   []byte
		big  bool
		want []cacheEntry
	}{
		{"new", newCache(little, 2, sample...), false, sample},
		{"new, byte order not said", newCache(little, 0, sample...), false, sample},
		{"new, big endian", newCache(big, 3, sample...), true, sample},
		{"behind an old one", append(oldCache(3), newCache(little, 2, sample...)...), false, sample},
		{"behind an empty old one", append(oldCache(0), newCache(little, 2, sample...)...), false, sample},
		{"empty", newCache(little, 2), false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseLDCache(tt.in, tt.big)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestParseLDCacheRefuses(t *testing.T) {
	little := binary.LittleEndian
	patch := func(at int, b ...byte) []byte {
		f := newCache(little, 2, sample...)
		copy(f[at:], b)
		return f
	}
	one := newCache(little, 2, sample[:1]...)
	for _, tt := range []struct {
		name string
		in   []byte
		want error
	}{
		{"empty file", nil, errCacheMagic},
		{"text", []byte("include /etc/ld.so.conf.d/*.conf\n"), errCacheMagic},
		{"old format alone", oldCache(1), errCacheMagic},
		{"old format cut", oldCache(1)[:14], errCacheBounds},
		{"old count too large", append([]byte("ld.so-1.7.0\x00\xff\xff\xff\xff"), newCache(little, 2)...), errCacheBounds},
		{"magic alone", []byte(cacheMagicNew), errCacheBounds},
		{"count of 4 billion", patch(20, 0xff, 0xff, 0xff, 0xff), errCacheBounds},
		{"count one too many", patch(20, 99), errCacheBounds},
		{"other byte order", patch(28, 3), errCacheEndian},
		{"invalid byte order", patch(28, 1), errCacheEndian},
		{"name outside", patch(48+4, 0xff, 0xff, 0xff, 0x7f), errCacheBounds},
		{"path outside", patch(48+8, 0, 0, 0, 0x80), errCacheBounds},
		{"no end", one[:len(one)-1], errCacheString},
		{"empty name", newCache(little, 2, cacheEntry{name: "", path: "/lib/x"}), errCacheString},
		{"relative path", newCache(little, 2, cacheEntry{name: "x", path: "lib/x"}), errCacheString},
		{"name of 5000 bytes", newCache(little, 2, cacheEntry{name: strings.Repeat("x", 5000), path: "/lib/x"}), errCacheString},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseLDCache(tt.in, false)
			if !errors.Is(err, tt.want) || got != nil {
				t.Errorf("got %v, %v, want nothing and %v", got, err, tt.want)
			}
		})
	}
}

// TestLDCacheOracle compares with what ldconfig -p lists on this machine.
func TestLDCacheOracle(t *testing.T) {
	b, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil {
		t.Skip("no /etc/ld.so.cache")
	}
	ldconfig, err := exec.LookPath("/sbin/ldconfig")
	if err != nil {
		t.Skip("no ldconfig")
	}
	out, err := exec.Command(ldconfig, "-p").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if name, file, ok := strings.Cut(line, " => "); ok {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " (")
			want = append(want, name+" "+file)
		}
	}
	entries, err := parseLDCache(b, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.name+" "+e.path)
	}
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("got %d entries, ldconfig -p lists %d: %v, %v", len(got), len(want), got, want)
	}
}

// ldconfig(8): directories by line, colon, comma or blank; include; hwcap is
// ignored. ld.so.conf(5) of NetBSD: lines that begin with a library's name.
func TestParseLDConf(t *testing.T) {
	for _, tt := range []struct {
		name, in      string
		dirs, include []string
		fails         bool
	}{
		{"debian", "include /etc/ld.so.conf.d/*.conf\n\n", nil, []string{"/etc/ld.so.conf.d/*.conf"}, false},
		{"relative include", "include ld.so.conf.d/*.conf a.conf", nil, []string{"/etc/ld.so.conf.d/*.conf", "/etc/a.conf"}, false},
		{"comments", "# Multiarch support\n/usr/local/lib # mine\n\t/opt/lib/\n", []string{"/usr/local/lib", "/opt/lib"}, nil, false},
		{"separators", "/a:/b,/c /d\t/e", []string{"/a", "/b", "/c", "/d", "/e"}, nil, false},
		{"old types", "/usr/i386/lib=libc5", []string{"/usr/i386/lib"}, nil, false},
		{"hwcap", "hwcap 0 nosegneg\n/a\n", []string{"/a"}, nil, false},
		{"NetBSD by hardware", "libm.so.0\tmachdep.fpu_present\t1:libm387.so.0,libm.so.0\n/usr/X11R7/lib\n", []string{"/usr/X11R7/lib"}, nil, false},
		{"a relative directory among absolute ones", "/a b\n", nil, nil, true},
		{"empty", "", nil, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var include []string
			dirs, err := parseLDConf(tt.in, "/etc", func(p string) error { include = append(include, p); return nil })
			if (err != nil) != tt.fails || !slices.Equal(dirs, tt.dirs) || !slices.Equal(include, tt.include) {
				t.Errorf("got %q, include %q, %v, want %q, %q", dirs, include, err, tt.dirs, tt.include)
			}
		})
	}
}

// musl's ldso/dynlink.c, path_open: separated by newline or colon.
func TestParseMuslPath(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"/lib/x86_64-linux-musl\n/usr/lib/x86_64-linux-musl\n", []string{"/lib/x86_64-linux-musl", "/usr/lib/x86_64-linux-musl"}},
		{"/lib:/usr/local/lib:/usr/lib", []string{"/lib", "/usr/local/lib", "/usr/lib"}},
		{"lib::\n/a/", []string{"/a"}},
		{"", nil},
	} {
		if got := parseMuslPath(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("parseMuslPath(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestLoaderDirs(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"debian", "x\x00/lib/x86_64-linux-gnu/\x00/usr/lib/x86_64-linux-gnu/\x00/lib/\x00/usr/lib/\x00y\x00", []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"}},
		{"fedora", "\x00/lib64/\x00/usr/lib64/\x00", []string{"/lib64", "/usr/lib64"}},
		{"twice", "\x00/lib/\x00/usr/lib/\x00/lib/\x00", []string{"/lib", "/usr/lib"}},
		{"no slash at the end, other things, no NUL", "\x00/lib64\x00/proc/self/\x00/lib/\x01/\x00/lib/", nil},
	} {
		if got := loaderDirs([]byte(tt.in)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzLDCache(f *testing.F) {
	f.Add(newCache(binary.LittleEndian, 2, sample...), false)
	f.Add(newCache(binary.BigEndian, 3, sample...), true)
	f.Add(append(oldCache(3), newCache(binary.LittleEndian, 0, sample...)...), false)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		entries, err := parseLDCache(b, big)
		if err != nil {
			if entries != nil {
				t.Fatalf("%v with error %v", entries, err)
			}
			return
		}
		if len(entries)*cacheEntryNew > len(b) {
			t.Fatalf("%d entries from %d bytes", len(entries), len(b))
		}
		for _, e := range entries {
			if e.name == "" || e.path == "" || e.path[0] != '/' || strings.ContainsRune(e.name+e.path, 0) {
				t.Fatalf("entry %+v", e)
			}
		}
		var order binary.AppendByteOrder = binary.LittleEndian
		endian := byte(2)
		if big {
			order, endian = binary.BigEndian, 3
		}
		again, err := parseLDCache(newCache(order, endian, entries...), big)
		if err != nil || !slices.Equal(again, entries) {
			t.Fatalf("written and read again: %v, %v, want %v", again, err, entries)
		}
	})
}

func FuzzLDConf(f *testing.F) {
	f.Add("include /etc/ld.so.conf.d/*.conf\n/usr/lib:/lib # x\nhwcap 1\n")
	f.Add("libm.so.0 machdep.x 1:a\n/a=b,c")
	f.Fuzz(func(t *testing.T, text string) {
		dirs, err := parseLDConf(text, "/etc", func(p string) error {
			if p[0] != '/' {
				t.Fatalf("include %q", p)
			}
			return nil
		})
		if err != nil && dirs != nil {
			t.Fatalf("%q with error %v", dirs, err)
		}
		for _, d := range append(dirs, parseMuslPath(text)...) {
			if d[0] != '/' {
				t.Fatalf("directory %q", d)
			}
		}
		for _, d := range loaderDirs([]byte(text)) {
			if d[0] != '/' {
				t.Fatalf("directory %q", d)
			}
		}
	})
}
