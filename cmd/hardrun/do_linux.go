//go:build linux && cgo

package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/supervise"
	"golang.org/x/sys/unix"
)

// do is --do=reload and --do=stop: what a parent would do, for a service that has none. It
// is for scripts of a supervisor that know the main process. Where that is a hardrun which
// stayed as the parent, it is asked to do it.
func (s *service) do() int {
	pid, err := s.mainPID()
	if err != nil {
		say("--do=" + s.p.Do.V + ": " + launcher.Reason(err))
		return launcher.ExitUsage
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		say("--do=" + s.p.Do.V + ": there is no process " + strconv.Itoa(pid))
		return 1
	}
	if err != nil {
		say("pidfd_open: " + err.Error())
		return launcher.ExitExec
	}
	parent, waits, err := isHardrun(pid)
	if err == nil && parent {
		return s.ask(fd)
	}
	daemon := pid
	for waits && err == nil {
		if daemon, err = onlyChild(daemon); err == nil {
			_, waits, err = isHardrun(daemon)
		}
	}
	if err == nil {
		err = s.found(daemon)
	}
	if err == nil {
		var gone bool
		if gone, err = hasEnded(fd, 0); gone { // what was looked at may be another by now
			err = errors.New("process " + strconv.Itoa(pid) + " has just ended")
		}
	}
	if err != nil {
		say("--do=" + s.p.Do.V + ": " + launcher.Reason(err))
		return launcher.ExitExec
	}
	environ := []string{"MAINPID=" + strconv.Itoa(pid)}
	if s.p.Do.V == "reload" {
		return s.reload(fd, environ)
	}
	return s.stop(fd, environ)
}

