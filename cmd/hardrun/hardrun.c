//go:build linux && cgo

// The only C of hardrun: a constructor which runs before the Go runtime, and
// the executor which runs after it. Raw system calls only; nothing here
// allocates, and nothing depends on the state of the C library.
#define _GNU_SOURCE
#include "hardrun.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
struct hr_snapshot hr_snapshot;

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

// call makes a system call and answers as the kernel does: a value, or a negative errno.
static long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	long r = syscall(nr, a, b, c, d, e, f);
	return r == -1 ? -errno : r;
}
#define ptr(x) ((uint64_t)(uintptr_t)(x))
#define call0(nr) call(nr, 0, 0, 0, 0, 0, 0)
#define call1(nr, a) call(nr, (uint64_t)(a), 0, 0, 0, 0, 0)
#define call2(nr, a, b) call(nr, (uint64_t)(a), (uint64_t)(b), 0, 0, 0, 0)
#define call3(nr, a, b, c) call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)
#define call4(nr, a, b, c, d) call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)

// ---- messages

struct message {
	char text[4096];
	unsigned len;
};

static void put(struct message *m, const char *s)
{
	while (*s && m->len < sizeof m->text - 1)
		m->text[m->len++] = *s++;
}

static void put_number(struct message *m, uint64_t v, unsigned base, int width)
{
	char digits[24];
	int n = 0;
	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v || n < width);
	while (n && m->len < sizeof m->text - 1)
		m->text[m->len++] = digits[--n];
}

static void put_signed(struct message *m, int64_t v)
{
	if (v < 0)
		put(m, "-");
	put_number(m, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, 0);
}

// put_line copies up to the end of a line.
static void put_line(struct message *m, const char *s)
{
	for (; *s && *s != '\n' && m->len < sizeof m->text - 1; s++)
		m->text[m->len++] = *s == '\t' ? ' ' : *s;
}

static void put_errno(struct message *m, int e)
{
	static const struct {
		int number;
		const char *text;
	} texts[] = {
		{EPERM, "operation not permitted"}, {ENOENT, "no such file or directory"}, {EINTR, "interrupted system call"},
		{EIO, "input/output error"}, {ENXIO, "no such device or address"}, {E2BIG, "argument list too long"},
		{ENOEXEC, "exec format error"}, {EBADF, "bad file descriptor"}, {ECHILD, "no child processes"},
		{EAGAIN, "resource temporarily unavailable"}, {ENOMEM, "cannot allocate memory"}, {EACCES, "permission denied"},
		{EFAULT, "bad address"}, {EBUSY, "device or resource busy"}, {EEXIST, "file exists"}, {ENODEV, "no such device"},
		{ENOTDIR, "not a directory"}, {EISDIR, "is a directory"}, {EINVAL, "invalid argument"}, {ENFILE, "too many open files in system"},
		{EMFILE, "too many open files"}, {ENOTTY, "inappropriate ioctl for device"}, {ETXTBSY, "text file busy"},
		{EFBIG, "file too large"}, {ENOSPC, "no space left on device"}, {EROFS, "read-only file system"}, {ESRCH, "no such process"},
		{ELOOP, "too many levels of symbolic links"}, {ENAMETOOLONG, "file name too long"}, {ENOSYS, "function not implemented"},
		{ENOKEY, "required key not available"}, {EDQUOT, "disk quota exceeded"}, {EOPNOTSUPP, "operation not supported"},
		{ELIBBAD, "accessing a corrupted shared library"},
	};
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i].number == e) {
			put(m, texts[i].text);
			return;
		}
	put(m, "error ");
	put_number(m, (uint64_t)e, 10, 0);
}

