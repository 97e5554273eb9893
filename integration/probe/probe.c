// probe is the daemon of the tests: a static program which prints its own state
// as JSON, or tries an act and reports how the kernel answered.
//
//   probe [--out=FILE] [WORD]...         the state, to stdout or to FILE
//   probe try ACT [ARG]...               {"act":…,"value":…,"errno":"EPERM"}
//   probe ask                            an act on each line of stdin, its words parted by tabs; an answer on each of stdout
//   probe with PREPARATION... -- COMMAND prepares a start, then execs COMMAND
//   probe serve FILE STATUS              notes signals in FILE; TERM ends it with STATUS
//
// It knows nothing of what it is tested with.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;
static FILE *out;
static int own = -1; // the descriptor of --out, which is not part of the state

static const char *errname(int e)
{
	static char number[16];
	switch (e) {
#define E(x) case x: return #x;
	case 0: return "";
	E(EPERM) E(ENOENT) E(ESRCH) E(EINTR) E(EIO) E(ENXIO) E(E2BIG) E(ENOEXEC) E(EBADF) E(ECHILD) E(EAGAIN) E(ENOMEM) E(EACCES)
	E(EFAULT) E(EBUSY) E(EEXIST) E(EXDEV) E(ENODEV) E(ENOTDIR) E(EISDIR) E(EINVAL) E(ENFILE) E(EMFILE) E(ENOTTY) E(ETXTBSY)
	E(EFBIG) E(ENOSPC) E(ESPIPE) E(EROFS) E(EPIPE) E(ENOSYS) E(ELOOP) E(ENAMETOOLONG) E(ENOKEY) E(EADDRINUSE) E(EOPNOTSUPP)
	E(ENETUNREACH) E(ECONNREFUSED) E(ENOTEMPTY) E(ETIMEDOUT) E(EADDRNOTAVAIL)
#undef E
	}
	snprintf(number, sizeof number, "errno %d", e);
	return number;
}

static void text(const char *s)
{
	if (!s) {
		fputs("null", out);
		return;
	}
	putc('"', out);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 32 || c > 126)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void key(const char *k)
{
	static int more;
	fprintf(out, "%s\n\"%s\": ", more++ ? "," : "", k);
}

static void key_number(const char *k, long long v) { key(k); fprintf(out, "%lld", v); }
static void key_hex(const char *k, unsigned long long v) { key(k); fprintf(out, "\"%016llx\"", v); }
static void key_text(const char *k, const char *s) { key(k); text(s); }

static void key_list(const char *k, char **list)
{
	key(k);
	putc('[', out);
	for (char **p = list; *p; p++) {
		if (p != list)
			putc(',', out);
		text(*p);
	}
	putc(']', out);
}

// slurp reads a small file; empty where it cannot be read.
static const char *slurp(const char *path)
{
	static char buf[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = 0;
	return buf;
}

static const char *link_of(const char *path)
{
	static char buf[PATH_MAX];
	ssize_t n = readlink(path, buf, sizeof buf - 1);
	buf[n > 0 ? n : 0] = 0;
	return buf;
}

static const char *line(const char *status, const char *name, char *buf, size_t size)
{
	const char *at = strstr(status, name);
	buf[0] = 0;
	if (!at)
		return buf;
	at += strlen(name);
	size_t n = strcspn(at, "\n");
	if (n >= size)
		n = size - 1;
	memcpy(buf, at, n);
	while (n > 0 && (buf[n - 1] == ' ' || buf[n - 1] == '\t'))
		n--;
	buf[n] = 0;
	for (char *p = buf; *p; p++)
		if (*p == '\t')
			*p = ' ';
	return buf;
}

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static void signals(void)
{
	uint64_t ignored = 0, caught = 0, blocked = 0;
	for (int s = 1; s <= 64; s++) {
		struct kernel_sigaction a = {0};
		if (syscall(SYS_rt_sigaction, s, 0, &a, 8))
			continue;
		if (a.handler == (void *)SIG_IGN)
			ignored |= 1ull << (s - 1);
		else if (a.handler)
			caught |= 1ull << (s - 1);
	}
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, &blocked, 8);
	key_hex("sig_ignored", ignored);
	key_hex("sig_caught", caught);
	key_hex("sig_blocked", blocked);
}

static void threads(void)
{
	static const char *const names[] = {"Uid:\t", "Gid:\t", "Groups:\t", "CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapBnd:\t", "CapAmb:\t",
		"NoNewPrivs:\t", "Seccomp:\t", "NSpid:\t", "SigBlk:\t", "SigIgn:\t", "SigCgt:\t", "Umask:\t", "Threads:\t"};
	int tids[256], n = 0;
	DIR *d = opendir("/proc/self/task");
	if (d) {
		struct dirent *e;
		while ((e = readdir(d)) && n < 256)
			if (e->d_name[0] != '.')
				tids[n++] = atoi(e->d_name);
		closedir(d);
	}
	key("threads");
	putc('[', out);
	for (int i = 0; i < n; i++) {
		char path[64], buf[1024];
		snprintf(path, sizeof path, "/proc/self/task/%d/status", tids[i]);
		const char *status = slurp(path);
		fprintf(out, "%s{", i ? "," : "");
		for (unsigned k = 0; k < sizeof names / sizeof *names; k++) {
			fprintf(out, "%s\"%.*s\":", k ? "," : "", (int)strcspn(names[k], ":"), names[k]);
			text(line(status, names[k], buf, sizeof buf));
		}
		putc('}', out);
	}
	putc(']', out);
}

