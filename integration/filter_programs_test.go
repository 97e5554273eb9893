//go:build linux

package integration

// uringSource opens a file, or a socket, by io_uring alone, and prints 0 or the error:
// "uring file PATH", "uring socket FAMILY".
const uringSource = `
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct io_uring_params p = {0};
	if (argc != 3)
		return 64;
	int ring = syscall(SYS_io_uring_setup, 1, &p);
	if (ring < 0) {
		printf("%d\n", -errno);
		return 0;
	}
	char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqe = mmap(0, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return 70;
	memset(sqe, 0, sizeof *sqe);
	if (!strcmp(argv[1], "file")) {
		sqe->opcode = IORING_OP_OPENAT;
		sqe->fd = AT_FDCWD;
		sqe->addr = (unsigned long)argv[2];
		sqe->open_flags = O_RDONLY;
	} else {
		sqe->opcode = IORING_OP_SOCKET;
		sqe->fd = atoi(argv[2]);
		sqe->off = SOCK_STREAM;
	}
	((unsigned *)(sq + p.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) != 1)
		return 71;
	int res = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
	printf("%d\n", res < 0 ? res : 0);
	return 0;
}
`

// newKernelSource runs a command on what looks like a newer kernel, or one with x32:
// "newkernel FIRST LAST ANSWER COMMAND…". A filter hands the calls of these numbers to
// it, and it answers them. That is what a call that is there does, as a filter within
// sees it: the kernel asks the filters of all, and takes the most restrictive verdict,
// which this one is not (seccomp(2), SECCOMP_RET_USER_NOTIF).
const newKernelSource = `
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int ready[2], listener, status;
	char c;
	if (argc < 5 || pipe2(ready, 02000000 /* O_CLOEXEC */))
		return 64;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ, 0xc000003e /* AUDIT_ARCH_X86_64 */, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE, strtoul(argv[1], 0, 0), 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT, strtoul(argv[2], 0, 0), 1, 0),
		BPF_STMT(BPF_RET, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof code / sizeof *code, code};
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0); /* descriptors are shared until execve */
	if (!pid) {
		int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
		if (fd < 0 || write(ready[1], &fd, sizeof fd) != sizeof fd || read(ready[0], &c, 0)) {
			perror("seccomp");
			_exit(70);
		}
		execvp(argv[4], argv + 4);
		_exit(71);
	}
	if (read(ready[0], &listener, sizeof listener) != sizeof listener)
		return 72;
	for (struct pollfd p = {listener, POLLIN, 0}; poll(&p, 1, -1) >= 0 && p.revents & POLLIN;) {
		struct seccomp_notif n = {0};
		struct seccomp_notif_resp r = {0};
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
			continue;
		r.id = n.id;
		r.val = atoi(argv[3]);
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
`

// tracerSource traces a child, and makes another call of the one that the child makes
// after the kernel has been asked for that: "tracer FROM TO" prints the answer.
const tracerSource = `
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status;
	struct user_regs_struct regs;
	if (argc != 3)
		return 64;
	pid_t child = fork();
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(70);
		raise(SIGSTOP);
		syscall(atoi(argv[1]));
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (int entering = 1; ; entering = !entering) {
		if (ptrace(PTRACE_SYSCALL, child, 0, 0) || waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, child, 0, &regs))
			return 71;
		if (!entering && (long)regs.orig_rax == atoi(argv[2])) {
			printf("%ld\n", (long)regs.rax);
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return 0;
		}
		if (entering && (long)regs.orig_rax == atoi(argv[1])) {
			regs.orig_rax = atoi(argv[2]);
			if (ptrace(PTRACE_SETREGS, child, 0, &regs))
				return 72;
		}
	}
}
`

// threadsSource asks for its parent in two threads, and in the main one. Given a word,
// one of the two has loaded a filter which forbids that, for itself alone; given two,
// the main one just says that it is alive.
const threadsSource = `
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int loads;

static void *ask(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET, SECCOMP_RET_ERRNO | EXFULL),
		BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {4, code};
	if (arg && loads && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		perror("seccomp");
	printf("%d\n", syscall(SYS_getppid) < 0 ? -errno : 0);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t t;
	(void)argv;
	loads = argc == 2;
	for (int i = 0; i < 2; i++) {
		if (pthread_create(&t, 0, ask, i ? 0 : &loads))
			return 70;
		pthread_join(t, 0);
	}
	if (argc == 3)
		puts("alive");
	else
		ask(0);
	return 0;
}
`
