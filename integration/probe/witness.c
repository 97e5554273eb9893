// witness makes starts in a place of its own, kills them, or makes many at once, and says
// what they left.
//
//   witness DIR CGROUP SECONDS DAEMON PROGRAM [ARG]...
//
// The place is that of ../shapes/starter.c, in which DIR is seen as /srv. CGROUP is a group
// of cgroup2 into which it goes, or "-". DAEMON is the path of the daemon's file in that
// place. A command, a line on stdin, that takes longer than SECONDS ends all, as does the end
// of stdin. Commands are:
//
//   calls                          a start, of whose calls each is told
//   kill PROC NR N AFTER FIRST     one that is killed, and another behind it
//   load COUNT AT                  so many starts, and so many at a time
//   sweep                          removes what is left
//
// A call is known by its process, in the order in which they were seen, its number, how many
// of that number the process had made, and whether it is before the call (0) or behind it
// (1), when it is done and the process has not seen the answer. With FIRST of 1 it is not the
// process which makes the call that is killed but the first one. ARGs with "@." get the
// number of the start behind the "@", with load.
//
// An answer is frames, "NAME LENGTH\n" and so many bytes; the last one is "done 0".
#define main starter_main
#include "../shapes/starter.c"
#undef main
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <time.h>

static const char *group;         // or 0
static unsigned limit;            // seconds
static struct stat daemon_file;   // of the daemon
static char **program;
static char mounts_were[1 << 17], ipc_were[1 << 14];
static int descriptors_were;

static void frame(const char *name, const void *p, size_t n)
{
	char head[64];
	int h = snprintf(head, sizeof head, "%s %zu\n", name, n);
	need(write(1, head, (size_t)h) == h, "stdout");
	for (size_t at = 0; at < n;) {
		ssize_t w = write(1, (const char *)p + at, n - at);
		need(w > 0, "stdout");
		at += (size_t)w;
	}
}

static void number(const char *name, long n)
{
	char text[24];
	frame(name, text, (size_t)snprintf(text, sizeof text, "%ld", n));
}

// ---- what is there

static const char *const tops[] = {"/run", "/tmp", "/var/lib", "/var/cache", "/var/log", "/home", "/srv"};

// A list is of lines, "KIND MODE UID GID SIZE PATH"; those in a directory come before it.
struct list { size_t n; char text[1 << 19]; };
static struct list first, now;

static void walk(struct list *l, const char *dir, dev_t dev, int groups)
{
	struct dirent *e;
	struct stat st;
	char path[4096];
	DIR *d = opendir(dir);
	need(d != 0, dir);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		need(snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path, "a path");
		need(!lstat(path, &st), path);
		int is_dir = S_ISDIR(st.st_mode);
		if (groups && !is_dir)
			continue;
		if (is_dir && st.st_dev == dev) // what is mounted there is not looked into
			walk(l, path, dev, groups);
		size_t left = sizeof l->text - l->n;
		int n = snprintf(l->text + l->n, left, "%c %o %u %u %lld %s\n", "?pc?d?b?-?l?s???"[st.st_mode >> 12 & 15], st.st_mode & 07777, st.st_uid, st.st_gid,
			is_dir ? 0 : (long long)st.st_size, path);
		need(n > 0 && (size_t)n < left, "room for the list");
		l->n += (size_t)n;
	}
	closedir(d);
}

static void look(struct list *l)
{
	struct stat st;
	l->n = 0;
	for (unsigned i = 0; i < sizeof tops / sizeof *tops; i++) {
		need(!stat(tops[i], &st), tops[i]);
		walk(l, tops[i], st.st_dev, 0);
	}
	if (group) {
		need(!stat(group, &st), group);
		walk(l, group, st.st_dev, 1);
	}
	l->text[l->n] = 0;
}

static const char *path_of(const char *line)
{
	for (int i = 0; i < 5; i++)
		line = strchr(line, ' ') + 1;
	return line;
}

// has tells whether a path, up to its "\n", is in a list.
static int has(const struct list *l, const char *path)
{
	size_t n = strcspn(path, "\n");
	for (const char *s = l->text; *s; s = strchr(s, '\n') + 1) {
		const char *p = path_of(s);
		if (!strncmp(p, path, n + 1))
			return 1;
	}
	return 0;
}

