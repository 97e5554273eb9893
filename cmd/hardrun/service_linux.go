//go:build linux && cgo

package main

import (
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/condition"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/supervise"
	"golang.org/x/sys/unix"
)

// service is a start of a unit, or of a command with what only a service has: directories,
// a user of its own, sockets, commands before and after.
type service struct {
	in    *invocation
	p     *policy.Policy
	t     *launcher.Thread
	name  string         // "redis-server.service"
	given launcher.Given // the same for all commands
	keep  []int          // descriptors that the commands get

	undo  []func() []error // what takes back what was made, where the start is refused
	clean []func() []error // what is done when the service has ended
	group *launcher.Group  // the control group of a service with a parent; nil for none
}

// serve starts a service. It returns when that failed, when there was nothing to start, and
// where a parent stays, when the service has ended.
func serve(in *invocation, t *launcher.Thread) int {
	s := &service{in: in, p: &in.policy, t: t, name: serviceName(in)}
	if in.errand != nil {
		return s.command()
	}
	s.given = launcher.Given{Net: -1, IPC: -1, Tmp: -1, VarTmp: -1}
	if in.named() {
		s.given.Unit = s.name
	}
	if errs := readyService(in); len(errs) > 0 {
		return badUnit(errs)
	}
	if s.p.Do.Set {
		return s.do()
	}
	parent, refused := needsParent(in)
	if len(refused) > 0 {
		return refusals(refused)
	}
	if status := s.readyFD(); status != 0 {
		return status
	}
	if held, status := s.conditions(); !held {
		return status
	}
	status := s.prepare()
	if status == 0 && parent {
		if status = s.inherited(); status == 0 {
			status = s.groupOf()
		}
	}
	if status == 0 {
		status = s.check(parent)
	}
	if status != 0 {
		s.end(s.undo) // what cannot be undone is said
		return status
	}
	if parent {
		return s.supervise()
	}
	if status, on := s.before(); !on {
		return max(status, s.end(s.clean))
	}
	return s.main()
}

// end runs what is left to be done, the last first. It is 0, or the status of a failure.
func (s *service) end(acts []func() []error) int {
	status := 0
	for _, act := range slices.Backward(acts) {
		for _, err := range act() {
			say(launcher.Reason(err))
			status = launcher.ExitExec
		}
	}
	return status
}

// conditions tells whether the unit is to be started; if not, with which status hardrun ends.
func (s *service) conditions() (held bool, status int) {
	items := s.p.Conditions.Items
	list := make([]condition.Item, len(items))
	for i := range items {
		list[i] = conditionItem(&items[i])
	}
	failed, open, err := condition.Check(list, conditionFacts(&s.t.Snapshot))
	for _, o := range open {
		say("note: " + s.name + ": " + o.Error())
	}
	switch {
	case err != nil:
		say(s.name + ": " + err.Error())
		return false, launcher.ExitBadUnit
	case failed == nil:
		return true, 0
	case failed.Assert:
		say(s.name + ": " + failed.String() + " does not hold")
		return false, 1
	}
	say(s.name + ": " + failed.String() + " does not hold, nothing is started")
	return false, s.p.SkipStatus.V
}