static void capabilities(void)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t e, p, i; } data[2] = {{0}};
	uint64_t bnd = 0, amb = 0;
	syscall(SYS_capget, &head, data);
	for (int c = 0; c < 64; c++) {
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1)
			bnd |= 1ull << c;
		if (prctl(47 /* PR_CAP_AMBIENT */, 1 /* IS_SET */, c, 0, 0) == 1)
			amb |= 1ull << c;
	}
	key_hex("cap_inh", data[0].i | (uint64_t)data[1].i << 32);
	key_hex("cap_prm", data[0].p | (uint64_t)data[1].p << 32);
	key_hex("cap_eff", data[0].e | (uint64_t)data[1].e << 32);
	key_hex("cap_bnd", bnd);
	key_hex("cap_amb", amb);
}

static void descriptors(void)
{
	key("fds");
	putc('[', out);
	int first = 1;
	for (int fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFD);
		struct stat st;
		char path[64];
		if (flags < 0 || fd == own || fstat(fd, &st))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		fprintf(out, "%s{\"fd\":%d,\"cloexec\":%d,\"flags\":%d,\"mode\":\"%o\",\"rdev\":\"%u:%u\",\"ino\":%llu,\"target\":", first ? "" : ",", fd,
			flags & FD_CLOEXEC ? 1 : 0, fcntl(fd, F_GETFL), st.st_mode, major(st.st_rdev), minor(st.st_rdev), (unsigned long long)st.st_ino);
		text(link_of(path));
		putc('}', out);
		first = 0;
	}
	putc(']', out);
}

static void state(char **argv)
{
	putc('{', out);
	key_number("pid", getpid());
	key_number("ppid", getppid());
	key_number("sid", getsid(0));
	key_number("pgid", getpgid(0));
	char comm[17] = "";
	prctl(PR_GET_NAME, comm, 0, 0, 0);
	key_text("comm", comm);
	key_list("argv", argv);
	key_text("exe", link_of("/proc/self/exe"));
	key_text("execfn", (const char *)getauxval(AT_EXECFN));
	key_number("at_secure", (long long)getauxval(AT_SECURE));

	uint32_t id[3];
	syscall(SYS_getresuid, &id[0], &id[1], &id[2]);
	key("uids");
	fprintf(out, "[%u,%u,%u,%u]", id[0], id[1], id[2], (uint32_t)syscall(SYS_setfsuid, -1));
	syscall(SYS_getresgid, &id[0], &id[1], &id[2]);
	key("gids");
	fprintf(out, "[%u,%u,%u,%u]", id[0], id[1], id[2], (uint32_t)syscall(SYS_setfsgid, -1));
	static uint32_t groups[65536];
	int n = (int)syscall(SYS_getgroups, 65536, groups);
	key("groups");
	putc('[', out);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%u", i ? "," : "", groups[i]);
	putc(']', out);

	capabilities();
	key_hex("securebits", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	key_number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	key_number("seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	key_number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	signals();
	mode_t m = umask(0);
	umask(m);
	char mask[8];
	snprintf(mask, sizeof mask, "%04o", m);
	key_text("umask", mask);
	char cwd[PATH_MAX] = "";
	if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0)
		cwd[0] = 0;
	key_text("cwd", cwd);
	struct stat st;
	if (!stat("/", &st)) {
		key("root");
		fprintf(out, "\"%u:%u:%llu\"", major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
	}
	key("limits");
	putc('[', out);
	for (int i = 0; i < 16; i++) {
		uint64_t l[2] = {0, 0};
		syscall(SYS_prlimit64, 0, i, 0, l);
		fprintf(out, "%s[%llu,%llu]", i ? "," : "", (unsigned long long)l[0], (unsigned long long)l[1]);
	}
	putc(']', out);

	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t a, b, c; } attr = {0};
	syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0);
	key_number("nice", 20 - syscall(SYS_getpriority, PRIO_PROCESS, 0));
	key_number("sched_policy", attr.policy);
	key_number("sched_priority", attr.priority);
	key_number("sched_reset_on_fork", attr.flags & 1);
	uint64_t cpus[128] = {0};
	syscall(SYS_sched_getaffinity, 0, sizeof cpus, cpus);
	key_hex("affinity", cpus[0]);
	key_number("ioprio", syscall(SYS_ioprio_get, 1, 0));
	key_number("timer_slack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	key_hex("personality", (unsigned)personality(0xffffffff));
	key_number("ksm", prctl(68 /* PR_GET_MEMORY_MERGE */, 0, 0, 0, 0));
	key_number("thp", prctl(42 /* PR_GET_THP_DISABLE */, 0, 0, 0, 0));
	int policy = -1;
	uint64_t nodes[128] = {0};
	if (syscall(SYS_get_mempolicy, &policy, nodes, 8192, 0, 0))
		policy = -1;
	key_number("numa_policy", policy);
	key_hex("numa_nodes", nodes[0]);
	key_text("coredump_filter", slurp("/proc/self/coredump_filter"));
	key_text("oom_score_adj", slurp("/proc/self/oom_score_adj"));

	char about[256] = "";
	long ring = syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 0);
	if (syscall(SYS_keyctl, 6 /* DESCRIBE */, -3, about, sizeof about - 1) < 0)
		about[0] = 0;
	key_number("session_keyring", ring);
	key_text("session_keyring_is", about);

	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	key_text("tty", tty < 0 ? errname(errno) : "open");
	if (tty >= 0)
		close(tty);
	key("tty_session");
	for (int fd = 0; fd < 3; fd++)
		fprintf(out, "%c%d", fd ? ',' : '[', tcgetsid(fd));
	putc(']', out);
	key_text("mount_ns", link_of("/proc/self/ns/mnt"));
	threads();
	descriptors();
	key_list("env", environ);
	fputs("\n}\n", out);
}

// ---- acts

static const char *acted;

