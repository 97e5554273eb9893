//go:build linux && cgo

// The only C of hardrun: a constructor which runs before the Go runtime, and
// the executor which runs after it, or in its place where hardrun has started
// again. Raw system calls only, but for fork(3); nothing here allocates, and
// nothing depends on the state of the C library.
#define _GNU_SOURCE
#include "hardrun.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
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
		{ELIBBAD, "accessing a corrupted shared library"}, {EPIPE, "broken pipe"}, {ETIMEDOUT, "connection timed out"},
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
		{SYS_bpf, "bpf"}, {SYS_faccessat2, "faccessat2"}, {SYS_bind, "bind"}, {SYS_execve, "execve"}, {SYS_execveat, "execveat"}, {SYS_setns, "setns"}, {SYS_readlinkat, "readlinkat"},
		{SYS_getppid, "getppid"}, {SYS_setsid, "setsid"},
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
	call1(SYS_exit_group, status);
	call1(SYS_exit, status);
	__builtin_trap(); // a filter that forbids both: by a signal, then
}

// ---- the executor

enum { POISON = 0xa5 };
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 }; // linux/futex.h, which musl does not bring
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

// status reads a /proc/PID/status; the buffer is poisoned first, so that a read
// which lies leaves no text in which a line could be found.
static long status(int fd)
{
	static long last; // what lies behind was never written to, and holds no line
	memset(status_text, POISON, (size_t)last);
	status_text[sizeof status_text - 1] = 0;
	if (fd < 0)
		return -ENOENT;
	long n;
	do
		n = call4(SYS_pread64, fd, ptr(status_text), sizeof status_text - 1, 0);
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

// ---- a user namespace, user_namespaces(7)

enum { NAME = 64 };
static char user_namespace_name[NAME]; // "user:[4026532177]", once there is one
static long user_namespace_denied;     // what unshare(2) answered, and nothing was changed

// name_of reads the name of a namespace. 0, or a negative errno.
static long name_of(int dir, const char *path, char *name)
{
	memset(name, POISON, NAME);
	long n = call4(SYS_readlinkat, dir, ptr(path), ptr(name), NAME - 1);
	if (n > 0 && n < NAME && name[n - 1] == ']') {
		name[n] = 0;
		return 0;
	}
	return n < 0 ? n : -EIO;
}

// open_in opens below a verified directory. The number of a standard descriptor
// is a lie, and what is written there would be the daemon's output.
static long open_in(int dir, const char *path, int flags)
{
	long fd = call4(SYS_openat, dir, ptr(path), flags | O_CLOEXEC, 0);
	return fd >= 0 && fd < 3 ? -EIO : fd;
}

// read_pipe is read(2), until there is something, or nobody writes any more.
static long read_pipe(int fd, char *buf, size_t size)
{
	long n;
	do
		n = call3(SYS_read, fd, ptr(buf), size);
	while (n == -EINTR);
	return n;
}

enum { MAP_FILES = 3 };
static const char *const map_files[MAP_FILES] = {"setgroups", "uid_map", "gid_map"};

// write_maps is the helper of a user namespace. It stays outside, where it has the
// right to, waits for the word, writes, and ends with an errno. *at tells how far it
// came: twice the file, and one more once that is open.
static void __attribute__((noreturn)) write_maps(int self, int word, const char *const *texts, volatile int *at)
{
	char c;
	if (read_pipe(word, &c, 1) != 1)
		leave(ESRCH); // nobody is there any more who would need maps
	for (int i = 0; i < MAP_FILES; i++) {
		if (!texts[i])
			continue;
		*at = 2 * i;
		long fd = open_in(self, map_files[i], O_WRONLY);
		if (fd < 0)
			leave((int)-fd);
		*at = 2 * i + 1;
		long n = call3(SYS_write, fd, ptr(texts[i]), strlen(texts[i])); // whole: a map is written once
		if (n != (long)strlen(texts[i]))
			leave(n < 0 ? (int)-n : EIO);
		call1(SYS_close, fd);
	}
	leave(0);
}

static const char blanks[] = " \n";

// same_words compares two texts but for the blanks, with which the kernel aligns.
static int same_words(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, blanks), b += strspn(b, blanks);
		size_t n = strcspn(a, blanks);
		if (n != strcspn(b, blanks) || memcmp(a, b, n))
			return 0;
		if (!n)
			return 1;
		a += n, b += n;
	}
}

static void put_words(struct message *m, const char *s)
{
	put(m, "\"");
	for (s += strspn(s, blanks); *s;) {
		for (; *s && !strchr(blanks, *s) && m->len < sizeof m->text - 1; s++)
			m->text[m->len++] = *s;
		s += strcspn(s, blanks);
		s += strspn(s, blanks);
		put(m, *s ? " " : "");
	}
	put(m, "\"");
}

// because ends a message with the reason. It is -1, as the answer of who gives up.
static int because(struct message *m, const char *act, long r)
{
	put(m, act);
	put_errno(m, (int)-r);
	return -1;
}

// read_maps compares what stands in the files with what was to be written. 0, or
// -1 and the reason in m.
static int read_maps(int self, const char *const *texts, struct message *m)
{
	char got[4096];
	for (int i = 0; i < MAP_FILES; i++) {
		if (!texts[i])
			continue;
		memset(got, POISON, sizeof got);
		long fd = open_in(self, map_files[i], O_RDONLY), n = fd;
		if (fd >= 0) {
			n = call3(SYS_read, fd, ptr(got), sizeof got - 1);
			call1(SYS_close, fd);
		}
		if (n <= 0 || n >= (long)sizeof got) {
			put(m, map_files[i]);
			return because(m, fd < 0 ? ": open: " : ": read: ", n < 0 ? n : -EIO);
		}
		got[n] = 0;
		if (same_words(got, texts[i]))
			continue;
		put(m, map_files[i]);
		put(m, ": read back ");
		put_words(m, got);
		put(m, ", want ");
		put_words(m, texts[i]);
		return -1;
	}
	return 0;
}

// user_namespace puts the process, which has one thread, into a new user
// namespace with these maps, and reads all of it back. self is the own directory
// in /proc. 0, or -1 and the reason in m; then the process must end.
static int user_namespace(int self, const char *uid_map, const char *gid_map, int deny, struct message *m)
{
	const char *const texts[MAP_FILES] = {deny ? "deny" : 0, uid_map, gid_map};
	char before[NAME];
	int word[2] = {-1, -1}, state = -1, same = 0;
	long r = name_of(self, "ns/user", before), helper, ended;
	if (r)
		return because(m, "readlinkat: ", r);
	r = call(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, (uint64_t)-1, 0);
	if (r < 0)
		return because(m, "mmap: ", r);
	volatile int *at = (int *)(uintptr_t)r;
	if ((r = call2(SYS_pipe2, ptr(word), O_CLOEXEC)))
		return because(m, "pipe2: ", r);
	// No signal at its end: where SIGCHLD is ignored, the status would be lost.
	helper = call(SYS_clone, 0, 0, 0, 0, 0, 0);
	if (helper < 0)
		return because(m, "clone: ", helper);
	if (helper == 0) {
		call1(SYS_close, word[1]);
		write_maps(self, word[0], texts, at);
	}
	const char *act = "unshare(CLONE_NEWUSER): ";
	user_namespace_denied = r = call1(SYS_unshare, CLONE_NEWUSER);
	if (!r) {
		act = "readlinkat: ";
		r = name_of(self, "ns/user", user_namespace_name);
		same = !r && !strcmp(before, user_namespace_name);
	}
	if (!r && !same) {
		act = "write: ";
		r = call3(SYS_write, word[1], ptr(""), 1);
		r = r == 1 ? 0 : r < 0 ? r : -EIO;
	}
	if (r || same)
		call2(SYS_kill, helper, SIGKILL);
	do
		ended = call4(SYS_wait4, helper, ptr(&state), __WALL, 0);
	while (ended == -EINTR);
	call1(SYS_close, word[0]);
	call1(SYS_close, word[1]);
	if (same) {
		put(m, "unshare(CLONE_NEWUSER): read back the same namespace as before");
		return -1;
	}
	if (r)
		return because(m, act, r);
	if (ended != helper)
		return because(m, "wait4: ", ended < 0 ? ended : -EIO);
	if (!WIFEXITED(state)) {
		put(m, "who writes the maps was killed");
		return -1;
	}
	if (WEXITSTATUS(state)) {
		put(m, map_files[*at / 2 % MAP_FILES]);
		return because(m, *at & 1 ? ": write: " : ": open: ", -WEXITSTATUS(state));
	}
	call2(SYS_munmap, ptr(at), 4096);
	return read_maps(self, texts, m);
}