// sweep removes what was not there first. Where something is mounted nothing is removed: it
// could be the machine's.
static void sweep(void)
{
	static char mounts[1 << 17];
	slurp("/proc/self/mountinfo", mounts, sizeof mounts);
	need(!strcmp(mounts, mounts_were), "something is mounted: the place is left as it is");
	look(&now);
	for (char *s = now.text, *end; *s; s = end) {
		end = strchr(s, '\n') + 1;
		if (has(&first, path_of(s)))
			continue;
		end[-1] = 0;
		const char *path = path_of(s);
		need(!(*s == 'd' ? rmdir(path) : unlink(path)), path);
	}
}

// ipc is what there is of System V.
static void ipc(char *text, size_t size)
{
	size_t n = slurp("/proc/sysvipc/shm", text, size); // its last columns change when pages are swapped
	n += slurp("/proc/sysvipc/sem", text + n, size - n);
	slurp("/proc/sysvipc/msg", text + n, size - n);
}

static int descriptors(void)
{
	int n = entries("/proc/self/fd");
	return n - 1; // that of the directory
}

// left says what is there now, and what is not as it was.
static void left(void)
{
	static char text[1 << 17];
	look(&now);
	frame("files", now.text, now.n);
	slurp("/proc/self/mountinfo", text, sizeof text);
	if (strcmp(text, mounts_were))
		frame("mounts", text, strlen(text));
	ipc(text, sizeof text);
	if (strcmp(text, ipc_were))
		frame("ipc", text, strlen(text));
	if (descriptors() != descriptors_were)
		number("descriptors", descriptors() - descriptors_were);
	if (others())
		number("processes", others());
}

// ---- a start

struct made { pid_t pid; int out, err, status; long wall, cpu; };

static long microseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

// make forks a process that becomes the start, with a gate once that pipe's other end is closed.
static void make(struct made *m, const int *gate, char **argv)
{
	m->out = memfd_create("out", MFD_CLOEXEC);
	m->err = memfd_create("err", MFD_CLOEXEC);
	need(m->out >= 0 && m->err >= 0, "memfd_create");
	m->pid = fork();
	need(m->pid >= 0, "fork");
	if (m->pid)
		return;
	char c;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	need(null >= 0 && dup2(null, 0) == 0 && dup2(m->out, 1) == 1 && dup2(m->err, 2) == 2, "descriptors");
	need(!gate || !close(gate[1]) && read(gate[0], &c, 1) == 0, "the gate");
	signal(SIGALRM, SIG_DFL);
	start(0, "-", argv);
}

static void said(struct made *m, const char *out, const char *err)
{
	static char text[1 << 20];
	const char *names[] = {out, err};
	int fds[] = {m->out, m->err};
	for (int i = 0; i < 2; i++) {
		ssize_t n = pread(fds[i], text, sizeof text, 0);
		need(n >= 0 && n < (ssize_t)sizeof text && !close(fds[i]), "what was said");
		frame(names[i], text, (size_t)n);
	}
}

// hang is a command that came to no end. What is left is ended, and this program with it.
static void hang(void)
{
	static char text[1 << 16];
	char path[64];
	DIR *d = opendir("/proc");
	struct dirent *e;
	while (d && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !strcmp(e->d_name, "1"))
			continue;
		snprintf(path, sizeof path, "/proc/%.16s/stat", e->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof text);
		close(fd);
		frame("hang", text, n > 0 ? (size_t)n : 0);
	}
	left();
	frame("done", "", 0);
	kill(-1, SIGKILL);
	_exit(98);
}

// all waits until there is no process but this one.
static void all(struct made *list, int n)
{
	int status;
	struct rusage u;
	for (pid_t pid; (pid = wait4(-1, &status, __WALL, &u)) > 0 || errno == EINTR;) {
		if (over)
			hang();
		for (int i = 0; pid > 0 && i < n; i++)
			if (list[i].pid == pid) {
				list[i].status = status;
				list[i].wall = microseconds() - list[i].wall;
				list[i].cpu = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
			}
	}
	need(errno == ECHILD, "wait4");
}

// ---- one that is looked at

#define CALLS 512
#define PROCS 64
struct point { int proc, nr, n, after; };
struct info { uint8_t op; uint32_t arch; uint64_t at, stack, nr, more[8]; }; // struct ptrace_syscall_info, ptrace(2)
static struct task { pid_t tid, tgid; int proc, nr, n, gone; } tasks[4096];
static int ntasks, nprocs;
static pid_t procs[PROCS];
static int counts[PROCS][CALLS];
static char *told; // each call, if they are to be told
static size_t ntold, stold;