static int report(long value)
{
	int e = value < 0 ? errno : 0;
	fprintf(out, "{\"act\":");
	text(acted);
	fprintf(out, ",\"value\":%ld,\"errno\":", value);
	text(errname(e));
	fputs("}\n", out);
	fflush(out);
	return e ? 1 : 0;
}

static long try_bind(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof a);
}

// chroot_escape is the classic way out of chroot(2): a root below the present
// one while the working directory stays above, then up. 1: a marker which is
// only outside was reached.
static long chroot_escape(const char *marker)
{
	int here = open(".", O_RDONLY | O_DIRECTORY);
	struct stat st;
	if (here < 0)
		return -1;
	mkdir("probe-escape", 0755);
	if (chroot("probe-escape"))
		return -1;
	if (fchdir(here))
		return -1;
	for (int i = 0; i < 64; i++)
		if (chdir(".."))
			return -1;
	if (chroot("."))
		return -1;
	return stat(marker, &st) == 0;
}

// fd_escape goes up from every open directory. 1: the marker was reached.
static long fd_escape(const char *marker)
{
	struct stat st;
	for (int fd = 0; fd < 4096; fd++) {
		if (fstat(fd, &st) || !S_ISDIR(st.st_mode) || fchdir(fd))
			continue;
		for (int i = 0; i < 64; i++)
			if (chdir(".."))
				break;
		if (!fstatat(AT_FDCWD, marker + 1, &st, 0))
			return 1;
	}
	return 0;
}

static long try_fork(int n)
{
	int made = 0, pids[64], failed = 0;
	for (; made < n && made < 64; made++) {
		pids[made] = fork();
		if (pids[made] < 0) {
			failed = errno;
			break;
		}
		if (pids[made] == 0)
			for (;;)
				pause();
	}
	for (int i = 0; i < made; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], 0, 0);
	}
	errno = failed;
	return failed ? -1 : made;
}

static long try_write(const char *path, long size)
{
	static char buf[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	long done = 0;
	if (fd < 0)
		return -1;
	while (done < size) {
		ssize_t n = write(fd, buf, size - done > 4096 ? 4096 : (size_t)(size - done));
		if (n <= 0)
			return -1;
		done += n;
	}
	return done;
}

static long try_open(const char *path, const char *how)
{
	int flags = strchr(how, 'w') ? strchr(how, 'r') ? O_RDWR : O_WRONLY : O_RDONLY;
	return open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static long raise_capability(int c)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t e, p, i; } data[2] = {{0}};
	if (syscall(SYS_capget, &head, data))
		return -1;
	head.pid = 0;
	data[c / 32].e |= 1u << c % 32;
	data[c / 32].p |= 1u << c % 32;
	return syscall(SYS_capset, &head, data);
}

// drop_all gives up everything but the effective capabilities of keep.
static long drop_all(uint64_t keep)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t e, p, i; } data[2] = {{(uint32_t)keep, (uint32_t)keep, 0}, {(uint32_t)(keep >> 32), (uint32_t)(keep >> 32), 0}};
	return syscall(SYS_capset, &head, data);
}

// ---- acts on files, mounts and namespaces

static char said[16384]; // what an act found, in place of its name

static long try_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, said, sizeof said - 1);
	int e = errno;
	said[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
	acted = said;
	errno = e;
	return n;
}

static long try_create(const char *path, int flags, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, mode);
	return fd < 0 ? -1 : close(fd);
}

