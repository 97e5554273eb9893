// attack_peek starts a program again and again, and meanwhile tries, as another
// process of another user, to get hold of it by every way that ptrace(2) and
// /proc/PID give: it prints how often it tried, and how often each way was open.
//
//   attack_peek UID STARTS SPAN [WORD]... -- COMMAND...
//
// The attacker has UID, and every capability the kernel gives it for that. SPAN is
// how many process ids from that of the program on it looks at. With words, the
// attacker is that command with "-- FD" instead, in a world of its own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FD, MEM, ROOT, CWD, EXE, NS, ENVIRON, PTRACE, WAYS };
static const char *const names[WAYS] = {"fd", "mem", "root", "cwd", "exe", "ns", "environ", "ptrace"};

struct shared {
	atomic_int pid;   // of the present start; 0 between two, -1 after the last
	atomic_int ready; // the attacker looks at that pid
	unsigned long tries, open[WAYS], rounds;
};

static int can_open(int pid, const char *what, int flags)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int can_trace(int pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return 0;
	kill(pid, SIGKILL); // it is ours; and its parent gets no word of it until we have
	waitpid(pid, 0, __WALL);
	return 1;
}

static void attack(struct shared *s, int span)
{
	for (int last = 0;;) {
		int pid = atomic_load(&s->pid);
		if (pid < 0)
			return;
		atomic_store(&s->ready, pid);
		if (pid == 0) {
			sched_yield();
			continue;
		}
		if (pid != last)
			s->rounds++;
		last = pid;
		for (int p = pid; p < pid + span; p++) {
			s->tries++;
			s->open[FD] += (unsigned)(can_open(p, "fd/0", O_PATH) || can_open(p, "fd/3", O_PATH) || can_open(p, "fd/4", O_PATH));
			s->open[MEM] += (unsigned)can_open(p, "mem", O_RDWR);
			s->open[ROOT] += (unsigned)can_open(p, "root", O_PATH);
			s->open[CWD] += (unsigned)can_open(p, "cwd", O_PATH);
			s->open[EXE] += (unsigned)can_open(p, "exe", O_PATH);
			s->open[NS] += (unsigned)can_open(p, "ns/mnt", O_RDONLY);
			s->open[ENVIRON] += (unsigned)can_open(p, "environ", O_RDONLY);
			s->open[PTRACE] += (unsigned)can_trace(p);
		}
	}
}

static int become(uid_t uid)
{
	return setgroups(0, 0) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--")) { // the attacker, in its own world
		struct shared *s = mmap(0, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
		if (s == MAP_FAILED)
			return 90;
		attack(s, atoi(argv[3]));
		return 0;
	}
	char **words = argv + 4, **command = words;
	while (*command && strcmp(*command, "--"))
		command++;
	if (argc < 6 || !*command || !command[1])
		return 64;
	*command++ = 0;
	uid_t uid = (uid_t)atoi(argv[1]);
	int starts = atoi(argv[2]), fd = (int)syscall(SYS_memfd_create, "shared", 0);
	struct shared *s;
	if (fd < 0 || ftruncate(fd, sizeof *s) || (s = mmap(0, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
		perror("memfd");
		return 90;
	}
	pid_t attacker = fork();
	if (attacker == 0) {
		char text[16], *list[64];
		int n = 0;
		if (become(uid)) {
			perror("setresuid");
			_exit(91);
		}
		if (!*words) {
			attack(s, atoi(argv[3]));
			_exit(0);
		}
		snprintf(text, sizeof text, "%d", fd);
		while (words[n] && n < 60) {
			list[n] = words[n];
			n++;
		}
		list[n++] = "--";
		list[n++] = text;
		list[n++] = argv[3];
		list[n] = 0;
		execv(list[0], list);
		perror(list[0]);
		_exit(92);
	}
	int bad = 0, status;
	for (int i = 0; i < starts; i++) {
		int go[2];
		if (pipe2(go, O_CLOEXEC)) {
			perror("pipe");
			return 93;
		}
		pid_t pid = fork();
		if (pid == 0) {
			char c;
			int null = open("/dev/null", O_WRONLY);
			close(go[1]);
			if (read(go[0], &c, 1) != 1 || dup2(null, 1) < 0)
				_exit(94);
			execv(command[0], command);
			_exit(95);
		}
		atomic_store(&s->pid, pid);
		while (atomic_load(&s->ready) != pid)
			if (waitpid(attacker, &status, WNOHANG) == attacker) {
				fprintf(stderr, "the attacker ended: %x\n", status);
				kill(pid, SIGKILL);
				return 96;
			} else
				sched_yield();
		if (write(go[1], "", 1) != 1)
			return 97;
		close(go[0]);
		close(go[1]);
		waitpid(pid, &status, 0);
		bad += status != 0;
		atomic_store(&s->pid, 0);
	}
	atomic_store(&s->pid, -1);
	waitpid(attacker, &status, 0);
	printf("{\"starts\":%d,\"ended_badly\":%d,\"rounds\":%lu,\"tries\":%lu", starts, bad, s->rounds, s->tries);
	for (int i = 0; i < WAYS; i++)
		printf(",\"%s\":%lu", names[i], s->open[i]);
	puts("}");
	return 0;
}