// readyFD keeps the descriptor of --ready-fd from the commands. It must have been passed: what
// this process has opened itself is closed by execve(2). It is 0, or the status of a refusal.
func (s *service) readyFD() int {
	o := s.p.ReadyFD
	if !o.Set {
		return 0
	}
	flags, err := unix.FcntlInt(uintptr(o.V), unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC == 0 {
		_, err = unix.FcntlInt(uintptr(o.V), unix.F_SETFD, unix.FD_CLOEXEC)
		err = os.NewSyscallError("fcntl(F_SETFD)", err)
	} else {
		err = errors.New("descriptor " + strconv.Itoa(o.V) + " was not passed")
	}
	if err != nil {
		return s.refuse("X-Hardrun-ReadyFD", o.From, launcher.ExitFDs, err)
	}
	return 0
}

// refuse says why something cannot be had, and is its status.
func (s *service) refuse(directive string, from policy.Origin, exit int, err error) int {
	r := launcher.Refusal{Directive: directive + "=", Origin: from, Text: launcher.Reason(err), Exit: exit}
	return refusals([]launcher.Refusal{r})
}

// prepare makes what all commands share. It is 0, or the status of a refusal.
func (s *service) prepare() int {
	for _, step := range [...]func() int{s.identity, s.objects, s.directories, s.sockets, s.credentials, s.shared} {
		if status := step(); status != 0 {
			return status
		}
	}
	var err error
	if s.given.Booted, err = wantsBooted(s.p, len(s.given.Sockets)); err != nil {
		say("mounts: " + err.Error())
		return launcher.ExitNamespace
	}
	if s.in.named() {
		id, err := randomID()
		if err != nil {
			say(err.Error())
			return launcher.ExitExec
		}
		s.given.Environ = append(s.given.Environ, "INVOCATION_ID="+id)
	}
	return 0
}

// groupOf makes the control group in which the commands of a service make theirs.
func (s *service) groupOf() int {
	g, err := launcher.MakeGroup(s.p, s.name)
	if err != nil {
		return failed(err)
	}
	if g == nil {
		return 0
	}
	s.group, s.given.Group = g, g.Path
	remove := func() []error { return oneError(g.Remove()) }
	s.undo = append(s.undo, remove)
	s.clean = append(s.clean, remove)
	return 0
}

// who is the user and the group that what is made for the service belongs to.
func (s *service) who() (uid, gid int, err error) {
	if w := s.given.Who; w != nil {
		return int(w.UID), int(w.GID), nil
	}
	uid, gid = unix.Geteuid(), unix.Getegid()
	if s.p.User.Set {
		u, err := caps.Host.LookupUser(s.p.User.V)
		if err != nil {
			return 0, 0, err
		}
		uid = int(u.UID)
		if u.Entry {
			gid = int(u.GID)
		}
	}
	if s.p.Group.Set {
		g, err := caps.Host.LookupGroup(s.p.Group.V)
		if err != nil {
			return 0, 0, err
		}
		gid = int(g.GID)
	}
	return uid, gid, nil
}

// directories makes RuntimeDirectory= and the like.
func (s *service) directories() int {
	list, from := directoryList(s.p, s.given.Who != nil)
	if len(list) == 0 {
		return 0
	}
	uid, gid, err := s.who()
	if err != nil {
		return s.refuse("User", s.p.User.From, launcher.ExitUser, err)
	}
	for i := range list {
		if !list[i].Keep {
			list[i].UID, list[i].GID = uid, gid
		}
	}
	gone := removed(s.p, list)
	shared, err := share(gone)
	if err != nil {
		return s.refuse("RuntimeDirectory", from, launcher.ExitRuntimeDir, err)
	}
	made, err := dirs.Make(dirs.Root{}, list)
	if err != nil {
		return refusals([]launcher.Refusal{{Origin: from, Text: err.Error(), Exit: directoryExit(err)}})
	}
	s.undo = append(s.undo, func() []error {
		return shared.release(func(last []dirs.Directory) []error {
			if len(last) < len(gone) {
				return nil // another start uses them
			}
			return oneError(made.Undo())
		})
	})
	for _, path := range made.Left {
		say("note: " + path + " keeps its owner: it is a mount, a device, or belongs to others")
	}
	giveDirectories(&s.given, list)
	if len(gone) > 0 {
		s.clean = append(s.clean, shared.remove)
	}
	return 0
}

// sharing are directories that other starts may use as well.
type sharing struct {
	list []dirs.Directory
	uses []*dirs.Use // of each
}

// share takes a share in directories, which ends with this process or by release.
func share(list []dirs.Directory) (*sharing, error) {
	s := &sharing{list: list}
	for i := range list {
		u, err := dirs.Root{}.Use(list[i].Host())
		if err != nil {
			return nil, err
		}
		s.uses = append(s.uses, u)
	}
	return s, nil
}

// release gives them up, and lets those be removed of which this was the last use.
func (s *sharing) release(remove func(last []dirs.Directory) []error) (errs []error) {
	isLast := make([]bool, len(s.uses))
	var last []dirs.Directory
	for i, u := range s.uses {
		var err error
		isLast[i], err = u.Last()
		errs = append(errs, oneError(err)...)
		if isLast[i] {
			last = append(last, s.list[i])
		}
	}
	errs = append(errs, remove(last)...)
	for i, u := range s.uses {
		errs = append(errs, oneError(u.Release(isLast[i]))...)
	}
	return errs
}

// remove releases them, and removes what nobody else uses.
func (s *sharing) remove() []error {
	return s.release(func(last []dirs.Directory) []error { return dirs.Remove(dirs.Root{}, last) })
}

func oneError(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// directoryExit is systemd's status for the kind of directory that an error names.
func directoryExit(err error) int {
	exits := [policy.DirectoryKinds]int{launcher.ExitRuntimeDir, launcher.ExitStateDir, launcher.ExitCacheDir, launcher.ExitLogsDir, launcher.ExitConfigDir}
	for kind, name := range directoryNames {
		if strings.HasPrefix(err.Error(), name) {
			return exits[kind]
		}
	}
	return launcher.ExitRuntimeDir
}

// check looks whether the main command could be started, before any command is. Where it is
// the first, its start will.
func (s *service) check(parent bool) int {
	v := &s.p.Service.Commands
	first := !parent && len(v[policy.ExecCondition].Items)+len(v[policy.ExecStartPre].Items) == 0
	if first || len(v[policy.ExecStart].Items) == 0 {
		return 0
	}
	p := commandPolicy(s.p, policy.ExecStart, 0, parent)
	given := s.given
	if err := s.makeWay(&given, &s.p.ReadyFD.V); err != nil {
		say(err.Error())
		return launcher.ExitFDs
	}
	env, err := launcher.GatherFor(&p, "launch", commandArgs(&s.p.Service.Commands[policy.ExecStart].Items[0].V, &given), s.t.Snapshot, &given)
	if err != nil {
		say("before the first step: " + launcher.Reason(err))
		return launcher.ExitExec
	}
	refused := launcher.Compile(&p, env).Refused
	if startsLater(s.p) {
		refused = slices.DeleteFunc(refused, func(r launcher.Refusal) bool { return r.Exit == launcher.ExitExec && r.Directive == "" })
	}
	if len(refused) > 0 {
		return refusals(refused)
	}
	return 0
}

// errand is what a command is told.
func (s *service) errand(list, index int, environ []string) *errand {
	o := &errand{unit: s.in.unit, list: list, index: index, given: givenTo(list, s.p, s.given), exec: -1, lock: -1}
	o.given.Environ = append(slices.Clone(s.given.Environ), environ...)
	if c := &s.p.Service.Commands[list].Items[index].V; c.Full || c.NoUser {
		o.given.Environ = append(o.given.Environ, loginEnvironment(s.p)...)
	}
	return o
}

// start starts a command in a child.
func (s *service) start(c supervise.Command) (int, error) {
	o := s.errand(c.List, c.Index, c.Environ)
	o.exec, o.child = c.Exec, true
	o.given.Death = true
	return spawn(s.t, o.tell(), o.descriptors())
}

// command runs the one command that this process is told to.
func (s *service) command() int {
	o := s.in.errand
	if s.in.named() {
		s.p.UnitDefaults()
	}
	takeCommand(s.in)
	items := s.p.Service.Commands[o.list].Items
	if o.index >= len(items) {
		say(errTold.Error())
		return launcher.ExitExec
	}
	if err := s.hand(o, commandFD()); err != nil {
		say(err.Error())
		return launcher.ExitFDs
	}
	for _, fd := range toldKeep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			say(os.NewSyscallError("fcntl(F_SETFD)", err).Error())
			return launcher.ExitFDs
		}
	}
	p := commandPolicy(s.p, o.list, o.index, o.child)
	return confine(s.t, &p, commandArgs(&items[o.index].V, &o.given), &o.given, nil)
}

