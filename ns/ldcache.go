package ns

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"
)

// cacheEntry is one library of /etc/ld.so.cache, ldconfig(8).
type cacheEntry struct {
	name  string // "libc.so.6"
	path  string // absolute
	flags uint32 // FLAG_ELF_LIBC6 and the architecture's bits, glibc's dl-cache.h
	hwcap uint64 // 0 unless it is for some CPUs only (glibc-hwcaps)
}

var (
	errCacheMagic  = errors.New("not in the format of glibc 2.2 or later")
	errCacheBounds = errors.New("damaged: an offset lies outside of the file")
	errCacheString = errors.New("damaged: a name is empty, too long or without an end")
	errCacheEndian = errors.New("in the byte order of another machine")
)

// The file's layout, glibc's sysdeps/generic/dl-cache.h: an optional old cache
// ("ld.so-1.7.0", a count, entries of 12 bytes), then at a multiple of 8 the
// new one: magic and version, count, length of the strings, flags (byte order
// in the low two bits: 0 unknown, 2 little, 3 big), then entries of 24 bytes:
// flags, offsets of name and path from the new header on, OS version, hwcap.
const (
	cacheMagicOld = "ld.so-1.7.0\x00"
	cacheMagicNew = "glibc-ld.so.cache1.1"
	cacheHeader   = 48
	cacheEntryNew = 24
	maxCache      = 16 << 20
)

// parseLDCache reads /etc/ld.so.cache; big is the byte order of the machine.
// Entries are in the file's order, in which the loader takes the first that
// fits. A damaged file is an error and gives no entry at all.
func parseLDCache(b []byte, big bool) ([]cacheEntry, error) {
	f := elfReader{big: big}
	if bytes.HasPrefix(b, []byte(cacheMagicOld)) {
		const header, entry = 16, 12
		if len(b) < header {
			return nil, errCacheBounds
		}
		end := header + uint64(f.u32(b[12:]))*entry
		end = (end + 7) &^ 7
		if end > uint64(len(b)) {
			return nil, errCacheBounds
		}
		b = b[end:]
	}
	if !bytes.HasPrefix(b, []byte(cacheMagicNew)) {
		return nil, errCacheMagic
	}
	if len(b) < cacheHeader {
		return nil, errCacheBounds
	}
	if order := b[28] & 3; order != 0 && (order == 3) != big || order == 1 {
		return nil, errCacheEndian
	}
	n := uint64(f.u32(b[20:]))
	if n*cacheEntryNew > uint64(len(b)-cacheHeader) {
		return nil, errCacheBounds
	}
	// One copy for all strings: entries may share or overlap them, so that
	// copies could be many times the file's size.
	text := string(b)
	entries := make([]cacheEntry, 0, n)
	for i := range n {
		e := b[cacheHeader+i*cacheEntryNew:]
		name, err := cacheString(text, f.u32(e[4:]))
		if err != nil {
			return nil, err
		}
		file, err := cacheString(text, f.u32(e[8:]))
		if err != nil {
			return nil, err
		}
		if file[0] != '/' {
			return nil, errCacheString
		}
		lo, hi := f.u32(e[16:]), f.u32(e[20:])
		if big {
			lo, hi = hi, lo
		}
		entries = append(entries, cacheEntry{name: name, path: file, flags: f.u32(e), hwcap: uint64(hi)<<32 | uint64(lo)})
	}
	return entries, nil
}

func cacheString(text string, offset uint32) (string, error) {
	if uint64(offset) >= uint64(len(text)) {
		return "", errCacheBounds
	}
	text = text[offset:]
	n := strings.IndexByte(text[:min(len(text), maxString)], 0)
	if n < 1 {
		return "", errCacheString
	}
	return text[:n], nil
}

// parseLDConf reads the text of one /etc/ld.so.conf, ldconfig(8): directories,
// one a line or separated by colons, commas or blanks, and "include PATTERN".
// A comment begins with "#". Lines "hwcap …" are obsolete and have no effect;
// lines of NetBSD's ld.so.conf(5) that map one library by hardware begin with
// the library's name and are not directories. include is called for each
// pattern, made absolute with dir, the directory of the file itself.
func parseLDConf(text, dir string, include func(pattern string) error) ([]string, error) {
	var dirs []string
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.FieldsFunc(line, func(r rune) bool {
			return r == ' ' || r == '\t' || r == ':' || r == ',' || r == '\r' || r == '\f' || r == '\v'
		})
		switch {
		case len(words) == 0 || words[0] == "hwcap":
			continue
		case words[0] == "include":
			for _, w := range words[1:] {
				if w[0] != '/' {
					w = path.Join(dir, w)
				}
				if err := include(w); err != nil {
					return nil, err
				}
			}
			continue
		case words[0][0] != '/':
			continue
		}
		for _, w := range words {
			// "=libc6" and the like stood behind a directory in old files.
			w, _, _ = strings.Cut(w, "=")
			if w == "" || w[0] != '/' {
				return nil, errors.New("directory is not absolute: " + w)
			}
			dirs = append(dirs, path.Clean(w))
		}
	}
	return dirs, nil
}

// parseMuslPath reads /etc/ld-musl-ARCH.path: directories separated by newlines
// or colons (musl's ldso/dynlink.c). Relative ones mean the working directory
// of whoever starts the program; they cannot be part of a closure.
func parseMuslPath(text string) []string {
	var dirs []string
	for d := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ':' }) {
		if d[0] == '/' {
			dirs = append(dirs, path.Clean(d))
		}
	}
	return dirs
}

// loaderDirs finds the trusted directories that are compiled into glibc's
// ld.so, in its order: "/lib/x86_64-linux-gnu/" on Debian, "/lib64/" on Fedora.
// They are NUL-terminated strings with a slash at the end, and asking the file
// itself beats a table of distributions. Empty when there is none.
func loaderDirs(ld []byte) []string {
	const longest, most = 200, 32
	var dirs []string
	for len(dirs) < most {
		n := bytes.IndexByte(ld, 0)
		if n < 0 {
			break
		}
		s := ld[:n]
		ld = ld[n+1:]
		if n < 5 || n > longest || s[0] != '/' || s[n-1] != '/' || !bytes.Contains(s, []byte("/lib")) || !plainPath(s) {
			continue
		}
		if d := path.Clean(string(s)); !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

func plainPath(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '/', c == '.', c == '_', c == '-', c == '+':
		default:
			return false
		}
	}
	return true
}
