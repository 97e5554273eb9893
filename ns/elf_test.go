package ns

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image describes an ELF file that the tests lay out by hand after elf(5):
// header, program headers, PT_INTERP, dynamic section, strings, symbols, hash.
type image struct {
	class   int // 32 or 64
	big     bool
	machine uint16
	kind    uint16 // 2 ET_EXEC, 3 ET_DYN
	interp  string
	dyn     []dynWord // names are given as text
	flags1  uint64
	imports []string // undefined symbols
	defined []string // defined symbols, after the imports
	strings string   // more strings in DT_STRTAB
	sysv    bool     // DT_HASH in place of DT_GNU_HASH
	trailer []byte   // after all
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

type dynWord struct {
	tag  uint64
	text string
}

func (m image) bytes() []byte {
	var order byteOrder = binary.LittleEndian
	if m.big {
		order = binary.BigEndian
	}
	word, phsize, ehsize, symsize := 8, 56, 64, 24
	if m.class == 32 {
		word, phsize, ehsize, symsize = 4, 32, 52, 16
	}
	const base = 0x400000
	put := func(b []byte, v uint64) []byte {
		if word == 4 {
			return order.AppendUint32(b, uint32(v))
		}
		return order.AppendUint64(b, v)
	}
	strtab := []byte{0}
	intern := func(s string) uint64 {
		at := len(strtab)
		strtab = append(append(strtab, s...), 0)
		return uint64(at)
	}
	type entry struct{ tag, value uint64 }
	var dyn []entry
	for _, d := range m.dyn {
		dyn = append(dyn, entry{d.tag, intern(d.text)})
	}
	if m.flags1 != 0 {
		dyn = append(dyn, entry{dtFlags1, m.flags1})
	}
	symtab := make([]byte, symsize)
	symbol := func(name string, shndx uint16) {
		s := make([]byte, symsize)
		order.PutUint32(s, uint32(intern(name)))
		if word == 4 {
			order.PutUint16(s[14:], shndx)
		} else {
			order.PutUint16(s[6:], shndx)
		}
		symtab = append(symtab, s...)
	}
	for _, s := range m.imports {
		symbol(s, 0)
	}
	for _, s := range m.defined {
		symbol(s, 1)
	}
	strtab = append(strtab, m.strings...)

	phnum := 1
	if m.interp != "" {
		phnum++
	}
	hasDyn := len(m.dyn) > 0 || len(m.imports) > 0 || m.flags1 != 0
	if hasDyn {
		phnum++
	}
	at := uint64(ehsize + phnum*phsize)
	var body []byte
	place := func(b []byte) uint64 {
		for (at+uint64(len(body)))%8 != 0 {
			body = append(body, 0)
		}
		o := at + uint64(len(body))
		body = append(body, b...)
		return o
	}
	interpAt := place(append([]byte(m.interp), 0))
	symAt := place(symtab)
	hash := order.AppendUint32(order.AppendUint32(nil, 1), uint32(1+len(m.imports)))
	tag := uint64(dtGNUHash)
	if m.sysv {
		tag = dtHash
		hash = order.AppendUint32(order.AppendUint32(nil, 1), uint32(1+len(m.imports)+len(m.defined)))
	}
	hashAt := place(append(hash, make([]byte, 32)...))
	strAt := place(strtab)
	dyn = append(dyn, entry{dtStrtab, base + strAt}, entry{dtStrsz, uint64(len(strtab))}, entry{dtSymtab, base + symAt}, entry{tag, base + hashAt}, entry{0, 0})
	var dynBytes []byte
	for _, d := range dyn {
		dynBytes = put(put(dynBytes, d.tag), d.value)
	}
	dynAt := place(dynBytes)
	total := at + uint64(len(body))

	h := []byte{0x7f, 'E', 'L', 'F', byte(m.class / 32), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if m.big {
		h[5] = 2
	}
	h = order.AppendUint16(h, m.kind)
	h = order.AppendUint16(h, m.machine)
	h = order.AppendUint32(h, 1)
	h = put(h, base)           // e_entry
	h = put(h, uint64(ehsize)) // e_phoff
	h = put(h, 0)              // e_shoff: no sections at all
	h = order.AppendUint32(h, 0)
	for _, v := range []int{ehsize, phsize, phnum, 0, 0, 0} {
		h = order.AppendUint16(h, uint16(v))
	}
	segment := func(kind uint32, off, size uint64) {
		h = order.AppendUint32(h, kind)
		if word == 8 {
			h = order.AppendUint32(h, 4)
		}
		for _, v := range []uint64{off, base + off, base + off, size, size} {
			h = put(h, v)
		}
		if word == 4 {
			h = order.AppendUint32(h, 4)
		}
		h = put(h, 1)
	}
	segment(ptLoad, 0, total)
	if m.interp != "" {
		segment(ptInterp, interpAt, uint64(len(m.interp)+1))
	}
	if hasDyn {
		segment(ptDynamic, dynAt, uint64(len(dynBytes)))
	}
	return append(append(h, body...), m.trailer...)
}

// full has every field; the formats below vary it.
var full = image{
	class: 64, machine: 62, kind: 3, interp: "/lib64/ld.so",
	dyn: []dynWord{
		{dtNeeded, "liba.so.1"},
		{dtNeeded, "libb.so.2"},
		{dtSoname, "self.so"},
		{dtRpath, "/r:$ORIGIN"},
		{dtRunpath, "/run"},
		{dtFilter, "libfilter.so"},
		{dtAuxiliary, "libaux.so"},
		{dtAudit, "a1.so:a2.so"},
	},
	flags1:  df1NoDefLib,
	imports: []string{"dlopen", "setlocale", "printf"},
	defined: []string{"getpwnam"},
}

func TestParseELF(t *testing.T) {
	want := elfObject{
		class: 2, machine: 62, kind: 3, interp: "/lib64/ld.so", soname: "self.so", rpath: "/r:$ORIGIN", runpath: "/run",
		needed: []string{"liba.so.1", "libb.so.2", "libfilter.so"},
		option: []string{"libaux.so", "a1.so", "a2.so"},
		noDef:  true, uses: usesDlopen | usesLocale, // getpwnam is defined here, not imported
	}
	with := func(f func(*image)) image { m := full; f(&m); return m }
	wants := func(f func(*elfObject)) elfObject { o := want; f(&o); return o }
	for _, tt := range []struct {
		name string
		in   image
		want elfObject
	}{
		{"64 bits, little endian", full, want},
		{"32 bits, little endian", with(func(m *image) { m.class = 32 }), wants(func(o *elfObject) { o.class = 1 })},
		{"64 bits, big endian", with(func(m *image) { m.big = true }), wants(func(o *elfObject) { o.big = true })},
		{"32 bits, big endian", with(func(m *image) { m.class, m.big = 32, true }), wants(func(o *elfObject) { o.class, o.big = 1, true })},
		{"the older hash table", with(func(m *image) { m.sysv = true }), want},
		{"glibc 2.34 and later", with(func(m *image) { m.strings = "x\x00GLIBC_2.34\x00" }), wants(func(o *elfObject) { o.nss = true })},
		{"glibc 2.340 is no such node", with(func(m *image) { m.strings = "x\x00GLIBC_2.340\x00" }), want},
		{"static", image{class: 64, machine: 62, kind: 2}, elfObject{class: 2, machine: 62, kind: 2}},
		{"static-pie", image{class: 64, machine: 62, kind: 3, flags1: 1}, elfObject{class: 2, machine: 62, kind: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.in.bytes()
			got, err := parseELF(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if !equalObject(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func equalObject(a, b elfObject) bool {
	return a.class == b.class && a.big == b.big && a.machine == b.machine && a.kind == b.kind && a.interp == b.interp &&
		a.soname == b.soname && a.rpath == b.rpath && a.runpath == b.runpath && slices.Equal(a.needed, b.needed) &&
		slices.Equal(a.option, b.option) && a.noDef == b.noDef && a.nss == b.nss && a.uses == b.uses
}

func TestParseELFRefuses(t *testing.T) {
	patch := func(at int, b ...byte) func([]byte) []byte {
		return func(f []byte) []byte { copy(f[at:], b); return f }
	}
	const ph = 64 // the program headers of a 64-bit file: PT_LOAD, PT_INTERP, PT_DYNAMIC
	for _, tt := range []struct {
		name string
		edit func([]byte) []byte
		want error
	}{
		{"empty", func([]byte) []byte { return nil }, errNotELF},
		{"three bytes", func(f []byte) []byte { return f[:3] }, errNotELF},
		{"a script", patch(0, '#', '!'), errNotELF},
		{"magic alone", func(f []byte) []byte { return f[:4] }, errELFHeader},
		{"class 3", patch(4, 3), errELFHeader},
		{"byte order 0", patch(5, 0), errELFHeader},
		{"header cut", func(f []byte) []byte { return f[:63] }, errELFHeader},
		{"program headers of size 57", patch(54, 57), errELFHeader},
		{"program headers outside", patch(32, 0xff, 0xff, 0xff), errELFBounds},
		{"program headers at the end of the number range", patch(32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), errELFBounds},
		{"65535 program headers (PN_XNUM)", patch(56, 0xff, 0xff), errELFTooBig},
		{"interpreter of 1 byte", patch(ph+56+32, 1), errELFHeader},
		{"interpreter of 64 KiB", patch(ph+56+32, 0, 0, 1), errELFHeader},
		{"interpreter without NUL", patch(ph+56+32, 4), errELFString},
		{"interpreter outside", patch(ph+56+8, 0xff, 0xff, 0xff), errELFBounds},
		{"dynamic section outside", patch(ph+112+8, 0xff, 0xff, 0xff), errELFBounds},
		{"dynamic section of 16 MiB", patch(ph+112+32, 0, 0, 0, 1), errELFTooBig},
		{"strings in no segment", patch(ph+32, 8, 0), errELFAddress},
		{"file cut before the dynamic section", func(f []byte) []byte { return f[:len(f)-64] }, errELFBounds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.edit(full.bytes())
			got, err := parseELF(bytes.NewReader(b), int64(len(b)))
			if !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if !equalObject(got, elfObject{}) {
				t.Errorf("got %+v with an error, want the zero object", got)
			}
		})
	}
}

// TestParseELFOracle compares with debug/elf on what this machine has.
func TestParseELFOracle(t *testing.T) {
	files, _ := filepath.Glob("/usr/lib/*-linux-gnu*/*.so.*")
	more, _ := filepath.Glob("/usr/sbin/*")
	files = append(files, more...)
	n := 0
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		defer func() { _ = f.Close() }()
		e, err := elf.NewFile(f)
		if err != nil {
			continue
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseELF(f, st.Size())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		needed, _ := e.DynString(elf.DT_NEEDED)
		soname, _ := e.DynString(elf.DT_SONAME)
		runpath, _ := e.DynString(elf.DT_RUNPATH)
		if !slices.Equal(got.needed, needed) || got.soname != strings.Join(soname, "") || got.runpath != strings.Join(runpath, ":") {
			t.Errorf("%s: got %q %q %q, debug/elf has %q %q %q", name, got.needed, got.soname, got.runpath, needed, soname, runpath)
		}
		symbols, _ := e.ImportedSymbols()
		opens := slices.ContainsFunc(symbols, func(s elf.ImportedSymbol) bool { return s.Name == "dlopen" || s.Name == "dlmopen" })
		if opens != (got.uses&usesDlopen != 0) {
			t.Errorf("%s: imports dlopen: got %v, debug/elf has %v", name, !opens, opens)
		}
		n++
	}
	if n == 0 {
		t.Skip("no ELF files on this machine")
	}
	t.Logf("%d files", n)
}

func TestUsesOf(t *testing.T) {
	for _, tt := range []struct {
		symbol string
		want   uses
	}{
		{"dlopen", usesDlopen},
		{"getpwnam_r", usesNames},
		{"__getpwnam50", usesNames}, // NetBSD's, since time_t has 64 bits
		{"__localtime64", usesTime}, // glibc's, on 32-bit machines
		{"__syslog_chk", usesSyslog},
		{"pthread_exit", usesCancel},
		{"iconv_open", usesIconv},
		{"dlopenx", 0},
		{"", 0},
		{"____", 0},
		{"64", 0},
		{strings.Repeat("_", 100) + "dlopen", 0},
	} {
		if got := usesOf([]byte(tt.symbol + "\x00rest")); got != tt.want {
			t.Errorf("usesOf(%q) = %b, want %b", tt.symbol, got, tt.want)
		}
	}
	if got := usesOf([]byte("dlopen")); got != 0 {
		t.Errorf("a name without an end: got %b, want 0", got)
	}
}

func FuzzParseELF(f *testing.F) {
	for _, m := range []image{full, {class: 64, machine: 62, kind: 2}} {
		for _, class := range []int{32, 64} {
			for _, big := range []bool{false, true} {
				m.class, m.big = class, big
				f.Add(m.bytes())
				m.sysv = !m.sysv
			}
		}
	}
	if b, err := os.ReadFile("/usr/lib/x86_64-linux-gnu/libnss_files.so.2"); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseELF(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !equalObject(o, elfObject{}) {
				t.Fatalf("%+v with error %v", o, err)
			}
			return
		}
		if len(o.needed)+len(o.option) > 2*len(b) {
			t.Fatalf("%d names from %d bytes", len(o.needed)+len(o.option), len(b))
		}
		for _, s := range append(o.needed, o.interp, o.soname, o.rpath, o.runpath) {
			if len(s) >= maxString || strings.Contains(s, "\x00") || !bytes.Contains(b, []byte(s)) {
				t.Fatalf("name %q is not in the file", s)
			}
		}
	})
}
