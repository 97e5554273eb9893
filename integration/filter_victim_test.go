//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// victimSource is a program without a C library, for x86-64 and for i386. Each word of
// its command line is a chain of calls, "WAY NUMBER ARGUMENT… ; WAY …", which a child
// of its own makes. It prints the kernel's bare answers, a line for each chain, and
// "SIG n" where the child was killed.
//
// The ways are 64 and x32, by syscall, and 32, by int $0x80; behind a "+" the answer 0
// is that of a new child, which ends. The arguments are numbers; _ for the answer
// before; &N for N bytes of zeros; *4:A,B or *8:A,B for an array; "TEXT for a string,
// in which # is the child's own number.
const victimSource = `
typedef unsigned long word;

#ifdef __x86_64__
#define OWN(nr64, nr32) nr64
long sys64(long nr, const word *args);
__asm__("sys64: mov %rdi, %rax; mov %rsi, %rcx; mov (%rcx), %rdi; mov 8(%rcx), %rsi; mov 16(%rcx), %rdx\n"
	"mov 24(%rcx), %r10; mov 32(%rcx), %r8; mov 40(%rcx), %r9; syscall; ret\n"
	"int80: push %rbx; push %rbp; mov %edi, %eax; mov %rsi, %r11; mov (%r11), %ebx; mov 8(%r11), %ecx; mov 16(%r11), %edx\n"
	"mov 24(%r11), %esi; mov 32(%r11), %edi; mov 40(%r11), %ebp; int $0x80; cltq; pop %rbp; pop %rbx; ret\n"
	".globl _start\n_start: mov %rsp, %rdi; and $-16, %rsp; call start\n");
#else
#define OWN(nr64, nr32) nr32
#define sys64 int80
__asm__("int80: push %ebx; push %esi; push %edi; push %ebp; mov 20(%esp), %eax; mov 24(%esp), %ebp; mov (%ebp), %ebx\n"
	"mov 4(%ebp), %ecx; mov 8(%ebp), %edx; mov 12(%ebp), %esi; mov 16(%ebp), %edi; mov 20(%ebp), %ebp\n"
	"int $0x80; pop %ebp; pop %edi; pop %esi; pop %ebx; ret\n"
	".globl _start\n_start: mov %esp, %eax; and $-16, %esp; push %eax; push %eax; push %eax; push %eax; call start\n");
#endif
long int80(long nr, const word *args);

static long own(long nr, word a, word b, word c, word d)
{
	word args[6] = {a, b, c, d, 0, 0};
	return sys64(nr, args);
}

static void print(const char *s)
{
	int n = 0;
	while (s[n])
		n++;
	own(OWN(1, 4), 1, (word)s, n, 0);
}

static void number(long n)
{
	char text[24];
	int i = sizeof text;
	word u = n < 0 ? -(word)n : (word)n;
	text[--i] = 0;
	do
		text[--i] = '0' + u % 10;
	while (u /= 10);
	if (n < 0)
		text[--i] = '-';
	print(text + i);
}

/* Below 4 GiB, where int $0x80 reaches it. */
static _Alignas(64) char memory[1 << 16];
static word used, last;

static word parse(const char **p)
{
	int negative = **p == '-', base = 10;
	word n = 0;
	*p += negative;
	if ((*p)[0] == '0' && (*p)[1] == 'x')
		base = 16, *p += 2;
	for (;; ++*p) {
		int c = **p, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
		if (digit >= base)
			return negative ? -n : n;
		n = n * base + digit;
	}
}

static word argument(const char **p)
{
	char *at = memory + used;
	switch (**p) {
	case '_':
		++*p;
		return last;
	case '&':
		++*p;
		used += (parse(p) + 63) & ~63ul;
		return (word)at;
	case '*': {
		int wide = (*p)[1] == '8';
		char *end = at;
		*p += 2;
		do {
			++*p;
			word n = parse(p);
			for (int i = 0; i < (wide ? 8 : 4); i++)
				*end++ = i < (int)sizeof n ? n >> 8 * i : 0;
		} while (**p == ',');
		used += 512;
		return (word)at;
	}
	case '"': {
		char *end = at;
		while (*++*p && **p != ' ') {
			if (**p != '#') {
				*end++ = **p;
				continue;
			}
			for (long n = own(OWN(39, 20), 0, 0, 0, 0); n; n /= 10)
				*end++ = '0' + n % 10;
		}
		used += 512;
		return (word)at;
	}
	}
	return parse(p);
}

static void chain(const char *p)
{
	while (*p) {
		word args[6] = {0};
		int forks = *p == '+', way;
		p += forks;
		way = *p == 'x' ? 'x' : *p == '6' ? 64 : 32;
		while (*p && *p != ' ')
			p++;
		p++;
		long nr = parse(&p);
		for (int n = 0; *p == ' ' && p[1] != ';';) {
			p++;
			args[n++] = argument(&p);
		}
		if (way == 'x')
			nr |= 0x40000000;
		last = way == 32 ? int80(nr, args) : sys64(nr, args);
		if (forks && !last)
			own(OWN(231, 252), 0, 0, 0, 0);
		if (forks && (long)last > 0)
			own(OWN(61, 114), -1, 0, 0x40000000 /* __WALL */, 0);
		number(last);
		print(" ");
		if (*p)
			p += 3; /* " ; " */
	}
}

__attribute__((used)) void start(word *stack)
{
	int argc = stack[0];
	const char **argv = (const char **)stack + 1;
	for (int i = 1; i < argc; i++) {
		int status = 0;
		long child = own(OWN(57, 2), 0, 0, 0, 0);
		if (!child) {
			chain(argv[i]);
			own(OWN(231, 252), 0, 0, 0, 0);
		}
		if (own(OWN(61, 114), child, (word)&status, 0x40000000 /* __WALL */, 0) != child)
			own(OWN(231, 252), 70, 0, 0, 0);
		if (status & 0x7f) {
			print("SIG ");
			number(status & 0x7f);
		}
		print("\n");
	}
	own(OWN(231, 252), 0, 0, 0, 0);
}
`

