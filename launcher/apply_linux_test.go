package launcher

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// A plan in which something is refused applies nothing, whoever calls.
func TestRefusedPlanAppliesNothing(t *testing.T) {
	pl := &Plan{Refused: []Refusal{{Directive: "User", Text: "no"}}}
	var why *Refusal
	if _, err := pl.Apply(nil); !errors.As(err, &why) || why != &pl.Refused[0] {
		t.Errorf("Apply: %v", err)
	}
	if err := pl.ApplyBefore(nil); !errors.As(err, &why) || why != &pl.Refused[0] {
		t.Errorf("ApplyBefore: %v", err)
	}
}

// rowTexts is each row in a line: behind the step the call with its numbers, "@" for what lies in
// the blob, and the answer that is wanted.
func rowTexts(p *row.Program) (lines []string) {
	names := map[uint16]string{
		unix.SYS_PRCTL: "prctl", unix.SYS_MMAP: "mmap", unix.SYS_GETPPID: "getppid", unix.SYS_SETNS: "setns", unix.SYS_READLINKAT: "readlinkat",
		unix.SYS_SETGROUPS: "setgroups", unix.SYS_GETGROUPS: "getgroups", unix.SYS_EXECVE: "execve", unix.SYS_STATX: "statx", unix.SYS_GETPID: "getpid",
		unix.SYS_GETUID: "getuid", unix.SYS_GETGID: "getgid",
	}
	dump := p.Dump()
	for i := range p.Rows {
		r := &p.Rows[i]
		text := dump[i]
		switch r.Kind {
		case row.Equal, row.Last:
			var args []string
			for k := range r.A {
				if r.Ptr>>k&1 == 1 {
					args = append(args, "@")
				} else {
					args = append(args, fmt.Sprint(int64(r.A[k])))
				}
			}
			text = names[r.NR] + "(" + strings.Join(args, ",") + ")"
			if r.Kind == row.Equal {
				text += fmt.Sprintf(" = %d", r.Want)
			}
		case row.Same:
			text = fmt.Sprintf("same %q", p.Blob[r.A[1]:r.A[1]+r.A[2]])
		}
		if step := p.Text(r.Text); step != "" {
			text = step + ": " + text
		}
		lines = append(lines, strings.ReplaceAll(strings.ReplaceAll(text, "\t", " "), "\n", ""))
	}
	return lines
}

