//go:build ignore

// starter makes a start with fewer rights, of which nothing is left.
//
//   starter DIR MISSING FILTER SECONDS PROGRAM [ARG]...
//
// DIR is seen as /srv. MISSING are the capabilities, a number in base 16, that are taken
// from all five sets, while the user stays 0. FILTER is a file with a program for
// seccomp(2), or "-". After SECONDS all is killed. Namespaces, mounts and processes are
// the start's own. On stdout comes a line about the place, then what the program says,
// then a line about what it left. A status of 97 is a fault of this program, 98 that the
// time was over.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	dprintf(2, "starter: %s: %s\n", what, strerror(errno));
	_exit(97);
}

static void tmpfs(const char *at, const char *how)
{
	need(!mount("shapes", at, "tmpfs", MS_NOSUID | MS_NODEV, how), at);
}

static void file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && write(fd, text, strlen(text)) >= 0 && !fchmod(fd, mode) && !close(fd), path);
}

// place is what hardrun finds, nothing of which the daemon may keep without leave.
static void place(const char *dir)
{
	need(!mount("", "/", "", MS_REC | MS_PRIVATE, ""), "mount(MS_PRIVATE)");
	need(!mount(dir, "/srv", "", MS_BIND, ""), "/srv");
	tmpfs("/run", "mode=0755");
	tmpfs("/var/lib", "mode=0755");
	tmpfs("/var/cache", "mode=0755");
	tmpfs("/var/log", "mode=0755");
	tmpfs("/home", "mode=0755");
	tmpfs("/tmp", "mode=1777");
	file("/home/marker", "marker\n", 0666);
	file("/tmp/marker", "marker\n", 0666);
	need(!mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""), "/proc");
	need(!mount("", "/", "", MS_REC | MS_SHARED, ""), "mount(MS_SHARED)");

	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	need(s >= 0 && !ioctl(s, SIOCSIFFLAGS, &lo) && !close(s), "lo");
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0outside"};
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(s >= 0 && !bind(s, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + 8) && !listen(s, 128), "the socket @outside");
	need(shmget(0x4d21, 4096, IPC_CREAT | IPC_EXCL | 0666) >= 0, "shmget");
	need(!sethostname("outside", 7), "sethostname");
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	size_t have = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd >= 0, path);
	while ((n = read(fd, buf + have, size - 1 - have)) > 0)
		have += (size_t)n;
	need(n == 0 && !close(fd), path);
	buf[have] = 0;
	return have;
}

// say prints where the program starts, and with what.
static void say(void)
{
	static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
	static char text[1 << 16];
	char path[64], target[64];
	struct stat st;
	need(!stat("/", &st), "/");
	dprintf(1, "{\"root\":\"%u:%u:%llu\",\"namespaces\":{", major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		ssize_t n = readlink(path, target, sizeof target - 1);
		need(n > 0, path);
		target[n] = 0;
		dprintf(1, "%s\"%s\":\"%s\"", i ? "," : "", kinds[i], target);
	}
	slurp("/proc/self/status", text, sizeof text);
	dprintf(1, "},\"sets\":[");
	char *at = text;
	for (int i = 0; i < 5 && (at = strstr(at, "\nCap")); i++)
		dprintf(1, "%s\"%.16s\"", i ? "," : "", at += 9);
	dprintf(1, "]}\n");
}

