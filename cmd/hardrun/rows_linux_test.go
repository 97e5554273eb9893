//go:build linux && cgo

package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// rowsWord makes the test binary run the rows of one case, and never return.
const rowsWord = "run-these-rows"

// echo ends a program well: it becomes echo(1).
func echo(p *row.Program) {
	p.Step(&row.Step{Text: "exec: echo", Exit: 203})
	p.Exec(unix.SYS_EXECVE, p.String("/bin/echo").Arg(), p.Vector([]string{"echo", "ran"}).Arg(), p.Vector([]string{"A=1"}).Arg())
}

func begin(p *row.Program, flags uint8) {
	p.Step(&row.Step{Text: "stage: act", Tail: "Name= --name", Exit: 217, Group: 5, Flags: flags})
}

const noSuch = 9999 // no system call of this number: ENOSYS

// rowCases are programs of few rows, and what becomes of each: the status, and
// what is said.
var rowCases = []struct {
	name  string
	build func(p *row.Program)
	code  int
	said  string // on stderr; "" for nothing
}{
	{"nothing but the end", func(*row.Program) {}, 0, ""},
	{"the right answer", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_UMASK, 0o22, row.Int(0o77))
		p.Call(unix.SYS_UMASK, 0o77, row.Int(0o22))
	}, 0, ""},
	{"another answer", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_UMASK, 0o33, row.Int(0o22))
	}, 217, "hardrun: stage: act: umask: answered 18, want 27 (Name= --name)\n"},
	{"an error", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_CHDIR, 0, p.String("/no/such/directory").Arg())
	}, 217, "hardrun: stage: act: chdir: no such file or directory (Name= --name)\n"},
	{"an error that is wanted", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_CHDIR, -int64(unix.ENOENT), p.String("/no/such/directory").Arg())
	}, 0, ""},
	{"too little", func(p *row.Program) {
		begin(p, 0)
		p.CallAtLeast(unix.SYS_UMASK, 0o23, row.Int(0o22))
	}, 217, "hardrun: stage: act: umask: answered 18, want 19 (Name= --name)\n"},
	{"the same where another is wanted", func(p *row.Program) {
		begin(p, 0)
		p.CallDiffers(unix.SYS_UMASK, 0o22, row.Int(0o22))
	}, 217, "hardrun: stage: act: umask: answered 18, want another (Name= --name)\n"},
	{"0 where another is wanted: a lie", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_UMASK, 0o22, row.Int(0))
		p.CallDiffers(unix.SYS_UMASK, 7, row.Int(0o22))
	}, 217, "hardrun: stage: act: umask: answered 0, want another (Name= --name)\n"},
	{"a buffer that is written", func(p *row.Program) {
		begin(p, 0)
		out := p.Space(16)
		p.Poison(out, 16)
		p.CallAtLeast(unix.SYS_GETCWD, 2, out.Arg(), row.Int(16))
		p.Same(out, []byte("/\x00\xa5"), row.FormText)
	}, 0, ""},
	{"a buffer that is not", func(p *row.Program) {
		begin(p, 0)
		out := p.Space(8)
		p.Poison(out, 8)
		p.Same(out, row.Uint32s(nil, 7, 8), row.FormUint32s)
	}, 217, "hardrun: stage: act: pread64: read back 2779096485,2779096485, want 7,8 (Name= --name)\n"},
	{"a status line", func(p *row.Program) {
		begin(p, 0)
		p.FullStatus = true
		p.ReadOnly(true)
		p.Line("Umask:\t", "0022")
	}, 0, ""},
	{"a status line that differs", func(p *row.Program) {
		begin(p, 0)
		p.FullStatus = true
		p.ReadOnly(true)
		p.Line("Umask:\t", "0027")
	}, 217, "hardrun: stage: act: /proc/self/status reads \"Umask: 0022\", want \"0027\" (Name= --name)\n"},
	{"a status line that is longer than wanted", func(p *row.Program) {
		begin(p, 0)
		p.FullStatus = true
		p.ReadOnly(true)
		p.Line("Umask:\t", "002")
	}, 217, "hardrun: stage: act: /proc/self/status reads \"Umask: 0022\", want \"002\" (Name= --name)\n"},
	{"a status line that is absent", func(p *row.Program) {
		begin(p, 0)
		p.FullStatus = true
		p.ReadOnly(true)
		p.Line("NoSuchLine:\t", "1")
	}, 217, "hardrun: stage: act: no line \"NoSuchLine: \" in /proc/self/status (Name= --name)\n"},
	{"a status line that may be absent", func(p *row.Program) {
		begin(p, 0)
		p.ReadOnly(true)
		p.Line("NoSuchLine:\t", "1")
	}, 0, ""},
	{"a call that is not there", func(p *row.Program) {
		begin(p, 0)
		p.Call(noSuch, 0)
	}, 217, "hardrun: stage: act: system call 9999: function not implemented (Name= --name)\n"},
	{"waived", func(p *row.Program) {
		begin(p, row.Waivable)
		p.Call(noSuch, 0)
		p.Call(unix.SYS_UMASK, 0o33, row.Int(0o22)) // of the same step: given up with it
	}, 0, "hardrun: waived Name= --name: stage: act: system call 9999: function not implemented\n"},
	{"a waiver is for the environment, not for a wrong read-back", func(p *row.Program) {
		begin(p, row.Waivable)
		p.Call(unix.SYS_UMASK, 0o33, row.Int(0o22))
	}, 217, "hardrun: stage: act: umask: answered 18, want 27 (Name= --name)\n"},
	{"a waiver is not for what is missing", func(p *row.Program) {
		begin(p, row.Waivable)
		p.Call(unix.SYS_CHDIR, 0, p.String("/no/such/directory").Arg())
	}, 217, "hardrun: stage: act: chdir: no such file or directory (Name= --name)\n"},
	{"a default that cannot be had", func(p *row.Program) {
		begin(p, row.Optional)
		p.Call(noSuch, 0)
	}, 0, ""},
	{"EPERM, and the state is as asked", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_SECUREBITS), row.Int(1<<31)).Flags |= row.Tolerate
		p.Call(unix.SYS_UMASK, 0o22, row.Int(0o22))
	}, 0, ""},
	{"EPERM, and the state is another", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_SECUREBITS), row.Int(1<<31)).Flags |= row.Tolerate
		p.Call(unix.SYS_UMASK, 0o33, row.Int(0o22))
	}, 217, "hardrun: stage: act: umask: answered 18, want 27: the change was answered \"operation not permitted\" (Name= --name)\n"},
	{"EPERM that is not to be passed over", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_PRCTL, 0, row.Int(unix.PR_SET_SECUREBITS), row.Int(1<<31))
	}, 217, "hardrun: stage: act: prctl(PR_SET_SECUREBITS): operation not permitted (Name= --name)\n"},
	{"another error than EPERM", func(p *row.Program) {
		begin(p, 0)
		p.Call(unix.SYS_KILL, 0, row.Int(1<<30), row.Int(0)).Flags |= row.Tolerate // ESRCH, no EPERM
	}, 217, "hardrun: stage: act: system call 62: no such process (Name= --name)\n"},
	{"ignored signals", func(p *row.Program) {
		begin(p, 0)
		p.FullStatus = true
		p.Signals(1 << (unix.SIGUSR1 - 1))
		p.ReadOnly(true)
		p.Line("SigIgn:\t", "0000000000000200")
		p.Line("SigCgt:\t", "0000000000000000")
	}, 0, ""},
	{"an end that does not come", func(p *row.Program) {
		p.Step(&row.Step{Text: "exec: /no/such/program", Exit: 203})
		p.Exec(unix.SYS_EXECVE, p.String("/no/such/program").Arg(), p.Vector([]string{"x"}).Arg(), p.Vector(nil).Arg())
	}, 203, "hardrun: exec: /no/such/program: execve: no such file or directory\n"},
}

// runRows is the child of TestRows.
func runRows(name string, run func(p *row.Program, status int)) {
	for _, c := range rowCases {
		if c.name != name {
			continue
		}
		unix.Umask(0o22)
		if err := unix.Chdir("/"); err != nil {
			break
		}
		status, err := unix.Open("/proc/self/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		p := &row.Program{}
		c.build(p)
		echo(p)
		run(p, status)
	}
	os.Exit(99)
}

// The executor goes on for the one answer that is wanted, and for nothing else.
func TestRows(t *testing.T) {
	for _, c := range rowCases {
		t.Run(c.name, func(t *testing.T) { testRows(t, rowsWord, c.name, c.code, c.said) })
	}
}

// testRows holds what becomes of rows that are run in a child.
func testRows(t *testing.T, word, name string, code int, said string) {
	r := runs(t, as(exec.Command(binary(t), word, name), uint32(os.Getuid())))
	if r.code != code {
		t.Errorf("status %d, want %d", r.code, code)
	}
	if r.said != said {
		t.Errorf("said %q, want %q", r.said, said)
	}
	if ran := r.out == "ran\n"; ran != (code == 0) {
		t.Errorf("ran: %v", ran)
	}
}