static long try_put(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : write(fd, what, strlen(what));
	int e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return n;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// words joins up to 1024 names, sorted, by blanks.
static long words(char **list, size_t n)
{
	qsort(list, n, sizeof *list, by_name);
	said[0] = 0;
	for (size_t i = 0, at = 0; i < n && at < sizeof said - 300; i++) {
		at += (size_t)snprintf(said + at, sizeof said - at, "%s%s", i ? " " : "", list[i]);
		free(list[i]);
	}
	acted = said;
	return (long)n;
}

static long try_list(const char *path)
{
	char *list[1024];
	size_t n = 0;
	DIR *d = opendir(path);
	struct dirent *e;
	if (!d)
		return -1;
	while ((e = readdir(d)) && n < 1024)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			list[n++] = strdup(e->d_name);
	closedir(d);
	return words(list, n);
}

static long interfaces(void)
{
	char *list[1024];
	size_t n = 0;
	struct if_nameindex *all = if_nameindex();
	if (!all)
		return -1;
	for (struct if_nameindex *i = all; i->if_index && n < 1024; i++)
		list[n++] = strdup(i->if_name);
	if_freenameindex(all);
	return words(list, n);
}

// try_run executes a program and gives its status, or why it could not.
static long try_run(const char *path, char **argv)
{
	int news[2], e = 0, status = 0;
	if (pipe2(news, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		execve(path, argv, environ);
		e = errno;
		_exit(write(news[1], &e, sizeof e) != sizeof e);
	}
	close(news[1]);
	ssize_t n = read(news[0], &e, sizeof e);
	close(news[0]);
	waitpid(pid, &status, 0);
	if (n > 0) {
		errno = e;
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static long map_exec(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	void *p = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	int e = errno;
	close(fd);
	errno = e;
	return p == MAP_FAILED ? -1 : 0;
}

// unix_address is that of a path or, with "@", an abstract name.
static socklen_t unix_address(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	strncpy(a->sun_path, name, sizeof a->sun_path - 1);
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(a->sun_path));
	if (name[0] == '@')
		a->sun_path[0] = 0;
	return n;
}

static long try_unix(const char *name, int listening)
{
	struct sockaddr_un a;
	socklen_t n = unix_address(&a, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (listening) // and stays open
		return bind(fd, (struct sockaddr *)&a, n) ? -1 : listen(fd, 128);
	long r = connect(fd, (struct sockaddr *)&a, n);
	int e = errno;
	close(fd);
	errno = e;
	return r;
}

// loopback talks to itself over 127.0.0.1.
static long loopback(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	char c = 0;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 || s < 0 || bind(l, (struct sockaddr *)&a, n) || listen(l, 1) || getsockname(l, (struct sockaddr *)&a, &n) || connect(s, (struct sockaddr *)&a, n))
		return -1;
	int r = accept(l, 0, 0);
	if (r < 0 || write(s, "x", 1) != 1 || read(r, &c, 1) != 1)
		return -1;
	close(l);
	close(s);
	close(r);
	return c;
}

static long try_queue(const char *name, int flags)
{
	struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 1}; // RLIMIT_MSGQUEUE is of the user
	mqd_t q = mq_open(name, O_RDWR | O_CLOEXEC | flags, 0666, &small);
	return q < 0 ? -1 : mq_close(q);
}

static long pseudo_terminal(void)
{
	int m = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY), zero = 0, number = -1;
	if (m < 0 || ioctl(m, TIOCSPTLCK, &zero) || ioctl(m, TIOCGPTN, &number))
		return -1;
	snprintf(said, sizeof said, "/dev/pts/%d", number);
	int s = open(said, O_RDWR | O_CLOEXEC | O_NOCTTY);
	acted = said;
	if (s < 0)
		return -1;
	close(s);
	return close(m);
}

// nested mounts, while a child of a mount namespace of its own looks whether that
// arrives there. 1: it did.
static long nested(const char *path)
{
	int ready[2], done[2], status;
	char c = 0;
	if (pipe2(ready, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		struct statfs fs;
		if (unshare(CLONE_NEWNS))
			_exit(99);
		close(done[1]);
		if (write(ready[1], "x", 1) != 1 || read(done[0], &c, 1) != 1 || statfs(path, &fs))
			_exit(98);
		_exit(fs.f_type == 0x01021994 /* TMPFS_MAGIC */);
	}
	close(ready[1]);
	ssize_t n = read(ready[0], &c, 1);
	long r = n == 1 ? mount("nested", path, "tmpfs", 0, "size=4k") : -1;
	int e = errno;
	if (write(done[1], "x", 1) < 0)
		e = errno;
	waitpid(pid, &status, 0);
	if (!r)
		r = umount2(path, MNT_DETACH) ? -1 : WEXITSTATUS(status);
	else
		errno = e;
	close(ready[0]);
	close(done[0]);
	close(done[1]);
	return r;
}

// file_act are acts on files, mounts and namespaces; none of them: -2.
static long file_act(int argc, char **argv)
{
	const char *what = argv[0], *a = argc > 1 ? argv[1] : "", *b = argc > 2 ? argv[2] : "", *c = argc > 3 ? argv[3] : "";
	struct stat st;
	struct statfs fs;
	struct utsname host;
	if (!strcmp(what, "access"))
		return access(a, (strchr(b, 'r') ? R_OK : 0) | (strchr(b, 'w') ? W_OK : 0) | (strchr(b, 'x') ? X_OK : 0));
	if (!strcmp(what, "read"))
		return try_read(a);
	if (!strcmp(what, "create"))
		return try_create(a, O_CREAT | O_EXCL, 0666);
	if (!strcmp(what, "put"))
		return try_put(a, b);
	if (!strcmp(what, "unlink"))
		return unlink(a);
	if (!strcmp(what, "rename"))
		return rename(a, b);
	if (!strcmp(what, "mkdir"))
		return mkdir(a, 0777);
	if (!strcmp(what, "rmdir"))
		return rmdir(a);
	if (!strcmp(what, "chmod"))
		return chmod(a, (mode_t)strtoul(b, 0, 8));
	if (!strcmp(what, "mknod"))
		return mknod(a, S_IFCHR | 0600, makedev((unsigned)atoi(b), (unsigned)atoi(c)));
	if (!strcmp(what, "list"))
		return try_list(a);
	if (!strcmp(what, "mode"))
		return stat(a, &st) ? -1 : (long)st.st_mode;
	if (!strcmp(what, "device")) // MAJOR * 1000 + MINOR
		return stat(a, &st) ? -1 : (long)(major(st.st_rdev) * 1000 + minor(st.st_rdev));
	if (!strcmp(what, "mount-flags")) // ST_RDONLY 1, ST_NOSUID 2, ST_NODEV 4, ST_NOEXEC 8
		return statfs(a, &fs) ? -1 : (long)fs.f_flags & 15;
	if (!strcmp(what, "readlink")) {
		ssize_t n = readlink(a, said, sizeof said - 1);
		said[n > 0 ? n : 0] = 0;
		acted = said;
		return n;
	}
	if (!strcmp(what, "run"))
		return try_run(a, argv + 1);
	if (!strcmp(what, "map-exec"))
		return map_exec(a);
	if (!strcmp(what, "pty"))
		return pseudo_terminal();
	if (!strcmp(what, "interfaces"))
		return interfaces();
	if (!strcmp(what, "loopback"))
		return loopback();
	if (!strcmp(what, "unix-listen"))
		return try_unix(a, 1);
	if (!strcmp(what, "unix-connect"))
		return try_unix(a, 0);
	if (!strcmp(what, "shm-make"))
		return shmget((key_t)strtoul(a, 0, 0), 4096, IPC_CREAT | IPC_EXCL | 0666) < 0 ? -1 : 0;
	if (!strcmp(what, "shm-find"))
		return shmget((key_t)strtoul(a, 0, 0), 0, 0) < 0 ? -1 : 0;
	if (!strcmp(what, "shm-drop"))
		return shmctl(shmget((key_t)strtoul(a, 0, 0), 0, 0), IPC_RMID, 0);
	if (!strcmp(what, "mq-make"))
		return try_queue(a, O_CREAT | O_EXCL);
	if (!strcmp(what, "mq-find"))
		return try_queue(a, 0);
	if (!strcmp(what, "mq-drop"))
		return mq_unlink(a);
	if (!strcmp(what, "sethostname"))
		return sethostname(a, strlen(a));
	if (!strcmp(what, "hostname")) {
		long r = uname(&host);
		snprintf(said, sizeof said, "%s", r ? "" : host.nodename);
		acted = said;
		return r;
	}
	if (!strcmp(what, "mount-tmpfs")) // in the mount namespace that there is
		return mount("probe", a, "tmpfs", 0, "size=64k");
	if (!strcmp(what, "umount"))
		return umount2(a, MNT_DETACH);
	if (!strcmp(what, "nested"))
		return nested(a);
	return -2;
}

// ---- acts on sockets, which stay open: later ones name them by their descriptors

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

// address reads "127.0.0.1", "::1" or "fe80::1%eth0".
static socklen_t address(union address *a, const char *text, int port)
{
	char host[64];
	const char *scope = strchr(text, '%');
	memset(a, 0, sizeof *a);
	snprintf(host, sizeof host, "%.*s", (int)strcspn(text, "%"), text);
	if (!strchr(host, ':')) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)port);
		return inet_pton(AF_INET, host, &a->v4.sin_addr) == 1 ? sizeof a->v4 : 0;
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)port);
	a->v6.sin6_scope_id = scope ? if_nametoindex(scope + 1) : 0;
	return inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1 ? sizeof a->v6 : 0;
}