// hand makes this process the one that does the errand, which lies in the memfd, or in none
// yet (0): should it start again, it finds it and what it was given.
func (s *service) hand(o *errand, memfd int) error {
	if err := s.makeWay(&o.given, &o.exec, &o.lock, &memfd); err != nil {
		return err
	}
	toldAgain, toldKeep, toldLock = memfd, o.descriptors(), o.lock
	return nil
}

// makeWay moves what is hardrun's own out of the way of the descriptors that are passed.
func (s *service) makeWay(given *launcher.Given, own ...*int) error {
	n := len(given.Sockets)
	if n == 0 {
		return nil
	}
	if v, ok := lookupEnv(s.t.Snapshot.Environ, "LISTEN_FDS"); ok {
		inherited, _ := strconv.Atoi(v) // what is no number is refused by the launcher
		n += max(0, min(inherited, 1<<12))
	}
	for _, fd := range append(own, &log.fd, &log.syslog) {
		if *fd < process.FirstPassed || *fd >= process.FirstPassed+n {
			continue
		}
		up, err := unix.FcntlInt(uintptr(*fd), unix.F_DUPFD_CLOEXEC, process.FirstPassed+n)
		if err != nil {
			return os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
		}
		if err := unix.Close(*fd); err != nil {
			return os.NewSyscallError("close", err)
		}
		*fd = up
	}
	return nil
}

