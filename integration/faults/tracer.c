//go:build ignore

// tracer runs a program of which some system calls are not made, and are answered by it.
//
//   tracer LOG FAULT... -- PROGRAM [ARG]...
//
// FAULT is PROCESS:NUMBER:FIRST:LAST:ANSWER[:ARGUMENT=BYTES]...
// PROCESS is 0 for the main thread of the program, k for that of the k-th process which
// descends from it, and "*" for all threads. NUMBER is that of the system call; those of a thread are
// counted from 1, from the program's start, and FIRST to LAST of them are hit (LAST 0: no end).
// They answer ANSWER, and BYTES, in base 16, are written to where the ARGUMENT (0 to 5)
// points. "record" in place of the faults notes what getters have written.
//
// A process that executes another file than PROGRAM is let go. In LOG is a line for each
// call that was hit: "hit PROCESS NUMBER COUNT ANSWER: TEXT", where TEXT is the beginning of what
// was to be written, for each process that was let go: "let go PROCESS", and for each getter
// "got PROCESS NUMBER COUNT ARGUMENT=BYTES...". The status is the program's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 512, FAULTS = 128, THREADS = 256 };

// The C libraries differ in what they say of these.
enum { CONT = 7, SYSCALL = 24, POKE = 6, SEIZE = 0x4206, LISTEN = 0x4208, DETACH = 17, SYSCALL_INFO = 0x420e, SIGNAL_INFO = 0x4202 };
enum { ON_SYSCALL = 1, ON_FORK = 2, ON_VFORK = 4, ON_CLONE = 8, ON_EXEC = 16, EXECUTED = 4, STOPPED = 128 };
enum { RAX = 10, ORIG_RAX = 15, ENTRY = 1, EXIT = 2 };

struct info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t ip, sp;
	union {
		struct { uint64_t nr, args[6]; } entry;
		struct { int64_t answer; uint8_t failed; } exit;
	};
};

static long trace(long request, pid_t pid, unsigned long address, void *data)
{
	return syscall(SYS_ptrace, request, (long)pid, address, data);
}

struct fault {
	int process; // -1: all
	long nr;
	unsigned first, last;
	long answer;
	const char *bytes; // ":ARGUMENT=BYTES..."
};

struct thread {
	pid_t id;
	int process; // -1: a thread beside the main one
	unsigned count[CALLS];
	long nr;
	uint64_t args[6];
	const struct fault *hit;
};

static struct fault faults[FAULTS];
static int faulty, recording;
static struct thread threads[THREADS];
static int used, processes;
static FILE *out;
static struct stat program;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	dprintf(2, "tracer: %s: %s\n", what, strerror(errno));
	_exit(97);
}

// status is a number of /proc/PID/status; 0 if it is not there.
static unsigned long long status_of(pid_t id, const char *name, int base)
{
	char path[64], text[4096], *at;
	snprintf(path, sizeof path, "/proc/%d/status", id);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	return (at = strstr(text, name)) ? strtoull(at + strlen(name), 0, base) : 0;
}

// leads tells whether a thread is the main one of its process.
static int leads(pid_t id) { return status_of(id, "\nTgid:\t", 10) == (unsigned long long)id; }

// crashes tells whether a signal that the thread has brought upon itself ends it. The kernel lets process 1 of a
// PID namespace live on, and make the same mistake without end, as long as it is traced.
static int crashes(pid_t id, int sig)
{
	siginfo_t info = {.si_code = 0};
	return !trace(SIGNAL_INFO, id, 0, &info) && info.si_code > 0 && (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE) && !(status_of(id, "\nSigCgt:\t", 16) >> (sig - 1) & 1);
}

static struct thread *find(pid_t id)
{
	struct thread *none = 0;
	for (int i = 0; i < used; i++) {
		if (threads[i].id == id)
			return threads + i;
		if (!threads[i].id && !none)
			none = threads + i;
	}
	errno = ENFILE;
	need(none || used < THREADS, "threads");
	if (!none)
		none = threads + used++;
	memset(none, 0, sizeof *none);
	none->id = id;
	none->process = leads(id) ? processes++ : -1;
	return none;
}

