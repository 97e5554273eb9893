// attack_service is a daemon that is against its parent: it does its words one after the
// other.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long answer)
{
	printf("%s: %s\n", what, answer < 0 ? strerrorname_np(errno) : "done");
	fflush(stdout);
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, 0);
}

// notify sends a message as sd_notify(3) does; "@" in it is the parent's number.
static void notify(const char *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET"), *at = strchr(text, '@');
	char line[256];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(line, sizeof line, at ? "%.*s%d" : "%.*s", at ? (int)(at - text) : (int)strlen(text), text, getppid());
	strncpy(a.sun_path, path ? path : "/", sizeof a.sun_path - 1);
	if (sendto(fd, line, strlen(line), 0, (struct sockaddr *)&a, sizeof a) < 0)
		say(text, -1);
	close(fd);
}

static void stay(void)
{
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *w = argv[i], *x = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(w, "notify")) {
			notify(x), i++;
		} else if (!strcmp(w, "say")) {
			printf("%s\n", x), fflush(stdout), i++;
		} else if (!strcmp(w, "wait")) {
			pause_ms(atol(x)), i++;
		} else if (!strcmp(w, "kill")) { // the parent
			say("kill", kill(getppid(), atoi(x))), i++;
		} else if (!strcmp(w, "trace")) {
			say("trace", ptrace(PTRACE_SEIZE, getppid(), 0, 0));
			ptrace(PTRACE_DETACH, getppid(), 0, 0);
		} else if (!strcmp(w, "look")) { // into the parent
			char path[64];
			snprintf(path, sizeof path, "/proc/%d/mem", getppid());
			say("look", open(path, O_RDWR | O_CLOEXEC));
		} else if (!strcmp(w, "flood")) { // with signals that are the daemon's own affair
			const int list[] = {SIGCHLD, SIGCONT, SIGWINCH, SIGURG, SIGIO, SIGPWR, SIGRTMIN + 3, SIGPROF, SIGPIPE};
			for (int n = 0; n < 9; n++)
				signal(list[n], SIG_IGN); // they are forwarded
			for (int n = 0; n < 20000; n++)
				kill(getppid(), list[n % 9]);
			say("flood", 0);
		} else if (!strcmp(w, "orphans")) {
			for (int n = atoi(x); n-- > 0;)
				if (!fork()) {
					if (!fork())
						stay();
					_exit(0);
				}
			say("orphans", 0), i++;
		} else if (!strcmp(w, "away")) { // a session of its own, twice
			if (!fork()) {
				setsid();
				if (!fork()) {
					setsid();
					close(1), close(2);
					stay();
				}
				_exit(0);
			}
		} else if (!strcmp(w, "ignore")) {
			signal(SIGTERM, SIG_IGN), signal(SIGHUP, SIG_IGN), signal(SIGINT, SIG_IGN), signal(SIGCHLD, SIG_IGN);
		} else if (!strcmp(w, "bomb")) { // for ever, as many as there may be
			signal(SIGTERM, SIG_IGN);
			for (;;)
				if (fork() < 0)
					pause_ms(1);
				else
					setsid();
		} else if (!strcmp(w, "replace")) { // the socket
			const char *path = getenv("NOTIFY_SOCKET");
			say("replace", path ? rename(path, "/run/taken") : -1);
			say("replace", symlink("/etc/passwd", path ? path : ""));
		} else if (!strcmp(w, "write")) { // FILE TEXT
			FILE *f = fopen(x, "w");
			if (!f || fputs(i + 2 < argc ? argv[i + 2] : "", f) < 0 || fclose(f))
				say("write", -1);
			i += 2;
		} else if (!strcmp(w, "self")) { // FILE: the own number
			FILE *f = fopen(x, "w");
			if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f))
				say("self", -1);
			i++;
		} else if (!strcmp(w, "hear")) { // a signal
			int signal = atoi(x), came = 0;
			sigset_t set;
			sigemptyset(&set), sigaddset(&set, signal), sigprocmask(SIG_BLOCK, &set, 0);
			say("up", 0), sigwait(&set, &came), say("heard", came == signal ? 0 : -1), i++;
		} else if (!strcmp(w, "stop")) {
			kill(getpid(), SIGSTOP);
		} else if (!strcmp(w, "stay")) {
			stay();
		} else if (!strcmp(w, "exit")) {
			return atoi(x);
		}
	}
	return 0;
}
