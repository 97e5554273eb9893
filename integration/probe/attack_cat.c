// attack_cat prints files: a daemon for roots that hold nothing else.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char buf[65536];
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n;
		if (fd < 0) {
			perror(argv[i]);
			return 1;
		}
		while ((n = read(fd, buf, sizeof buf)) > 0)
			if (write(1, buf, (size_t)n) != n)
				return 2;
		if (n < 0 || close(fd)) {
			perror(argv[i]);
			return 1;
		}
	}
	return 0;
}
