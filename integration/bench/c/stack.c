/*
 * Loads the filters of a whole hardening set as systemd stacks them, with libseccomp:
 * one context per directive and architecture, each of which lets all other
 * architectures pass. Prints how long that took, from the first seccomp_init(3) to the
 * last seccomp_load(3): once, in a new process, as the start of a service does it.
 *
 *	stack           without SystemCallArchitectures=
 *	stack native    with SystemCallArchitectures=native
 *
 * names.h has the calls of SystemCallFilter=, each as a string with a comma behind it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EPERM_ SCMP_ACT_ERRNO(EPERM)
#define ENOSYS_ SCMP_ACT_ERRNO(ENOSYS)
#define FAMILY_ SCMP_ACT_ERRNO(EAFNOSUPPORT)

static const char *const listed[] = {
#include "names.h"
};
static int numbers[COUNT(listed)];
static int filters;
static int instructions = -1; /* where they are counted, and nothing is loaded */

static const uint32_t arches[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 };

static void die(const char *what, int err)
{
	fprintf(stderr, "stack: %s: %s\n", what, strerror(err));
	exit(1);
}

static scmp_filter_ctx begin(uint32_t arch, uint32_t otherwise)
{
	int err;
	scmp_filter_ctx c = seccomp_init(otherwise);

	if (!c)
		die("seccomp_init", ENOMEM);
	if (arch != SCMP_ARCH_X86_64) {
		if ((err = seccomp_arch_add(c, arch)) < 0 || (err = seccomp_arch_remove(c, SCMP_ARCH_X86_64)) < 0)
			die("seccomp_arch_add", -err);
	}
	if ((err = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW)) < 0 ||
	    (err = seccomp_attr_set(c, SCMP_FLTATR_CTL_NNP, 0)) < 0)
		die("seccomp_attr_set", -err);
	return c;
}

static void load(scmp_filter_ctx c)
{
	int err;

	if (instructions < 0) {
		if ((err = seccomp_load(c)) < 0)
			die("seccomp_load", -err);
	} else {
		FILE *f = tmpfile();
		if (!f || (err = seccomp_export_bpf(c, fileno(f))) < 0)
			die("seccomp_export_bpf", f ? -err : errno);
		instructions += lseek(fileno(f), 0, SEEK_END) / 8;
		fclose(f);
	}
	seccomp_release(c);
	filters++;
}

/* A call that an architecture does not have is passed over, as systemd does. */
static void rule(scmp_filter_ctx c, uint32_t action, int call, unsigned n, const struct scmp_arg_cmp *args)
{
	(void)seccomp_rule_add_exact_array(c, action, call, n, args);
}

static void on(scmp_filter_ctx c, uint32_t action, int call, struct scmp_arg_cmp arg)
{
	rule(c, action, call, 1, &arg);
}

/* A directive that forbids calls by their names. */
static void forbid(uint32_t arch, const char *const *names, size_t n)
{
	scmp_filter_ctx c = begin(arch, SCMP_ACT_ALLOW);

	for (size_t i = 0; i < n; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);
		if (nr != __NR_SCMP_ERROR)
			rule(c, EPERM_, nr, 0, NULL);
	}
	load(c);
}

#define FORBID(arch, ...)                                            \
	do {                                                         \
		static const char *const names[] = { __VA_ARGS__ };  \
		forbid(arch, names, COUNT(names));                   \
	} while (0)

static void protect_hostname(uint32_t arch)
{
	FORBID(arch, "sethostname", "setdomainname");
}

static void families(uint32_t arch)
{
	scmp_filter_ctx c;

	if (arch == SCMP_ARCH_X86) /* socketcall(2) has its arguments in memory */
		return;
	c = begin(arch, SCMP_ACT_ALLOW);
	on(c, FAMILY_, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_LT, AF_UNIX));
	on(c, FAMILY_, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	for (int af = AF_UNIX; af < AF_NETLINK; af++)
		if (af != AF_UNIX && af != AF_INET && af != AF_INET6)
			on(c, FAMILY_, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, af));
	load(c);
}

