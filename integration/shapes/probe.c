//go:build ignore

// probe is the daemon of the shapes: that of ../probe/probe.c, which prints more. Its
// words are acts, their own words parted by ":".
//
//   probe [ACT]...    the state, what of the host is still around it, and an answer for each act
#define main probe_main
#include "../probe/probe.c"
#undef main
#include <time.h>

// reached tells whether a path leads into the mount of that number: what another mount
// covers is no state of the daemon.
static int reached(const char *path, unsigned long long id)
{
	uint64_t st[32]; // struct statx, whose member stx_mnt_id is the word 18
	return !syscall(SYS_statx, AT_FDCWD, path, AT_NO_AUTOMOUNT, 0x1000L /* STATX_MNT_ID */, st) && st[18] == id;
}

static void mounts(void)
{
	static char line[8192];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int more = 0;
	key("mounts");
	putc('[', out);
	while (f && fgets(line, sizeof line, f)) {
		unsigned long long id = 0;
		char point[4096] = "";
		int at = 0, end = 0, shared = strstr(line, " shared:") != 0;
		line[strcspn(line, "\n")] = 0;
		sscanf(line, "%llu %*d %*s %n%*s %4095s %*s%n", &id, &at, point, &end);
		char *rest = strstr(line, " - ");
		if (!end || !rest || !reached(point, id))
			continue;
		line[end] = 0;
		if (more++)
			putc(',', out);
		fprintf(out, "\n");
		static char whole[8192];
		snprintf(whole, sizeof whole, "%s%s %s", line + at, shared ? " shared" : "", rest + 3);
		text(whole);
	}
	putc(']', out);
	if (f)
		fclose(f);
}

static void around(void)
{
	static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
	char path[64], number[64];
	struct utsname host = {0};
	fputs("{\"namespaces\":{", out);
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		fprintf(out, "%s\"%s\":", i ? "," : "", kinds[i]);
		text(link_of(path));
	}
	fputs("}", out);
	line(slurp("/proc/self/status"), "Seccomp_filters:\t", number, sizeof number);
	key_text("filters", number);
	uname(&host);
	key_text("hostname", host.nodename);
	interfaces();
	key_text("interfaces", said);
	key_text("uid_map", slurp("/proc/self/uid_map"));
	mounts();
	fputs("\n}\n", out);
}

// arrived is the answer of a call with arguments that mean nothing: it was not forbidden.
static long arrived(long r) { return r < 0 && (errno == EINVAL || errno == EBADF || errno == EFAULT) ? 0 : r; }

// raw are acts on system calls that filters forbid; none of them: -2.
static long raw(int argc, char **argv)
{
	const char *what = argv[0], *a = argc > 1 ? argv[1] : "";
	struct { int priority; } first = {1};
	struct timespec never = {0, -1};
	if (!strcmp(what, "unshare")) // with a flag that there is not: nothing is made
		return arrived(syscall(SYS_unshare, strtol(a, 0, 16) | 1L << 40));
	if (!strcmp(what, "setns"))
		return arrived(syscall(SYS_setns, -1, 0));
	if (!strcmp(what, "socket")) {
		int fd = socket(atoi(a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
		return fd < 0 ? -1 : close(fd);
	}
	if (!strcmp(what, "fifo-scheduling")) {
		long r = syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &first);
		first.priority = 0;
		return r ? r : syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &first);
	}
	if (!strcmp(what, "personality"))
		return syscall(SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */) < 0 ? -1 : 0;
	if (!strcmp(what, "writable-code"))
		return mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
	if (!strcmp(what, "set-time"))
		return arrived(syscall(SYS_clock_settime, CLOCK_REALTIME, &never));
	if (!strcmp(what, "kernel-log"))
		return syscall(SYS_syslog, 10 /* SIZE_BUFFER */, 0, 0) < 0 ? -1 : 0;
	if (!strcmp(what, "set-uid"))
		return arrived(syscall(SYS_fchmod, -1, 04755));
	if (!strcmp(what, "io-uring"))
		return arrived(syscall(SYS_io_uring_setup, 1, 1));
	if (!strcmp(what, "other-user"))
		return syscall(SYS_setresuid, -1, 12345, -1) ? -1 : syscall(SYS_setresuid, -1, 0, -1);
	return -2;
}

int main(int argc, char **argv)
{
	static char buffer[1 << 17];
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	out = stdout;
	state(argv);
	around();
	for (int i = 1; i < argc; i++) {
		char *words[16];
		int n = 0;
		for (char *s = strtok(argv[i], ":"); s && n < 15; s = strtok(0, ":"))
			words[n++] = s;
		words[n] = 0;
		acted = words[0];
		long r = raw(n, words);
		if (r != -2)
			report(r);
		else if (act(n, words) == 99)
			return 99;
	}
	fputs("{\"end\":true}\n", out);
	return fflush(out) ? 93 : 0;
}
