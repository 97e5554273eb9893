// attack_swap is another process of the daemon's user: it exchanges two names in
// a directory of its own as fast as it can, until its input ends, and prints how
// often it has.
//
//   attack_swap UID DIR swap A B    A and B change places, with pauses of all lengths
//   attack_swap UID DIR seize A B   as soon as somebody makes A, B stands in its place;
//                                   then A goes, so that it is made anew
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int over(void)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	return poll(&p, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 64;
	uid_t uid = (uid_t)atoi(argv[1]);
	if (setgroups(0, 0) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) || chdir(argv[2])) {
		perror(argv[2]);
		return 90;
	}
	const char *a = argv[4], *b = argv[5];
	int seize = !strcmp(argv[3], "seize");
	unsigned long done = 0, random = 1;
	for (unsigned long round = 1; round % 64 || !over(); round++) {
		if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)) {
			if (seize && errno == ENOENT)
				continue;
			perror("renameat2");
			return 91;
		}
		done++;
		if (seize) { // back, and away with what was made
			if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) || remove(a)) {
				perror("remove");
				return 92;
			}
			continue;
		}
		random = random * 6364136223846793005ul + 1442695040888963407ul;
		for (volatile unsigned long n = random >> 33 & (1ul << (random >> 60)) * 16 - 1; n; n--)
			;
	}
	printf("%lu\n", done);
	return 0;
}
