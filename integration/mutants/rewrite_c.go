//go:build linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/hardrun/hardrun/integration/mutants/mutant"
)

// cHelpers are put behind the macros of system calls of the file in C. The block is one like
// that of package mutant, with another beginning, and what was reached is noted in the same file.
const cHelpers = `
static volatile unsigned char mutant_block[256] = {%s};
static volatile unsigned char *mutant_notes;
static long mutant_size;
static int mutant_opened, mutant_failed;
static unsigned mutant_word(int at)
{
	return mutant_block[at] | mutant_block[at + 1] << 8 | mutant_block[at + 2] << 16 | (unsigned)mutant_block[at + 3] << 24;
}
static void mutant_open(void)
{
	int was_errno = errno;
	uint64_t was[2], up[2];
	mutant_opened = 1;
	if (mutant_block[32] && !call(SYS_prlimit64, 0, 7, 0, ptr(was), 0, 0)) {
		up[0] = up[1] = was[1];
		call(SYS_prlimit64, 0, 7, ptr(up), 0, 0, 0);
		long fd = call3(SYS_openat, -100, ptr(&mutant_block[32]), O_RDWR | O_CLOEXEC);
		call(SYS_prlimit64, 0, 7, ptr(was), 0, 0, 0);
		if (fd >= 0) {
			mutant_size = call3(SYS_lseek, fd, 0, 2);
			long at = call(SYS_mmap, 0, (uint64_t)mutant_size, 3, 1, (uint64_t)fd, 0);
			if (at > 0 || at < -4095)
				mutant_notes = (volatile unsigned char *)(uintptr_t)at;
			call1(SYS_close, fd);
		}
	}
	errno = was_errno;
}
static void mutant_note(unsigned n, unsigned char what)
{
	if (!mutant_opened)
		mutant_open();
	if (mutant_notes && n < (unsigned long)mutant_size)
		mutant_notes[n] |= what;
}
static int mutant_cond(unsigned n, int c)
{
	unsigned on = mutant_word(16);
	mutant_note(n, c ? 3 : 5);
	return on == n ? 0 : on == n + 1 ? !c : c;
}
static int mutant_on(unsigned n)
{
	mutant_note(n, 1);
	return mutant_word(16) == n;
}
static int mutant_fails(unsigned n)
{
	if (mutant_failed || mutant_word(20) != n)
		return 0;
	mutant_failed = 1;
	mutant_note(n, 8);
	return 1;
}
static long mutant_error(void)
{
	return mutant_word(24) == 1 << 16 ? 0 : -(long)mutant_word(24);
}
`

var (
	cWords     = regexp.MustCompile(`\bif \(|\bcall[0-4]?\(`)
	cStatement = regexp.MustCompile(`(?m)^\t+([a-z][a-z_0-9]*)\([^;{}]*\);$`)
	cHeader    = regexp.MustCompile(`(\w+)\(`)
	cDefine    = regexp.MustCompile(`(?m)^#define call4.*\n`)
)

// cSpared are functions of the file in C that make the text of a message, and what is called
// for its text, its end or its answer alone.
var cSpared = []string{"put", "put_number", "put_signed", "put_line", "put_errno", "put_call", "refuse", "refuse_errno", "_exit", "exit", "memcpy", "memset", "free"}