struct sets { uint32_t e, p, i; };
struct instruction { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct filter { unsigned short n; void *list; };

static void capset2(struct sets *d, const char *what)
{
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	need(!syscall(SYS_capset, &head, d), what);
}

static void start(uint64_t missing, const char *filter, char **argv)
{
	static char program[1 << 16];
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct sets d[2];
	size_t size = strcmp(filter, "-") ? slurp(filter, program, sizeof program) : 0;
	gid_t groups[] = {4, 24};
	struct rlimit l;
	sigset_t blocked;
	need(!setgroups(2, groups), "setgroups");
	need(syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, "of-the-caller") >= 0, "keyctl");
	need(!getrlimit(RLIMIT_NOFILE, &l), "getrlimit");
	l.rlim_cur = 3000;
	need(!setrlimit(RLIMIT_NOFILE, &l), "setrlimit");
	need(dup2(open("/", O_RDONLY | O_DIRECTORY), 7) == 7, "descriptor 7");
	umask(0027);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_SETMASK, &blocked, 0);
	need(!chdir("/"), "/");

	// All five sets are full first.
	need(!syscall(SYS_capget, &head, d), "capget");
	d[0].i = d[0].p;
	d[1].i = d[1].p;
	capset2(d, "capset of all");
	for (int c = 0; c < 64; c++)
		if (d[c / 32].p >> c % 32 & 1)
			need(!prctl(47 /* PR_CAP_AMBIENT */, 2 /* RAISE */, c, 0, 0), "PR_CAP_AMBIENT_RAISE");
	if (size) { // as long as CAP_SYS_ADMIN is there
		struct filter p = {(unsigned short)(size / sizeof(struct instruction)), program};
		need(!prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, &p, 0, 0), "seccomp");
	}
	for (int c = 0; c < 64; c++)
		if (missing >> c & 1)
			need(!prctl(PR_CAPBSET_DROP, c, 0, 0, 0), "PR_CAPBSET_DROP");
	for (int i = 0; i < 2; i++) {
		uint32_t gone = (uint32_t)(missing >> 32 * i);
		d[i].e &= ~gone;
		d[i].p &= ~gone;
		d[i].i &= ~gone;
	}
	capset2(d, "capset");
	say();
	execv(argv[0], argv);
	need(0, argv[0]);
}

static volatile sig_atomic_t over;
static void late(int s) { over = s; }

// others counts the processes that are here beside this one.
static int others(void)
{
	int n = 0;
	DIR *d = opendir("/proc");
	struct dirent *e;
	need(d != 0, "/proc");
	while ((e = readdir(d)))
		n += e->d_name[0] > '0' && e->d_name[0] <= '9' && strcmp(e->d_name, "1");
	closedir(d);
	return n;
}

// entries counts what is below a directory that was empty.
static int entries(const char *path)
{
	int n = 0;
	DIR *d = opendir(path);
	struct dirent *e;
	need(d != 0, path);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static int init(uint64_t missing, char **argv)
{
	static char before[1 << 17], after[1 << 17];
	struct sigaction a = {.sa_handler = late};
	int status = 0, code = 0, left = 0;
	need(!prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
	place(argv[1]);
	slurp("/proc/self/mountinfo", before, sizeof before);
	sigaction(SIGALRM, &a, 0);
	alarm((unsigned)atoi(argv[4]));
	pid_t pid = fork(), who;
	need(pid >= 0, "fork");
	if (pid == 0)
		start(missing, argv[3], argv + 5);
	while ((who = wait(&status)) != pid && !over)
		need(who > 0 || errno == EINTR, "wait");
	if (over) {
		kill(-1, SIGKILL);
		return 98;
	}
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	for (int i = 0; i < 200; i++) { // who is about to end gets the time
		while (waitpid(-1, 0, WNOHANG) > 0)
			;
		if (!(left = others()))
			break;
		usleep(2000);
	}
	slurp("/proc/self/mountinfo", after, sizeof after);
	dprintf(1, "\n{\"processes\":%d,\"mounts\":%s,\"files\":%d}\n", left, strcmp(before, after) ? "true" : "false",
		entries("/var/lib") + entries("/var/cache") + entries("/var/log") + entries("/tmp") - 1);
	return code;
}

int main(int argc, char **argv)
{
	int status;
	if (argc < 6) {
		dprintf(2, "usage: starter DIR MISSING FILTER SECONDS PROGRAM [ARG]...\n");
		return 97;
	}
	need(!unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), "unshare");
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0)
		_exit(init(strtoull(argv[2], 0, 16), argv));
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