// put_call names a system call as strace does; of prctl the option, too.
static void put_call(struct message *m, long nr, uint64_t option)
{
	static const struct {
		long number;
		const char *text;
	} calls[] = {
		{SYS_setresuid, "setresuid"}, {SYS_setresgid, "setresgid"}, {SYS_setgroups, "setgroups"}, {SYS_getresuid, "getresuid"},
		{SYS_getresgid, "getresgid"}, {SYS_getgroups, "getgroups"}, {SYS_setfsuid, "setfsuid"}, {SYS_setfsgid, "setfsgid"},
		{SYS_capset, "capset"}, {SYS_capget, "capget"}, {SYS_prctl, "prctl"}, {SYS_prlimit64, "prlimit64"}, {SYS_getrlimit, "getrlimit"},
		{SYS_umask, "umask"}, {SYS_setpriority, "setpriority"}, {SYS_getpriority, "getpriority"}, {SYS_personality, "personality"},
		{SYS_sched_setscheduler, "sched_setscheduler"}, {SYS_sched_getattr, "sched_getattr"}, {SYS_sched_setaffinity, "sched_setaffinity"},
		{SYS_sched_getaffinity, "sched_getaffinity"}, {SYS_set_mempolicy, "set_mempolicy"}, {SYS_get_mempolicy, "get_mempolicy"},
		{SYS_ioprio_set, "ioprio_set"}, {SYS_ioprio_get, "ioprio_get"}, {SYS_write, "write"}, {SYS_pread64, "pread64"},
		{SYS_keyctl, "keyctl"}, {SYS_chdir, "chdir"}, {SYS_getcwd, "getcwd"}, {SYS_statx, "statx"}, {SYS_fcntl, "fcntl"},
		{SYS_close, "close"}, {SYS_fstat, "fstat"}, {SYS_rt_sigprocmask, "rt_sigprocmask"}, {SYS_rt_sigaction, "rt_sigaction"}, {SYS_seccomp, "seccomp"},
		{SYS_execve, "execve"}, {SYS_execveat, "execveat"}, {SYS_clone, "clone"},
	};
	static const struct {
		uint64_t number;
		const char *text;
	} options[] = {
		{3, "PR_GET_DUMPABLE"}, {4, "PR_SET_DUMPABLE"}, {7, "PR_GET_KEEPCAPS"}, {8, "PR_SET_KEEPCAPS"}, {23, "PR_CAPBSET_READ"},
		{24, "PR_CAPBSET_DROP"}, {27, "PR_GET_SECUREBITS"}, {28, "PR_SET_SECUREBITS"}, {29, "PR_SET_TIMERSLACK"},
		{30, "PR_GET_TIMERSLACK"}, {38, "PR_SET_NO_NEW_PRIVS"}, {39, "PR_GET_NO_NEW_PRIVS"}, {41, "PR_SET_THP_DISABLE"},
		{42, "PR_GET_THP_DISABLE"}, {47, "PR_CAP_AMBIENT"}, {67, "PR_SET_MEMORY_MERGE"}, {68, "PR_GET_MEMORY_MERGE"},
		{0x48524e00, "the filter's canary"},
	};
	unsigned i;
	for (i = 0; i < sizeof calls / sizeof *calls && calls[i].number != nr; i++)
		;
	if (i < sizeof calls / sizeof *calls)
		put(m, calls[i].text);
	else {
		put(m, "system call ");
		put_number(m, (uint64_t)nr, 10, 0);
	}
	if (nr == SYS_prctl)
		for (i = 0; i < sizeof options / sizeof *options; i++)
			if (options[i].number == option) {
				put(m, "(");
				put(m, options[i].text);
				put(m, ")");
			}
	put(m, ": ");
}

static void send_to(int fd, const char *text, unsigned len)
{
	while (len) {
		long n = call3(SYS_write, fd, ptr(text), len);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return; // nobody listens; the exit status tells the same
		text += n, len -= (unsigned)n;
	}
}

static void emit(const struct hr_program *p, struct message *m)
{
	if (p->log_fd >= 0) {
		m->text[m->len] = '\n';
		send_to(p->log_fd, m->text, m->len + 1);
	}
	if (p->syslog_fd >= 0) {
		struct message s = {.len = 0};
		put(&s, p->blob + p->syslog_head);
		put_line(&s, m->text + sizeof "hardrun: " - 1);
		send_to(p->syslog_fd, s.text, s.len);
	}
}

static void __attribute__((noreturn)) leave(int status)
{
	for (;;)
		call1(SYS_exit_group, status);
}

// ---- the executor

enum { POISON = 0xa5 };
static char status_text[64 << 10]; // room for some 5000 groups

static void subject(const struct hr_program *p, const struct hr_row *r, struct message *m)
{
	m->len = 0;
	put(m, "hardrun: ");
	put(m, p->blob + r->text);
	put(m, ": ");
}

