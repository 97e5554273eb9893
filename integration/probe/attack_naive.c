// A launcher that makes the classic mistakes, one a word: "attack_naive STEP... -- COMMAND...".
// What fails is told on stderr, and passed over; then the command is executed, by PATH.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *step;

static long passed_over(long answer)
{
	if (answer < 0)
		fprintf(stderr, "naive: %s: %s, ignored\n", step, strerror(errno));
	return answer;
}

// CVE-2020-13776: base 0 takes 0x0; the type of an id is what is left of a larger number.
static uint32_t id(const char *s) { return (uint32_t)strtoul(s, 0, 0); }

static void set_uid(uint32_t uid) { passed_over(syscall(SYS_setresuid, uid, uid, uid)); }
static void set_gid(uint32_t gid) { passed_over(syscall(SYS_setresgid, gid, gid, gid)); }

// The first line of that name in the file of the root that there is; no group but its own is set.
static void become(const char *name)
{
	char line[4096], *at, *uid;
	size_t n = strlen(name);
	FILE *f = fopen("/etc/passwd", "r");
	while (f && fgets(line, sizeof line, f)) {
		if (strncmp(line, name, n) || line[n] != ':' || !(at = strchr(line + n + 1, ':')))
			continue;
		uid = at + 1;
		if ((at = strchr(uid, ':')))
			set_gid(id(at + 1));
		set_uid(id(uid));
		fclose(f);
		return;
	}
	if (f)
		fclose(f);
	fprintf(stderr, "naive: %s: no such user, ignored\n", step);
}

static void *one_thread(void *uid)
{
	passed_over(syscall(SYS_setresuid, id(uid), id(uid), id(uid)));
	return 0;
}

static struct __user_cap_data_struct *sets(void)
{
	static struct __user_cap_data_struct data[2];
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	passed_over(syscall(SYS_capget, &head, data));
	return data;
}

static void set_sets(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	passed_over(syscall(SYS_capset, &head, data));
}

// A filter that answers one call by an error, and lets every other pass.
static void filter(char *v)
{
	char *number = strchr(v, ':');
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)atoi(v), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number ? (uint32_t)atoi(number + 1) : EPERM)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};
	passed_over(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

// The filter that lies in a file.
static void filter_file(const char *path)
{
	static struct sock_filter code[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = passed_over(read(fd, code, sizeof code));
	struct sock_fprog program = {(unsigned short)(n / (ssize_t)sizeof *code), code};
	close(fd);
	passed_over(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

// Nothing may be written, but for what needs a newer kernel.
static void landlock(void)
{
	struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG};
	int fd = (int)passed_over(syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0));
	if (fd < 0)
		return;
	passed_over(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	passed_over(syscall(SYS_landlock_restrict_self, fd, 0));
	close(fd);
}

static void write_file(char *v)
{
	char *text = strchr(v, ':');
	*text++ = 0;
	int fd = open(v, O_WRONLY | O_CLOEXEC);
	if (passed_over(fd) < 0)
		return;
	passed_over(write(fd, text, strlen(text)));
	close(fd);
}

int main(int argc, char **argv)
{
	int i = 1;
	for (; i < argc && strcmp(argv[i], "--"); i++) {
		char *v = strchr(argv[i], '=');
		step = argv[i];
		if (v)
			*v++ = 0;
		if (!strcmp(step, "user"))
			become(v);
		else if (!strcmp(step, "uid"))
			set_uid(id(v));
		else if (!strcmp(step, "gid"))
			set_gid(id(v));
		else if (!strcmp(step, "euid"))
			passed_over(seteuid(id(v)));
		else if (!strcmp(step, "groups-none"))
			passed_over(syscall(SYS_setgroups, 0, 0));
		else if (!strcmp(step, "thread-uid")) {
			pthread_t t;
			if (!pthread_create(&t, 0, one_thread, v))
				pthread_join(t, 0);
		} else if (!strcmp(step, "keep-caps"))
			passed_over(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
		else if (!strcmp(step, "bounding")) { // all up to the last one, until one fails: libcap-ng 0.8.3
			for (int c = 0; c <= atoi(v); c++)
				if (passed_over(prctl(PR_CAPBSET_DROP, c, 0, 0, 0)))
					break;
		} else if (!strcmp(step, "bounding-read")) { // until one cannot be read: libcap 2.66
			for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
				passed_over(prctl(PR_CAPBSET_DROP, c, 0, 0, 0));
		} else if (!strcmp(step, "bounding-each")) { // each taken from all sets, CAP_SETPCAP in the middle
			for (int c = 0; c <= atoi(v); c++) {
				struct __user_cap_data_struct *data = sets();
				data[c >> 5].effective &= ~(1u << (c & 31));
				data[c >> 5].permitted &= ~(1u << (c & 31));
				set_sets(data);
				passed_over(prctl(PR_CAPBSET_DROP, c, 0, 0, 0));
			}
		} else if (!strcmp(step, "capset")) {
			struct __user_cap_data_struct data[2] = {0};
			set_sets(data);
		} else if (!strcmp(step, "ambient"))
			passed_over(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, atoi(v), 0, 0));
		else if (!strcmp(step, "filter"))
			filter(v);
		else if (!strcmp(step, "filter-file"))
			filter_file(v);
		else if (!strcmp(step, "landlock"))
			landlock();
		else if (!strcmp(step, "chroot"))
			passed_over(chroot(v)); // and no chdir
		else if (!strcmp(step, "write"))
			write_file(v);
		else if (!strcmp(step, "log"))
			passed_over(open(v, O_WRONLY | O_CREAT | O_APPEND, 0600));
		else if (!strcmp(step, "shell")) { // one word out of many, by the shell
			char line[4096] = "";
			for (int k = i + 2; k < argc; k++) {
				strcat(line, argv[k]);
				strcat(line, " ");
			}
			return system(line) != 0;
		} else if (!strcmp(step, "background")) {
			if (fork() > 0)
				return 0; // whatever becomes of the child
		} else if (!strcmp(step, "permitted")) { // of the launcher itself
			printf("%08x%08x\n", sets()[1].permitted, sets()[0].permitted);
			return 0;
		} else {
			fprintf(stderr, "naive: no step %s\n", step);
			return 64;
		}
	}
	if (i + 1 >= argc)
		return 64;
	execvp(argv[i + 1], argv + i + 1);
	step = argv[i + 1];
	passed_over(-1);
	return 127;
}