func checkRows(t *testing.T, what string, p *row.Program, want ...string) {
	t.Helper()
	if got := rowTexts(p); !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An actor is a step of Go that tells what is done with it.
type actor struct {
	name                  string
	log                   *[]string
	prepare, apply, check error
}

func (a *actor) said(what string, err error) error {
	*a.log = append(*a.log, what+" "+a.name)
	return err
}
func (a *actor) String() string    { return a.name }
func (*actor) Mechanism() string   { return "" }
func (a *actor) Prepare(int) error { return a.said("prepare", a.prepare) }
func (a *actor) Apply(int) error   { return a.said("apply", a.apply) }
func (a *actor) Verify() error     { return a.said("verify", a.check) }

// One that can be given up, and that holds descriptors.
type giver struct{ actor }

func (g *giver) GiveUp()    { _ = g.said("give up", nil) }
func (g *giver) FDs() []int { return []int{7, 8} }

// Steps that write rows. What one of them shall not do it hides below a method that is no
// step's.
type (
	writer    struct{ name string } // changes, and checks
	change    struct{ writer }      // only changes
	onlyCheck struct{ writer }      // only checks
	lastly    struct {              // comes behind all read-backs
		writer
		err error
	}
)

func (w writer) String() string            { return w.name }
func (writer) Mechanism() string           { return "" }
func (writer) Do(p *row.Program)           { p.Call(unix.SYS_GETUID, 0) }
func (writer) Check(p *row.Program)        { p.Call(unix.SYS_GETGID, 0) }
func (change) Check()                      {}
func (onlyCheck) Do()                      {}
func (lastly) Do()                         {}
func (lastly) Check()                      {}
func (l lastly) Load(p *row.Program) error { p.Call(unix.SYS_GETPID, 0); return l.err }

// commandOf ends a plan with its command.
func commandOf(pl *Plan) *Plan {
	pl.path, pl.argv, pl.status = "/bin/daemon", []string{"daemon"}, -1
	pl.Entries = append(pl.Entries, Entry{Stage: StageExec, Step: &execStep{pl}, Exit: ExitExec})
	return pl
}

// The first part is applied and read back step by step. What the environment denies may be given
// up, where that was waived, or where nobody asked for it; all else ends the launch.
func TestApplyStepByStep(t *testing.T) {
	denied := os.NewSyscallError("mount", unix.EPERM)
	broken := os.NewSyscallError("mount", unix.EIO)
	for _, tt := range []struct {
		what  string
		entry Entry
		a     actor
		log   string
		err   string
		hints bool
	}{
		{"all is well", Entry{}, actor{}, "prepare s, apply s, verify s", "", false},
		{"all is well, and it is waived", Entry{flags: row.Waivable}, actor{}, "prepare s, apply s, verify s", "", false},
		{"it cannot be prepared", Entry{flags: row.Waivable}, actor{prepare: denied}, "prepare s", "mounts: s: mount: operation not permitted", false},
		{"it is denied", Entry{}, actor{apply: denied}, "prepare s, apply s", "mounts: s: mount: operation not permitted", false},
		{
			"it is denied, and waived",
			Entry{flags: row.Waivable, Directive: "ProtectHome="},
			actor{apply: denied},
			"prepare s, apply s, waived mounts: s: mount: operation not permitted (ProtectHome=), give up s", "", false,
		},
		{"it is denied, and a default", Entry{flags: row.Optional}, actor{apply: denied}, "prepare s, apply s, give up s", "", false},
		{"it is denied, waived and a default", Entry{flags: row.Optional | row.Waivable}, actor{apply: denied}, "prepare s, apply s, give up s", "", false},
		{"it fails, and is waived", Entry{flags: row.Waivable}, actor{apply: broken}, "prepare s, apply s", "mounts: s: mount: input/output error", false},
		{"it is read back as another, and waived", Entry{flags: row.Waivable}, actor{check: denied}, "prepare s, apply s, verify s", "mounts: s: mount: operation not permitted", false},
		{"a namespace is denied", Entry{Exit: ExitNamespace}, actor{apply: denied}, "prepare s, apply s", "mounts: s: mount: operation not permitted", true},
		{"a namespace fails", Entry{Exit: ExitNamespace}, actor{apply: broken}, "prepare s, apply s", "mounts: s: mount: input/output error", false},
	} {
		var log []string
		tt.a.name, tt.a.log = "s", &log
		tt.entry.Stage, tt.entry.Step = StageMounts, &giver{tt.a}
		pl := commandOf(&Plan{Entries: []Entry{tt.entry}})
		pl.Entries = append(pl.Entries, Entry{Directive: "ProtectSystem=", Exit: ExitNamespace, Stage: StageSeal, Step: writer{"w"}})
		thread := &Thread{Warn: func(text string) { log = append(log, text) }}
		sealed, err := pl.Apply(thread)
		if got := strings.Join(log, ", "); got != tt.log {
			t.Errorf("%s: %s, want %s", tt.what, got, tt.log)
		}
		if tt.err == "" {
			if err != nil || sealed.rows == nil || sealed.thread != thread || !slices.Equal(sealed.keep, []int{7, 8}) || sealed.again {
				t.Errorf("%s: %+v, %v", tt.what, sealed, err)
			}
			continue
		}
		var failed *Error
		if !errors.As(err, &failed) || failed.Error() != tt.err || !reflect.DeepEqual(failed.Hints, map[bool][]string{true: pl.without()}[tt.hints]) {
			t.Errorf("%s: %v, want %s", tt.what, err, tt.err)
		}
	}
}

// What comes before a second start is applied there, and nothing of it afterwards.
func TestApplyBefore(t *testing.T) {
	for _, tt := range []struct {
		prepare error
		want    string
	}{
		{nil, "prepare a, apply a, verify a"},
		{unix.EIO, "prepare a, namespaces: a: input/output error (PrivateNetwork=)"},
	} {
		var log []string
		pl := &Plan{Entries: []Entry{
			{Stage: StageBefore, Step: &actor{name: "a", log: &log, prepare: tt.prepare}, Directive: "PrivateNetwork="},
			{Stage: StageAgain, Step: &actor{name: "b", log: &log}},
			{Stage: StageMounts, Step: &actor{name: "c", log: &log}},
		}}
		if err := pl.ApplyBefore(&Thread{}); err != nil {
			log = append(log, err.Error())
		}
		if got := strings.Join(log, ", "); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	var log []string
	pl := commandOf(&Plan{Entries: []Entry{
		{Stage: StageBefore, Step: &actor{name: "a", log: &log}},
		{Stage: StageMounts, Step: &actor{name: "c", log: &log}},
	}})
	if _, err := pl.Apply(&Thread{}); err != nil || strings.Join(log, ", ") != "prepare a, prepare c, apply c, verify c" {
		t.Errorf("%s, %v", log, err)
	}
}

// The rows are each change with its read-back, every state once more, what may forbid all reading,
// and the command.
func TestLower(t *testing.T) {
	entries := []Entry{
		{Stage: StageUMask, Step: writer{"both"}, Directive: "UMask=", Origin: policy.Origin{File: "x.service", Line: 3}, Exit: ExitLimits, group: 2, flags: row.Waivable},
		{Stage: StageMounts, Step: &actor{name: "none", log: new([]string)}},
		{Stage: StageRaise, Step: change{writer{"change"}}, Exit: ExitLimits},
		{Stage: StageChdir, Step: writer{"passing"}, Transient: true, Exit: ExitChdir},
		{Stage: StageDeath, Step: onlyCheck{writer{"check"}}, Exit: ExitSignals},
		{Stage: StageSignals, Step: lastly{writer: writer{"filter"}}, Exit: ExitSeccomp},
	}
	pl := commandOf(&Plan{Entries: slices.Clone(entries)})
	pl.status = 5
	p, err := pl.lower()
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, "a plan", p,
		"umask: both: getuid(0,0,0,0,0,0) = 0",
		"umask: both: getgid(0,0,0,0,0,0) = 0",
		"limits: change: getuid(0,0,0,0,0,0) = 0",
		"directory: passing: getuid(0,0,0,0,0,0) = 0",
		"directory: passing: getgid(0,0,0,0,0,0) = 0",
		"read back: /proc/self/status: status",
		"umask: both: getgid(0,0,0,0,0,0) = 0",
		StageDeath.String()+": check: getgid(0,0,0,0,0,0) = 0",
		"signals: filter: getpid(0,0,0,0,0,0) = 0",
		"exec: /bin/daemon: execve(@,@,@,0,0,0)",
	)
	if r := p.Rows[0]; r.Exit != ExitLimits || r.Group != 2 || r.Flags != row.Waivable || p.Text(r.Tail) != "UMask= x.service:3" {
		t.Errorf("%+v, %s", r, p.Text(r.Tail))
	}
	pl.status = -1
	if p, err = pl.lower(); err != nil || slices.Contains(rowTexts(p), "read back: /proc/self/status: status") {
		t.Errorf("without a status text: %v", err)
	}
	const none = "internal error: a plan without a command"
	if _, err := (&Plan{Entries: entries}).lower(); fails(err) != none {
		t.Error(err)
	}
	pl.path = ""
	if _, err := pl.lower(); fails(err) != none {
		t.Error(err)
	}
	pl.path = "/bin/daemon"
	pl.Entries[5].Step = lastly{writer{"filter"}, errors.New("no room")}
	if _, err := pl.lower(); err == nil || err.Error() != "signals: filter: no room" {
		t.Error(err)
	}
}

// Rows are run once they are there, in a process of one thread where they need one.
func TestSealed(t *testing.T) {
	const returned, unapplied = "internal error: the executor returned", "internal error: exec of what was not applied"
	var ran string
	thread := &Thread{
		Run:      func(_ *row.Program, status int) { ran = fmt.Sprint("once ", status) },
		RunAgain: func(_ *row.Program, status int, keep []int) { ran = fmt.Sprint("again ", status, keep) },
	}
	var log []string
	join := &ns.Join{Kind: ns.NewUser, Path: "/proc/self/ns/user"}
	namespace, holds := Entry{Stage: StageUserNS, Step: writer{"namespace"}}, Entry{Stage: StageMounts, Step: &giver{actor{log: &log}}}
	for _, tt := range []struct {
		pl   *Plan
		want string
	}{
		{commandOf(&Plan{}), "once -1"},
		{commandOf(&Plan{Entries: []Entry{namespace}, handles: handles{self: 4}}), "again -1 [4]"},
		{commandOf(&Plan{Entries: []Entry{namespace, holds}, join: join, handles: handles{self: 4}}), fmt.Sprint("again -1 [4 ", join.FD(), " 7 8]")},
	} {
		sealed, err := tt.pl.Apply(thread)
		if err != nil {
			t.Fatal(err)
		}
		if err := sealed.Exec(); fails(err) != returned || ran != tt.want {
			t.Errorf("%v, %s, want %s", err, ran, tt.want)
		}
	}
	if err := (Sealed{thread: thread}).Exec(); fails(err) != unapplied {
		t.Error(err)
	}
	if err := (Sealed{thread: &Thread{}, rows: &row.Program{}}).Exec(); fails(err) != unapplied {
		t.Error(err)
	}
}

// The steps of the launcher itself, as rows.
func TestOwnRows(t *testing.T) {
	of := func(act ...func(p *row.Program)) *row.Program {
		p := &row.Program{}
		for _, a := range act {
			a(p)
		}
		return p
	}
	final := func(p *row.Program) { p.ReadOnly(false) } // from here on the status text counts as well
	checkRows(t, "no dump", of(guard{}.Do, guard{}.Check),
		"prctl(4,0,0,0,0,0) = 0",
		"prctl(3,0,0,0,0,0) = 0",
		"prctl(23,63,0,0,0,0) = -22")
	checkRows(t, "capabilities do not stay", of(dropKeepCaps{}.Do, dropKeepCaps{}.Check),
		"prctl(8,0,0,0,0,0) = 0",
		"prctl(7,0,0,0,0,0) = 0",
		"prctl(23,63,0,0,0,0) = -22")
	checkRows(t, "no memory that is written and executed", of((*denyWriteExecute)(nil).Do, (*denyWriteExecute)(nil).Check),
		"prctl(65,1,0,0,0,0) = 0",
		"prctl(66,0,0,0,0,0) = 1",
		"mmap(0,4096,7,34,-1,0) = -13")
	death := deathSignal{parent: 12, seen: "12"}
	checkRows(t, "the signal at a parent's death", of(death.Do, death.Check, final, death.Check),
		"prctl(1,9,0,0,0,0) = 0",
		"poison", "prctl(2,@,0,0,0,0) = 0", `same "\t\x00\x00\x00"`, "getppid(0,0,0,0,0,0) = 12",
		"poison", "prctl(2,@,0,0,0,0) = 0", `same "\t\x00\x00\x00"`, "getppid(0,0,0,0,0,0) = 12", "line PPid: 12")
	checkRows(t, "the same without a number", of(final, deathSignal{parent: 12}.Check),
		"poison", "prctl(2,@,0,0,0,0) = 0", `same "\t\x00\x00\x00"`, "getppid(0,0,0,0,0,0) = 12")
	checkRows(t, "groups before a user namespace", of((&Start{setGroups: true, groups: []uint32{7}}).Rows),
		"groups: before the user namespace: setgroups(1,@,0,0,0,0) = 0",
		"groups: before the user namespace: poison",
		"groups: before the user namespace: getgroups(2,@,0,0,0,0) = 1",
		`groups: before the user namespace: same "\a\x00\x00\x00"`,
		"groups: before the user namespace: getgroups(-1,0,0,0,0,0) = -22")
	checkRows(t, "none", of((&Start{groups: []uint32{7}}).Rows))
	maps := &ns.UserMaps{UID: []ns.UserMap{{Inside: 0, Outside: 0, Count: 1}}, GID: []ns.UserMap{{Inside: 0, Outside: 0, Count: 1}, {Inside: 7, Outside: 7, Count: 1}}}
	last := &lastUserNamespaceStep{maps: maps, self: 4, groups: []uint32{7, 9}, nobody: 65534}
	checkRows(t, "a user namespace", of(last.Do, last.Check),
		"user namespace", "same user namespace",
		"poison", "getgroups(3,@,0,0,0,0) = 2", `same "\a\x00\x00\x00\xfe\xff\x00\x00"`, "getgroups(-1,0,0,0,0,0) = -22")
	last.groups = nil
	checkRows(t, "one without groups", of(last.Check), "same user namespace")
	join := &joinUserNamespace{Join: &ns.Join{Kind: ns.NewUser}, self: 4}
	checkRows(t, "a user namespace that is joined", of(join.Do),
		fmt.Sprintf("setns(%d,%d,0,0,0,0) = 0", join.FD(), unix.CLONE_NEWUSER),
		"poison", fmt.Sprintf("readlinkat(4,@,@,64,0,0) = %d", len(join.Want())), fmt.Sprintf("same %q", join.Want()))
	checkRows(t, "a command that was not opened", of((&execStep{&Plan{}}).Check, (&execStep{&Plan{command: &openCommand{}}}).Check))
	opened := &execStep{&Plan{path: "/bin/daemon", command: &openCommand{identity: &row.Identity{Ino: 5}}}}
	checkRows(t, "one that was", of(opened.Check),
		"poison", "statx(-100,@,0,4352,@,0) = 0", `same "\x05\x00\x00\x00\x00\x00\x00\x00"`, `same "\x00\x00\x00\x00\x00\x00\x00\x00"`)
}

// What a waiver may let pass comes of where hardrun runs.
func TestEnvironmental(t *testing.T) {
	for _, e := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EOPNOTSUPP, unix.ENOSPC, unix.ENODEV} {
		if !environmental(os.NewSyscallError("mount", e)) || !environmental(errors.Join(os.NewSyscallError("mount", e))) {
			t.Errorf("%v ends a launch that was told to go on without", e)
		}
		if environmental(e) || environmental(&os.PathError{Op: "open", Path: "/x", Err: e}) {
			t.Errorf("%v of a path is waived", e)
		}
	}
	for _, err := range []error{nil, os.NewSyscallError("mount", unix.EINVAL), os.NewSyscallError("mount", unix.ENOENT), errors.New("read back another")} {
		if environmental(err) {
			t.Errorf("%v is waived", err)
		}
	}
}