// same_user_namespace shows that the process is still where user_namespace put it.
static int same_user_namespace(int self, struct message *m)
{
	char now[NAME];
	long r = name_of(self, "ns/user", now);
	if (r)
		return because(m, "readlinkat: ", r);
	if (!strcmp(now, user_namespace_name))
		return 0;
	put(m, "read back ");
	put(m, now);
	put(m, ", want ");
	put(m, *user_namespace_name ? user_namespace_name : "a new one");
	return -1;
}

// ---- a filter whose denials are explained

// The descriptor by which the kernel asks about denied calls is the answer of
// seccomp(2), and must be sent to who explains by a process that is not under the
// filter: a helper, which has the same memory and the same descriptors.
static struct {
	volatile int answer; // of seccomp(2), and one; 0 while there is none
	volatile int heard;  // 1 once it is in the other's hands, negative for an error
	int sock;
	long loader; // who loads the filter
} listener;

static int hand_over(void *unused)
{
	static char byte = 'l', space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	static struct iovec part = {&byte, 1};
	static struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
	struct timespec nap = {0, 50000};
	(void)unused;
	while (!listener.answer && !call2(SYS_kill, listener.loader, 0))
		call2(SYS_nanosleep, ptr(&nap), 0);
	if (listener.answer > 0) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		int fd = listener.answer - 1;
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
		long r = call3(SYS_sendmsg, listener.sock, ptr(&message), 0x4000 /* MSG_NOSIGNAL */);
		if (r == 1)
			do
				r = call3(SYS_read, listener.sock, ptr(&byte), 1);
			while (r == -EINTR);
		call1(SYS_close, fd);
		listener.heard = r == 1 && byte == 'y' ? 1 : r < 0 ? (int)r : -EPIPE;
	}
	call1(SYS_exit, 0);
	return 0;
}

// listen loads a filter, and gives the descriptor by which the kernel asks to who
// explains. 0, or a negative errno. may_yield: the filter lets sched_yield(2) pass.
static long listen_to(uint64_t filter, uint64_t flags, int sock, int may_yield)
{
	static char stack[16 << 10] __attribute__((aligned(16)));
	const int shared = CLONE_VM | CLONE_FILES | SIGCHLD;
	listener.sock = sock;
	listener.loader = call0(SYS_getpid);
	// A child of who waits for this process: the daemon inherits none.
	int helper = clone(hand_over, stack + sizeof stack, shared | CLONE_PARENT, 0);
	if (helper < 0 && errno == EINVAL) { // PID 1 of a namespace: nobody is there to wait for it
		struct kernel_sigaction act;
		long r = call4(SYS_rt_sigaction, SIGCHLD, 0, ptr(&act), 8);
		act.flags |= SA_NOCLDWAIT; // execve(2) clears it
		if (r || (act.handler == (void *)SIG_DFL && (r = call4(SYS_rt_sigaction, SIGCHLD, ptr(&act), 0, 8))))
			return r;
		helper = clone(hand_over, stack + sizeof stack, shared, 0);
	}
	if (helper < 0)
		return -errno;
	long r = call3(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, flags, filter);
	// Where a standard descriptor is closed it may be that number, 0 as well: who
	// explains looks what it is.
	listener.answer = r < 0 ? -1 : (int)r + 1;
	if (r < 0)
		return r;
	// From here on no call is made that the filter might not let pass.
	for (uint64_t n = 0; !listener.heard && n < (may_yield ? 1ull << 24 : 1ull << 33); n++)
		if (may_yield)
			call0(SYS_sched_yield);
	return listener.heard == 1 ? 0 : listener.heard ? listener.heard : -ETIMEDOUT;
}

// ---- joining a control group

static struct {
	int fd;
	int32_t state; // 0 until it is done; then 1, or a negative errno
} mover;

// move is a thread: what it writes is for the whole process, and it ends with that.
static void *move(void *unused)
{
	long r;
	(void)unused;
	do
		r = call3(SYS_write, mover.fd, ptr("0"), 1);
	while (r == -EINTR);
	__atomic_store_n(&mover.state, r == 1 ? 1 : r < 0 ? (int32_t)r : -EIO, __ATOMIC_RELEASE);
	call3(SYS_futex, ptr(&mover.state), FUTEX_WAKE_PRIVATE, 1);
	return 0;
}

int hr_move(int fd)
{
	uint64_t all = ~0ull, mask = 0; // signals are for the thread that waits
	pthread_attr_t attr;
	pthread_t thread;
	mover.fd = fd;
	mover.state = 0;
	int r = (int)call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&all), ptr(&mask), 8);
	if (r)
		return r;
	if (!(r = pthread_attr_init(&attr))) {
		r = pthread_attr_setstacksize(&attr, 64 << 10);
		if (!r)
			r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		if (!r)
			r = pthread_create(&thread, &attr, move, 0);
		pthread_attr_destroy(&attr);
	}
	int back = (int)call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&mask), 0, 8);
	return back ? back : -r;
}

int hr_moved(void)
{
	int32_t state;
	while (!(state = __atomic_load_n(&mover.state, __ATOMIC_ACQUIRE)))
		call4(SYS_futex, ptr(&mover.state), FUTEX_WAIT_PRIVATE, 0, 0); // any answer is a reason to look again
	return state == 1 ? 0 : state;
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
			got = status(p->status_fd);
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
		case HR_USERNS: // never waived, and no EPERM passes: between two namespaces nothing goes on
			subject(p, r, &m);
			if (a[4] ? same_user_namespace((int)a[0], &m)
				 : user_namespace((int)a[0], (char *)(uintptr_t)a[1], (char *)(uintptr_t)a[2], (int)a[3], &m))
				fail(p, r, &m);
			continue;
		case HR_LISTEN:
			made = SYS_seccomp;
			got = listen_to(a[0], a[1], (int)a[2], (int)a[3]);
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

int hr_spawn(struct hr_row *rows, uint32_t nrows, char *blob, uint32_t *relocs, uint32_t nrelocs, int32_t log_fd, int32_t syslog_fd, uint32_t syslog_head)
{
	uint64_t all = ~0ull, mask = 0; // a handler of the Go runtime must not run in the child
	long r = call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&all), ptr(&mask), 8);
	if (r)
		return (int)r;
	long pid = fork();
	if (!pid)
		hr_run(rows, nrows, blob, relocs, nrelocs, -1, log_fd, syslog_fd, syslog_head);
	if (pid < 0)
		pid = -errno;
	r = call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&mask), 0, 8);
	if (pid > 0 && r) {
		call2(SYS_kill, pid, SIGKILL);
		return (int)r;
	}
	return (int)pid;
}

