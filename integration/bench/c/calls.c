/*
 * Prints what a few system calls cost, each as nanoseconds of the median batch. The
 * calls are raw, so that no C library and no vDSO stands between.
 *
 *	calls free        personality(2) and executable memory are there
 *	calls filtered    LockPersonality= and MemoryDenyWriteExecute= hold
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 21

static const char *self;
static char *page; /* never touched: there is nothing to flush, and the call alone is timed */
static int zero;

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void do_getppid(void)
{
	must(syscall(SYS_getppid) >= 0, "getppid");
}

static void do_read(void)
{
	char byte;

	must(syscall(SYS_read, zero, &byte, 1) == 1, "read");
}

static void do_mmap(void)
{
	long at = syscall(SYS_mmap, 0L, 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);

	must(at != -1 && syscall(SYS_munmap, at, 4096L) == 0, "mmap");
}

static void do_socket(void)
{
	long fd = syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);

	must(fd >= 0 && syscall(SYS_close, fd) == 0, "socket");
}

static void do_openat(void)
{
	long fd = syscall(SYS_openat, AT_FDCWD, self, O_RDONLY);

	must(fd >= 0 && syscall(SYS_close, fd) == 0, "openat");
}

static void do_mprotect(void)
{
	must(syscall(SYS_mprotect, page, 4096L, PROT_READ) == 0 && syscall(SYS_mprotect, page, 4096L, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*call)(void);
		int n;
	} calls[] = {
		{ "getppid", do_getppid, 10000 },      { "read_1_byte", do_read, 8000 },
		{ "mmap+munmap", do_mmap, 1000 },      { "socket+close", do_socket, 1000 },
		{ "openat+close", do_openat, 1500 },   { "mprotect", do_mprotect, 2000 },
	};
	enum { COUNT = sizeof(calls) / sizeof(calls[0]) };
	int filtered;
	static double ns[COUNT][BATCHES];

	if (argc != 2)
		return 64;
	self = argv[0];
	zero = open("/dev/zero", O_RDONLY);
	must(zero >= 0, "/dev/zero");
	page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(page != MAP_FAILED, "mmap");
	/* Without this the two would cost the same where nothing is confined. */
	filtered = !strcmp(argv[1], "filtered");
	must((syscall(SYS_personality, 0xffffffffL) == -1) == filtered, "personality");
	must((syscall(SYS_mprotect, page, 4096L, PROT_READ | PROT_WRITE | PROT_EXEC) == -1) == filtered, "executable memory");
	must(syscall(SYS_mprotect, page, 4096L, PROT_READ | PROT_WRITE) == 0, "mprotect");
	/* One batch of each after the other, so that a disturbance hits all. */
	for (int b = -1; b < BATCHES; b++)
		for (int i = 0; i < COUNT; i++) {
			int64_t start = now();
			for (int n = 0; n < calls[i].n; n++)
				calls[i].call();
			if (b >= 0) /* the first one warms up */
				ns[i][b] = (double)(now() - start) / calls[i].n;
		}
	for (int i = 0; i < COUNT; i++) {
		qsort(ns[i], BATCHES, sizeof(ns[i][0]), ascending);
		printf("%s %.1f\n", calls[i].name, ns[i][BATCHES / 2]);
	}
	return 0;
}