// main executes the main command in this process.
func (s *service) main() int {
	list := s.p.Service.Commands[policy.ExecStart].Items
	if len(list) == 0 {
		return s.end(s.clean)
	}
	undo := func() int { return s.end(s.undo) }
	o := s.errand(policy.ExecStart, 0, outerNotify(s.p, s.t.Snapshot.Environ))
	if s.given.Who != nil { // a claim ends at execve(2)
		lock, err := dirs.Root{}.Lock()
		if err != nil {
			return undone(s.refuse("DynamicUser", s.p.DynamicUser.From, launcher.ExitUser, err), undo)
		}
		o.lock = lock.FD()
	}
	if err := s.hand(o, 0); err != nil {
		say(err.Error())
		return undone(launcher.ExitFDs, undo)
	}
	toldErrand = o
	p := s.p.ForCommand(policy.ExecStart, 0)
	return confine(s.t, &p, commandArgs(&list[0].V, &o.given), &o.given, undo)
}

// before runs the commands that come before the main one. on tells whether that is to start.
func (s *service) before() (status int, on bool) {
	commands := &s.p.Service.Commands
	if len(commands[policy.ExecCondition].Items)+len(commands[policy.ExecStartPre].Items) == 0 {
		return 0, true
	}
	var sweeper *supervise.Sweeper
	if mode := supervise.Of(s.p).KillMode; mode == "control-group" || mode == "mixed" {
		var err error
		if sweeper, err = supervise.NewSweeper(say); err != nil {
			say(err.Error())
			return launcher.ExitExec, false
		}
		defer func() {
			if err := sweeper.End(); err != nil {
				say(err.Error())
				status, on = launcher.ExitExec, false
			}
		}()
	}
	for _, list := range [...]int{policy.ExecCondition, policy.ExecStartPre} {
		for i, c := range commands[list].Items {
			pid, err := s.start(supervise.Command{List: list, Index: i, Exec: -1})
			status := 0
			if err == nil {
				status, err = waitFor(pid)
			}
			if err == nil && sweeper != nil {
				err = sweeper.Sweep()
			}
			switch {
			case err != nil:
				say(policy.ExecNames[list] + "= " + c.From.String() + ": " + launcher.Reason(err))
				return launcher.ExitExec, false
			case status == 0 || c.V.Ignore:
			case list == policy.ExecCondition && status < 255:
				say(policy.ExecNames[list] + "= " + c.From.String() + ": exit status " + strconv.Itoa(status) + ", nothing is started")
				return s.p.SkipStatus.V, false
			default:
				say(policy.ExecNames[list] + "= " + c.From.String() + ": exit status " + strconv.Itoa(status))
				return status, false
			}
		}
	}
	return 0, true
}