static void __attribute__((noreturn)) fail(const struct hr_program *p, const struct hr_row *r, struct message *m)
{
	if (r->tail) {
		put(m, " (");
		put(m, p->blob + r->tail);
		put(m, ")");
	}
	emit(p, m);
	leave(r->exit);
}

static void put_bytes(struct message *m, const unsigned char *b, unsigned n, unsigned form)
{
	unsigned size = form == HR_FORM_UINT32S ? 4 : 8;
	if (form == HR_FORM_TEXT || form == HR_FORM_BYTES) {
		put(m, "\"");
		for (unsigned i = 0; i < n && b[i] && i < 200; i++) {
			char c[2] = {b[i] >= 32 && b[i] < 127 ? (char)b[i] : '?', 0};
			put(m, c);
		}
		put(m, "\"");
		return;
	}
	for (unsigned i = 0; i + size <= n; i += size) {
		uint64_t v = 0;
		memcpy(&v, b + i, size);
		if (size == 4) // little-endian or not, the low half is where memcpy put it
			v = *(const uint32_t *)(const void *)(b + i);
		if (i)
			put(m, ",");
		put_number(m, v, form == HR_FORM_UINT32S ? 10 : 16, form == HR_FORM_HEX64S ? 16 : 0);
	}
}

// put_pending says why the change was refused whose read-back has failed now.
static void put_pending(struct message *m, uint64_t is, long e)
{
	if (!is)
		return;
	put(m, ": the change was answered \"");
	put_errno(m, (int)-e);
	put(m, "\"");
}

// environmental tells the errors which say "not here" from those which say "not so".
static int environmental(long r)
{
	return r == -EPERM || r == -EACCES || r == -ENOSYS || r == -EOPNOTSUPP || r == -ENOSPC;
}

static const char *find_line(const char *key)
{
	const char *at = strstr(status_text, key);
	return at ? at + strlen(key) : 0;
}

// status reads /proc/self/status; the buffer is poisoned first, so that a read
// which lies leaves no text in which a line could be found.
static long status(const struct hr_program *p)
{
	static long last; // what lies behind was never written to, and holds no line
	memset(status_text, POISON, (size_t)last);
	status_text[sizeof status_text - 1] = 0;
	if (p->status_fd < 0)
		return -ENOENT;
	long n;
	do
		n = call4(SYS_pread64, p->status_fd, ptr(status_text), sizeof status_text - 1, 0);
	while (n == -EINTR);
	if (n <= 0)
		return n ? n : -EIO;
	last = n + 1;
	status_text[n] = 0;
	return n;
}

// signals sets all dispositions. Each is read back where there is no status text
// to do it by (SigIgn and SigCgt). 0, or a negative errno; *at is the signal that
// failed.
static long signals(uint64_t ignored, int each, int *at)
{
	for (int s = 1; s <= 64; s++) {
		struct kernel_sigaction act = {.handler = ignored >> (s - 1) & 1 ? (void *)SIG_IGN : (void *)SIG_DFL}, got;
		*at = s;
		if (s == SIGKILL || s == SIGSTOP)
			continue;
		long r = call4(SYS_rt_sigaction, s, ptr(&act), 0, 8);
		if (r)
			return r < 0 ? r : -EIO;
		if (!each)
			continue;
		memset(&got, POISON, sizeof got);
		r = call4(SYS_rt_sigaction, s, 0, ptr(&got), 8);
		if (r)
			return r < 0 ? r : -EIO;
		if (got.handler != act.handler)
			return -EIO;
	}
	return 0;
}

static void set_number(char *at, uint64_t v)
{
	struct message m = {.len = 0};
	put_number(&m, v, 10, 0);
	m.text[m.len] = 0;
	memcpy(at, m.text, m.len + 1);
}

// fork_init makes the rest of the rows run in a child. The parent becomes the
// waiter of the constructor below, in the same process, by executing itself.
// a: the descriptor of the own executable, the waiter's argv and environment,
// where the child's number stands in that environment, and where it stands in
// the child's (LISTEN_PID=), or 0.
static long fork_init(struct hr_program *p, const struct hr_row *r)
{
	long pid = call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		if (r->a[4])
			set_number(p->blob + r->a[4], (uint64_t)call0(SYS_getpid));
		return 0;
	}
	set_number(p->blob + r->a[3], (uint64_t)pid);
	long e = call(SYS_execveat, r->a[0], ptr(""), ptr(p->blob + r->a[1]), ptr(p->blob + r->a[2]), AT_EMPTY_PATH, 0);
	call2(SYS_kill, pid, SIGKILL);
	return e;
}