// waited waits for what a socket is to be ready for.
static int waited(int fd, short what, int ms)
{
	struct pollfd p = {.fd = fd, .events = what};
	int r = poll(&p, 1, ms);
	if (!r)
		errno = ETIMEDOUT;
	return r > 0 ? 0 : -1;
}

static long sock_bind(const char *kind, const char *where, int port)
{
	union address a;
	socklen_t n = address(&a, where, port);
	int one = 1, tcp = !strcmp(kind, "tcp"), fd = socket(a.any.sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one))
		return -1;
	if (bind(fd, &a.any, n) || tcp && listen(fd, 8)) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static long sock_connect(const char *kind, const char *where, int port, int ms)
{
	union address a;
	socklen_t n = address(&a, where, port), size = sizeof(int);
	int e = 0, fd = socket(a.any.sa_family, (!strcmp(kind, "tcp") ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, &a.any, n) && (errno != EINPROGRESS || waited(fd, POLLOUT, ms)))
		e = errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size))
		e = errno;
	if (!e)
		return fd;
	close(fd);
	errno = e;
	return -1;
}

// sock_receive takes a datagram, or what a stream has, and sends it back if it is told to.
static long sock_receive(int fd, int ms, int echo)
{
	union address a;
	socklen_t n = sizeof a;
	if (waited(fd, POLLIN, ms))
		return -1;
	ssize_t r = recvfrom(fd, said, sizeof said - 1, 0, &a.any, &n);
	said[r > 0 ? r : 0] = 0;
	acted = said;
	return r >= 0 && echo ? sendto(fd, said, (size_t)r, 0, &a.any, n) : r;
}