// What a parent of a service has caught and not yet taken. The Go runtime unblocks signals
// in every thread that it makes, so that a handler has to note them.
static uint64_t caught_sent, caught_typed;
static int caught_fd = -1;

static void note_signal(int signal, siginfo_t *info, void *context)
{
	int was = errno;
	const uint64_t one = 1, bit = 1ull << (signal - 1);
	(void)context;
	__atomic_fetch_or(info->si_code == SI_KERNEL ? &caught_typed : &caught_sent, bit, __ATOMIC_SEQ_CST);
	// EAGAIN: it can be read already. Once more, as nobody would hear of it if that were not so.
	for (int i = 0; i < 3 && call3(SYS_write, caught_fd, ptr(&one), 8) != 8; i++)
		;
	errno = was;
}

int hr_catch(uint64_t signals, int fd)
{
	struct sigaction act = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	sigfillset(&act.sa_mask);
	caught_fd = fd;
	for (int s = 1; s <= 64; s++) {
		struct kernel_sigaction is = {.handler = 0};
		if (!(signals >> (s - 1) & 1))
			continue;
		if (sigaction(s, &act, 0))
			return -errno;
		long is_not = call4(SYS_rt_sigaction, s, 0, ptr(&is), 8);
		if (is_not || is.handler != (void *)note_signal)
			return is_not ? (int)is_not : -EIO; // nobody would hear of it
	}
	// The runtime unblocks some of what was blocked at the start. Commands get their own mask.
	uint64_t blocked = ~0ull;
	long r = call4(SYS_rt_sigprocmask, SIG_UNBLOCK, ptr(&signals), 0, 8);
	if (!r)
		r = call4(SYS_rt_sigprocmask, SIG_BLOCK, 0, ptr(&blocked), 8);
	return (int)(r ? r : blocked & signals ? -EIO : 0);
}

void hr_taken(uint64_t *sent, uint64_t *typed)
{
	*sent = __atomic_exchange_n(&caught_sent, 0, __ATOMIC_SEQ_CST);
	*typed = __atomic_exchange_n(&caught_typed, 0, __ATOMIC_SEQ_CST);
}

// Credentials belong to a thread, and a Go process has several: each gives up its own, in a
// handler. What came of it is read in /proc by who has sent the signal.
static uint64_t shed_keep;

static void shed(int signal, siginfo_t *info, void *context)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } caps[2];
	int was = errno;
	(void)signal, (void)context;
	if (info->si_code == SI_TKILL && info->si_pid == call0(SYS_getpid) && !call2(SYS_capget, ptr(&head), ptr(caps))) {
		for (int i = 0; i < 2; i++) {
			caps[i].effective = caps[i].permitted &= (uint32_t)(shed_keep >> 32 * i);
			caps[i].inheritable = 0;
		}
		call(SYS_prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0, 0);
		call2(SYS_capset, ptr(&head), ptr(caps));
	}
	errno = was;
}