static void __attribute__((noreturn)) run(struct hr_program *p)
{
	struct message m;
	uint64_t all = ~0ull, given_up = 0, pending = 0, option = 0; // option and call: of the call made last
	long made = SYS_pread64;
	long pending_errno[64] = {0};

	call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&all), 0, 8);
	for (uint32_t i = 0; i < p->nrelocs; i++) {
		uint64_t *word = (uint64_t *)(void *)(p->blob + p->relocs[i]);
		*word += ptr(p->blob);
	}
	for (uint32_t i = 0; i < p->nrows; i++) {
		struct hr_row *r = &p->rows[i];
		uint64_t a[6], bit = 1ull << (r->group & 63);
		if (r->group && given_up & bit)
			continue;
		for (int k = 0; k < 6; k++)
			a[k] = r->a[k] + (r->ptr >> k & 1 ? ptr(p->blob) : 0);
		long got = 0;
		int at = 0, bad = 0;
		switch (r->kind) {
		case HR_EQUAL:
		case HR_AT_LEAST:
		case HR_DIFFERS:
		case HR_LAST:
			made = r->nr, option = a[0];
			do
				got = call(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
			while (got == -EINTR && r->kind != HR_LAST);
			bad = r->kind == HR_EQUAL      ? got != r->want
			      : r->kind == HR_AT_LEAST ? got < r->want
			      : r->kind == HR_DIFFERS  ? got <= 0 || got == r->want
			                               : 1;
			break;
		case HR_POISON:
			memset((void *)(uintptr_t)a[0], POISON, a[1]);
			continue;
		case HR_SAME:
			if (!memcmp((void *)(uintptr_t)a[0], (void *)(uintptr_t)a[1], a[2]))
				continue;
			subject(p, r, &m);
			put_call(&m, made, option);
			put(&m, "read back ");
			put_bytes(&m, (void *)(uintptr_t)a[0], (unsigned)a[2], r->form);
			put(&m, ", want ");
			put_bytes(&m, (void *)(uintptr_t)a[1], (unsigned)a[2], r->form);
			put_pending(&m, pending & bit, pending_errno[r->group & 63]);
			fail(p, r, &m);
		case HR_STATUS:
			made = SYS_pread64;
			got = status(p);
			bad = got < 0;
			break;
		case HR_LINE: {
			const char *key = (char *)(uintptr_t)a[0], *want = (char *)(uintptr_t)a[1];
			const char *line = find_line(key);
			if (line ? !strncmp(line, want, strlen(want)) : r->flags & HR_WEAK)
				continue;
			subject(p, r, &m);
			put(&m, line ? "/proc/self/status reads \"" : "no line \"");
			put_line(&m, key + 1);
			put_line(&m, line ? line : "");
			put(&m, line ? "\", want \"" : "\" in /proc/self/status");
			if (line) {
				put_line(&m, want);
				put(&m, "\"");
			}
			put_pending(&m, pending & bit, pending_errno[r->group & 63]);
			fail(p, r, &m);
		}
		case HR_SIGNALS:
			made = SYS_rt_sigaction;
			got = signals(a[0], a[1] || p->status_fd < 0, &at);
			bad = got != 0;
			break;
		case HR_FORK:
			made = SYS_clone;
			got = fork_init(p, r);
			bad = got != 0;
			break;
		default:
			got = -ENOSYS;
			bad = 1;
		}
		if (!bad)
			continue;
		if (got == -EPERM && r->flags & HR_TOLERATE) {
			pending |= bit;
			pending_errno[r->group & 63] = got;
			continue;
		}
		subject(p, r, &m);
		if (environmental(got) && r->flags & (HR_WAIVABLE | HR_OPTIONAL) && r->group) {
			given_up |= bit;
			if (r->flags & HR_OPTIONAL)
				continue;
			m.len = 0;
			put(&m, "hardrun: waived ");
			put(&m, p->blob + (r->tail ? r->tail : r->text));
			put(&m, ": ");
			put(&m, p->blob + r->text);
			put(&m, ": ");
			put_call(&m, made, option);
			put_errno(&m, (int)-got);
			emit(p, &m);
			continue;
		}
		put_call(&m, made, option);
		if (r->kind == HR_SIGNALS) {
			put(&m, "signal ");
			put_number(&m, (uint64_t)at, 10, 0);
			put(&m, ": ");
		}
		if (got < 0 && got > -4096)
			put_errno(&m, (int)-got);
		else {
			put(&m, "answered ");
			put_signed(&m, got);
			put(&m, r->kind == HR_DIFFERS ? ", want another" : ", want ");
			if (r->kind != HR_DIFFERS)
				put_signed(&m, r->want);
			put_pending(&m, pending & bit, pending_errno[r->group & 63]);
		}
		fail(p, r, &m);
	}
	leave(70); // a program without its last row; Compile does not make one
}