// supervise stays as the parent, and is the status of the service.
func (s *service) supervise() int {
	if err := hide(); err != nil {
		say(err.Error())
		return max(launcher.ExitExec, s.end(s.clean))
	}
	spec := supervise.Of(s.p)
	spec.Keep = uint64(keeps(s.in))
	spec.SkipStatus = s.p.SkipStatus.V
	spec.Between = s.p.PrivatePIDs.V // of --init the parent is this process
	if s.p.ReadyFD.Set {
		spec.ReadyFD = s.p.ReadyFD.V
	}
	if err := s.notify(spec); err != nil {
		say("NOTIFY_SOCKET: " + launcher.Reason(err))
		return max(launcher.ExitFDs, s.end(s.clean))
	}
	fd, taken, err := catch(supervise.Caught)
	if err != nil {
		say(err.Error())
		return max(launcher.ExitSignals, s.end(s.clean))
	}
	host := &supervise.Host{
		Signals: fd,
		Taken:   taken,
		Start:   s.start,
		Shed:    s.shed,
		Say:     say,
		Clean: func() []error {
			var errs []error
			for _, act := range slices.Backward(s.clean) {
				errs = append(errs, act()...)
			}
			return errs
		},
	}
	if s.group != nil && s.group.Kills() {
		host.KillGroup = s.group.Kill
	}
	return supervise.Run(spec, host)
}

// notify makes the socket at which the daemon tells that it is ready, where that matters.
func (s *service) notify(spec *supervise.Spec) error {
	outer, _ := lookupEnv(s.t.Snapshot.Environ, "NOTIFY_SOCKET")
	spec.Outer = outer
	if spec.Type != "notify" && spec.Type != "notify-reload" && outer == "" && spec.NotifyAccess == "none" {
		return nil
	}
	path, err := s.notifyPath()
	if err != nil {
		return err
	}
	if spec.NotifyFD, err = supervise.Listen(path); err != nil {
		return err
	}
	spec.NotifyPath, s.given.Notify = path, path
	return nil
}

// notifyPath is where the socket of NOTIFY_SOCKET is to be: for a user, in a runtime directory
// that is that one's alone, or an abstract name which nobody can guess.
func (s *service) notifyPath() (string, error) {
	pid := strconv.Itoa(unix.Getpid())
	if unix.Geteuid() == 0 {
		reserved, err := dirs.Root{}.Reserve()
		if err == nil {
			err = os.NewSyscallError("close", unix.Close(reserved))
		}
		return "/run/hardrun/notify/" + pid, err
	}
	const longest = 107 // of sun_path, unix(7)
	dir, _ := lookupEnv(s.t.Snapshot.Environ, "XDG_RUNTIME_DIR")
	path := dir + "/hardrun/notify-" + pid
	var st unix.Stat_t
	if strings.HasPrefix(dir, "/") && len(path) <= longest && s.p.ProtectHome.V != "yes" && unix.Lstat(dir, &st) == nil &&
		st.Mode&(unix.S_IFMT|0o777) == unix.S_IFDIR|0o700 && int(st.Uid) == unix.Geteuid() {
		return path, nil
	}
	id, err := randomID()
	return "@hardrun-" + id, err
}

// randomID are 128 bits that nobody can guess.
func randomID() (string, error) {
	var id [16]byte
	if n, err := unix.Getrandom(id[:], 0); err != nil || n != len(id) {
		return "", errors.Join(errors.New("getrandom: no random number"), err)
	}
	return hex.EncodeToString(id[:]), nil
}
