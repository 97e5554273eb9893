//go:build ignore

// probe is the daemon of the fault matrix: it prints all that a launcher could
// have left undone, one attribute a line, in a form that two runs can be
// compared by. What differs from run to run (process numbers, serials of
// keyrings, inodes of pipes) is not printed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static long prctl5(long op, long a, long b) { return syscall(SYS_prctl, op, a, b, 0L, 0L); }

static void ids(const char *name, long get, long setfs)
{
	uint32_t r = 7, e = 7, s = 7;
	syscall(get, &r, &e, &s);
	printf("%s: %u %u %u %u\n", name, r, e, s, (unsigned)syscall(setfs, -1L));
}

static void file(const char *name, const char *path)
{
	char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	text[strcspn(text, "\n")] = 0;
	printf("%s: %s\n", name, n < 0 ? "-" : text);
	if (fd >= 0)
		close(fd);
}

static void place(const char *name, const char *path)
{
	struct stat st;
	if (stat(path, &st))
		printf("%s: %s\n", name, strerror(errno));
	else
		printf("%s: %u:%u %llu\n", name, major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
}

// reached tells whether a path leads into the mount of that number: one that another
// covers, or that lies below what is hidden, is no state of the daemon.
static int reached(const char *path, unsigned long long id)
{
	uint64_t st[32]; // struct statx, whose member stx_mnt_id is the word 18
	return !syscall(SYS_statx, AT_FDCWD, path, AT_NO_AUTOMOUNT, 0x1000L /* STATX_MNT_ID */, st) && st[18] == id;
}

// mounts prints what is mounted where and how, without the numbers of it.
static void mounts(void)
{
	static char text[1 << 17];
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;
	while (fd >= 0 && (n = read(fd, text + have, sizeof text - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(0, "\n")) {
		unsigned long long id = 0;
		char point[4096] = "";
		int at = 0, shared = strstr(line, " shared:") != 0;
		sscanf(line, "%llu %*d %*s %n%*s %4095s", &id, &at, point);
		if (!reached(point, id))
			continue;
		char *rest = strstr(line, " - "), *words = line + at;
		// The root, the point and the options stand before the optional fields.
		char *end = words;
		for (int i = 0; i < 3 && end; i++)
			end = strchr(end + 1, ' ');
		printf("mount: %.*s%s%s\n", end ? (int)(end - words) : 0, words, shared ? " shared" : "", rest ? rest : "");
	}
	if (fd >= 0)
		close(fd);
}

// interfaces prints the names in the own network namespace.
static void interfaces(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/net/dev", "re");
	printf("interfaces:");
	for (int i = 0; f && fgets(line, sizeof line, f); i++)
		if (i > 1)
			printf(" %.*s", (int)strcspn(line + strspn(line, " "), ":"), line + strspn(line, " "));
	printf("\n");
	if (f)
		fclose(f);
}

// attempts are acts that filters of system calls forbid. They come last: some change
// what was printed before. Addresses are nowhere, descriptors are not open.
static void attempts(void)
{
	struct { int priority; } first = {1};
	struct { const char *name; long nr, a, b, c, d, e, f; } list[] = {
		{"chroot", SYS_chroot, 1},
		{"adjtimex", SYS_adjtimex, 1},
		{"socket AF_UNIX", SYS_socket, 1, 0x80001, 0},
		{"socket AF_NETLINK", SYS_socket, 16, 0x80003, 0},
		{"unshare CLONE_NEWUTS", SYS_unshare, 0x04000000},
		{"setns", SYS_setns, -1, 0},
		{"clone3", 435, 1, 0},
		{"sched_setscheduler SCHED_OTHER", SYS_sched_setscheduler, 0, 0, 1},
		{"sched_setscheduler SCHED_FIFO", SYS_sched_setscheduler, 0, 1, (long)&first},
		{"fchmod", SYS_fchmod, -1, 0755},
		{"fchmod set-user-id", SYS_fchmod, -1, 04755},
		{"openat2", 437, -1, 1, 1, 0},
		{"personality", SYS_personality, 0x0040000},
		{"mmap writable and executable", SYS_mmap, 0, 4096, 7, 0x22, -1, 0},
		{"setpriority", SYS_setpriority, 0, 0, 19},
		{"io_uring_setup", 425, 1, 1},
	};
	for (unsigned i = 0; i < sizeof list / sizeof *list; i++) {
		errno = 0;
		long r = syscall(list[i].nr, list[i].a, list[i].b, list[i].c, list[i].d, list[i].e, list[i].f);
		printf("%s: %s\n", list[i].name, r == -1 ? strerror(errno) : "done");
		if (list[i].nr == SYS_socket && r >= 0)
			close((int)r);
	}
	printf("memory deny write execute: %ld\n", syscall(SYS_prctl, 66L /* PR_GET_MDWE */, 0L, 0L, 0L, 0L));
}

// acts tries what a control group forbids, and beside each what it allows.
static void acts(void)
{
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
	char text[4096], *at;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	if ((at = strstr(text, "0::")) && (at == text || at[-1] == '\n')) {
		at[strcspn(at, "\n")] = 0;
		at = strrchr(at, '/');
		for (char *end = at + strlen(at); end > at && end[-1] >= '0' && end[-1] <= '9'; *--end = 0)
			; // of several starts at once each has a number
		printf("group: %s\n", at);
	}
	for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
		fd = open(devices[i], O_RDWR | O_CLOEXEC);
		printf("open %s: %s\n", devices[i], fd < 0 ? strerror(errno) : "done");
	}
	for (int port = 1052; port < 1055; port++)
		for (int kind = SOCK_STREAM; kind <= SOCK_DGRAM; kind++) {
			struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
			fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
			printf("bind %s %d: %s\n", kind == SOCK_STREAM ? "tcp" : "udp", port, bind(fd, (struct sockaddr *)&a, sizeof a) ? strerror(errno) : "done");
		}
	for (int last = 8; last < 11; last++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000000u + (unsigned)last)};
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		printf("send 127.0.0.%d: %s\n", last, sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof a) < 0 ? strerror(errno) : "done");
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IOFBF, 1 << 16); // one write: nothing is left half-printed
	for (int i = 0; i < argc; i++)
		printf("argument: %s\n", argv[i]);
	char comm[32] = "";
	syscall(SYS_prctl, 16L /* PR_GET_NAME */, comm, 0L, 0L, 0L);
	printf("comm: %s\n", comm);

	ids("uids", SYS_getresuid, SYS_setfsuid);
	ids("gids", SYS_getresgid, SYS_setfsgid);
	uint32_t groups[64];
	long n = syscall(SYS_getgroups, 64L, groups);
	printf("groups:");
	for (long i = 0; i < n; i++)
		printf(" %u", groups[i]);
	printf("\n");

	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } caps[2] = {{0}};
	uint64_t bounding = 0, ambient = 0;
	syscall(SYS_capget, &head, caps);
	for (long c = 0; c < 64; c++) {
		if (prctl5(23 /* PR_CAPBSET_READ */, c, 0) == 1)
			bounding |= 1ull << c;
		if (prctl5(47 /* PR_CAP_AMBIENT */, 1, c) == 1)
			ambient |= 1ull << c;
	}