void hr_run(struct hr_row *rows, uint32_t nrows, char *blob, uint32_t *relocs, uint32_t nrelocs,
	    int32_t status_fd, int32_t log_fd, int32_t syslog_fd, uint32_t syslog_head)
{
	struct hr_program p = {rows, blob, relocs, nrows, nrelocs, status_fd, log_fd, syslog_fd, syslog_head};
	run(&p);
}

// ---- before the Go runtime

// These variables steer the Go runtime. They belong to the daemon: their first
// byte is changed before the runtime looks, and changed back afterwards.
static const char *const go_variables[] = {"GOMAXPROCS=", "GODEBUG=", "GOGC=", "GOMEMLIMIT=", "GOTRACEBACK=", "GORACE="};

static int hide(char *const *env, char from, char to)
{
	int n = 0;
	for (; *env; env++)
		if (env[0][0] == from && env[0][1] == 'O')
			for (unsigned i = 0; i < sizeof go_variables / sizeof *go_variables; i++)
				if (!strncmp(*env + 1, go_variables[i] + 1, strlen(go_variables[i]) - 1)) {
					env[0][0] = to;
					n++;
					break;
				}
	return n;
}

void hr_unhide(void) { hide(environ, 1, 'G'); }

char **hr_environ(void) { return environ; }

int hr_unpin(void)
{
	if (hr_snapshot.timer_slack)
		call2(SYS_prctl, 29 /* PR_SET_TIMERSLACK */, hr_snapshot.timer_slack);
	if (!hr_snapshot.pinned)
		return 0;
	return (int)call3(SYS_sched_setaffinity, 0, hr_snapshot.affinity_bytes, ptr(hr_snapshot.affinity));
}

static void __attribute__((noreturn)) refuse(int status, const char *a, const char *b)
{
	struct hr_program p = {.log_fd = 2, .syslog_fd = -1};
	struct message m = {.len = 0};
	put(&m, "hardrun: ");
	put(&m, a);
	put(&m, b);
	emit(&p, &m);
	leave(status);
}

// The Go runtime starts about five threads, and reserves address space; where
// it could not, it would abort with a trace of its own. RLIMIT_NPROC counts
// processes and threads of the real uid, so room for them is tried, not computed.
static int room_for_threads(void)
{
	enum { NEED = 6 };
	long pid[NEED];
	int pipe[2], n = 0, ok;
	char c;
	if (call2(SYS_pipe2, ptr(pipe), O_CLOEXEC))
		return 0;
	for (; n < NEED; n++) {
		pid[n] = call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
		if (pid[n] < 0)
			break;
		if (pid[n] == 0) {
			call1(SYS_close, pipe[1]);
			while (call3(SYS_read, pipe[0], ptr(&c), 1) == -EINTR)
				;
			leave(0);
		}
	}
	ok = n == NEED;
	call1(SYS_close, pipe[0]);
	call1(SYS_close, pipe[1]);
	while (n--)
		while (call4(SYS_wait4, pid[n], 0, 0, 0) == -EINTR)
			;
	return ok;
}

enum { LIMIT_DATA = 2, LIMIT_NPROC = 6, LIMIT_NOFILE = 7, LIMIT_AS = 9 };

