// attack_cgroup tries ways around the programs of a control group, and prints the
// answer as probe does.
//
//   attack_cgroup uring-open PATH   opens it for reading by io_uring
//   attack_cgroup receive SOCKET    reads a byte from a descriptor that comes over a socket
//   attack_cgroup packet PORT       sends UDP to 127.0.0.1 by a socket of AF_PACKET
//   attack_cgroup datagram PORT     the same by a socket of AF_INET
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static long uring_open(const char *path)
{
	struct io_uring_params p = {0};
	long fd = syscall(SYS_io_uring_setup, 1, &p);
	if (fd < 0)
		return -1;
	char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, IORING_OFF_SQ_RING);
	char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, IORING_OFF_CQ_RING);
	struct io_uring_sqe *e = mmap(0, p.sq_entries * sizeof *e, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || e == MAP_FAILED)
		return -1;
	*e = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path, .open_flags = O_RDONLY | O_NONBLOCK, .flags = IOSQE_ASYNC};
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) != 1)
		return -1;
	int res = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
	errno = res < 0 ? -res : 0;
	return res < 0 ? -1 : res;
}

static long receive(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char byte = 0, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	int fd = -1, s = socket(AF_UNIX, SOCK_STREAM, 0);
	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof a) || recvmsg(s, &m, 0) < 0)
		return -1;
	if (!CMSG_FIRSTHDR(&m)) {
		errno = ENODATA;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return read(fd, &byte, 1);
}

static long packet(int port)
{
	struct { struct iphdr ip; struct udphdr udp; char text[4]; } __attribute__((packed)) d = {
		.ip = {.ihl = 5, .version = 4, .tot_len = htons(sizeof d), .ttl = 64, .protocol = IPPROTO_UDP, .saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(INADDR_LOOPBACK)},
		.udp = {.source = htons(9), .dest = htons((uint16_t)port), .len = htons(sizeof d - sizeof d.ip)}, // a checksum of 0 is none
		.text = {'s', 'e', 'n', 't'},
	};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(0x0800), .sll_ifindex = (int)if_nametoindex("lo"), .sll_halen = 6};
	uint16_t words[sizeof d.ip / 2];
	uint32_t sum = 0;
	memcpy(words, &d.ip, sizeof words);
	for (unsigned i = 0; i < sizeof words / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	d.ip.check = (uint16_t)~(sum + (sum >> 16));
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	return fd < 0 ? -1 : sendto(fd, &d, sizeof d, 0, (struct sockaddr *)&to, sizeof to);
}

static long datagram(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	return fd < 0 ? -1 : sendto(fd, "sent", 4, 0, (struct sockaddr *)&to, sizeof to);
}

int main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "";
	long r = -1;
	errno = EINVAL;
	if (!strcmp(what, "uring-open"))
		r = uring_open(argv[2]);
	else if (!strcmp(what, "receive"))
		r = receive(argv[2]);
	else if (!strcmp(what, "packet"))
		r = packet(atoi(argv[2]));
	else if (!strcmp(what, "datagram"))
		r = datagram(atoi(argv[2]));
	int e = r < 0 ? errno : 0;
	printf("{\"act\":\"%s\",\"value\":%ld,\"errno\":\"%s\"}\n", what, r, e ? strerrorname_np(e) : "");
	return e != 0;
}