#define JOIN(x) (unsigned long long)(caps[0].x | (uint64_t)caps[1].x << 32)
	printf("inheritable: %016llx\n", JOIN(inheritable));
	printf("permitted: %016llx\n", JOIN(permitted));
	printf("effective: %016llx\n", JOIN(effective));
	printf("bounding: %016llx\n", (unsigned long long)bounding);
	printf("ambient: %016llx\n", (unsigned long long)ambient);
	printf("securebits: %#lx\n", prctl5(27, 0, 0));
	printf("no_new_privs: %ld\n", prctl5(39, 0, 0));
	printf("seccomp: %ld\n", prctl5(21, 0, 0));
	printf("dumpable: %ld\n", prctl5(3, 0, 0));

	unsigned mask = umask(0);
	printf("umask: %04o\n", mask);
	for (int l = 0; l < 16; l++) {
		uint64_t v[2] = {0};
		if (syscall(SYS_prlimit64, 0L, (long)l, 0L, v))
			printf("limit %d: %s\n", l, strerror(errno));
		else
			printf("limit %d: %lld %lld\n", l, (long long)v[0], (long long)v[1]);
	}

	uint64_t ignored = 0, caught = 0, blocked = 0;
	for (long s = 1; s <= 64; s++) {
		struct kernel_sigaction a = {0};
		syscall(SYS_rt_sigaction, s, 0L, &a, 8L);
		if (a.handler == SIG_IGN)
			ignored |= 1ull << (s - 1);
		else if (a.handler != SIG_DFL)
			caught |= 1ull << (s - 1);
	}
	syscall(SYS_rt_sigprocmask, 0L, 0L, &blocked, 8L);
	printf("signals: ignored %016llx caught %016llx blocked %016llx\n",
	       (unsigned long long)ignored, (unsigned long long)caught, (unsigned long long)blocked);

	struct utsname uts = {0};
	uname(&uts);
	printf("host name: %s\n", uts.nodename);
	interfaces();
	mounts();

	char cwd[4096] = "";
	long got = syscall(SYS_getcwd, cwd, sizeof cwd);
	printf("cwd: %s\n", got < 0 ? strerror(errno) : cwd);
	place("cwd is", ".");
	place("root is", "/");
	place("above root", "/..");

	printf("nice: %ld\n", 20 - syscall(SYS_getpriority, 0L, 0L));
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; } sched = {0};
	syscall(SYS_sched_getattr, 0L, &sched, sizeof sched, 0L);
	printf("scheduling: policy %u flags %llx priority %u\n", sched.policy, (unsigned long long)sched.flags, sched.priority);
	uint64_t cpus[16] = {0};
	long bytes = syscall(SYS_sched_getaffinity, 0L, sizeof cpus, cpus);
	printf("affinity:");
	for (long i = 0; i < bytes / 8; i++)
		printf(" %llx", (unsigned long long)cpus[i]);
	printf("\n");
	printf("io: %#lx\n", syscall(SYS_ioprio_get, 1L, 0L));
	printf("timer slack: %ld\n", prctl5(30, 0, 0));
	printf("personality: %#lx\n", syscall(SYS_personality, 0xffffffffL));
	printf("memory merge: %ld\n", prctl5(68, 0, 0));
	printf("huge pages off: %ld\n", prctl5(42, 0, 0));
	file("oom", "/proc/self/oom_score_adj");
	file("core filter", "/proc/self/coredump_filter");

	char ring[256] = "";
	got = syscall(SYS_keyctl, 6L /* KEYCTL_DESCRIBE */, -3L /* KEY_SPEC_SESSION_KEYRING */, ring, sizeof ring - 1, 0L);
	printf("keyring: %s\n", got < 0 ? strerror(errno) : ring);

	// What was made for a service.
	const char *directory = getenv("CREDENTIALS_DIRECTORY"), *made[] = {"CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"};
	for (unsigned i = 0; i < sizeof made / sizeof *made; i++) {
		struct stat st = {0};
		if (getenv(made[i]) && !stat(getenv(made[i]), &st))
			printf("%s: %o %u:%u\n", made[i], st.st_mode, st.st_uid, st.st_gid);
	}
	if (directory) {
		char path[4096];
		snprintf(path, sizeof path, "%s/key", directory);
		file("credential", path);
	}

	attempts();
	for (int fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFL);
		struct stat st;
		if (flags < 0)
			continue;
		printf("descriptor %d: mode %#x", fd, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK));
		if (fstat(fd, &st))
			printf(" %s", strerror(errno));
		else if (S_ISCHR(st.st_mode))
			printf(" device %u:%u", major(st.st_rdev), minor(st.st_rdev));
		else
			printf(" type %o", st.st_mode & S_IFMT);
		printf("\n");
	}
	for (char **e = environ; *e; e++)
		printf("environment: %s\n", *e);
	if (argc > 3 && !strcmp(argv[3], "acts"))
		acts();
	printf("end\n");
	return fflush(stdout) ? 99 : 0;
}
