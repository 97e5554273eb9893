// What hardrun.c and exec_linux.go share. The layout of struct hr_row is that
// of row.Row; a test compares the two.
#ifndef HARDRUN_H
#define HARDRUN_H

#include <stdint.h>

enum { HR_EQUAL, HR_AT_LEAST, HR_DIFFERS, HR_POISON, HR_SAME, HR_STATUS, HR_LINE, HR_SIGNALS, HR_USERNS, HR_LAST, HR_LISTEN };
enum { HR_TOLERATE = 1, HR_WEAK = 2, HR_WAIVABLE = 4, HR_OPTIONAL = 8 };
enum { HR_FORM_BYTES, HR_FORM_UINT32S, HR_FORM_HEX64S, HR_FORM_TEXT };

struct hr_row {
	uint16_t nr;
	uint8_t kind, ptr, flags, exit, group, form;
	uint32_t text, tail;
	int64_t want;
	uint64_t a[6];
};

struct hr_program {
	struct hr_row *rows;
	char *blob;
	uint32_t *relocs;
	uint32_t nrows, nrelocs;
	int32_t status_fd; // /proc/self/status, opened and verified; -1 when there is no /proc
	int32_t log_fd;    // where messages go; -1 for nowhere
	int32_t syslog_fd; // a connected datagram socket; -1 for none
	uint32_t syslog_head; // offset of "<27>hardrun[1]: " in the blob
};

enum { HR_NLIMITS = 16, HR_CGROUPS = 8 };

// The state of the process before the Go runtime changed it.
struct hr_snapshot {
	uint64_t ignored;              // bit n-1: signal n was ignored
	uint64_t blocked;              // bit n-1: signal n was blocked
	uint64_t limits[HR_NLIMITS][2]; // soft, hard, by RLIMIT_ number
	uint64_t affinity[128];        // the CPUs of the main thread
	uint64_t timer_slack;          // nanoseconds
	uint64_t standard[3][2];       // device and inode of descriptors 0, 1, 2
	uint64_t lacked;               // HR_AGAIN_USERNS: what the bounding set lacked before, where that counts
	int32_t affinity_bytes;        // how many bytes of it the kernel filled
	uint8_t closed;                // bit n: descriptor n (0, 1, 2) was closed
	uint8_t pinned;                // the process was pinned to one CPU
	uint32_t raised;               // bit n: the soft limit n was raised for the Go runtime
	uint32_t again_flags;          // HR_AGAIN_: what was done before this second start
	int32_t denied;                // the errno by which a user namespace was denied; 0 where it was not
	int32_t starter;               // the PID of the first start; 0 in the first
	int32_t explain_fd;            // HR_AGAIN_EXPLAIN: the socket to who explains denials, or from whom; else 0
	uint8_t explains;              // this process is who explains, and launches nothing
	uint8_t ncgroups;              // the control groups that the first start has made
	uint8_t delegates;             // and given to the daemon
	int32_t cgroups[HR_CGROUPS];   // their directories
	int32_t command_fd;            // what a command of a service is told; 0 where there is none
};

// What hardrun hands to itself over execve(2), in a sealed memfd that the
// variable HARDRUN_AGAIN names. Behind it lie, without gaps, the rows, the kept
// descriptors, the relocations, and at the end the blob; or the two maps, why, and names.
// A command of a service is a process that another hardrun has made: it gets the head, and
// behind it what package main reads.
enum { HR_AGAIN_ROWS = 1, HR_AGAIN_START = 2, HR_AGAIN_COMMAND = 3 };
enum { HR_AGAIN_USERNS = 1, HR_AGAIN_PIDNS = 2, HR_AGAIN_INIT = 4, HR_AGAIN_PIDFIRST = 8, HR_AGAIN_DENY = 16, HR_AGAIN_OUTER = 32, HR_AGAIN_EXPLAIN = 64, HR_AGAIN_KILL = 128, HR_AGAIN_DELEGATE = 256 };
#define HR_AGAIN_MAGIC 0x316e696167617268ull

struct hr_again {
	uint64_t magic;
	uint32_t size;      // of the whole
	uint32_t form;      // HR_AGAIN_ROWS or HR_AGAIN_START
	uint32_t flags;     // START: what is to be done, HR_AGAIN_USERNS …
	int32_t pid;        // of the process that wrote this, and that alone may act on it; of COMMAND its parent
	int32_t proc_fd;    // START: the verified /proc
	int32_t status_fd, log_fd, syslog_fd;
	uint32_t syslog_head;
	uint32_t nrows, nkept, nrelocs, nblob;
	uint32_t nuid, ngid; // START: the sizes of the maps, with their NUL
	uint32_t nwhy;       // START: the size of what stands behind a refusal, with its NUL
	uint32_t nnames;     // START: the size of the names of control groups, each with its NUL
	int32_t denied;      // START: a user namespace was denied with this errno before
	int32_t kill_fd;     // START: HR_AGAIN_KILL: cgroup.kill of the first control group
	int32_t command_fd;  // START: what this command of a service is told; 0 where it is none
	uint32_t ncgroups;
	// START: the control groups that the parent removes: the directories above them, and
	// their own, by which they are held (flock(2)); -1 for one that was waived.
	int32_t above[HR_CGROUPS], cgroups[HR_CGROUPS];
	uint64_t lacked; // START: capabilities that the bounding set lacks, and shall lack in the user namespace
};

extern struct hr_snapshot hr_snapshot;

// hr_guessed tells whether this start is in a PID namespace by a guess.
int hr_guessed(void);
// hr_guess_was tells the parent that waits whether the guess was right. After a wrong
// one the process must end, and the parent starts in its place. 0, or a negative errno.
int hr_guess_was(int right);
// hr_move starts a thread that writes "0" to fd, a cgroup.procs; hr_moved waits until it
// has. There is one for a process. 0, or a negative errno.
int hr_move(int fd);
int hr_moved(void);
// hr_spawn makes a child that works the rows off; the last of them is execve(2). It is the
// PID, or a negative errno.
int hr_spawn(struct hr_row *rows, uint32_t nrows, char *blob, uint32_t *relocs, uint32_t nrelocs, int32_t log_fd, int32_t syslog_fd, uint32_t syslog_head);
// hr_catch notes these signals (bit n-1: signal n) from now on, and writes 1 to fd, an
// eventfd(2), for each. 0, or a negative errno. hr_taken answers what was noted since it was
// last asked: of a terminal, and of all others.
int hr_catch(uint64_t signals, int fd);
void hr_taken(uint64_t *sent, uint64_t *typed);
// hr_shed lets a thread that is sent SIGPROF by this process keep these capabilities alone
// (bit n: capability n), and get none by execve(2). 0, or a negative errno.
int hr_shed(uint64_t keep);
// hr_unhide gives the GO* variables of the environment their names back, and takes
// HARDRUN_AGAIN out of it.
void hr_unhide(void);
// hr_unpin undoes the pinning of the calling thread. 0, or a negative errno.
int hr_unpin(void);
// hr_environ is the environment as execve(2) delivered it, after hr_unhide.
char **hr_environ(void);
// hr_run works the rows of a program off. It does not return: its last row is
// execve(2), and every failure ends the process with the row's exit status.
void hr_run(struct hr_row *rows, uint32_t nrows, char *blob, uint32_t *relocs, uint32_t nrelocs,
	    int32_t status_fd, int32_t log_fd, int32_t syslog_fd, uint32_t syslog_head) __attribute__((noreturn));

#endif