int hr_shed(uint64_t keep)
{
	struct sigaction act = {.sa_sigaction = shed, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	sigfillset(&act.sa_mask);
	shed_keep = keep;
	return sigaction(SIGPROF, &act, 0) ? -errno : 0;
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

// Where HARDRUN_AGAIN stands. It is the last, and stays until the Go runtime has
// looked behind the environment for what the kernel put there.
static char **again_variable;

void hr_unhide(void)
{
	hide(environ, 1, 'G');
	if (again_variable)
		*again_variable = 0;
}

char **hr_environ(void) { return environ; }

int hr_unpin(void)
{
	if (hr_snapshot.timer_slack)
		call2(SYS_prctl, 29 /* PR_SET_TIMERSLACK */, hr_snapshot.timer_slack);
	if (!hr_snapshot.pinned)
		return 0;
	return (int)call3(SYS_sched_setaffinity, 0, hr_snapshot.affinity_bytes, ptr(hr_snapshot.affinity));
}

static const char *why = ""; // behind every refusal of a second start: the directive, and a hint

static void __attribute__((noreturn)) say_and_leave(int status, struct message *m)
{
	struct hr_program p = {.log_fd = 2, .syslog_fd = -1};
	put(m, why);
	emit(&p, m);
	leave(status);
}

static void __attribute__((noreturn)) refuse(int status, const char *a, const char *b)
{
	struct message m = {.len = 0};
	put(&m, "hardrun: ");
	put(&m, a);
	put(&m, b);
	say_and_leave(status, &m);
}

static void __attribute__((noreturn)) refuse_errno(int status, const char *stage, const char *act, long r)
{
	struct message m = {.len = 0};
	put(&m, "hardrun: ");
	put(&m, stage);
	because(&m, act, r);
	say_and_leave(status, &m);
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
	static const char get[] = ": prlimit64: ", set[] = ": prlimit64, to raise a soft limit or lower that of descriptors: ";
	struct hr_snapshot *s = &hr_snapshot;
	long r;
	for (int n = 0; n < HR_NLIMITS; n++) {
		uint64_t *l = s->limits[n];
		memset(l, POISON, sizeof s->limits[n]);
		if ((r = call4(SYS_prlimit64, 0, n, 0, ptr(l))) || l[0] > l[1] || l[0] == 0xa5a5a5a5a5a5a5a5)
			refuse_errno(205, "limits", get, r ? r : -EIO);
	}
	for (unsigned i = 0; i < sizeof raise; i++) {
		uint64_t *l = s->limits[raise[i]], up[2] = {l[1], l[1]};
		if (l[0] == l[1])
			continue;
		if ((r = call4(SYS_prlimit64, 0, raise[i], ptr(up), 0)))
			refuse_errno(205, "limits", set, r);
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
	if ((r = call4(SYS_prlimit64, 0, LIMIT_NOFILE, ptr(none), 0)))
		refuse_errno(205, "limits", set, r);
	s->raised |= 1u << LIMIT_NOFILE;
}

// ---- the parent that waits

enum fate { HEARD, LOST, WAITS };

// fate is what becomes of a signal at the child that is PID 1 of a namespace. What
// it neither handles, ignores nor blocks is thrown away by the kernel, and nobody
// ends, pid_namespaces(7). Without the child's status text nothing is known.
static enum fate fate(int status_fd, int signal, int sent)
{
	static const char *const keys[] = {"\nSigBlk:\t", "\nShdPnd:\t", "\nSigCgt:\t", "\nSigIgn:\t"};
	int is[4] = {0};
	switch (signal) { // what does not end a process that does nothing about it, signal(7)
	case SIGCHLD: case SIGCONT: case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU: case SIGURG: case SIGWINCH:
		return HEARD;
	}
	if (status(status_fd) < 0)
		return HEARD;
	for (int i = 0; i < 4; i++) {
		const char *line = find_line(keys[i]);
		// Sixteen digits, the lowest four signals in the last.
		char c = line && strspn(line, "0123456789abcdef") == 16 ? line[15 - (signal - 1) / 4] : 0;
		if (!c)
			return HEARD;
		is[i] = (c <= '9' ? c - '0' : c - 'a' + 10) >> (signal - 1) % 4 & 1;
	}
	if (is[0])
		return sent && !is[1] ? HEARD : WAITS;
	return is[2] || is[3] ? HEARD : LOST;
}

// shrink lets go of the pages of the own file that were read for the start. What is
// needed again comes back.
static void shrink(void)
{
	const ElfW(Phdr) *list = (const void *)(uintptr_t)getauxval(AT_PHDR);
	uint64_t base = 0, page = getauxval(AT_PAGESZ);
	for (unsigned long i = 0; list && page && i < getauxval(AT_PHNUM); i++) {
		if (list[i].p_type == PT_PHDR)
			base = ptr(list) - list[i].p_vaddr;
		if (list[i].p_type == PT_LOAD && !(list[i].p_flags & PF_W)) {
			uint64_t at = (base + list[i].p_vaddr) & ~(page - 1);
			call3(SYS_madvise, at, base + list[i].p_vaddr + list[i].p_memsz - at, MADV_DONTNEED);
		}
	}
}

// The control groups that are removed when the daemon has ended, cgroups(7).
static struct {
	int n, kill; // kill: cgroup.kill of the first one, or -1
	int above[HR_CGROUPS], own[HR_CGROUPS];
	const char *names;
} groups = {.kill = -1};

// to_remove is the capability without which the groups cannot be removed, as a mask. The
// top of a hierarchy of v1 can be written by nobody, root included.
static uint32_t to_remove(void)
{
	for (int i = 0; i < groups.n; i++) {
		if (groups.own[i] < 0)
			continue;
		struct stat st = {.st_mode = 0};
		if (call2(SYS_fstat, groups.above[i], ptr(&st)) || !(st.st_mode & S_IWUSR) || st.st_uid != (uid_t)call0(SYS_geteuid))
			return 1u << 1; // CAP_DAC_OVERRIDE
	}
	return hr_snapshot.delegates ? 1u << 1 : 0; // what is below may be the daemon's
}

// remove_below removes the groups below one, as deep as that; what holds a process stays.
static void remove_below(int dir, int depth)
{
	struct {
		uint64_t ino, off;
		uint16_t reclen;
		uint8_t type;
		char name[];
	} *e;
	char list[2048] __attribute__((aligned(8)));
	long n;
	while (depth && (n = call3(SYS_getdents64, dir, ptr(list), sizeof list)) > 0)
		for (long at = 0; at < n; at += e->reclen) {
			e = (void *)(list + at);
			if (e->type != 4 /* DT_DIR */ || !strcmp(e->name, ".") || !strcmp(e->name, ".."))
				continue;
			long sub = call4(SYS_openat, dir, ptr(e->name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
			if (sub >= 0) {
				remove_below((int)sub, depth - 1);
				call1(SYS_close, sub);
			}
			call3(SYS_unlinkat, dir, ptr(e->name), AT_REMOVEDIR);
		}
}

// remove_groups kills who is left in the first group, where that was asked for, and
// removes all of them. One that cannot be removed is left for the next start.
static void remove_groups(void)
{
	const char *name = groups.names;
	struct timespec moment = {0, 1000000};
	long r = groups.kill < 0 ? 1 : call3(SYS_write, groups.kill, ptr("1"), 1);
	struct hr_program p = {.log_fd = 2, .syslog_fd = -1};
	struct message m = {.len = 0};
	if (r != 1) {
		put(&m, "hardrun: cgroup: ");
		because(&m, "write(cgroup.kill): ", r < 0 ? r : -EIO);
		emit(&p, &m);
	}
	for (int i = 0; i < groups.n; i++, name += strlen(name) + 1) {
		// Who was killed, and who has just ended, takes a moment to be gone.
		int tries = groups.kill < 0 ? 50 : 3000;
		if (groups.own[i] < 0)
			continue;
		while ((r = call3(SYS_unlinkat, groups.above[i], ptr(name), AT_REMOVEDIR)) == -EBUSY && tries--) {
			while (call4(SYS_wait4, -1, 0, WNOHANG, 0) > 0)
				;
			call3(SYS_lseek, groups.own[i], 0, SEEK_SET);
			remove_below(groups.own[i], 32);
			call2(SYS_nanosleep, ptr(&moment), 0);
		}
		if (!r || r == -ENOENT)
			continue;
		m.len = 0;
		put(&m, "hardrun: cgroup ");
		put(&m, name);
		if (r == -EBUSY)
			put(&m, ": it stays, as processes or groups are left in it");
		else
			because(&m, ": it stays: unlinkat: ", r);
		emit(&p, &m);
	}
}

// close_but closes all descriptors from 3 on but those of a list.
static void close_but(const int *keep, int n)
{
	for (unsigned from = 3;;) {
		unsigned next = ~0u;
		for (int i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next > from && call3(SYS_close_range, from, next == ~0u ? ~0u : next - 1, 0) == -ENOSYS) // Linux before 5.9
			for (unsigned fd = from; fd < next && fd < 4096; fd++)
				call1(SYS_close, fd);
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

static long explainer_pid; // who explains denials, a child of the parent that waits; 0 for none

// only_kill gives up every privilege but CAP_KILL, which is needed to signal a process
// of another uid, and what is besides. 0, or a negative errno.
static long only_kill(uint32_t besides)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } caps[2] = {{0}}, none[2] = {{0}};
	long r = call(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0, 0);
	if (!r)
		r = call2(SYS_capget, ptr(&head), ptr(caps));
	if (!r) {
		none[0].effective = none[0].permitted = caps[0].permitted & (1u << 5 | besides);
		head.pid = 0;
		r = call2(SYS_capset, ptr(&head), ptr(none));
	}
	if (!r && !(r = call2(SYS_capget, ptr(&head), ptr(caps))) && memcmp(caps, none, sizeof caps))
		r = -EIO;
	return r;
}

// wait_for is the parent of --init and of a PID namespace: it reaps every child,
// forwards every signal to the one that matters, and ends as that one ends. It
// runs here, before the Go runtime, and so is one thread of some 300 KiB.
// status_fd is the status text of a child that is PID 1 of a namespace, or -1; by
// ready the child hears that it may go on.
static void __attribute__((noreturn)) wait_for(long child, int status_fd, int ready)
{
	uint64_t all = ~0ull, waiting = 0;
	long r, pid, nap = 0;
	int ended = 0, code = 0, killed = 0;

	call2(SYS_prctl, 15 /* PR_SET_NAME */, ptr("hardrun"));
	r = only_kill(to_remove());
	if (!r)
		r = call(SYS_prctl, 36 /* PR_SET_CHILD_SUBREAPER */, 1, 0, 0, 0, 0);
	if (r) {
		call2(SYS_kill, child, SIGKILL);
		refuse_errno(218, "init", ": the parent could not give up its privileges: prctl, capget, capset: ", r);
	}
	// A child that does not get this sees the pipe closed, and ends.
	while ((r = call3(SYS_write, ready, ptr(""), 1)) == -EINTR)
		;
	if (r != 1 && r != -EPIPE && r != -EBADF) { // of these the child says why
		call2(SYS_kill, child, SIGKILL);
		refuse_errno(226, "init", ": write: ", r < 0 ? r : -EIO);
	}
	int keep[2 + 2 * HR_CGROUPS], kept = 0;
	keep[kept++] = status_fd;
	keep[kept++] = groups.kill;
	for (int i = 0; i < groups.n; i++)
		keep[kept++] = groups.above[i], keep[kept++] = groups.own[i];
	close_but(keep, kept);
	shrink();
	for (;;) {
		int state;
		while ((pid = call4(SYS_wait4, -1, ptr(&state), WNOHANG, 0)) > 0 || pid == -EINTR)
			if (pid < 0)
				continue;
			else if (pid == explainer_pid)
				explainer_pid = 0;
			else if (pid == child) {
				ended = 1;
				code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + (killed ? killed : WTERMSIG(state));
			}
		// Who explains denials has a moment to say its last; it ends with the last
		// process that is under the filter.
		for (int i = 0; ended && explainer_pid && i < 50; i++) {
			struct timespec moment = {0, 2000000};
			if (call4(SYS_wait4, explainer_pid, 0, WNOHANG, 0))
				break;
			call2(SYS_nanosleep, ptr(&moment), 0);
		}
		if (ended || pid == -ECHILD) {
			remove_groups();
			leave(ended ? code : 255);
		}
		if (pid < 0) { // nobody would hear of its end
			call2(SYS_kill, child, SIGKILL);
			remove_groups();
			refuse_errno(218, "init", ": wait4: ", pid);
		}
		int info[32] = {0}, was = killed; // siginfo_t: si_signo, si_errno, si_code
		struct timespec time = {nap / 1000, nap % 1000 * 1000000};
		r = call4(SYS_rt_sigtimedwait, ptr(&all), ptr(info), nap ? ptr(&time) : 0, 8);
		for (int s = 1; waiting && s <= 64; s++)
			if (waiting >> (s - 1) & 1) {
				enum fate f = fate(status_fd, s, 1);
				if (f != WAITS)
					waiting ^= 1ull << (s - 1);
				if (f == LOST)
					killed = s;
			}
		if (r > 0 && r != SIGCHLD) {
			// What a key of the terminal sends goes to its whole foreground group: the
			// child has it already, unless it chose to be in another.
			int typed = info[2] == SI_KERNEL && (r == SIGINT || r == SIGQUIT || r == SIGTSTP || r == SIGWINCH);
			int reaches = !typed || call1(SYS_getpgid, child) == call1(SYS_getpgid, 0);
			// Looked at before it is sent: a handler may put the default back.
			enum fate f = reaches ? fate(status_fd, (int)r, 0) : HEARD;
			if (!typed)
				call2(SYS_kill, child, r);
			if (f == WAITS)
				waiting |= 1ull << (r - 1), nap = 0;
			if (f == LOST)
				killed = (int)r;
		}
		if (killed && !was)
			call2(SYS_kill, child, SIGKILL);
		nap = !waiting || killed ? 0 : nap ? nap < 512 ? 2 * nap : 1000 : 1;
	}
}

// number is that of a descriptor, or -1.
static long number(const char *s)
{
	long n = 0;
	const char *start = s;
	for (; *s >= '0' && *s <= '9' && n < 1l << 31; s++)
		n = n * 10 + *s - '0';
	return *s || s == start || n >= 1l << 31 ? -1 : n;
}

// ---- starting again

// closes closes a descriptor, and reads back that it is. 0, or a negative errno.
static long closes(long fd)
{
	long r = call1(SYS_close, fd);
	return r ? r : (r = call3(SYS_fcntl, fd, F_GETFD, 0)) == -EBADF ? 0 : r < 0 ? r : -EIO;
}

// on_exec lets execve(2) close a descriptor, and reads that back. 0, or a negative errno.
static long on_exec(long fd)
{
	long r = call3(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return r ? r : (r = call3(SYS_fcntl, fd, F_GETFD, 0)) == FD_CLOEXEC ? 0 : r < 0 ? r : -EIO;
}

// inherited is what an earlier hardrun of this very process left for this one, or
// 0. Only hardrun itself can have made it: a file that lies in memory, of this user, that
// nobody can change any more, with the number of this process. Whatever else the variable
// stands for is refused, and never acted upon.
static struct hr_again *inherited(void)
{
	static const char marker[] = "HARDRUN_AGAIN=", forged[] = "HARDRUN_AGAIN= is in the environment, and is not of hardrun's making: unset it";
	enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, MOST = 64 << 20 };
	char **at = 0, **e = environ;
	for (; *e; e++)
		if (!strncmp(*e, marker, sizeof marker - 1)) {
			if (at)
				refuse(64, forged, "");
			at = e;
		}
	if (!at)
		return 0;
	long fd = number(*at + sizeof marker - 1);
	if (at + 1 != e || fd < 3)
		refuse(64, forged, "");
	long seals = call3(SYS_fcntl, fd, F_GET_SEALS, 0), stat;
	struct stat st;
	memset(&st, POISON, sizeof st);
	if (seals == -EBADF || seals == -EINVAL) // it is nothing of the kind
		refuse(64, forged, "");
	if (seals < 0)
		refuse_errno(64, forged, ": fcntl(F_GET_SEALS): ", seals);
	if ((stat = call2(SYS_fstat, fd, ptr(&st))))
		refuse_errno(64, forged, ": fstat: ", stat);
	if ((seals & SEALS) != SEALS || st.st_uid != (uid_t)call0(SYS_geteuid) ||
	    st.st_size < (off_t)sizeof(struct hr_again) || st.st_size > MOST)
		refuse(64, forged, "");
	long r = call(SYS_mmap, 0, (uint64_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, (uint64_t)fd, 0);
	if (r < 0 && r > -4096)
		refuse_errno(226, "start again: ", "mmap: ", r);
	struct hr_again *h = (void *)(uintptr_t)r;
	long own = call0(h->form == HR_AGAIN_COMMAND ? SYS_getppid : SYS_getpid);
	if (h->magic != HR_AGAIN_MAGIC || h->size != (uint64_t)st.st_size || h->pid != own)
		refuse(64, forged, "");
	if (h->form == HR_AGAIN_COMMAND) { // read by Go, when it has started
		if ((r = on_exec(fd)) || (r = call2(SYS_munmap, ptr(h), st.st_size)))
			refuse_errno(203, "start again: ", "fcntl: ", r);
		hr_snapshot.command_fd = (int32_t)fd;
		again_variable = at;
		return 0;
	}
	uint64_t need = sizeof *h + h->nrows * sizeof(struct hr_row) + (h->nkept + (uint64_t)h->nrelocs) * 4 + h->nblob + h->nuid + h->ngid + (uint64_t)h->nwhy + h->nnames;
	const char *texts = (char *)(h + 1);
	int rows = h->form == HR_AGAIN_ROWS && h->nrows && need <= h->size && (h->size - h->nblob) % 8 == 0;
	int start = h->form == HR_AGAIN_START && need == h->size && h->ncgroups <= HR_CGROUPS && (!h->command_fd || h->command_fd >= 3);
	const uint32_t sizes[] = {h->nuid, h->ngid, h->nwhy, h->nnames};
	for (unsigned i = 0; start && i < sizeof sizes / sizeof *sizes; i++) { // each ends in a NUL
		texts += sizes[i];
		start = !sizes[i] || !texts[-1];
	}
	uint32_t names = 0;
	for (uint32_t i = 0; start && i < h->nnames; i++)
		names += !texts[(int32_t)i - (int32_t)h->nnames];
	start = start && names == h->ncgroups;
	if (!rows && !start)
		refuse(64, forged, "");
	if ((r = closes(fd)))
		refuse_errno(226, "start again: ", "close, fcntl: ", r);
	again_variable = at;
	return h;
}

// run_again works off the rows that this process wrote when it had several
// threads. What it kept open for that is marked again to be closed by execve(2).
static void __attribute__((noreturn)) run_again(struct hr_again *h)
{
	struct hr_row *rows = (void *)(h + 1);
	int32_t *kept = (void *)(rows + h->nrows);
	struct hr_program p = {rows, (char *)h + h->size - h->nblob, (uint32_t *)(kept + h->nkept), h->nrows, h->nrelocs,
			       h->status_fd, h->log_fd, h->syslog_fd, h->syslog_head};
	long r = call(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0, 0);
	for (uint32_t i = 0; i < h->nkept && !r; i++)
		r = on_exec(kept[i]);
	if (r) {
		struct message m = {.len = 0};
		because(&m, "hardrun: start again: the descriptors: fcntl: ", r);
		emit(&p, &m);
		leave(226);
	}
	run(&p);
}

// block_signals blocks all, and is what was blocked before.
static uint64_t block_signals(void)
{
	uint64_t all = ~0ull, mask;
	memset(&mask, POISON, sizeof mask);
	long r = call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&all), ptr(&mask), 8);
	if (r || mask >> (SIGKILL - 1) & 1)
		refuse_errno(207, "start again: ", "rt_sigprocmask: ", r ? r : -EIO);
	return mask;
}

static void give_signals_back(uint64_t mask)
{
	uint64_t now;
	memset(&now, POISON, sizeof now);
	long r = call4(SYS_rt_sigprocmask, SIG_SETMASK, ptr(&mask), 0, 8);
	if (!r)
		r = call4(SYS_rt_sigprocmask, SIG_BLOCK, 0, ptr(&now), 8);
	if (r || now != mask)
		refuse_errno(207, "start again: ", "rt_sigprocmask: ", r ? r : -EIO);
}

// right hears whether a guess was right: 1 where it was. 0 where it was not, and
// the child is gone. A child that ends without a word has said why, and the parent ends
// as it did.
static int right(long child, int up, int down, char word)
{
	int state = 0;
	long r = 1;
	if (!word)
		r = read_pipe(up, &word, 1);
	if (r == 1 && word == 'y')
		return 1;
	call1(SYS_close, down);
	do
		r = call4(SYS_wait4, child, ptr(&state), __WALL, 0);
	while (r == -EINTR);
	if (word == 'n' && r == child)
		return 0;
	leave(r == child && WIFEXITED(state) ? WEXITSTATUS(state) : r == child ? 128 + WTERMSIG(state) : 255);
}

// fork_off makes all that follows run in a child, and the parent its waiter. It is
// the fork of the C library: the child goes on, and must know its own number.
//
// guess is where a guess is told to be right or wrong: the parent, whose start has not
// begun, waits for that, and where the guess was wrong comes back. 0 where it is known.
static int fork_off(int proc, int pidns, int *guess)
{
	const char *const stage = pidns ? "PID namespace: " : "init: ";
	const int code = pidns ? 226 : 203;
	struct kernel_sigaction standard = {.handler = SIG_DFL}, given = {.handler = (void *)-1};
	char was[NAME], is[NAME], path[NAME];
	int up[2] = {-1, -1}, down[2] = {-1, -1}, death = 0;
	const char *act = "readlinkat: ";
	long r = name_of(proc, "self/ns/pid", was);
	if (!r) {
		act = "rt_sigaction: ";
		r = call4(SYS_rt_sigaction, SIGCHLD, ptr(&standard), ptr(&given), 8);
		if (!r && given.handler != (void *)SIG_IGN && given.handler != (void *)SIG_DFL)
			r = -EIO;
	}
	if (!r) {
		act = "pipe2: ";
		r = call2(SYS_pipe2, ptr(up), O_CLOEXEC);
		if (!r)
			r = call2(SYS_pipe2, ptr(down), O_CLOEXEC);
		if (!r && (up[0] < 3 || up[1] < 3 || down[0] < 3 || down[1] < 3))
			r = -EIO;
	}
	if (!r && pidns) {
		act = "unshare(CLONE_NEWPID): ";
		r = call1(SYS_unshare, CLONE_NEWPID);
	}
	if (r && guess) { // the start will say what is missing, should it be asked for
		for (int i = 0; i < 2; i++)
			if (up[i] >= 0 && down[i] >= 0)
				call1(SYS_close, up[i]), call1(SYS_close, down[i]);
		if (given.handler != (void *)-1 && (r = call4(SYS_rt_sigaction, SIGCHLD, ptr(&given), 0, 8)))
			refuse_errno(code, stage, "rt_sigaction: ", r);
		return 0;
	}
	if (r)
		refuse_errno(code, stage, act, r);
	long pid = fork();
	if (pid < 0)
		refuse_errno(code, stage, "fork: ", -errno);
	if (pid > 0) {
		// The child knows its number in this /proc, which may be that of another
		// namespace than the own.
		call1(SYS_close, up[1]);
		call1(SYS_close, down[0]);
		r = read_pipe(up[0], path, sizeof path - sizeof "/status");
		if (r < 0) { // the child waits for its word
			call2(SYS_kill, pid, SIGKILL);
			refuse_errno(code, stage, "read: ", r);
		}
		char word = 0; // of a guess, where that is told already
		if (r > 0 && path[r - 1] > '9')
			word = path[--r];
		if (r > 0 && pidns) {
			memcpy(path + r, "/status", sizeof "/status");
			r = open_in(proc, path, O_RDONLY);
		}
		if (!guess || right(pid, up[0], down[1], word))
			wait_for(pid, r >= 3 && pidns ? (int)r : -1, down[1]);
		if (r >= 3)
			call1(SYS_close, r);
		call1(SYS_close, up[0]);
		call1(SYS_close, down[1]);
		long own = open_in(proc, "self/ns/pid", O_RDONLY);
		if (own < 0 || (r = call2(SYS_setns, own, CLONE_NEWPID)) || (r = call1(SYS_close, own)) || (r = name_of(proc, "self/ns/pid_for_children", is)))
			refuse_errno(code, stage, "setns(CLONE_NEWPID): ", own < 0 ? own : r);
		if (strcmp(was, is))
			refuse(code, stage, "setns(CLONE_NEWPID): read back another namespace than before");
		if ((r = call4(SYS_rt_sigaction, SIGCHLD, ptr(&given), 0, 8)))
			refuse_errno(code, stage, "rt_sigaction: ", r);
		return 0;
	}
	call1(SYS_close, up[0]);
	call1(SYS_close, down[1]);
	if (pidns) {
		if ((r = name_of(proc, "self/ns/pid", is)))
			refuse_errno(code, stage, "readlinkat: ", r);
		if (call0(SYS_getpid) != 1 || !strcmp(was, is))
			refuse(code, stage, "unshare(CLONE_NEWPID): read back the same namespace as before");
	}
	// Who kills the parent means the daemon.
	r = call2(SYS_prctl, 1 /* PR_SET_PDEATHSIG */, SIGKILL);
	if (!r)
		r = call2(SYS_prctl, 2 /* PR_GET_PDEATHSIG */, ptr(&death));
	if (r || death != SIGKILL)
		refuse_errno(code, stage, "prctl(PR_SET_PDEATHSIG): ", r ? r : -EIO);
	r = call4(SYS_readlinkat, proc, ptr("self"), ptr(path), sizeof path);
	// Nothing is done before the parent has given up what it can do; SIGPIPE is blocked.
	long up_to = r;
	if (r <= 0 || (r = call3(SYS_write, up[1], ptr(path), up_to)) != up_to)
		refuse_errno(code, stage, "the parent is gone: readlinkat, write: ", r < 0 ? r : -EIO);
	if (guess) {
		guess[0] = up[1];
		guess[1] = down[0];
	} else {
		if ((r = read_pipe(down[0], path, 1)) != 1)
			refuse_errno(code, stage, "the parent is gone: read: ", r < 0 ? r : -EPIPE);
		call1(SYS_close, up[1]);
		call1(SYS_close, down[0]);
	}
	if ((r = call4(SYS_rt_sigaction, SIGCHLD, ptr(&given), 0, 8)))
		refuse_errno(code, stage, "rt_sigaction: ", r);
	return 1;
}

// asks_for_pids tells whether the options ask for PrivatePIDs=, as far as can be told
// without knowing them: up to the first word that is none. It is a guess, which saves
// the start of a runtime that would only find out that it has to start again.
static int asks_for_pids(void)
{
	// What may need a control group: that is made before the parent, which removes it.
	static const char *const groups_first[] = {"--cgroup", "--device-", "--ip", "--socket-bind", "--restrict-network", "--bind-network",
						   "--bpf-", "--memory-", "--tasks-max", "--cpu-", "--allowed-", "--io-", "--kill-mode", "--delegate", "--Dev", "--IP"};
	static const char *const words[] = {"--private-pids", "--private-pids=yes", "--private-pids=true", "--PrivatePIDs=yes", "--PrivatePIDs=true"};
	char **argv = environ - 1; // behind its end; before its start stands the count of its words, execve(2)
	long n = 0;
	int found = 0, devices = 0, less = 0; // without capabilities, --private-devices needs no group
	while (n < 1 << 20 && (long)(intptr_t)argv[-1 - n] != n)
		n++;
	for (argv -= n; n > 1; n--) {
		const char *word = *++argv;
		if (word[0] != '-' || !strcmp(word, "--"))
			break;
		devices |= !strncmp(word, "--private-dev", 13);
		less |= !strncmp(word, "--cap", 5);
		for (unsigned i = 0; i < sizeof groups_first / sizeof *groups_first; i++)
			if (!strncmp(word, groups_first[i], strlen(groups_first[i])))
				return 0;
		for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
			if (!strcmp(word, words[i]))
				found = 1;
	}
	return found && (less || !devices);
}

static int guess[2] = {-1, -1}; // pipes to and from a parent that waits for what comes of its guess

// guess_pids starts in a PID namespace where the options seem to want it.
static void guess_pids(int root)
{
	long proc = call4(SYS_openat, AT_FDCWD, ptr("/proc"), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct statfs fs = {.f_type = 0};
	if (proc >= 3 && !call2(SYS_fstatfs, proc, ptr(&fs)) && fs.f_type == 0x9fa0 /* PROC_SUPER_MAGIC */) {
		long starter = call0(SYS_getpid);
		uint64_t mask = block_signals();
		if (fork_off((int)proc, 1, guess)) {
			hr_snapshot.again_flags = HR_AGAIN_PIDNS;
			hr_snapshot.starter = (int32_t)starter;
			if (root && call(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0, 0))
				refuse(226, "start again: prctl(PR_SET_DUMPABLE)", "");
		}
		give_signals_back(mask);
	}
	if (proc >= 0)
		call1(SYS_close, proc);
}

int hr_guessed(void) { return guess[0] >= 0; }

int hr_guess_was(int right)
{
	char word = right ? 'y' : 'n', c;
	long r = call3(SYS_write, guess[0], ptr(&word), 1);
	if (r == 1 && right)
		r = read_pipe(guess[1], &c, 1); // the parent has given up what it can do
	call1(SYS_close, guess[0]);
	call1(SYS_close, guess[1]);
	guess[0] = guess[1] = -1;
	return r == 1 ? 0 : r < 0 ? (int)r : -ESRCH;
}

// explainer makes the process that explains denials: a sibling of the daemon, in a
// session of its own. 1 in it, 0 in who goes on.
static int explainer(void)
{
	static const char stage[] = "explain denials: ";
	int pair[2] = {-1, -1}, null;
	long r = call4(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ptr(pair));
	if (r || pair[0] < 3 || pair[1] < 3)
		refuse_errno(228, stage, "socketpair: ", r ? r : -EIO);
	long pid = fork();
	if (pid < 0)
		refuse_errno(228, stage, "fork: ", -errno);
	call1(SYS_close, pair[pid != 0]);
	if (pid) {
		explainer_pid = pid;
		hr_snapshot.explain_fd = pair[0];
		return 0;
	}
	// It holds nothing of the daemon's but the stderr that it writes to.
	call0(SYS_setsid);
	call2(SYS_prctl, 15 /* PR_SET_NAME */, ptr("hardrun-explain"));
	null = (int)call4(SYS_openat, AT_FDCWD, ptr("/dev/null"), O_RDWR | O_CLOEXEC, 0);
	if (null < 0 || call3(SYS_dup3, null, 0, 0) || call3(SYS_dup3, null, 1, 0) != 1 || call1(SYS_chdir, ptr("/")) || (pair[1] != 3 && call3(SYS_dup3, pair[1], 3, O_CLOEXEC) != 3))
		refuse(228, stage, "its descriptors");
	if (call3(SYS_close_range, 4, ~0u, 0) == -ENOSYS)
		for (int fd = 4; fd < 4096; fd++)
			call1(SYS_close, fd);
	if ((r = only_kill(0)))
		refuse_errno(218, stage, "capset: ", r);
	hr_snapshot.explain_fd = 3;
	hr_snapshot.explains = 1;
	return 1;
}

// start_again does what only a process of one thread can, or should, do; then this
// start goes on as any other.
static void start_again(struct hr_again *h, int root)
{
	if (h->nwhy)
		why = (char *)(h + 1) + h->nuid + h->ngid;
	uint64_t mask = block_signals();
	long r = 0;
	groups.n = (int)h->ncgroups;
	groups.names = (char *)(h + 1) + h->nuid + h->ngid + h->nwhy;
	if (h->flags & HR_AGAIN_KILL)
		groups.kill = h->kill_fd;
	hr_snapshot.ncgroups = (uint8_t)groups.n;
	hr_snapshot.delegates = (h->flags & HR_AGAIN_DELEGATE) != 0;
	for (int i = 0; i < groups.n && !r; i++) {
		groups.above[i] = h->above[i];
		hr_snapshot.cgroups[i] = groups.own[i] = h->cgroups[i];
		if (groups.own[i] < 0)
			continue;
		r = call3(SYS_fcntl, groups.above[i], F_SETFD, FD_CLOEXEC);
		if (!r)
			r = call3(SYS_fcntl, groups.own[i], F_SETFD, FD_CLOEXEC);
	}
	if (!r && groups.kill >= 0)
		r = call3(SYS_fcntl, groups.kill, F_SETFD, FD_CLOEXEC);
	if (r)
		refuse_errno(219, "start again: ", "fcntl: ", r);
	if (h->command_fd && (r = call3(SYS_fcntl, h->command_fd, F_SETFD, FD_CLOEXEC)))
		refuse_errno(203, "start again: ", "fcntl: ", r);
	hr_snapshot.command_fd = h->command_fd;
	if (h->flags & HR_AGAIN_EXPLAIN && explainer()) {
		why = "";
		give_signals_back(mask);
		return;
	}
	if (h->flags & HR_AGAIN_PIDNS && h->flags & HR_AGAIN_PIDFIRST)
		fork_off(h->proc_fd, 1, 0);
	if (h->flags & HR_AGAIN_USERNS) {
		struct message m = {.len = 0};
		long self = open_in(h->proc_fd, "self", O_PATH | O_DIRECTORY);
		if (self < 0)
			refuse_errno(217, "user namespace: ", "/proc/self: ", self);
		put(&m, "hardrun: user namespace: ");
		const char *uid_map = (char *)(h + 1), *gid_map = uid_map + h->nuid;
		if (!h->nuid || !h->ngid || user_namespace((int)self, uid_map, gid_map, h->flags & HR_AGAIN_DENY, &m)) {
			if (user_namespace_denied >= 0 || h->flags & HR_AGAIN_OUTER)
				say_and_leave(217, &m);
			// It cannot be had, and nothing was done yet: this start goes on as one that
			// knows it, and can say all of what is missing.
			h->flags = 0;
			h->denied = (int32_t)-user_namespace_denied;
			remove_groups();
			for (int i = 0; i < groups.n; i++)
				if (groups.own[i] >= 0)
					call1(SYS_close, groups.own[i]);
			groups.n = hr_snapshot.ncgroups = 0;
		}
		call1(SYS_close, self);
	}
	if (h->flags & HR_AGAIN_PIDNS && !(h->flags & HR_AGAIN_PIDFIRST))
		fork_off(h->proc_fd, 1, 0);
	else if (h->flags & HR_AGAIN_INIT && !(h->flags & HR_AGAIN_PIDNS))
		fork_off(h->proc_fd, 0, 0);
	// This is the child: the parent has its own of what it needs to remove the groups.
	if (groups.kill >= 0)
		call1(SYS_close, groups.kill);
	for (int i = 0; i < groups.n; i++)
		if (groups.above[i] >= 0)
			call1(SYS_close, groups.above[i]);
	// From here on another process of root's must not get hold of this one. Of an
	// unprivileged start it could anyway, as the user owns the namespace.
	if (root && h->flags & (HR_AGAIN_USERNS | HR_AGAIN_PIDNS) && (r = call(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0, 0, 0, 0, 0)))
		refuse_errno(226, "start again: ", "prctl(PR_SET_DUMPABLE): ", r);
	hr_snapshot.again_flags = h->flags;
	hr_snapshot.denied = h->denied;
	hr_snapshot.lacked = h->lacked;
	hr_snapshot.starter = h->pid;
	why = "";
	if ((r = call1(SYS_close, h->proc_fd)) || (r = call2(SYS_munmap, ptr(h), h->size)))
		refuse_errno(226, "start again: ", "close: ", r);
	give_signals_back(mask);
}

static void __attribute__((constructor)) before_go(void)
{
	struct hr_snapshot *s = &hr_snapshot;
	long n;
	uint32_t u[3] = {1, 2, 3}, g[3] = {1, 2, 3}; // three that differ: a call that lies is caught

	if ((n = call3(SYS_getresuid, ptr(&u[0]), ptr(&u[1]), ptr(&u[2]))))
		refuse_errno(64, "own ids", ": getresuid: ", n);
	if ((n = call3(SYS_getresgid, ptr(&g[0]), ptr(&g[1]), ptr(&g[2]))))
		refuse_errno(64, "own ids", ": getresgid: ", n);
	if (getauxval(AT_SECURE) || u[0] != u[1] || u[1] != u[2] || g[0] != g[1] || g[1] != g[2])
		refuse(64, "refuses to run setuid, setgid or with file capabilities: it is to be started by root, not to make root", "");
	struct hr_again *again = inherited();
	if (again && again->form == HR_AGAIN_ROWS)
		run_again(again);
	for (int fd = 0; fd < 3; fd++)
		if (call3(SYS_fcntl, fd, F_GETFD, 0) == -EBADF)
			s->closed |= 1u << fd;
	for (int fd = 0; fd < 3; fd++)
		if (s->closed >> fd & 1 && (n = call4(SYS_openat, AT_FDCWD, ptr("/dev/null"), O_RDWR, 0)) != fd)
			refuse_errno(209, "a standard descriptor is closed, and /dev/null cannot be opened in its place", ": openat: ", n < 0 ? n : -EIO);
	if (again)
		start_again(again, !u[1]);
	else if (!s->command_fd && asks_for_pids())
		guess_pids(!u[1]);
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		memset(&st, POISON, sizeof st);
		if ((n = call2(SYS_fstat, fd, ptr(&st))) || st.st_ino == 0xa5a5a5a5a5a5a5a5)
			refuse_errno(209, "standard descriptors", ": fstat: ", n ? n : -EIO);
		s->standard[fd][0] = st.st_dev;
		s->standard[fd][1] = st.st_ino;
	}
	for (int sig = 1; sig <= 64; sig++) {
		struct kernel_sigaction act = {.handler = (void *)-1};
		if ((n = call4(SYS_rt_sigaction, sig, 0, ptr(&act), 8)))
			refuse_errno(207, "signals", ": rt_sigaction: ", n);
		if (act.handler == (void *)SIG_IGN)
			s->ignored |= 1ull << (sig - 1);
		else if (act.handler != (void *)SIG_DFL)
			refuse_errno(207, "signals", ": rt_sigaction: ", -EIO);
	}
	memset(&s->blocked, POISON, sizeof s->blocked);
	if ((n = call4(SYS_rt_sigprocmask, SIG_BLOCK, 0, ptr(&s->blocked), 8)) || s->blocked >> (SIGKILL - 1) & 1)
		refuse_errno(207, "signals", ": rt_sigprocmask: ", n ? n : -EIO);
	limits();
	// The runtime's monitor would wake every 20 µs, on the one CPU there is, for the
	// whole of a launch. Threads inherit the timer slack: it sleeps longer by that.
	n = call2(SYS_prctl, 30 /* PR_GET_TIMERSLACK */, 0);
	if (n < 0)
		refuse_errno(212, "timer slack", ": prctl(PR_GET_TIMERSLACK): ", n);
	s->timer_slack = (uint64_t)n; // 0 for a real-time thread
	if (n && (n = call2(SYS_prctl, 29 /* PR_SET_TIMERSLACK */, 20000000)))
		refuse_errno(212, "timer slack", ": prctl(PR_SET_TIMERSLACK): ", n);
	hide(environ, 'G', 1);

	unsigned cpu = ~0u;
	n = call3(SYS_sched_getaffinity, 0, sizeof s->affinity, ptr(s->affinity));
	if (n <= 0)
		refuse_errno(214, "affinity", ": sched_getaffinity: ", n ? n : -EIO);
	s->affinity_bytes = (int32_t)n;
	if (!call3(SYS_getcpu, ptr(&cpu), 0, 0) && cpu < sizeof s->affinity * 8) {
		uint64_t one[128] = {0};
		one[cpu / 64] = 1ull << cpu % 64;
		s->pinned = !call3(SYS_sched_setaffinity, 0, n, ptr(one));
	}
}