static void write_execute(uint32_t arch)
{
	scmp_filter_ctx c = begin(arch, SCMP_ACT_ALLOW);

	if (arch == SCMP_ARCH_X86) { /* the old mmap(2) has its arguments in memory */
		rule(c, EPERM_, SCMP_SYS(mmap), 0, NULL);
		on(c, EPERM_, SCMP_SYS(mmap2), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC | PROT_WRITE));
	} else {
		on(c, EPERM_, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC | PROT_WRITE));
		on(c, EPERM_, SCMP_SYS(shmat), SCMP_A2(SCMP_CMP_MASKED_EQ, SHM_EXEC, SHM_EXEC));
	}
	on(c, EPERM_, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	on(c, EPERM_, SCMP_SYS(pkey_mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	load(c);
}

static void realtime(uint32_t arch)
{
	scmp_filter_ctx c = begin(arch, SCMP_ACT_ALLOW);
	const int permitted[] = { SCHED_OTHER, SCHED_BATCH, SCHED_IDLE };
	int top = 0;

	for (size_t i = 0; i < COUNT(permitted); i++)
		top = permitted[i] > top ? permitted[i] : top;
	for (int p = 0; p < top; p++) {
		int ok = 0;
		for (size_t i = 0; i < COUNT(permitted); i++)
			ok |= p == permitted[i];
		if (!ok)
			on(c, EPERM_, SCMP_SYS(sched_setscheduler), SCMP_A1(SCMP_CMP_EQ, p));
	}
	on(c, EPERM_, SCMP_SYS(sched_setscheduler), SCMP_A1(SCMP_CMP_GT, top));
	rule(c, ENOSYS_, SCMP_SYS(sched_setattr), 0, NULL);
	load(c);
}

static void suid_sgid(uint32_t arch)
{
	const struct {
		int call;
		unsigned mode, flags;
	} calls[] = {
		{ SCMP_SYS(chmod), 1, 0 },    { SCMP_SYS(fchmod), 1, 0 }, { SCMP_SYS(fchmodat), 2, 0 },
		{ SCMP_SYS(mkdir), 1, 0 },    { SCMP_SYS(mkdirat), 2, 0 }, { SCMP_SYS(creat), 1, 0 },
		{ SCMP_SYS(mknod), 1, 0 },    { SCMP_SYS(mknodat), 2, 0 }, { SCMP_SYS(open), 2, 1 },
		{ SCMP_SYS(openat), 3, 2 },
	};
	const unsigned bits[] = { S_ISUID, S_ISGID };
	scmp_filter_ctx c = begin(arch, SCMP_ACT_ALLOW);

	for (size_t b = 0; b < COUNT(bits); b++)
		for (size_t i = 0; i < COUNT(calls); i++) {
			struct scmp_arg_cmp args[2];
			unsigned n = 0;
			if (calls[i].flags)
				args[n++] = SCMP_CMP(calls[i].flags, SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT);
			args[n++] = SCMP_CMP(calls[i].mode, SCMP_CMP_MASKED_EQ, bits[b], bits[b]);
			rule(c, EPERM_, calls[i].call, n, args);
		}
	rule(c, ENOSYS_, SCMP_SYS(openat2), 0, NULL);
	load(c);
}

static void namespaces(uint32_t arch)
{
	const unsigned kinds[] = { CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS };
	scmp_filter_ctx c = begin(arch, SCMP_ACT_ALLOW);

	rule(c, ENOSYS_, SCMP_SYS(clone3), 0, NULL);
	rule(c, EPERM_, SCMP_SYS(setns), 0, NULL);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		on(c, EPERM_, SCMP_SYS(unshare), SCMP_A0(SCMP_CMP_MASKED_EQ, kinds[i], kinds[i]));
		on(c, EPERM_, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, kinds[i], kinds[i]));
	}
	load(c);
}

static void tunables(uint32_t arch)
{
	if (arch != SCMP_ARCH_X32) /* which has no such call */
		FORBID(arch, "_sysctl");
}

static void modules(uint32_t arch)
{
	FORBID(arch, "delete_module", "finit_module", "init_module");
}

static void logs(uint32_t arch)
{
	FORBID(arch, "syslog");
}

static void protect_clock(uint32_t arch)
{
	FORBID(arch, "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64", "settimeofday");
}

static void devices(uint32_t arch)
{
	FORBID(arch, "ioperm", "iopl", "pciconfig_iobase", "pciconfig_read", "pciconfig_write");
}

static void personalities(uint32_t arch)
{
	scmp_filter_ctx c = begin(arch, SCMP_ACT_ALLOW);

	on(c, EPERM_, SCMP_SYS(personality), SCMP_A0(SCMP_CMP_NE, 0));
	load(c);
}

static void call_filter(uint32_t arch)
{
	scmp_filter_ctx c = begin(arch, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < COUNT(listed); i++)
		if (numbers[i] != __NR_SCMP_ERROR)
			rule(c, SCMP_ACT_ALLOW, numbers[i], 0, NULL);
	load(c);
}

static void architectures(void)
{
	int err;
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);

	if (!c)
		die("seccomp_init", ENOMEM);
	if ((err = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) < 0 ||
	    (err = seccomp_attr_set(c, SCMP_FLTATR_CTL_NNP, 0)) < 0)
		die("seccomp_attr_set", -err);
	load(c);
}

static void stack(int native)
{
	static void (*const directives[])(uint32_t) = {
		protect_hostname, families, write_execute, realtime, suid_sgid,     namespaces,
		tunables,         modules,  logs,          protect_clock, devices,
	};

	for (size_t d = 0; d < COUNT(directives); d++)
		for (size_t a = 0; a < COUNT(arches); a++)
			directives[d](arches[a]);
	if (native)
		architectures();
	for (size_t a = 0; a < COUNT(arches); a++)
		personalities(arches[a]);
	for (size_t a = 0; a < COUNT(arches); a++)
		call_filter(arches[a]);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int native = argc == 2 && !strcmp(argv[1], "native");
	int64_t start, end;

	/* A unit's names are numbers before its filters are made. */
	for (size_t i = 0; i < COUNT(listed); i++)
		numbers[i] = seccomp_syscall_resolve_name(listed[i]);

	start = now();
	stack(native);
	end = now();
	if (personality(0xffffffff) != -1 || socket(AF_AX25, SOCK_DGRAM, 0) != -1 || errno != EAFNOSUPPORT)
		die("the filters are not in force", EINVAL);

	/* The same again, to count: files can still be made under the filters. */
	filters = instructions = 0;
	stack(native);
	printf("total_ns %lld\nfilters %d\ninstructions %d\n", (long long)(end - start), filters, instructions);
	return 0;
}
