package ns

import (
	"errors"
	"io"
	"strings"
)

// The reader below follows the program headers, as the kernel and the dynamic
// loader do. debug/elf follows the section headers, which a program can do
// without (sstrip, packers): DynString would then find no library at all, and
// a closure that silently lacks libraries is worse than none. It would also
// bring debug/dwarf, compress/zlib and fmt into every launch.

// Limits of what is read of one ELF file. A file may claim any size; each read
// is checked against the file's own length and against these.
const (
	maxInterp  = 4096     // PATH_MAX, linux/fs/binfmt_elf.c
	maxHeaders = 65536    // bytes of program headers, as in the kernel (ELF_MIN_ALIGN of the largest page)
	maxDynamic = 1 << 20  // bytes of PT_DYNAMIC
	maxStrings = 64 << 20 // bytes of DT_STRTAB
	maxSymbols = 8 << 20  // entries of DT_SYMTAB
	maxNeeded  = 4096     // entries of DT_NEEDED and the like
	maxString  = 4096     // bytes of one name or search path
)

// The tags of the dynamic section which matter here, elf(5) and glibc's elf.h.
const (
	ptLoad    = 1
	ptDynamic = 2
	ptInterp  = 3

	dtNull      = 0
	dtNeeded    = 1
	dtHash      = 4
	dtStrtab    = 5
	dtSymtab    = 6
	dtStrsz     = 10
	dtSoname    = 14
	dtRpath     = 15
	dtRunpath   = 29
	dtGNUHash   = 0x6ffffef5
	dtDepAudit  = 0x6ffffefb
	dtAudit     = 0x6ffffefc
	dtFlags1    = 0x6ffffffb
	dtAuxiliary = 0x7ffffffd
	dtFilter    = 0x7fffffff

	df1NoDefLib = 0x800
)

// uses are functions which an object imports, and which load something at run
// time that no table in the file names.
type uses uint16

const (
	usesDlopen uses = 1 << iota // dlopen: modules, plugins
	usesNames                   // getpwnam, getaddrinfo …: NSS modules
	usesLocale                  // setlocale: locale archives
	usesIconv                   // iconv_open: gconv modules
	usesCancel                  // pthread_cancel, pthread_exit, backtrace: libgcc_s
	usesTime                    // localtime …: time zones
	usesSyslog                  // syslog: /dev/log
)

// elfObject is what the dynamic loader would read of one ELF file. The zero
// elfObject is no file.
type elfObject struct {
	class   byte   // 1: 32 bits, 2: 64 bits
	big     bool   // big endian
	machine uint16 // EM_ number
	kind    uint16 // ET_ number
	interp  string // PT_INTERP
	soname  string
	rpath   string // DT_RPATH, not expanded
	runpath string // DT_RUNPATH, not expanded
	needed  []string
	option  []string // DT_AUXILIARY, DT_AUDIT: loaded if there
	noDef   bool     // DF_1_NODEFLIB
	nss     bool     // a C library with its NSS modules built in (glibc >= 2.34)
	uses    uses
}

// sameMachine tells whether the loader of o would take p: class, byte order
// and machine must agree, or the loader goes on searching.
func (o *elfObject) sameMachine(p *elfObject) bool {
	return o.class == p.class && o.big == p.big && o.machine == p.machine
}

// errNotELF says that a file does not begin with the ELF magic number.
var errNotELF = errors.New("not an ELF file")

var (
	errELFHeader  = errors.New("invalid ELF header")
	errELFBounds  = errors.New("an ELF table lies outside of the file")
	errELFTooBig  = errors.New("an ELF table is too large")
	errELFString  = errors.New("an ELF string is too long or has no end")
	errELFAddress = errors.New("an ELF table has an address that no segment holds")
)

type segment struct{ kind, offset, vaddr, size uint64 }

// elfReader reads one file; its methods never read outside of [0,size).
type elfReader struct {
	r        io.ReaderAt
	size     uint64
	class    byte
	big      bool
	segments []segment
}

// parseELF reads the header, the program headers and the dynamic section. It
// allocates no more than the file's size or the limits above. On an error the
// object is zero.
func parseELF(r io.ReaderAt, size int64) (elfObject, error) {
	f := elfReader{r: r, size: uint64(max(size, 0))}
	o, dynamic, err := f.headers()
	if err != nil {
		return elfObject{}, err
	}
	if dynamic.size > 0 {
		if err := f.dynamic(&o, dynamic); err != nil {
			return elfObject{}, err
		}
	}
	return o, nil
}

func (f *elfReader) read(offset, n, limit uint64) ([]byte, error) {
	if n > limit {
		return nil, errELFTooBig
	}
	if offset > f.size || n > f.size-offset {
		return nil, errELFBounds
	}
	b := make([]byte, n)
	if _, err := f.r.ReadAt(b, int64(offset)); err != nil && !(errors.Is(err, io.EOF) && n == 0) {
		return nil, err
	}
	return b, nil
}