static unsigned digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static int transfer(pid_t pid, uint64_t at, void *bytes, size_t size, int in)
{
	struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)at, size};
	return (in ? process_vm_writev : process_vm_readv)(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

// answered writes what a call that was hit is to have written.
static void answered(struct thread *t)
{
	const char *s = t->hit->bytes;
	while (*s == ':') {
		unsigned char bytes[4096];
		size_t n = 0;
		int argument = s[1] - '0';
		for (s += 3; *s && *s != ':'; s += 2)
			bytes[n++] = (unsigned char)(digit(s[0]) << 4 | digit(s[1]));
		if (n && t->args[argument])
			need(transfer(t->id, t->args[argument], bytes, n, 1), "what is to be answered");
	}
}

static void got(struct thread *t, int argument, size_t size)
{
	unsigned char bytes[4096];
	if (!size || size > sizeof bytes || !t->args[argument] || !transfer(t->id, t->args[argument], bytes, size, 0))
		return;
	fprintf(out, ":%d=", argument);
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02x", bytes[i]);
}

// record notes what a getter has written.
static void record(struct thread *t, long answer)
{
	if (answer < 0 || t->process < 0 || (t->nr != SYS_getresuid && t->nr != SYS_getresgid && t->nr != SYS_getgroups && t->nr != SYS_capget))
		return;
	fprintf(out, "got %d %ld %u %ld", t->process, t->nr, t->count[t->nr], answer);
	if (t->nr == SYS_getgroups)
		got(t, 1, t->args[0] ? (size_t)answer * 4 : 0);
	else if (t->nr == SYS_capget)
		got(t, 1, 24);
	else
		for (int i = 0; i < 3; i++)
			got(t, i, 4);
	fputs("\n", out);
}

static void stopped(struct thread *t)
{
	struct info s;
	if (trace(SYSCALL_INFO, t->id, sizeof s, &s) < 0)
		return; // it was killed
	if (s.op == EXIT) {
		if (t->hit) {
			if (trace(POKE, t->id, 8 * RAX, (void *)t->hit->answer) == 0)
				answered(t);
			t->hit = 0;
		} else if (recording && t->nr >= 0)
			record(t, (long)s.exit.answer);
		t->nr = -1;
		return;
	}
	if (s.op != ENTRY || s.entry.nr >= CALLS)
		return;
	t->nr = (long)s.entry.nr;
	memcpy(t->args, s.entry.args, sizeof t->args);
	unsigned n = ++t->count[t->nr];
	for (int i = 0; i < faulty; i++) {
		const struct fault *f = faults + i;
		if (f->nr != t->nr || (f->process >= 0 && f->process != t->process) || n < f->first || (f->last && n > f->last))
			continue;
		if (trace(POKE, t->id, 8 * ORIG_RAX, (void *)-1L) < 0)
			return;
		t->hit = f;
		char text[64] = "";
		if (t->nr == SYS_write || t->nr == SYS_sendto)
			transfer(t->id, t->args[1], text, t->args[2] < sizeof text ? t->args[2] : sizeof text - 1, 0);
		text[strcspn(text, "\n")] = 0;
		fprintf(out, "hit %d %ld %u %ld: %s\n", t->process, t->nr, n, f->answer, text);
		return;
	}
}

// done tells that no fault is left to come: all were to hit one thread, and have.
static int done(void)
{
	for (int i = 0; i < faulty; i++) {
		int over = 0;
		for (int k = 0; k < used && faults[i].process >= 0 && faults[i].last; k++)
			over |= threads[k].id && threads[k].process == faults[i].process && threads[k].count[faults[i].nr] >= faults[i].last && !threads[k].hit;
		if (!over)
			return 0;
	}
	return !recording;
}

// other tells whether a thread is another program now.
static int other(pid_t id)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%d/exe", id);
	return stat(path, &st) || st.st_dev != program.st_dev || st.st_ino != program.st_ino;
}

static void fault(const char *s)
{
	struct fault *f = faults + faulty++;
	char *end;
	errno = E2BIG;
	need(faulty < FAULTS, s);
	f->process = *s == '*' ? -1 : atoi(s);
	s = strchr(s, ':');
	errno = EINVAL;
	need(s != 0, "a fault");
	f->nr = strtol(s + 1, &end, 10);
	f->first = (unsigned)strtol(end + 1, &end, 10);
	f->last = (unsigned)strtol(end + 1, &end, 10);
	f->answer = strtol(end + 1, &end, 10);
	f->bytes = end;
	need(f->nr >= 0 && f->nr < CALLS && f->first > 0, "a fault");
}

int main(int argc, char **argv)
{
	int go[2], status, at = 2, live = 0;
	char byte = 0;
	if (argc < 4) {
		dprintf(2, "usage: tracer LOG FAULT... -- PROGRAM [ARG]...\n");
		return 97;
	}
	need((out = fopen(argv[1], "we")) != 0, argv[1]);
	setvbuf(out, 0, _IOLBF, 0); // what is known when it is killed
	for (; at < argc && strcmp(argv[at], "--"); at++)
		if (!strcmp(argv[at], "record"))
			recording = 1;
		else
			fault(argv[at]);
	argv += at + 1;
	need(at + 1 < argc && !pipe2(go, O_CLOEXEC), "pipe");
	pid_t main_id = fork();
	need(main_id >= 0, "fork");
	if (main_id == 0) {
		need(read(go[0], &byte, 1) == 1, "read");
		execvp(argv[0], argv);
		need(0, argv[0]);
	}
	need(!trace(SEIZE, main_id, 0, (void *)(long)(ON_SYSCALL | ON_FORK | ON_VFORK | ON_CLONE | ON_EXEC)), "ptrace");
	need(write(go[1], &byte, 1) == 1, "write");
	close(go[0]);
	close(go[1]);
	for (;;) {
		pid_t id = waitpid(-1, &status, __WALL);
		if (id < 0 && errno == EINTR)
			continue;
		need(id > 0, "waitpid");
		struct thread *t = find(id);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			t->id = 0;
			if (id == main_id)
				break;
			continue;
		}
		int sig = WSTOPSIG(status), event = status >> 16, how = SYSCALL;
		if (event == EXECUTED) {
			sig = 0;
			if (!live) {
				char path[64];
				snprintf(path, sizeof path, "/proc/%d/exe", id);
				need(!stat(path, &program), path);
				live = 1;
				t->nr = -1;
			} else if (other(id)) {
				fprintf(out, "let go %d\n", t->process);
				how = DETACH;
			}
		} else if (event == STOPPED) {
			if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
				how = LISTEN;
			sig = 0;
		} else if (event) {
			sig = 0;
		} else if (sig == (SIGTRAP | 0x80)) {
			stopped(t);
			sig = 0;
		} else if (crashes(id, sig)) {
			how = DETACH;
			sig = 0;
		}
		if (how == SYSCALL && !t->hit && done())
			how = CONT;
		trace(how, id, 0, (void *)(long)sig); // it may have been killed meanwhile
		if (how == DETACH && id != main_id)
			t->id = 0;
	}
	fclose(out);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 97;
}