// the task of a number. It is new when it is not known; one that has a number again, too.
static struct task *task_of(pid_t tid)
{
	char path[64];
	static char text[1 << 14];
	int status_fd, proc;
	for (int i = ntasks - 1; i >= 0; i--)
		if (tasks[i].tid == tid && !tasks[i].gone)
			return &tasks[i];
	need(ntasks < (int)(sizeof tasks / sizeof *tasks), "room for a thread");
	struct task *t = &tasks[ntasks++];
	*t = (struct task){.tid = tid, .tgid = tid, .proc = -1, .nr = -1};
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	status_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (status_fd >= 0) { // else it has ended
		ssize_t n = read(status_fd, text, sizeof text - 1);
		close(status_fd);
		text[n > 0 ? n : 0] = 0;
		char *s = strstr(text, "\nTgid:");
		if (s)
			t->tgid = atoi(s + 6);
	}
	for (proc = nprocs - 1; proc >= 0 && procs[proc] != t->tgid; proc--)
		;
	if (proc < 0) {
		need(nprocs < PROCS, "room for a process");
		proc = nprocs++;
		procs[proc] = t->tgid;
		memset(counts[proc], 0, sizeof counts[proc]);
	}
	t->proc = proc;
	return t;
}

static void tell(const struct task *t, int after)
{
	need(ntold + 64 < stold, "room for the calls");
	ntold += (size_t)sprintf(told + ntold, "%d %d %d %d\n", t->proc, t->nr, t->n, after);
}

static int is_daemon(pid_t pid)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	return !stat(path, &st) && st.st_dev == daemon_file.st_dev && st.st_ino == daemon_file.st_ino;
}

// settled tells whether a kill has come to its end: of all threads none runs, is about to end,
// or has a SIGKILL before it.
static int settled(void)
{
	static char text[1 << 14];
	char path[300];
	int yes = 1;
	DIR *d = opendir("/proc"), *threads;
	struct dirent *e, *th;
	need(d != 0, "/proc");
	while (yes && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !strcmp(e->d_name, "1"))
			continue;
		snprintf(path, sizeof path, "/proc/%.16s/task", e->d_name);
		if (!(threads = opendir(path)))
			continue; // it has ended
		while (yes && (th = readdir(threads))) {
			if (th->d_name[0] == '.')
				continue;
			unsigned long flags = 0, private = 0, shared = 0;
			char state = 'X', *s;
			for (int i = 0; i < 2; i++) {
				snprintf(path, sizeof path, "/proc/%.16s/task/%.16s/%s", e->d_name, th->d_name, i ? "status" : "stat");
				int fd = open(path, O_RDONLY | O_CLOEXEC);
				ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
				if (fd >= 0)
					close(fd);
				text[n > 0 ? n : 0] = 0;
				if (!i && (s = strrchr(text, ')')))
					sscanf(s, ") %c %*d %*d %*d %*d %*d %lu", &state, &flags);
				if (i && (s = strstr(text, "\nSigPnd:")))
					sscanf(s, "\nSigPnd: %lx\nShdPnd: %lx", &private, &shared);
			}
			if (state != 'Z' && state != 'X')
				yes = state != 'R' && state != 'D' && !(flags & 4 /* PF_EXITING */) && !((private | shared) >> (SIGKILL - 1) & 1);
		}
		closedir(threads);
	}
	closedir(d);
	return yes;
}