func (f *elfReader) u16(b []byte) uint16 {
	if f.big {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return uint16(b[1])<<8 | uint16(b[0])
}

func (f *elfReader) u32(b []byte) uint32 {
	lo, hi := f.u16(b), f.u16(b[2:])
	if f.big {
		lo, hi = hi, lo
	}
	return uint32(hi)<<16 | uint32(lo)
}

// word is an address or size: 4 bytes in a 32-bit file, else 8.
func (f *elfReader) word(b []byte) uint64 {
	if f.class == 1 {
		return uint64(f.u32(b))
	}
	lo, hi := f.u32(b), f.u32(b[4:])
	if f.big {
		lo, hi = hi, lo
	}
	return uint64(hi)<<32 | uint64(lo)
}

// headers reads the file header and the program headers, and PT_INTERP. The
// segment is PT_DYNAMIC, zero for a static program.
func (f *elfReader) headers() (elfObject, segment, error) {
	var o elfObject
	if f.size < 4 {
		return o, segment{}, errNotELF
	}
	h, err := f.read(0, min(f.size, 64), 64)
	if err != nil {
		return o, segment{}, err
	}
	if string(h[:4]) != "\x7fELF" {
		return o, segment{}, errNotELF
	}
	if len(h) < 52 || (h[4] != 1 && h[4] != 2) || (h[5] != 1 && h[5] != 2) || (h[4] == 2 && len(h) < 64) {
		return o, segment{}, errELFHeader
	}
	f.class, f.big = h[4], h[5] == 2
	o.class, o.big = f.class, f.big
	o.kind, o.machine = f.u16(h[16:]), f.u16(h[18:])
	phoff, phentsize, phnum, want := f.word(h[28:]), f.u16(h[42:]), f.u16(h[44:]), 32
	if f.class == 2 {
		phoff, phentsize, phnum, want = f.word(h[32:]), f.u16(h[54:]), f.u16(h[56:]), 56
	}
	// The kernel takes no other entry size and no extended count (PN_XNUM).
	if phnum > 0 && int(phentsize) != want {
		return elfObject{}, segment{}, errELFHeader
	}
	table, err := f.read(phoff, uint64(phnum)*uint64(want), maxHeaders)
	if err != nil {
		return elfObject{}, segment{}, err
	}
	var dynamic segment
	for ; len(table) > 0; table = table[want:] {
		s := segment{kind: uint64(f.u32(table)), offset: f.word(table[4:]), vaddr: f.word(table[8:]), size: f.word(table[16:])}
		if f.class == 2 {
			s.offset, s.vaddr, s.size = f.word(table[8:]), f.word(table[16:]), f.word(table[32:])
		}
		switch {
		case s.kind == ptLoad:
			f.segments = append(f.segments, s)
		case s.kind == ptDynamic && dynamic.kind == 0:
			dynamic = s
		case s.kind == ptInterp && o.interp == "":
			if o.interp, err = f.interpreter(s); err != nil {
				return elfObject{}, segment{}, err
			}
		}
	}
	return o, dynamic, nil
}

// interpreter reads PT_INTERP with the kernel's rules: 2 to PATH_MAX bytes,
// the last of them NUL (linux/fs/binfmt_elf.c).
func (f *elfReader) interpreter(s segment) (string, error) {
	if s.size < 2 || s.size > maxInterp {
		return "", errELFHeader
	}
	b, err := f.read(s.offset, s.size, maxInterp)
	if err != nil {
		return "", err
	}
	if b[len(b)-1] != 0 {
		return "", errELFString
	}
	name, _, _ := strings.Cut(string(b), "\x00")
	if name == "" {
		return "", errELFHeader
	}
	return name, nil
}

// fileOffset finds an address in the segments that are loaded from the file,
// and how many bytes of the file follow it there.
func (f *elfReader) fileOffset(vaddr uint64) (offset, left uint64, err error) {
	for _, s := range f.segments {
		if vaddr >= s.vaddr && vaddr-s.vaddr < s.size {
			d := vaddr - s.vaddr
			if s.offset > f.size || d > f.size-s.offset {
				return 0, 0, errELFBounds
			}
			return s.offset + d, min(s.size-d, f.size-s.offset-d), nil
		}
	}
	return 0, 0, errELFAddress
}

// cstring is the NUL-terminated string at offset i of the table.
func cstring(table []byte, i uint64) (string, error) {
	if i >= uint64(len(table)) {
		return "", errELFBounds
	}
	b := table[i:]
	for n := 0; n < len(b) && n < maxString; n++ {
		if b[n] == 0 {
			return string(b[:n]), nil
		}
	}
	return "", errELFString
}