static void limits(void)
{
	static const uint8_t raise[] = {LIMIT_AS, LIMIT_DATA, LIMIT_NPROC};
	struct hr_snapshot *s = &hr_snapshot;
	for (int n = 0; n < HR_NLIMITS; n++) {
		uint64_t *l = s->limits[n];
		memset(l, POISON, sizeof s->limits[n]);
		if (call4(SYS_prlimit64, 0, n, 0, ptr(l)) || l[0] > l[1] || l[0] == 0xa5a5a5a5a5a5a5a5)
			refuse(205, "cannot read the resource limits", "");
	}
	for (unsigned i = 0; i < sizeof raise; i++) {
		uint64_t *l = s->limits[raise[i]], up[2] = {l[1], l[1]};
		if (l[0] == l[1])
			continue;
		if (call4(SYS_prlimit64, 0, raise[i], ptr(up), 0))
			refuse(205, "cannot raise a soft resource limit to its hard limit", "");
		s->raised |= 1u << raise[i];
	}
	if (s->limits[LIMIT_NOFILE][1] < 32)
		refuse(205, "RLIMIT_NOFILE is below 32, and a launch needs more: raise it, and give the daemon its own by --limit-nofile=", "");
	if (s->limits[LIMIT_AS][1] < 256ull << 20)
		refuse(205, "RLIMIT_AS is below 256 MiB, and the Go runtime cannot start in that: raise it, and give the daemon its own by --limit-as=", "");
	if (s->limits[LIMIT_DATA][1] < 32ull << 20)
		refuse(205, "RLIMIT_DATA is below 32 MiB, and the Go runtime cannot start in that: raise it, and give the daemon its own by --limit-data=", "");
	if (s->limits[LIMIT_NPROC][1] < 4096 && !room_for_threads())
		refuse(205, "RLIMIT_NPROC leaves no room for the threads of the Go runtime: raise it, and give the daemon its own by --limit-nproc=", "");
	// With no descriptor left the runtime does not read through the cgroup's files
	// for a number of CPUs, which is one here; a tenth of a launch goes into that.
	// Go's own init raises the soft limit to the hard one, before any code of ours.
	uint64_t none[2] = {3, s->limits[LIMIT_NOFILE][1]};
	if (call4(SYS_prlimit64, 0, LIMIT_NOFILE, ptr(none), 0))
		refuse(205, "cannot set the soft limit of descriptors", "");
	s->raised |= 1u << LIMIT_NOFILE;
}

// The waiter of --init: reaps every child, forwards every signal to the one
// that matters, and ends as that one ends. It runs here, before the Go runtime,
// and so is one thread of some 300 KiB.
static void __attribute__((noreturn)) wait_for(long child)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } caps[2] = {{0}}, none[2] = {{0}};
	uint64_t all = ~0ull;
	struct kernel_sigaction standard = {.handler = SIG_DFL};
	long r, pid;
	int ended = 0, code = 0;

	call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&all), 0, 8);
	call4(SYS_rt_sigaction, SIGCHLD, ptr(&standard), 0, 8);
	if (call3(SYS_close_range, 3, ~0u, 0) == -ENOSYS) // Linux before 5.9
		for (int fd = 3; fd < 4096; fd++)
			call1(SYS_close, fd);
	r = call(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0, 0);
	if (!r)
		r = call(SYS_prctl, 36 /* PR_SET_CHILD_SUBREAPER */, 1, 0, 0, 0, 0);
	// Only CAP_KILL is of use from here on: to signal a child of another uid.
	if (!r)
		r = call2(SYS_capget, ptr(&head), ptr(caps));
	if (!r) {
		none[0].effective = none[0].permitted = caps[0].permitted & 1u << 5;
		head.pid = 0;
		r = call2(SYS_capset, ptr(&head), ptr(none));
	}
	if (!r && (call2(SYS_capget, ptr(&head), ptr(caps)) || memcmp(caps, none, sizeof caps)))
		r = -EIO;
	if (r) {
		call2(SYS_kill, child, SIGKILL);
		refuse(218, "init: the parent could not give up its privileges", "");
	}
	for (;;) {
		int state;
		while ((pid = call4(SYS_wait4, -1, ptr(&state), WNOHANG, 0)) > 0)
			if (pid == child) {
				ended = 1;
				code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
			}
		if (ended || pid == -ECHILD)
			leave(ended ? code : 255);
		int info[32] = {0}; // siginfo_t: si_signo, si_errno, si_code
		r = call4(SYS_rt_sigtimedwait, ptr(&all), ptr(info), 0, 8);
		// What a key of the terminal sends goes to its whole foreground group: the
		// child has it already, unless it chose to be in another.
		int typed = info[2] == SI_KERNEL && (r == SIGINT || r == SIGQUIT || r == SIGTSTP || r == SIGWINCH);
		if (r > 0 && r != SIGCHLD && !typed)
			call2(SYS_kill, child, r);
	}
}

