// bpf-probe loads BPF programs of two instructions and shows that they act.
//
//   bpf-probe device GROUP   no device can be opened in the control group any more
//   bpf-probe lsm            "0 EXDEV 0": setpriority(2) before, while and after a
//                            program answers its hook with an odd error
//
// Ends with 1, and says which call failed, where the kernel refuses.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char verifier[16384];

static void die(const char *what)
{
	fprintf(stderr, "bpf-probe: %s: %s\n%s", what, strerror(errno), verifier);
	exit(1);
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

// load returns the descriptor of a program which answers value. The kernel takes
// programs of security modules under a licence compatible with the GPL alone.
static int load(int type, int attach, unsigned btf_id, int value)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach,
		.attach_btf_id = btf_id,
		.insns = (uintptr_t)code,
		.insn_cnt = sizeof code / sizeof *code,
		.license = (uintptr_t) "Dual BSD/GPL",
		.log_buf = (uintptr_t)verifier,
		.log_size = sizeof verifier,
		.log_level = 1,
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		die("BPF_PROG_LOAD");
	return fd;
}

// function returns the number of a function among the kernel's types.
static unsigned function(const char *name)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	// The bytes behind a type, for it and for each of its members.
	static const struct { unsigned own, each; } extra[NR_BTF_KINDS] = {
		[BTF_KIND_INT] = {4, 0}, [BTF_KIND_ARRAY] = {sizeof(struct btf_array), 0},
		[BTF_KIND_STRUCT] = {0, sizeof(struct btf_member)}, [BTF_KIND_UNION] = {0, sizeof(struct btf_member)},
		[BTF_KIND_ENUM] = {0, sizeof(struct btf_enum)}, [BTF_KIND_ENUM64] = {0, sizeof(struct btf_enum64)},
		[BTF_KIND_FUNC_PROTO] = {0, sizeof(struct btf_param)}, [BTF_KIND_VAR] = {sizeof(struct btf_var), 0},
		[BTF_KIND_DATASEC] = {0, sizeof(struct btf_var_secinfo)}, [BTF_KIND_DECL_TAG] = {sizeof(struct btf_decl_tag), 0},
	};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(path);
	char *data = malloc((size_t)st.st_size + 1);
	size_t size = 0;
	for (ssize_t n; data && size < (size_t)st.st_size; size += (size_t)n)
		if ((n = read(fd, data + size, (size_t)st.st_size - size)) <= 0)
			die(path);
	close(fd);
	struct btf_header *head = (void *)data;
	if (!data || size < sizeof *head || head->magic != BTF_MAGIC)
		die("the types of the kernel");
	data[size] = 0;
	const char *types = data + head->hdr_len + head->type_off, *strings = data + head->hdr_len + head->str_off;
	const char *end = types + head->type_len;
	unsigned id = 1;
	for (const char *p = types; p < end; id++) {
		const struct btf_type *type = (const void *)p;
		unsigned kind = BTF_INFO_KIND(type->info);
		if (kind >= NR_BTF_KINDS)
			break;
		if (kind == BTF_KIND_FUNC && !strcmp(strings + type->name_off, name)) {
			free(data);
			return id;
		}
		p += sizeof *type + extra[kind].own + extra[kind].each * BTF_INFO_VLEN(type->info);
	}
	errno = ENOENT;
	die(name);
	return 0;
}

static const char *renice(void)
{
	if (!setpriority(PRIO_PROCESS, 0, 0))
		return "0";
	return errno == EXDEV ? "EXDEV" : strerror(errno);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "device")) {
		int group = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (group < 0)
			die(argv[2]);
		union bpf_attr attr = {
			.target_fd = (unsigned)group,
			.attach_bpf_fd = (unsigned)load(BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, 0, 0),
			.attach_type = BPF_CGROUP_DEVICE,
			.attach_flags = BPF_F_ALLOW_MULTI,
		};
		if (bpf(BPF_PROG_ATTACH, &attr))
			die("BPF_PROG_ATTACH");
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "lsm")) {
		const char *before = renice();
		union bpf_attr attr = {
			.raw_tracepoint.prog_fd = (unsigned)load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, function("bpf_lsm_task_setnice"), -EXDEV),
		};
		int link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
		if (link < 0)
			die("BPF_RAW_TRACEPOINT_OPEN");
		const char *during = renice();
		close(link);
		// The link is taken away by a thread of the kernel.
		const char *after = renice();
		for (int i = 0; i < 500 && strcmp(after, "0"); i++) {
			usleep(10000);
			after = renice();
		}
		printf("%s %s %s\n", before, during, after);
		return 0;
	}
	fprintf(stderr, "usage: bpf-probe device GROUP | lsm\n");
	return 64;
}