// watched makes a start and kills it at a point, if there is one. All that comes to a stop then
// stands still until those have ended who end by that: none is further than it was. hit is
// whether it came there, before and behind how many daemons were executed until then, and from
// then on.
static void watched(struct made *m, const struct point *at, int victim_is_first, int *hit, int *before, int *behind)
{
	int gate[2], status;
	*hit = *before = *behind = ntasks = nprocs = 0;
	need(!pipe2(gate, O_CLOEXEC), "pipe2");
	make(m, gate, program);
	need(!ptrace(PTRACE_SEIZE, m->pid, 0,
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL), "PTRACE_SEIZE");
	need(!close(gate[0]) && !close(gate[1]), "the gate");
	int begun = 0;
	struct { pid_t tid; int deliver, is_daemon; } held[256];
	int nheld = 0, settling = 0;
	for (;;) {
		pid_t tid = waitpid(-1, &status, settling ? __WALL | WNOHANG : __WALL);
		if (over)
			hang();
		if (tid == 0 && !settled()) {
			usleep(300);
			continue;
		}
		int none = tid < 0 && errno == ECHILD;
		if (tid == 0 || none) {
			settling = 0;
			for (int i = 0; i < nheld; i++)
				if (!ptrace(held[i].is_daemon ? PTRACE_DETACH : PTRACE_CONT, held[i].tid, 0, held[i].deliver) && held[i].is_daemon)
					++*behind;
			nheld = 0;
			if (none)
				return;
			continue;
		}
		if (tid < 0) {
			need(errno == EINTR, "waitpid");
			continue;
		}
		if (!WIFSTOPPED(status)) {
			if (tid == m->pid)
				m->status = status;
			for (int i = 0; i < ntasks; i++)
				if (tasks[i].tid == tid)
					tasks[i].gone = 1;
			continue;
		}
		int event = status >> 16, sig = WSTOPSIG(status), deliver = 0, daemon = 0;
		if (event == PTRACE_EVENT_EXEC) {
			unsigned long former = 0;
			ptrace(PTRACE_GETEVENTMSG, tid, 0, &former);
			struct task was = *task_of((pid_t)former);
			for (int i = 0; i < ntasks; i++) // of the threads only this one is left
				if (tasks[i].tgid == tid && tasks[i].tid != tid)
					tasks[i].gone = 1;
			struct task *t = task_of(tid);
			t->nr = was.nr;
			t->n = was.n;
			begun = 1;
			daemon = is_daemon(tid);
			if (daemon)
				t->gone = 1;
			if (daemon && !settling) {
				++*(*hit ? behind : before);
				if (told) {
					look(&now);
					frame("during", now.text, now.n);
				}
				ptrace(PTRACE_DETACH, tid, 0, 0);
				continue;
			}
		} else if (event == PTRACE_EVENT_STOP) {
			if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
				ptrace(PTRACE_LISTEN, tid, 0, 0);
				continue;
			}
			if (begun)
				task_of(tid);
		} else if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
			unsigned long child = 0;
			ptrace(PTRACE_GETEVENTMSG, tid, 0, &child);
		} else if (event == 0 && sig == (SIGTRAP | 0x80)) {
			struct info info;
			struct task *t = task_of(tid);
			int after = -1;
			if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) > 0) {
				if (info.op == 1 && info.nr < CALLS) { // PTRACE_SYSCALL_INFO_ENTRY
					t->nr = (int)info.nr;
					t->n = ++counts[t->proc][t->nr];
					after = 0;
				} else if (info.op == 2 && t->nr >= 0) // PTRACE_SYSCALL_INFO_EXIT
					after = 1;
			}
			if (after >= 0 && told)
				tell(t, after);
			if (at && !*hit && after == at->after && t->proc == at->proc && t->nr == at->nr && t->n == at->n) {
				*hit = settling = 1;
				need(!kill(victim_is_first ? procs[0] : t->tgid, SIGKILL) || errno == ESRCH, "kill");
			}
			if (after == 1)
				t->nr = -1;
		} else if (event == 0)
			deliver = sig;
		if (settling) {
			need(nheld < (int)(sizeof held / sizeof *held), "room for who stands still");
			held[nheld].tid = tid;
			held[nheld].deliver = deliver;
			held[nheld++].is_daemon = daemon;
			continue;
		}
		ptrace(begun && !*hit ? PTRACE_SYSCALL : PTRACE_CONT, tid, 0, deliver); // who was killed meanwhile is not there
	}
}

static void plain(struct made *m)
{
	int gate[2];
	need(!pipe2(gate, O_CLOEXEC), "pipe2");
	make(m, gate, program);
	need(!close(gate[0]) && !close(gate[1]), "the gate");
	all(m, 1);
}

// ---- the commands

static void calls(void)
{
	struct made m = {0};
	int hit, before, behind;
	stold = 1 << 22;
	need((told = malloc(stold)) != 0, "memory");
	ntold = 0;
	watched(&m, 0, 0, &hit, &before, &behind);
	number("status", m.status);
	number("daemons", before);
	frame("calls", told, ntold);
	free(told);
	told = 0;
	said(&m, "out", "err");
	left();
}