// A user namespace that was made before this start is held against the plan.
func TestUserNamespaceIsThere(t *testing.T) {
	maps := &ns.UserMaps{UID: []ns.UserMap{{Inside: 0, Outside: 1000, Count: 1}}, GID: []ns.UserMap{{Inside: 0, Outside: 1000, Count: 1}, {Inside: 5, Outside: 5, Count: 9}}}
	const uid, gid = "         0       1000          1\n", "         0       1000          1\n         5          5          9\n"
	for _, tt := range []struct{ uid, gid, want string }{
		{uid, gid, ""},
		{uid, uid, "/proc/self/gid_map: read back other ids"},
		{gid, gid, "/proc/self/uid_map: read back other ids"},
		{"0 1001 1\n", gid, "/proc/self/uid_map: read back 0 1001 1"},
	} {
		_, self := tree{"uid_map=0644": tt.uid, "gid_map=0644": tt.gid}.open(t)
		if err := (&userNamespaceStep{maps: maps}).Prepare(self); fails(err) != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	_, none := tree{}.open(t)
	if err := (&userNamespaceStep{maps: maps}).Prepare(none); fails(err) != "open /proc/uid_map: no such file or directory" {
		t.Error(err)
	}
	if os.Getpid() != 1 {
		if err := (&pidNamespaceStep{}).Prepare(-1); fails(err) != "clone(CLONE_NEWPID): read back a process that is not the first of its namespace" {
			t.Error(err)
		}
	}
	// What groups look like that are not mapped is the kernel's to say, and its default where it does not.
	for text, want := range map[string]uint32{"12345\n": 12345, "": 65534, "many\n": 65534} {
		dir := tree{"sys/kernel/overflowgid=0644": text, "self": "/"}.make(t)
		if text == "" {
			if err := os.Remove(dir + "/sys/kernel/overflowgid"); err != nil {
				t.Fatal(err)
			}
		}
		self, err := unix.Open(dir+"/self", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, without := &lastUserNamespaceStep{groups: []uint32{7}}, &lastUserNamespaceStep{}
		if err := errors.Join(s.Prepare(self), without.Prepare(self), unix.Close(self)); err != nil || s.nobody != want || without.nobody != 0 {
			t.Errorf("%q: %d, %d, %v", text, s.nobody, without.nobody, err)
		}
	}
}
