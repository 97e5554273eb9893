// A daemon that is looked at from outside: it asks for memory that is writable and executable,
// and calls itself "ready". With "thread" another thread stays as both were started, while the
// first one gives up its ambient capabilities.
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *stay(void *p)
{
	for (;;)
		pause();
	return p;
}

int main(int argc, char **argv)
{
	pthread_t other;
	mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (argc > 1 && !strcmp(argv[1], "thread")) {
		if (pthread_create(&other, 0, stay, 0))
			return 1;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
			return 1;
	}
	prctl(PR_SET_NAME, "ready", 0, 0, 0);
	for (;;)
		pause();
}
