// "attack_ring FILE [UID]" opens FILE by io_uring, whose worker was started before the change of
// uid, and prints "ok" or the error. The worker has the credentials of who made the ring.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct io_uring_params p = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 2000};
	int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
	if (ring < 0 || argc < 2) {
		printf("no ring: %s\n", strerror(errno));
		return 0;
	}
	char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *e = mmap(0, p.sq_entries * sizeof *e, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || e == MAP_FAILED)
		return 2;
	if (argc > 2 && (syscall(SYS_setgroups, 0, 0) || syscall(SYS_setresgid, atoi(argv[2]), atoi(argv[2]), atoi(argv[2])) || syscall(SYS_setresuid, atoi(argv[2]), atoi(argv[2]), atoi(argv[2]))))
		return 3;
	if (argc > 2 && open(argv[1], O_RDONLY) >= 0) {
		puts("the change of user did not take");
		return 4;
	}
	memset(e, 0, sizeof *e);
	e->opcode = IORING_OP_OPENAT;
	e->fd = AT_FDCWD;
	e->addr = (unsigned long)argv[1];
	e->open_flags = O_RDONLY;
	*(unsigned *)(sq + p.sq_off.array) = 0;
	atomic_store((_Atomic unsigned *)(sq + p.sq_off.tail), 1);
	if (syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, 0, 0) < 0)
		return 5;
	struct io_uring_cqe *c = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	puts(c->res >= 0 ? "ok" : strerror(-c->res));
	return 0;
}