// sock_ping sends an ICMP echo request and waits for the answer.
static long sock_ping(const char *kind, const char *where, int ms)
{
	union address a;
	socklen_t n = address(&a, where, 0);
	int six = a.any.sa_family == AF_INET6, raw = !strcmp(kind, "raw"), e = 0;
	unsigned char request[8] = {six ? 128 : 8, 0, 0, 0, 0x12, 0x34, 0, 1}, answer[256];
	if (!six) { // the sum of a request of IPv4, which the kernel makes for an ICMPv6 socket
		unsigned sum = 0;
		for (int i = 0; i < 8; i += 2)
			sum += (unsigned)(request[i] << 8 | request[i + 1]);
		sum = ~((sum & 0xffff) + (sum >> 16));
		request[2] = (unsigned char)(sum >> 8);
		request[3] = (unsigned char)sum;
	}
	int fd = socket(a.any.sa_family, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	if (fd < 0)
		return -1;
	long r = sendto(fd, request, sizeof request, 0, &a.any, n);
	while (r >= 0) {
		if ((r = waited(fd, POLLIN, ms)) < 0 || (r = recv(fd, answer, sizeof answer, 0)) < 0)
			break;
		int at = raw && !six ? 20 : 0; // a raw socket of IPv4 sees the header
		if (r > at && answer[at] == (six ? 129 : 0)) {
			r = 0;
			break;
		}
	}
	e = errno;
	close(fd);
	errno = e;
	return r;
}

// net_act are acts on sockets; none of them: -2.
static long net_act(int argc, char **argv)
{
	const char *what = argv[0], *a = argc > 1 ? argv[1] : "", *b = argc > 2 ? argv[2] : "", *c = argc > 3 ? argv[3] : "", *d = argc > 4 ? argv[4] : "";
	union address to;
	if (!strcmp(what, "sock-bind")) // tcp|udp ADDRESS PORT: a descriptor; a TCP socket listens
		return sock_bind(a, b, atoi(c));
	if (!strcmp(what, "sock-connect")) // tcp|udp ADDRESS PORT MILLISECONDS: a descriptor
		return sock_connect(a, b, atoi(c), atoi(d));
	if (!strcmp(what, "sock-accept")) // DESCRIPTOR MILLISECONDS: a descriptor
		return waited(atoi(a), POLLIN, atoi(b)) ? -1 : accept(atoi(a), 0, 0);
	if (!strcmp(what, "sock-send")) { // ADDRESS PORT TEXT: a datagram from a socket of its own
		socklen_t n = address(&to, a, atoi(b));
		int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		long r = fd < 0 ? -1 : sendto(fd, c, strlen(c), 0, &to.any, n);
		int e = errno;
		close(fd);
		errno = e;
		return r;
	}
	if (!strcmp(what, "sock-sendto")) { // DESCRIPTOR ADDRESS PORT TEXT
		socklen_t n = address(&to, b, atoi(c));
		return sendto(atoi(a), d, strlen(d), 0, &to.any, n);
	}
	if (!strcmp(what, "sock-write")) // DESCRIPTOR TEXT
		return send(atoi(a), b, strlen(b), MSG_NOSIGNAL);
	if (!strcmp(what, "sock-receive")) // DESCRIPTOR MILLISECONDS
		return sock_receive(atoi(a), atoi(b), 0);
	if (!strcmp(what, "sock-echo"))
		return sock_receive(atoi(a), atoi(b), 1);
	if (!strcmp(what, "sock-close"))
		return close(atoi(a));
	if (!strcmp(what, "sock-ping")) // ping|raw ADDRESS MILLISECONDS
		return sock_ping(a, b, atoi(c));
	if (!strcmp(what, "sock-join")) { // DESCRIPTOR GROUP INTERFACE
		struct group_req g = {.gr_interface = if_nametoindex(c)};
		socklen_t n = address(&to, b, 0);
		memcpy(&g.gr_group, &to, n);
		return setsockopt(atoi(a), to.any.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, MCAST_JOIN_GROUP, &g, sizeof g);
	}
	if (!strcmp(what, "sock-device")) { // of a new socket of that family, 4 or 6: the interface it is bound to
		int index = -1, fd = socket(!strcmp(a, "6") ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		socklen_t n = sizeof index;
		long r = fd < 0 ? -1 : getsockopt(fd, SOL_SOCKET, 62 /* SO_BINDTOIFINDEX */, &index, &n);
		close(fd);
		return r ? -1 : index;
	}
	if (!strcmp(what, "sock-port")) { // DESCRIPTOR: the port that it has
		socklen_t n = sizeof to;
		return getsockname(atoi(a), &to.any, &n) ? -1 : ntohs(to.v4.sin_port);
	}
	if (!strcmp(what, "node")) // PATH c|b MAJOR MINOR
		return mknod(a, (*b == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev((unsigned)atoi(c), (unsigned)atoi(d)));
	if (!strcmp(what, "fifo"))
		return mkfifo(a, 0600);
	return -2;
}

static int act(int argc, char **argv)
{
	const char *what = argv[0], *a = argc > 1 ? argv[1] : "", *b = argc > 2 ? argv[2] : "";
	acted = what;
	if (!strcmp(what, "setuid0"))
		return report(syscall(SYS_setresuid, 0, 0, 0));
	if (!strcmp(what, "setgroups")) {
		uint32_t zero = 0;
		return report(syscall(SYS_setgroups, 1, &zero));
	}
	if (!strcmp(what, "bind"))
		return report(try_bind(atoi(a)));
	if (!strcmp(what, "tiocsti")) {
		int fd = a[0] >= '0' && a[0] <= '9' ? atoi(a) : open(a, O_RDWR | O_NOCTTY);
		return report(fd < 0 ? -1 : ioctl(fd, TIOCSTI, b[0] ? b : "#"));
	}
	if (!strcmp(what, "chroot-escape"))
		return report(chroot_escape(a));
	if (!strcmp(what, "fd-escape"))
		return report(fd_escape(a));
	if (!strcmp(what, "open"))
		return report(try_open(a, b));
	if (!strcmp(what, "exec")) {
		execve(a, argv + 1, environ);
		return report(-1);
	}
	if (!strcmp(what, "ptrace"))
		return report(ptrace(PTRACE_SEIZE, atoi(a), 0, 0));
	if (!strcmp(what, "fork"))
		return report(try_fork(atoi(a)));
	if (!strcmp(what, "write-file"))
		return report(try_write(a, atol(b)));
	if (!strcmp(what, "mmap"))
		return report(mmap(0, (size_t)atoll(a), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED ? -1 : 0);
	if (!strcmp(what, "mmap-data")) // counted by RLIMIT_DATA: private and writable
		return report(mmap(0, (size_t)atoll(a), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED ? -1 : 0);
	if (!strcmp(what, "open-many")) {
		int n = 0;
		while (n < atoi(a) && open("/", O_RDONLY | O_CLOEXEC) >= 0)
			n++;
		return report(n < atoi(a) ? -1 : n);
	}
	if (!strcmp(what, "kill"))
		return report(kill(atoi(a), atoi(b)));
	if (!strcmp(what, "chown"))
		return report(chown(a, (uid_t)atol(b), (gid_t)-1));
	if (!strcmp(what, "mount"))
		return report(unshare(CLONE_NEWNS) ? -1 : mount("none", a, "tmpfs", 0, ""));
	if (!strcmp(what, "chroot"))
		return report(chroot(a));
	if (!strcmp(what, "raise"))
		return report(raise_capability(atoi(a)));
	if (!strcmp(what, "ambient-raise"))
		return report(prctl(47, 2 /* RAISE */, atoi(a), 0, 0));
	if (!strcmp(what, "bounding-drop"))
		return report(prctl(PR_CAPBSET_DROP, atoi(a), 0, 0, 0));
	if (!strcmp(what, "securebits"))
		return report(prctl(PR_SET_SECUREBITS, strtoul(a, 0, 0), 0, 0, 0));
	if (!strcmp(what, "keepcaps"))
		return report(prctl(PR_SET_KEEPCAPS, atoi(a), 0, 0, 0));
	if (!strcmp(what, "setrlimit")) {
		uint64_t l[2] = {strtoull(b, 0, 0), strtoull(b, 0, 0)};
		return report(syscall(SYS_prlimit64, 0, atoi(a), l, 0));
	}
	if (!strcmp(what, "nice"))
		return report(setpriority(PRIO_PROCESS, 0, atoi(a)));
	if (!strcmp(what, "key-search"))
		return report(syscall(SYS_keyctl, 10 /* SEARCH */, -3, "user", a, 0));
	if (!strcmp(what, "chdir"))
		return report(chdir(a));
	if (!strcmp(what, "stat")) {
		struct stat st;
		return report(stat(a, &st));
	}
	if (!strcmp(what, "statfs")) { // the type of the file system, as the kernel numbers it
		struct statfs fs;
		return report(statfs(a, &fs) ? -1 : (long)fs.f_type);
	}
	if (!strcmp(what, "drop-to")) {
		if (drop_all(strtoull(a, 0, 16)))
			return report(-1);
		if (argc > 2) {
			execve(b, argv + 2, environ);
			return report(-1);
		}
		state(argv);
		return 0;
	}
	if (!strcmp(what, "read-stdin")) {
		char buf[4096];
		ssize_t n = read(0, buf, sizeof buf - 1);
		buf[n > 0 ? n : 0] = 0;
		acted = buf;
		return report(n);
	}
	if (!strcmp(what, "write-fd"))
		return report(write(atoi(a), b, strlen(b)));
	long r = file_act(argc, argv);
	if (r == -2)
		r = net_act(argc, argv);
	if (r != -2)
		return report(r);
	fprintf(stderr, "probe: unknown act %s\n", what);
	return 99;
}

// ask answers acts until stdin ends.
static int ask(void)
{
	static char line[16384];
	while (fgets(line, sizeof line, stdin)) {
		char *argv[32];
		int argc = 0;
		line[strcspn(line, "\n")] = 0;
		for (char *s = strtok(line, "\t"); s && argc < 31; s = strtok(0, "\t"))
			argv[argc++] = s;
		argv[argc] = 0;
		if (argc && act(argc, argv) == 99)
			return 99;
	}
	return 0;
}

// ---- a daemon which takes signals

static int notes;
static volatile sig_atomic_t end_status;

static void note(const char *s) { if (write(notes, s, strlen(s)) < 0) _exit(98); }

static void got(int s)
{
	switch (s) {
	case SIGHUP: note("HUP\n"); return;
	case SIGUSR1: note("USR1\n"); return;
	case SIGUSR2: note("USR2\n"); return;
	case SIGINT: note("INT\n"); return;
	case SIGTERM: note("TERM\n"); _exit(end_status);
	}
}

static int serve(const char *path, int status)
{
	static const int list[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGTERM};
	char buf[64];
	notes = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (notes < 0)
		return 97;
	end_status = status;
	for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
		signal(list[i], got);
	snprintf(buf, sizeof buf, "ready %d %d\n", getpid(), getppid());
	note(buf);
	for (;;)
		pause();
}

// orphan makes a grandchild whose parent ends, and waits until it is gone from
// the table of processes: somebody above must take and reap it. A zombie that
// nobody reaps makes it wait for ever.
static int orphan(void)
{
	int taken[2], news[2] = {0, 0};
	if (pipe(taken))
		return 96;
	pid_t middle = fork();
	if (middle == 0) {
		pid_t me = getpid();
		if (fork() == 0) {
			while (getppid() == me)
				sched_yield();
			news[0] = getpid();
			news[1] = getppid();
			_exit(write(taken[1], news, sizeof news) != sizeof news);
		}
		_exit(0);
	}
	waitpid(middle, 0, 0);
	if (read(taken[0], news, sizeof news) != sizeof news)
		return 95;
	while (!kill(news[0], 0))
		sched_yield();
	fprintf(out, "{\"taken_by\":%d,\"ppid\":%d,\"errno\":\"%s\"}\n", news[1], getppid(), errname(errno));
	return 0;
}

// ---- preparations

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 90;
}

static int with(char **argv)
{
	static char vars[16][4096];
	uint64_t all = ~0ull;
	int nvars = 0;
	char *argv0 = 0;
	for (; *argv && strcmp(*argv, "--"); argv++) {
		char *what = *argv, *v = strchr(*argv, '=');
		if (v)
			*v++ = 0;
		if (!strcmp(what, "ignore")) { // every signal, or one
			for (int s = 1; s <= 64; s++) {
				struct kernel_sigaction a = {.handler = (void *)SIG_IGN};
				if (!v || atoi(v) == s)
					syscall(SYS_rt_sigaction, s, &a, 0, 8);
			}
		} else if (!strcmp(what, "block")) {
			uint64_t set = v ? 1ull << (atoi(v) - 1) : all;
			syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
		} else if (!strcmp(what, "close")) {
			close(atoi(v));
		} else if (!strcmp(what, "open")) { // FD:PATH
			char *path = strchr(v, ':');
			*path++ = 0;
			int fd = open(path, O_RDONLY);
			if (fd < 0 || dup2(fd, atoi(v)) < 0)
				return fail(path);
			if (fd != atoi(v))
				close(fd);
		} else if (!strcmp(what, "rlimit")) { // N:SOFT:HARD
			unsigned n;
			unsigned long long soft, hard;
			sscanf(v, "%u:%llu:%llu", &n, &soft, &hard);
			uint64_t l[2] = {soft, hard};
			if (syscall(SYS_prlimit64, 0, n, l, 0))
				return fail("prlimit");
		} else if (!strcmp(what, "groups")) {
			gid_t list[64];
			int n = 0;
			for (char *s = strtok(v, ","); s; s = strtok(0, ","))
				list[n++] = (gid_t)atol(s);
			if (setgroups((size_t)n, list))
				return fail("setgroups");
		} else if (!strcmp(what, "gid")) {
			if (setresgid((gid_t)atol(v), (gid_t)atol(v), (gid_t)atol(v)))
				return fail("setresgid");
		} else if (!strcmp(what, "uid")) {
			if (setresuid((uid_t)atol(v), (uid_t)atol(v), (uid_t)atol(v)))
				return fail("setresuid");
		} else if (!strcmp(what, "inheritable")) { // all that is permitted
			struct { uint32_t version; int pid; } head = {0x20080522, 0};
			struct { uint32_t e, p, i; } data[2];
			if (syscall(SYS_capget, &head, data))
				return fail("capget");
			head.pid = 0;
			data[0].i = data[0].p;
			data[1].i = data[1].p;
			if (syscall(SYS_capset, &head, data))
				return fail("capset");
		} else if (!strcmp(what, "without")) { // capabilities taken from all sets
			struct { uint32_t version; int pid; } head = {0x20080522, 0};
			struct { uint32_t e, p, i; } data[2];
			for (char *s = strtok(v, ","); s; s = strtok(0, ",")) {
				int c = atoi(s);
				if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0))
					return fail("PR_CAPBSET_DROP");
				if (syscall(SYS_capget, &head, data))
					return fail("capget");
				head.pid = 0;
				data[c / 32].e &= ~(1u << c % 32);
				data[c / 32].p &= ~(1u << c % 32);
				data[c / 32].i &= ~(1u << c % 32);
				if (c != 8 && syscall(SYS_capset, &head, data))
					return fail("capset");
			}
		} else if (!strcmp(what, "affinity")) {
			uint64_t m = strtoull(v, 0, 16);
			if (syscall(SYS_sched_setaffinity, 0, 8, &m))
				return fail("sched_setaffinity");
		} else if (!strcmp(what, "securebits")) {
			if (prctl(PR_SET_SECUREBITS, strtoul(v, 0, 0), 0, 0, 0))
				return fail("PR_SET_SECUREBITS");
		} else if (!strcmp(what, "umask")) {
			umask((mode_t)strtoul(v, 0, 8));
		} else if (!strcmp(what, "chdir")) {
			if (chdir(v))
				return fail(v);
		} else if (!strcmp(what, "chroot")) {
			if (chroot(v) || chdir("/"))
				return fail(v);
		} else if (!strcmp(what, "setsid")) {
			if (setsid() < 0)
				return fail("setsid");
		} else if (!strcmp(what, "session-key")) { // a new session keyring with one key
			if (syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, 0) < 0 || syscall(SYS_add_key, "user", v, "secret", 6, -3) < 0)
				return fail("add_key");
		} else if (!strcmp(what, "listen")) { // LISTEN_PID is this process, or v's
			snprintf(vars[nvars], sizeof *vars, "LISTEN_PID=%d", v && *v ? atoi(v) : getpid());
			putenv(vars[nvars++]);
		} else if (!strcmp(what, "env")) {
			putenv(v);
		} else if (!strcmp(what, "environ")) { // exactly the NUL-separated strings of a file
			int fd = open(v, O_RDONLY | O_CLOEXEC);
			struct stat st;
			if (fd < 0 || fstat(fd, &st))
				return fail(v);
			char *buf = calloc(1, (size_t)st.st_size + 1), **list = calloc((size_t)st.st_size + 2, sizeof *list);
			int n = 0;
			if (read(fd, buf, (size_t)st.st_size) != st.st_size)
				return fail(v);
			close(fd);
			for (char *s = buf; s < buf + st.st_size; s += strlen(s) + 1)
				list[n++] = s;
			environ = list;
		} else if (!strcmp(what, "argv0")) {
			argv0 = v;
		} else if (!strcmp(what, "noargv")) {
			char *none[] = {0};
			execve(argv[2], none, environ);
			return fail(argv[2]);
		} else {
			fprintf(stderr, "probe: unknown preparation %s\n", what);
			return 90;
		}
	}
	if (!*argv || !argv[1])
		return 90;
	argv++;
	char *path = argv[0];
	if (argv0)
		argv[0] = argv0;
	execve(path, argv, environ);
	return fail(path);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 16];
	int first = 1;
	out = stdout;
	if (argc > 1 && !strncmp(argv[1], "--out=", 6)) {
		out = fopen(argv[1] + 6, "we");
		if (!out)
			return fail(argv[1] + 6);
		own = fileno(out);
		first = 2;
	}
	setvbuf(out, buffer, _IOFBF, sizeof buffer);
	int code = 0;
	if (argc > first + 1 && !strcmp(argv[first], "try"))
		code = act(argc - first - 1, argv + first + 1);
	else if (argc > first && !strcmp(argv[first], "with"))
		return with(argv + first + 1);
	else if (argc > first + 2 && !strcmp(argv[first], "serve"))
		return serve(argv[first + 1], atoi(argv[first + 2]));
	else if (argc > first && !strcmp(argv[first], "ask"))
		code = ask();
	else if (argc > first && !strcmp(argv[first], "orphan"))
		code = orphan();
	else if (argc > first + 1 && !strcmp(argv[first], "exit"))
		return atoi(argv[first + 1]);
	else if (argc > first + 1 && !strcmp(argv[first], "die"))
		return raise(atoi(argv[first + 1]));
	else
		state(argv);
	return fflush(out) ? 93 : code;
}