// mainPID is --pid=, or what stands in PIDFile=.
func (s *service) mainPID() (int, error) {
	if s.p.PID.Set {
		return s.p.PID.V, nil
	}
	path := s.p.Service.PIDFile.V
	if path == "" {
		return 0, errors.New("which process is it? --pid=N")
	}
	fd, err := process.OpenTrusted(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }() // it was only read
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 && st.Uid != uint32(unix.Geteuid()) {
		return 0, errors.New(path + ": not a regular file of root's; --pid=N says which process it is")
	}
	var b [32]byte
	n, err := unix.Read(fd, b[:])
	if err != nil {
		return 0, &os.PathError{Op: "read", Path: path, Err: err}
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 2 {
		return 0, errors.New(path + ": there is no process ID in it")
	}
	return pid, nil
}

// isHardrun tells whether a process executes the same file as this one: a parent of a service,
// which has the threads of Go, or one that only waits for the daemon and forwards signals
// (--init, PrivatePIDs=), which has one thread and knows no commands.
func isHardrun(pid int) (parent, waits bool, err error) {
	var own, its, threads unix.Stat_t
	dir := "/proc/" + strconv.Itoa(pid)
	for _, f := range [...]struct {
		path string
		st   *unix.Stat_t
	}{{"/proc/self/exe", &own}, {dir + "/exe", &its}, {dir + "/task", &threads}} {
		if err := unix.Stat(f.path, f.st); err != nil {
			return false, false, &os.PathError{Op: "stat", Path: f.path, Err: err}
		}
	}
	const single = 3 // links of a directory with one other in it
	same := own.Dev == its.Dev && own.Ino == its.Ino
	return same && threads.Nlink > single, same && threads.Nlink <= single, nil
}

// onlyChild is the child of a process of one thread that has no other.
func onlyChild(pid int) (int, error) {
	n := strconv.Itoa(pid)
	text, err := os.ReadFile("/proc/" + n + "/task/" + n + "/children")
	if err != nil {
		return 0, err
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, errors.New("process " + n + " has not one child, the daemon: \"" + strings.TrimSpace(string(text)) + "\"")
	}
	return child, nil
}

// ask hands a reload or a stop to the parent of a service, and waits for the end of a stop.
func (s *service) ask(fd int) int {
	signal := unix.SIGHUP
	if s.p.Do.V == "stop" {
		signal = unix.SIGTERM
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil {
		say("pidfd_send_signal: " + err.Error())
		return 1
	}
	if s.p.Do.V == "reload" {
		return 0
	}
	if _, err := hasEnded(fd, process.Infinity); err != nil {
		say(err.Error())
		return 1
	}
	return 0
}

// found shows that the process can be the service's, and fills in what the start had made: the
// user, and the directories. The number may be old, or come from a file of the daemon's.
func (s *service) found(pid int) error {
	if pid == 1 {
		var st unix.Stat_t
		const first = 0xeffffffc // PROC_PID_INIT_INO: the PID namespace of the machine
		if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
			return &os.PathError{Op: "stat", Path: "/proc/self/ns/pid", Err: err}
		}
		if st.Ino == first {
			return errors.New("process 1 is the machine's, and no service")
		}
	}
	uid, err := userOf(pid)
	if err != nil {
		return err
	}
	if s.p.DynamicUser.V {
		name := dynamicName(s.p, s.name)
		if u, err := caps.Host.LookupUser(name); err == nil && u.Entry {
			s.p.User = policy.Opt[string]{V: name, Set: true, From: s.p.DynamicUser.From}
		} else {
			if !dirs.IsDynamic(uid) {
				return errors.New("process " + strconv.Itoa(pid) + " has not the user of a DynamicUser=")
			}
			s.given.Who = &caps.User{Name: name, UID: uint32(uid), GID: uint32(uid), Home: "/", Shell: "/usr/sbin/nologin"}
		}
	}
	if s.p.User.Set && s.given.Who == nil && !s.mayDiffer() {
		u, err := caps.Host.LookupUser(s.p.User.V)
		if err != nil {
			return err
		}
		if int(u.UID) != uid {
			return errors.New("process " + strconv.Itoa(pid) + " has uid " + strconv.Itoa(uid) + ", and is not the service's: User=" + s.p.User.V)
		}
	}
	list, _ := directoryList(s.p, s.given.Who != nil)
	giveDirectories(&s.given, list)
	return nil
}

// mayDiffer tells whether the main process need not have the user of User=.
func (s *service) mayDiffer() bool {
	for _, c := range s.p.Service.Commands[policy.ExecStart].Items {
		if c.V.Full || c.V.NoUser {
			return true
		}
	}
	return false
}

// userOf is the real uid of a process.
func userOf(pid int) (int, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/status"
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, line, _ := strings.Cut(string(text), "\nUid:\t")
	first, _, _ := strings.Cut(line, "\t")
	uid, err := strconv.Atoi(first)
	if err != nil {
		return 0, errors.New(path + ": there is no line Uid")
	}
	return uid, nil
}

// commands runs the commands of a list, and is the status of the first that fails.
func (s *service) commands(list int, environ []string) int {
	for i, c := range s.p.Service.Commands[list].Items {
		pid, err := s.start(supervise.Command{List: list, Index: i, Environ: environ, Exec: -1})
		status := launcher.ExitExec
		if err == nil {
			status, err = waitFor(pid)
		}
		if err != nil {
			say(policy.ExecNames[list] + "= " + c.From.String() + ": " + launcher.Reason(err))
			return launcher.ExitExec
		}
		if status != 0 && !c.V.Ignore {
			say(policy.ExecNames[list] + "= " + c.From.String() + ": exit status " + strconv.Itoa(status))
			return status
		}
	}
	return 0
}

func (s *service) reload(fd int, environ []string) int {
	if len(s.p.Service.Commands[policy.ExecReload].Items) > 0 {
		if status := s.commands(policy.ExecReload, environ); status != 0 {
			return status
		}
		return s.commands(policy.ExecReloadPost, environ)
	}
	if s.p.Service.Type.V != "notify-reload" {
		say("--do=reload: the unit has no ExecReload=")
		return 1
	}
	if err := unix.PidfdSendSignal(fd, unix.Signal(supervise.Of(s.p).ReloadSignal), nil, 0); err != nil {
		say("pidfd_send_signal: " + err.Error())
		return 1
	}
	return 0
}

// stop runs ExecStop=, ends the main process, and does what comes after its end.
func (s *service) stop(fd int, environ []string) int {
	spec := supervise.Of(s.p)
	status := s.commands(policy.ExecStop, environ)
	gone, err := hasEnded(fd, 0)
	for _, step := range [...]struct {
		on     bool
		signal int
		time   uint64
	}{{spec.KillMode != "none", spec.KillSignal, spec.TimeoutStop}, {spec.KillMode != "none" && spec.SendSIGKILL, spec.FinalKillSignal, process.Infinity}} {
		if err != nil || gone || !step.on {
			break
		}
		switch err = unix.PidfdSendSignal(fd, unix.Signal(step.signal), nil, 0); err {
		case nil:
			gone, err = hasEnded(fd, step.time)
		case unix.ESRCH:
			gone, err = true, nil
		default:
			err = os.NewSyscallError("pidfd_send_signal", err)
		}
	}
	if err == nil && !gone {
		why := "SendSIGKILL=no"
		if spec.KillMode == "none" {
			why = "KillMode=none"
		}
		err = errors.New("the main process has not ended, and " + why)
	}
	if err != nil {
		say("--do=stop: " + err.Error())
		return 1
	}
	status = max(status, s.commands(policy.ExecStopPost, []string{"SERVICE_RESULT=success"}))
	list, _ := directoryList(s.p, s.given.Who != nil)
	shared, err := share(removed(s.p, list))
	if err != nil {
		say("--do=stop: " + launcher.Reason(err))
		status = max(status, 1)
	} else {
		s.clean = append(s.clean, shared.remove)
	}
	if failed := max(s.objects(), s.end(s.clean)); failed != 0 {
		status = max(status, 1)
	}
	return status
}

// hasEnded waits until the process of a pidfd has ended, or the time in microseconds is up.
func hasEnded(fd int, µs uint64) (bool, error) {
	wait := -1
	if µs != process.Infinity {
		wait = int(min(µs/1000, 1<<30))
	}
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, wait)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false, os.NewSyscallError("poll", err)
		}
		return n > 0, nil
	}
}

// waitFor waits for the end of a child. status is 255 where a signal ended it. A child that
// cannot be waited for is killed.
func waitFor(pid int) (status int, err error) {
	for {
		var ws unix.WaitStatus
		ended, err := unix.Wait4(pid, &ws, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err == nil && ended != pid {
			err = unix.EIO
		}
		switch {
		case err != nil:
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
			return 0, os.NewSyscallError("wait4", err)
		case ws.Exited():
			return ws.ExitStatus(), nil
		}
		return 255, nil
	}
}
