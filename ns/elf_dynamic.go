package ns

import (
	"bytes"
	"strings"
)

// tables are the addresses of the dynamic section's tables; 0 is none.
type tables struct{ strtab, strsz, symtab, hash, gnuHash uint64 }

// dynamic reads PT_DYNAMIC into o: names, search paths, flags, imports.
func (f *elfReader) dynamic(o *elfObject, s segment) error {
	b, err := f.read(s.offset, s.size, maxDynamic)
	if err != nil {
		return err
	}
	size := 8
	if f.class == 2 {
		size = 16
	}
	type named struct{ tag, offset uint64 }
	var t tables
	var names []named
	for ; len(b) >= size; b = b[size:] {
		tag, value := f.word(b), f.word(b[size/2:])
		if tag == dtNull {
			break
		}
		switch tag {
		case dtStrtab:
			t.strtab = value
		case dtStrsz:
			t.strsz = value
		case dtSymtab:
			t.symtab = value
		case dtHash:
			t.hash = value
		case dtGNUHash:
			t.gnuHash = value
		case dtFlags1:
			o.noDef = value&df1NoDefLib != 0
		case dtNeeded, dtSoname, dtRpath, dtRunpath, dtFilter, dtAuxiliary, dtAudit, dtDepAudit:
			if len(names) == maxNeeded {
				return errELFTooBig
			}
			names = append(names, named{tag, value})
		}
	}
	if t.strtab == 0 {
		if len(names) > 0 {
			return errELFAddress
		}
		return nil
	}
	offset, left, err := f.fileOffset(t.strtab)
	if err != nil {
		return err
	}
	if t.strsz > left {
		return errELFBounds
	}
	strtab, err := f.read(offset, t.strsz, maxStrings)
	if err != nil {
		return err
	}
	for _, n := range names {
		text, err := cstring(strtab, n.offset)
		if err != nil {
			return err
		}
		o.name(n.tag, text)
	}
	// glibc 2.34 moved libnss_files and libnss_dns into the C library; its
	// version node says that it is at least that.
	o.nss = bytes.Contains(strtab, []byte("\x00GLIBC_2.34\x00"))
	return f.imports(o, t, strtab)
}

func (o *elfObject) name(tag uint64, text string) {
	switch tag {
	case dtNeeded, dtFilter:
		o.needed = append(o.needed, text)
	case dtSoname:
		o.soname = text
	case dtRpath:
		o.rpath = text
	case dtRunpath:
		o.runpath = text
	case dtAuxiliary:
		o.option = append(o.option, text)
	default: // the two audit tags hold a list
		for a := range strings.SplitSeq(text, ":") {
			if a != "" {
				o.option = append(o.option, a)
			}
		}
	}
}

// imports looks for undefined symbols that tell what is loaded at run time.
func (f *elfReader) imports(o *elfObject, t tables, strtab []byte) error {
	n, err := f.symbols(o, t)
	if err != nil || n == 0 {
		return err
	}
	offset, left, err := f.fileOffset(t.symtab)
	if err != nil {
		return err
	}
	size, shndx := uint64(16), 14
	if f.class == 2 {
		size, shndx = 24, 6
	}
	if n > maxSymbols {
		return errELFTooBig
	}
	if n*size > left {
		return errELFBounds
	}
	const chunk = 2048
	for i := uint64(0); i < n; i += chunk {
		b, err := f.read(offset+i*size, min(chunk, n-i)*size, chunk*size)
		if err != nil {
			return err
		}
		for ; len(b) > 0; b = b[size:] {
			// Symbol 0 is empty; st_shndx 0 is undefined, so imported.
			at := uint64(f.u32(b))
			if at == 0 || f.u16(b[shndx:]) != 0 {
				continue
			}
			if at >= uint64(len(strtab)) {
				return errELFBounds
			}
			o.uses |= usesOf(strtab[at:])
		}
	}
	return nil
}

// symbols is how many entries of the symbol table can hold imports: with a GNU
// hash table those before its first hashed symbol, as imports are not hashed;
// with the older table all.
func (f *elfReader) symbols(o *elfObject, t tables) (uint64, error) {
	const emS390, emAlpha = 22, 0x9026
	if t.symtab == 0 {
		return 0, nil
	}
	at, entry := t.gnuHash, uint64(4)
	if at == 0 {
		at = t.hash
		// These two have 64-bit words in DT_HASH, elf(5).
		if f.class == 2 && (o.machine == emS390 || o.machine == emAlpha) {
			entry = 8
		}
	}
	if at == 0 {
		return 0, nil
	}
	offset, left, err := f.fileOffset(at)
	if err != nil {
		return 0, err
	}
	if left < 2*entry {
		return 0, errELFBounds
	}
	b, err := f.read(offset+entry, entry, entry)
	if err != nil {
		return 0, err
	}
	if entry == 8 {
		return f.word(b), nil
	}
	return uint64(f.u32(b)), nil
}

// usesOf looks at the symbol name at the start of b. NetBSD and 32-bit glibc
// add underscores and a number where a type changed: __getpwnam50, __mktime64.
func usesOf(b []byte) uses {
	const longest = 40
	if len(b) > longest {
		b = b[:longest]
	}
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return 0
	}
	for len(b) > 0 && b[0] == '_' {
		b, end = b[1:], end-1
	}
	b = b[:max(end, 0)]
	for len(b) > 0 && b[len(b)-1] >= '0' && b[len(b)-1] <= '9' {
		b = b[:len(b)-1]
	}
	switch string(b) {
	case "dlopen", "dlmopen":
		return usesDlopen
	case "getpwnam", "getpwnam_r", "getpwuid", "getpwuid_r", "getgrnam", "getgrnam_r", "getgrgid", "getgrgid_r",
		"initgroups", "getgrouplist", "getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_r",
		"gethostbyaddr", "getservbyname", "getservbyname_r", "getprotobyname":
		return usesNames
	case "setlocale", "newlocale":
		return usesLocale
	case "iconv_open":
		return usesIconv
	case "pthread_cancel", "pthread_exit", "backtrace":
		return usesCancel
	case "localtime", "localtime_r", "mktime", "tzset":
		return usesTime
	case "syslog", "vsyslog", "openlog", "syslog_chk", "vsyslog_chk":
		return usesSyslog
	}
	return 0
}