// rewriteC makes the mutants of a file in C: conditions of if, calls of the kernel, and statements
// that are calls.
func (r *rewriter) rewriteC(pkg, file, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	code := blanked(string(text))
	at := cDefine.FindStringIndex(string(text))
	if at == nil {
		return fmt.Errorf("%s: the macros of system calls are not there", file)
	}
	var edits []edit
	around := func(from, to int, before, after string) {
		edits = append(edits, edit{from, false, to - from, 0, before}, edit{to, true, to - from, 0, after})
	}
	for _, f := range cFunctions(code) {
		if f.from < at[1] || slices.Contains(cSpared, f.name) {
			continue
		}
		errors := errnos.FindAllString(code[f.from:f.to], -1)
		add := func(kind Kind, from, to int) *Mutant {
			r.next++
			m := &Mutant{
				N: r.next, Site: r.next, Kind: kind, Package: pkg, File: file, Line: 1 + strings.Count(code[:from], "\n"), Func: f.name,
				Text: short(string(text[from:to])), Needs: mutant.Reached,
			}
			switch kind {
			case KindNever:
				m.Needs = mutant.True
			case KindCall:
				m.Errors = errors
			}
			r.mutants = append(r.mutants, m)
			return m
		}
		for _, w := range cWords.FindAllStringIndex(code[f.from:f.to], -1) {
			from, open := f.from+w[0], f.from+w[1]-1
			end := closing(code, open)
			if end < 0 {
				return fmt.Errorf("%s: a parenthesis is open: %s", file, short(string(text[from:f.to])))
			}
			if code[from] == 'i' {
				never := add(KindNever, open+1, end)
				add(KindInvert, open+1, end).Site = never.N
				around(open+1, end, fmt.Sprintf("mutant_cond(%d, !!(", never.N), "))")
				continue
			}
			m := add(KindCall, from, end+1)
			around(from, end+1, fmt.Sprintf("(mutant_on(%d) ? 0L : mutant_fails(%d) ? mutant_error() : ", m.N, m.N), ")")
		}
		for _, w := range cStatement.FindAllStringSubmatchIndex(code[f.from:f.to], -1) {
			name := code[f.from+w[2] : f.from+w[3]]
			if slices.Contains(cSpared, name) || strings.HasPrefix(name, "call") || name == "if" || name == "while" || name == "for" || name == "return" {
				continue
			}
			from, to := f.from+w[2], f.from+w[1]
			m := add(KindStep, from, to)
			around(from, to, fmt.Sprintf("{ if (!mutant_on(%d)) ", m.N), " }")
		}
	}
	sort.SliceStable(edits, func(i, j int) bool {
		a, b := edits[i], edits[j]
		switch {
		case a.at != b.at:
			return a.at < b.at
		case a.close != b.close:
			return a.close
		case a.close:
			return a.width < b.width
		}
		return a.width > b.width
	})
	var out strings.Builder
	done := 0
	put := func(to int) {
		if done <= at[1] && to > at[1] {
			out.Write(text[done:at[1]])
			fmt.Fprintf(&out, cHelpers, bytesOfC(mutant.MagicC))
			done = at[1]
		}
		out.Write(text[done:to])
		done = to
	}
	for _, e := range edits {
		put(e.at)
		out.WriteString(e.text)
	}
	put(len(text))
	return os.WriteFile(path, []byte(out.String()), 0o644)
}

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 110 {
		text = strings.ToValidUTF8(text[:107], "") + "…"
	}
	return text
}

func bytesOfC(s string) string {
	var list []string
	for _, b := range []byte(s) {
		list = append(list, fmt.Sprint(b))
	}
	return strings.Join(list, ", ")
}

// blanked is C without what is in comments, strings, characters and lines for the preprocessor:
// blanks are in their place.
func blanked(text string) string {
	b := []byte(text)
	blank := func(from, to int) {
		for ; from < to; from++ {
			if b[from] != '\n' {
				b[from] = ' '
			}
		}
	}
	for i := 0; i < len(b); i++ {
		end := -1
		switch {
		case b[i] == '#' && (i == 0 || b[i-1] == '\n'):
			end = i
			for end < len(b) && (b[end] != '\n' || b[end-1] == '\\') {
				end++
			}
		case b[i] == '/' && i+1 < len(b) && b[i+1] == '/':
			end = i + strings.IndexByte(text[i:]+"\n", '\n')
		case b[i] == '/' && i+1 < len(b) && b[i+1] == '*':
			end = i + 2 + strings.Index(text[i+2:]+"*/", "*/") + 2
		case b[i] == '"' || b[i] == '\'':
			end = i + 1
			for end < len(b) && b[end] != b[i] {
				if b[end] == '\\' {
					end++
				}
				end++
			}
			blank(i+1, min(end, len(b)))
			i = end
			continue
		}
		if end >= 0 {
			end = min(end, len(b))
			blank(i, end)
			i = end - 1
		}
	}
	return string(b)
}

type cFunction struct {
	name     string
	from, to int // its body
}

// cFunctions are the functions of blanked C: what stands between a "{" and a "}" at the beginning of a line.
func cFunctions(code string) (list []cFunction) {
	for at := 0; ; {
		open := strings.Index(code[at:], "\n{\n")
		if open < 0 {
			return list
		}
		open += at
		end := strings.Index(code[open:], "\n}\n")
		if end < 0 {
			return list
		}
		end += open
		head := code[:open]
		if i := strings.LastIndexAny(head, ";}"); i >= 0 {
			head = head[i+1:]
		}
		if m := cHeader.FindStringSubmatch(head); m != nil {
			list = append(list, cFunction{m[1], open + 2, end})
		}
		at = end
	}
}

// closing is where the parenthesis that is opened at a place of blanked C is closed; -1 for nowhere.
func closing(code string, at int) int {
	depth := 0
	for i := at; i < len(code); i++ {
		switch code[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