// The victims are compiled once, for all tests.
var victims = sync.OnceValues(func() (paths [2]string, err error) {
	source := filepath.Join(base, "victim.c")
	if err := os.WriteFile(source, []byte(victimSource), 0o600); err != nil {
		return paths, err
	}
	for i, machine := range []string{"-m64", "-m32"} {
		paths[i] = filepath.Join(base, "victim"+machine)
		gcc := exec.Command("gcc", machine, "-static", "-O1", "-Wall", "-Wextra", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-o", paths[i], source)
		if text, err := gcc.CombinedOutput(); err != nil {
			return paths, fmt.Errorf("gcc victim.c: %w\n%s", err, text)
		}
	}
	return paths, nil
})

// requireVictims are the program for x86-64, and the one for i386; that is empty where
// the kernel runs none.
func requireVictims(t *testing.T) (x8664, i386 string) {
	t.Helper()
	requireX86(t)
	requireProgram(t, "gcc", "gcc")
	paths, err := victims()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(paths[1]).Run(); err != nil {
		t.Log("i386 programs do not run (CONFIG_IA32_EMULATION): they are left out: " + err.Error())
		paths[1] = ""
	}
	return paths[0], paths[1]
}

// The numbers of the calls, asm/unistd_64.h and asm/unistd_32.h, written out by hand;
// -1 for none.
var callNumbers = map[string][2]int{
	"chmod": {90, 15}, "chroot": {161, 61}, "clone": {56, 120}, "clone3": {435, 435}, "creat": {85, 8}, "fchmod": {91, 94}, "fchmodat": {268, 306},
	"fchmodat2": {452, 452}, "getpid": {39, 20}, "getppid": {110, 64}, "getuid": {102, 199}, "io_uring_setup": {425, 425}, "ioctl": {16, 54},
	"iopl": {172, 110}, "ipc": {-1, 117}, "mkdir": {83, 39}, "mkdirat": {258, 296}, "mknod": {133, 14}, "mknodat": {259, 297},
	"mmap": {9, 192}, "mount": {165, 21}, "mprotect": {10, 125}, "oldmmap": {-1, 90}, "open": {2, 5}, "openat": {257, 295}, "openat2": {437, 437},
	"personality": {135, 136}, "pkey_mprotect": {329, 380}, "sched_setattr": {314, 351}, "sched_setparam": {142, 154},
	"sched_getscheduler": {145, 157}, "sched_setscheduler": {144, 156}, "semget": {64, 393}, "setns": {308, 346}, "shmat": {30, 397}, "shmget": {29, 395},
	"socket": {41, 359}, "socketcall": {-1, 102}, "socketpair": {53, 360}, "umask": {95, 60}, "unshare": {272, 310},
}

// x32Numbers are those of asm/unistd_x32.h that are not x86-64's.
var x32Numbers = map[string]int{"ioctl": 514}

// The ways into the kernel that a chain is made by.
const (
	by64  = "64"
	by32  = "32"  // int $0x80 of a 64-bit program
	byX32 = "x32" // the last call of the chain; those before it are x86-64's
	byELF = "elf" // a program for i386
)

// chainOf is a chain with numbers: "socket 1 1 0 ; …" by one way.
func chainOf(t *testing.T, way, text string) string {
	t.Helper()
	calls := strings.Split(text, " ; ")
	for i, c := range calls {
		name, args, _ := strings.Cut(c, " ")
		bare, forks := strings.CutPrefix(name, "+")
		n, ok := callNumbers[bare]
		if !ok {
			t.Fatalf("no number of %q", bare)
		}
		w, nr := by64, n[0]
		switch {
		case way == by32 || way == byELF:
			w, nr = by32, n[1]
		case way == byX32 && i == len(calls)-1:
			w = byX32
			if other, ok := x32Numbers[bare]; ok {
				nr = other
			}
		}
		if nr < 0 {
			t.Fatalf("%s has no %s", way, bare)
		}
		if forks {
			w = "+" + w
		}
		calls[i] = strings.TrimSpace(w + " " + strconv.Itoa(nr) + " " + args)
	}
	return strings.Join(calls, " ; ")
}

// chains runs a victim, and is what the last call of each chain was answered: "ok", the
// name of an error, or that of a signal.
func chains(t *testing.T, prefix []string, victim string, words []string) []string {
	t.Helper()
	r := runs(t, slices.Concat(prefix, []string{victim}, words)...)
	if r.signal != 0 { // the program itself
		return slices.Repeat([]string{unix.SignalName(r.signal)}, len(words))
	}
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || len(lines) != len(words) {
		t.Fatalf("%q: status %d, %d answers to %d chains: %q %q", r.argv, r.code, len(lines), len(words), r.stdout, r.stderr)
	}
	var got []string
	for i, l := range lines {
		f := strings.Fields(l)
		answer := "nothing"
		for n, s := range f {
			if s == "SIG" {
				answer = unix.SignalName(syscall.Signal(number(t, f[n+1])))
				break
			}
			if answer = answerName(s); answer != "ok" && n != strings.Count(words[i], " ; ") {
				answer = "call " + strconv.Itoa(n+1) + ": " + answer
				break
			}
		}
		got = append(got, answer)
	}
	return got
}

// answerName is "ok", or the name of an error.
func answerName(answer string) string {
	n, err := strconv.Atoi(answer)
	if err != nil {
		return strconv.Quote(answer)
	}
	if n >= 0 || n < -4095 {
		return "ok"
	}
	if name := unix.ErrnoName(syscall.Errno(-n)); name != "" {
		return name
	}
	return answer
}