static long number(const char *s)
{
	long n = 0;
	for (; *s >= '0' && *s <= '9' && n < 1l << 31; s++)
		n = n * 10 + *s - '0';
	return *s ? -1 : n;
}

static void __attribute__((constructor)) before_go(void)
{
	static const char marker[] = "HARDRUN_WAIT=";
	struct hr_snapshot *s = &hr_snapshot;
	long n;
	uint32_t u[3] = {1, 2, 3}, g[3] = {1, 2, 3}; // three that differ: a call that lies is caught

	if (call3(SYS_getresuid, ptr(&u[0]), ptr(&u[1]), ptr(&u[2])) || call3(SYS_getresgid, ptr(&g[0]), ptr(&g[1]), ptr(&g[2])))
		refuse(64, "cannot read the own user and group ids", "");
	if (getauxval(AT_SECURE) || u[0] != u[1] || u[1] != u[2] || g[0] != g[1] || g[1] != g[2])
		refuse(64, "refuses to run setuid, setgid or with file capabilities: it is to be started by root, not to make root", "");
	if (environ[0] && !environ[1] && !strncmp(environ[0], marker, sizeof marker - 1)) {
		long child = number(environ[0] + sizeof marker - 1);
		if (child > 1)
			wait_for(child);
	}
	for (int fd = 0; fd < 3; fd++)
		if (call3(SYS_fcntl, fd, F_GETFD, 0) == -EBADF)
			s->closed |= 1u << fd;
	for (int fd = 0; fd < 3; fd++)
		if (s->closed >> fd & 1 && call4(SYS_openat, AT_FDCWD, ptr("/dev/null"), O_RDWR, 0) != fd)
			refuse(209, "a standard descriptor is closed, and /dev/null cannot be opened in its place", "");
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		memset(&st, POISON, sizeof st);
		if (call2(SYS_fstat, fd, ptr(&st)) || st.st_ino == 0xa5a5a5a5a5a5a5a5)
			refuse(209, "cannot read what the standard descriptors are", "");
		s->standard[fd][0] = st.st_dev;
		s->standard[fd][1] = st.st_ino;
	}
	for (int sig = 1; sig <= 64; sig++) {
		struct kernel_sigaction act = {.handler = (void *)-1};
		if (call4(SYS_rt_sigaction, sig, 0, ptr(&act), 8))
			refuse(207, "cannot read the signal dispositions", "");
		if (act.handler == (void *)SIG_IGN)
			s->ignored |= 1ull << (sig - 1);
		else if (act.handler != (void *)SIG_DFL)
			refuse(207, "reading the signal dispositions gave nonsense", "");
	}
	memset(&s->blocked, POISON, sizeof s->blocked);
	if (call4(SYS_rt_sigprocmask, SIG_BLOCK, 0, ptr(&s->blocked), 8) || s->blocked >> (SIGKILL - 1) & 1)
		refuse(207, "cannot read the signal mask", "");
	limits();
	// The runtime's monitor would wake every 20 µs, on the one CPU there is, for the
	// whole of a launch. Threads inherit the timer slack: it sleeps longer by that.
	n = call2(SYS_prctl, 30 /* PR_GET_TIMERSLACK */, 0);
	if (n < 0)
		refuse(212, "cannot read the timer slack", "");
	s->timer_slack = (uint64_t)n; // 0 for a real-time thread
	if (n && call2(SYS_prctl, 29 /* PR_SET_TIMERSLACK */, 20000000))
		refuse(212, "cannot set the timer slack", "");
	hide(environ, 'G', 1);

	unsigned cpu = ~0u;
	n = call3(SYS_sched_getaffinity, 0, sizeof s->affinity, ptr(s->affinity));
	if (n <= 0)
		refuse(214, "cannot read the CPU affinity", "");
	s->affinity_bytes = (int32_t)n;
	if (!call3(SYS_getcpu, ptr(&cpu), 0, 0) && cpu < sizeof s->affinity * 8) {
		uint64_t one[128] = {0};
		one[cpu / 64] = 1ull << cpu % 64;
		s->pinned = !call3(SYS_sched_setaffinity, 0, n, ptr(one));
	}
}
