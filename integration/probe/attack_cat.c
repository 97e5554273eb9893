// attack_cat prints files, each behind a line "== PATH", or "!! PATH: why not": a
// daemon for roots that hold nothing else.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char buf[1 << 16];
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0) {
			printf("!! %s: %s\n", argv[i], strerror(errno));
			continue;
		}
		printf("== %s\n", argv[i]);
		for (ssize_t n; (n = read(fd, buf, sizeof buf)) > 0;)
			fwrite(buf, 1, (size_t)n, stdout);
		close(fd);
	}
	return fflush(stdout) != 0;
}