static void killed(const char *words)
{
	struct made m = {0}, next = {0};
	struct point at;
	int victim, hit, before, behind;
	need(sscanf(words, "%d %d %d %d %d", &at.proc, &at.nr, &at.n, &at.after, &victim) == 5, "the words of kill");
	watched(&m, &at, victim, &hit, &before, &behind);
	number("status", m.status);
	number("hit", hit);
	number("before", before);
	number("behind", behind);
	said(&m, "out", "err");
	left();
	plain(&next);
	frame("next", "", 0);
	number("status", next.status);
	said(&next, "out", "err");
	left();
}

static void load(const char *words)
{
	static struct made list[1024];
	static char text[1024][256];
	int count, at, gate[2], running = 0, next = 0, status;
	struct rusage u;
	need(sscanf(words, "%d %d", &count, &at) == 2 && count > 0 && count <= 1024 && at > 0, "the words of load");
	memset(list, 0, sizeof list);
	need(!pipe2(gate, O_CLOEXEC), "pipe2");
	while (next < count || running) {
		while (next < count && running < at) {
			char *argv[64];
			int n = 0;
			for (; program[n] && n < 63; n++) {
				char *dot = strstr(program[n], "@.");
				argv[n] = program[n];
				if (dot) {
					snprintf(text[next], sizeof text[next], "%.*s%d%s", (int)(dot + 1 - program[n]), program[n], next, dot + 1);
					argv[n] = text[next];
				}
			}
			argv[n] = 0;
			list[next].wall = microseconds();
			make(&list[next], at >= count ? gate : 0, argv);
			next++;
			running++;
		}
		if (at >= count && gate[1] >= 0) { // all at once
			long released = microseconds();
			for (int i = 0; i < count; i++)
				list[i].wall = released;
			need(!close(gate[1]), "the gate");
			gate[1] = -1;
		}
		pid_t pid = wait4(-1, &status, __WALL, &u);
		if (over)
			hang();
		need(pid > 0 || errno == EINTR, "wait4");
		for (int i = 0; pid > 0 && i < next; i++)
			if (list[i].pid == pid) {
				list[i].pid = 0;
				list[i].status = status;
				list[i].wall = microseconds() - list[i].wall;
				list[i].cpu = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
				running--;
			}
	}
	all(list, 0);
	if (gate[1] >= 0)
		need(!close(gate[1]), "the gate");
	need(!close(gate[0]), "the gate");
	for (int i = 0; i < count; i++) {
		frame("start", "", 0);
		number("status", list[i].status);
		number("wall", list[i].wall);
		number("cpu", list[i].cpu);
		said(&list[i], "out", "err");
	}
	left();
}

// serve does what it is told.
static int serve(char **argv)
{
	struct sigaction a = {.sa_handler = late}; // waits end by it
	char line[256];
	need(!prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
	place(argv[1]);
	if (strcmp(argv[2], "-")) {
		char path[4096];
		group = argv[2];
		snprintf(path, sizeof path, "%s/cgroup.procs", group);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		need(fd >= 0 && write(fd, "0", 1) == 1 && !close(fd), path);
	}
	limit = (unsigned)atoi(argv[3]);
	need(!stat(argv[4], &daemon_file), argv[4]);
	program = argv + 5;
	need(!sigaction(SIGALRM, &a, 0), "sigaction");
	slurp("/proc/self/mountinfo", mounts_were, sizeof mounts_were);
	ipc(ipc_were, sizeof ipc_were);
	descriptors_were = descriptors();
	look(&first);
	for (;;) {
		size_t n = 0; // no buffer of stdio: who is forked would have it
		ssize_t r;
		while (n < sizeof line - 1 && (r = read(0, line + n, 1)) > 0 && line[n] != '\n')
			n++;
		if (r <= 0)
			return 0;
		line[n] = 0;
		alarm(limit);
		if (!strcmp(line, "calls"))
			calls();
		else if (!strncmp(line, "kill ", 5))
			killed(line + 5);
		else if (!strncmp(line, "load ", 5))
			load(line + 5);
		else if (!strcmp(line, "sweep"))
			sweep();
		else
			need(0, line);
		alarm(0);
		frame("done", "", 0);
	}
}

int main(int argc, char **argv)
{
	int status;
	need(argc > 5, "usage: witness DIR CGROUP SECONDS DAEMON PROGRAM [ARG]...");
	need(!unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), "unshare");
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0)
		_exit(serve(argv));
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
