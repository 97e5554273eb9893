package supervise

import (
	"math/bits"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// state is where a service is in its life.
type state uint8

const (
	condition state = iota
	startPre
	start // the main process is there, or is being made, and has not started up yet
	startPost
	running
	exited // RemainAfterExit= holds it, without a main process
	reload
	reloadSignal // ReloadSignal= was sent, and RELOADING=1 is awaited
	reloadNotify // READY=1 is awaited
	reloadPost
	stop
	stopAbort // the signals before ExecStopPost=
	stopTerm
	stopKill
	stopPost
	finalAbort // and those after it, for what is left
	finalTerm
	finalKill
	dead
)

// listStates are the states in which the commands of a list run, but for ExecStart=.
var listStates = [lists]state{condition, startPre, start, startPost, reload, reloadPost, stop, stopPost}

// names are for messages.
var names = [...]string{
	"ExecCondition=", "ExecStartPre=", "the start", "ExecStartPost=", "running", "running", "ExecReload=", "the reload", "the reload", "ExecReloadPost=",
	"ExecStop=", "the abort", "the stop", "the kill", "ExecStopPost=", "the last abort", "the last stop", "the last kill", "",
}

// result is why a service ended, $SERVICE_RESULT in systemd.exec(5).
type result uint8

const (
	success result = iota
	protocol
	timeout
	exitCode
	killed
	dumped
	skipped
	oomKilled
	resources
)

var resultNames = [...]string{"success", "protocol", "timeout", "exit-code", "signal", "core-dump", "exec-condition", "oom-kill", "resources"}

// Statuses of results that no process has a status for.
const (
	statusTimeout   = 124 // as timeout(1)
	statusProtocol  = 76  // EX_PROTOCOL
	statusResources = 71  // EX_OSERR
)

// end is how a process ended.
type end struct {
	signal bool // by a signal
	core   bool // which dumped core
	n      int  // the exit status, or the signal
}

func (e end) status() int {
	if e.signal {
		return 128 + e.n
	}
	return e.n
}

// code and text are $EXIT_CODE and $EXIT_STATUS of systemd.exec(5).
func (e end) code() string {
	switch {
	case e.core:
		return "dumped"
	case e.signal:
		return "killed"
	}
	return "exited"
}

func (e end) text() string {
	if e.signal {
		return signalName(e.n)
	}
	return strconv.Itoa(e.n)
}

// signalName is "TERM" for SIGTERM, "RTMIN+1" for a signal without a name.
func signalName(n int) string {
	if name := unix.SignalName(unix.Signal(n)); len(name) > 3 {
		return name[3:]
	}
	if n >= 34 {
		return "RTMIN+" + strconv.Itoa(n-34)
	}
	return strconv.Itoa(n)
}

// effects are what a machine does. PIDs are those of processes that the machine was told of.
type effects interface {
	now() uint64 // the monotonic clock, in microseconds
	start(c Command) (pid int, err error)
	signal(pid, signal int)                // to the main or the control process; CONT follows
	rest(signal int, hup bool) (left bool) // to all others of the service; CONT and, if asked for, HUP follow
	reap()                                 // kills what the commands before the main process have left
	empty() bool                           // no process is left
	adopt(pid int) error                   // checks and watches a process that is to be the main one
	guess() int                            // the only process that could be the main one; 0 for none
	readPIDFile() (pid int, err error)
	catches(pid, signal int) bool
	oom() bool
	ready() // the service has started
	say(text string)
}

const (
	never = process.Infinity
	// again is for how long a guess of the main process is open to another: what forks twice
	// may leave the one in the middle for a moment.
	again = 1e6
)

// machine is the life of a service. What happens is told by its methods begin, exited,
// executed, emptied, pidFile, notice, askStop, askReload and expired; in dead nothing happens any
// more.
type machine struct {
	*Spec
	effects

	state  state
	result result
	failed int // the status of what failed first

	main, control int  // PIDs, 0 for none
	known         bool // there was a main process: without a PID it has ended
	ended         bool // its end is known
	mainEnd       end
	mainIndex     int    // of the ExecStart= command that is the main process
	guessed       uint64 // when the main process was guessed, 0 if it was not

	list, index int // the control command

	deadline   uint64 // when expired is due, or never
	runtimeEnd uint64 // when RuntimeMaxSec= is over
	started    bool

	wantPIDFile bool // PIDFile= is not there yet, and nothing goes on without it

	saidReload, saidReloaded, saidStop bool // what the daemon has said
	reloadFrom                         uint64
	wantReload                         bool
}

// begin starts the service.
func (m *machine) begin() {
	m.deadline, m.runtimeEnd = never, never
	m.runFrom(condition, policy.ExecCondition)
}

// runFrom runs a list of control commands, or goes on where there are none.
func (m *machine) runFrom(s state, list int) {
	m.state, m.list, m.index, m.control, m.wantPIDFile = s, list, 0, 0, false
	if len(m.Commands[list]) == 0 {
		m.finished()
		return
	}
	m.runControl()
}

// runControl starts the control command m.index of m.list.
func (m *machine) runControl() {
	pid, err := m.spawn(m.list, m.index, false)
	if err == nil {
		m.control = pid
		return
	}
	m.say(m.command(m.list, m.index) + ": " + err.Error())
	switch m.state {
	case reload, reloadPost:
		m.reloaded()
	case stopPost:
		m.signalAll(finalTerm, resources)
	default:
		m.signalAll(stopTerm, resources)
	}
}

// command names a command in messages.
func (m *machine) command(list, index int) string {
	name := policy.ExecNames[list] + "="
	if len(m.Commands[list]) > 1 {
		name += " (" + strconv.Itoa(index+1) + ")"
	}
	return name
}

// spawn starts a command, and sets its time.
func (m *machine) spawn(list, index int, main bool) (int, error) {
	switch {
	case list == policy.ExecStop || list == policy.ExecStopPost:
		m.setTime(m.TimeoutStop)
	case list == policy.ExecStart && m.immediate():
		m.deadline = never
	default:
		m.setTime(m.TimeoutStart)
	}
	c := Command{List: list, Index: index, Main: main, Exec: -1}
	if m.main != 0 {
		c.Environ = append(c.Environ, "MAINPID="+strconv.Itoa(m.main))
	}
	if m.PIDFile != "" {
		c.Environ = append(c.Environ, "PIDFILE="+m.PIDFile)
	}
	if m.NotifyFD >= 0 && (m.NotifyAccess == "exec" || m.NotifyAccess == "all" || main && m.NotifyAccess == "main") {
		c.Environ = append(c.Environ, "NOTIFY_SOCKET="+m.NotifyPath)
	}
	if list == policy.ExecStop || list == policy.ExecStopPost {
		c.Environ = append(c.Environ, "SERVICE_RESULT="+resultNames[m.result])
		if m.ended {
			c.Environ = append(c.Environ, "EXIT_CODE="+m.mainEnd.code(), "EXIT_STATUS="+m.mainEnd.text())
		}
	}
	return m.start(c)
}

// immediate tells whether the service has started when its main process is there.
func (m *machine) immediate() bool { return m.Type == "simple" || m.Type == "idle" || m.Type == "dbus" }

// setTime lets the state expire after a time, from now on.
func (m *machine) setTime(µs uint64) { m.deadline = later(m.now(), µs) }

// later adds a time; what is too far away is never.
func later(from, µs uint64) uint64 {
	sum, carry := bits.Add64(from, µs, 0)
	if carry != 0 {
		return never
	}
	return sum
}

// fail takes the first result that is no success.
func (m *machine) fail(r result, status int) {
	if m.result == success {
		m.result, m.failed = r, status
	}
}

// status is what the parent ends with.
func (m *machine) status() int {
	switch m.result {
	case success:
		return 0
	case skipped:
		return m.SkipStatus
	case timeout:
		return statusTimeout
	case protocol:
		return statusProtocol
	case resources:
		return statusResources
	}
	return m.failed
}

// finished goes on behind a list of control commands of which none has failed.
func (m *machine) finished() {
	switch m.state {
	case condition:
		m.runFrom(startPre, policy.ExecStartPre)
	case startPre:
		m.runStart(0)
	case startPost:
		m.afterStartPost()
	case reload:
		m.sendReload()
	case reloadPost:
		m.reloaded()
	case stop:
		m.signalAll(stopTerm, success)
	case stopPost:
		m.signalAll(finalTerm, success)
	}
}

// runStart starts an ExecStart= command.
func (m *machine) runStart(index int) {
	m.state, m.control = start, 0
	m.saidReload, m.saidReloaded, m.saidStop = false, false, false // a command before has said it of itself
	if index >= len(m.Commands[policy.ExecStart]) {
		if m.Type != "oneshot" {
			m.say("there is no ExecStart= command")
			m.signalAll(stopTerm, resources)
			return
		}
		m.runFrom(startPost, policy.ExecStartPost)
		return
	}
	pid, err := m.spawn(policy.ExecStart, index, true)
	if err != nil {
		m.say(m.command(policy.ExecStart, index) + ": " + err.Error())
		m.signalAll(stopTerm, resources)
		return
	}
	if m.Type == "forking" {
		m.control, m.list, m.index = pid, policy.ExecStart, index
		return
	}
	m.main, m.known, m.mainIndex = pid, true, index
	if m.immediate() {
		m.runFrom(startPost, policy.ExecStartPost)
	}
}

// executed says that the main process has executed its command.
func (m *machine) executed() {
	if m.state == start && m.Type == "exec" {
		m.runFrom(startPost, policy.ExecStartPost)
	}
}

// loadPIDFile takes the main process from PIDFile=. It is false where there is none to take.
func (m *machine) loadPIDFile(tell bool) bool {
	pid, err := m.readPIDFile()
	if err == nil && m.main != 0 && pid == m.main {
		return true
	}
	if err == nil {
		err = m.adopt(pid)
	}
	if err != nil {
		if tell {
			m.say("PIDFile=" + m.PIDFile + ": " + err.Error())
		}
		return false
	}
	m.setMain(pid)
	return true
}

func (m *machine) setMain(pid int) { m.main, m.known, m.ended, m.guessed = pid, true, false, 0 }

// guessMain looks for the main process of a daemon that forks.
func (m *machine) guessMain() {
	if m.known {
		return
	}
	if pid := m.guess(); pid != 0 && m.adopt(pid) == nil {
		m.setMain(pid)
		m.guessed = max(m.now(), 1)
	}
}

// afterStartPost is reached when all commands of the start have succeeded.
func (m *machine) afterStartPost() {
	if written := len(m.Commands[policy.ExecStartPost]) > 0; m.PIDFile != "" && written && (!m.known || m.main != 0) {
		if !m.loadPIDFile(true) {
			m.demandPIDFile()
			return
		}
	} else if m.Type == "forking" && m.PIDFile == "" {
		m.guessMain()
	}
	m.run(success, 0)
}

// demandPIDFile waits until PIDFile= is there, as long as somebody is who could write it.
func (m *machine) demandPIDFile() {
	m.wantPIDFile = true
	if m.main == 0 && m.empty() {
		m.emptied()
	}
}

// pidFile says that PIDFile= may be there now.
func (m *machine) pidFile() {
	if !m.wantPIDFile || !m.loadPIDFile(false) {
		return
	}
	m.wantPIDFile = false
	if m.state == start {
		m.runFrom(startPost, policy.ExecStartPost)
	} else {
		m.run(success, 0)
	}
}

// good tells whether the service still runs.
func (m *machine) good() bool {
	if m.known {
		return m.main != 0
	}
	return !m.empty()
}

// run is the service when nothing is being done to it; with a failure it is stopped.
func (m *machine) run(r result, status int) {
	m.fail(r, status)
	m.control, m.wantPIDFile = 0, false
	if m.result != success {
		m.signalAll(stopTerm, success)
		return
	}
	if !m.started {
		m.started = true
		if m.Type != "oneshot" {
			m.runtimeEnd = later(later(m.now(), m.RuntimeMax), m.RuntimeExtra)
		}
		m.ready()
	}
	switch {
	case m.good() && m.saidStop:
		m.stopBySelf()
	case m.good() && m.saidReload:
		m.state = reloadNotify
		m.setTime(m.TimeoutStart)
	case m.good():
		m.state, m.deadline = running, m.runtimeEnd
		m.takeReload()
	case m.RemainAfterExit:
		m.state, m.deadline = exited, never
		m.takeReload()
	default:
		m.runFrom(stop, policy.ExecStop)
	}
}

// stopBySelf waits for a daemon that has said that it stops, as if it had been told to.
func (m *machine) stopBySelf() {
	m.state = stopTerm
	m.setTime(m.TimeoutStop)
}

// judge says what the end of a process is. A command is one that is not to run for long.
func (m *machine) judge(e end, command bool) result {
	switch {
	case !e.signal && (e.n == 0 || m.Success.Has(uint8(e.n))):
		return success
	case !e.signal:
		return exitCode
	case m.Success.HasSignal(e.n):
		return success
	case !command && (e.n == int(unix.SIGHUP) || e.n == int(unix.SIGINT) || e.n == int(unix.SIGTERM) || e.n == int(unix.SIGPIPE)):
		return success
	case e.core:
		return dumped
	}
	return killed
}

// exited says that a process has ended.
func (m *machine) exited(pid int, e end) {
	switch {
	case m.state == dead || pid == 0:
	case pid == m.main:
		m.mainExited(e)
	case pid == m.control:
		m.controlExited(e)
	}
}

func (m *machine) mainExited(e end) {
	r := m.judge(e, m.Type == "oneshot")
	m.main = 0
	if m.PIDFile != "" && m.state < stop && m.loadPIDFile(false) {
		return // it has gone on as another process
	}
	if since := m.guessed; since != 0 && r == success && m.state < stop && m.now()-since < again {
		if pid := m.guess(); pid != 0 && m.adopt(pid) == nil {
			m.main = pid
			return
		}
	}
	m.mainEnd, m.ended = e, true
	if i := m.mainIndex; i < len(m.Commands[policy.ExecStart]) && m.Commands[policy.ExecStart][i].Ignore {
		r = success
	}
	if r == killed && e.n == int(unix.SIGKILL) && m.state < stop && m.oom() {
		r = oomKilled
	}
	if r != success {
		m.tell("the main process", e)
	}
	m.fail(r, e.status())
	switch m.state {
	case start:
		switch {
		case m.Type == "oneshot" && r == success && m.mainIndex+1 < len(m.Commands[policy.ExecStart]):
			m.runStart(m.mainIndex + 1)
		case r != success:
			m.signalAll(stopTerm, success)
		case m.notifies():
			// READY=1 may still come from another process, where that may speak.
			if !m.RemainAfterExit || m.NotifyAccess == "main" {
				m.say("the main process has ended before it has said READY=1")
				m.signalAll(stopTerm, protocol)
			}
		case m.Type != "forking": // there the initial process is waited for
			m.runFrom(startPost, policy.ExecStartPost)
		}
	case startPost, reload, reloadSignal, reloadNotify, reloadPost:
		if m.control == 0 {
			m.enterStop()
		}
	case running:
		m.run(success, 0)
	case stopAbort, stopTerm, stopKill:
		if m.control == 0 {
			m.runFrom(stopPost, policy.ExecStopPost)
		}
	case finalAbort, finalTerm, finalKill:
		m.lastOnes()
	}
}

// enterStop stops a service of which the main process has ended. One that still waits for
// PIDFile= then has not started.
func (m *machine) enterStop() {
	if !m.started {
		if m.wantPIDFile {
			m.say("PIDFile=" + m.PIDFile + ": it was never written")
		}
		m.signalAll(stopTerm, protocol)
		return
	}
	m.runFrom(stop, policy.ExecStop)
}

// tell tells how a process ended.
func (m *machine) tell(who string, e end) {
	switch {
	case e.core:
		who += " dumped core by SIG" + e.text()
	case e.signal:
		who += " was ended by SIG" + e.text()
	default:
		who += " ended with status " + e.text()
	}
	m.say(who)
}

func (m *machine) controlExited(e end) {
	m.control = 0
	c := &m.Commands[m.list][m.index]
	r := m.judge(e, m.list != policy.ExecStart)
	if c.Ignore {
		r = success
	}
	if m.state == condition && r == exitCode && e.n < 255 {
		r = skipped
	}
	if r != success && r != skipped {
		m.tell(m.command(m.list, m.index), e)
	}
	if m.list != policy.ExecReload && m.list != policy.ExecReloadPost {
		m.fail(r, e.status())
	}
	if (m.state == condition || m.state == startPre) && (m.KillMode == "control-group" || m.KillMode == "mixed") {
		m.reap()
	}
	if r == success && m.list != policy.ExecStart && m.state == listStates[m.list] {
		if m.index+1 < len(m.Commands[m.list]) {
			m.index++
			m.runControl()
		} else {
			m.finished()
		}
		return
	}
	switch m.state {
	case condition, startPre, startPost:
		m.signalAll(stopTerm, success)
	case start:
		m.forked(r)
	case reload, reloadPost:
		m.reloaded()
	case stop:
		m.signalAll(stopTerm, success)
	case stopAbort, stopTerm, stopKill:
		if m.main == 0 {
			m.runFrom(stopPost, policy.ExecStopPost)
		}
	case stopPost:
		m.signalAll(finalTerm, success)
	case finalAbort, finalTerm, finalKill:
		m.lastOnes()
	}
}

// forked goes on when the initial process of Type=forking has ended.
func (m *machine) forked(r result) {
	if r != success {
		m.signalAll(stopTerm, success)
		return
	}
	if m.PIDFile == "" {
		m.guessMain()
	} else if last := len(m.Commands[policy.ExecStartPost]) == 0; !m.loadPIDFile(last) && last {
		m.demandPIDFile() // otherwise an ExecStartPost= command may write it
		return
	}
	m.runFrom(startPost, policy.ExecStartPost)
}

// emptied says that no process of the service is left.
func (m *machine) emptied() {
	if m.main != 0 || m.control != 0 {
		return
	}
	switch m.state {
	case start, startPost:
		switch {
		case m.wantPIDFile:
			m.say("PIDFile=" + m.PIDFile + ": it was never written")
		case m.state == start && m.notifies() && m.known:
			m.say("no process is left that could say READY=1")
		default:
			return
		}
		m.signalAll(stopTerm, protocol)
	case running:
		m.run(success, 0)
	case stopAbort, stopTerm, stopKill:
		m.runFrom(stopPost, policy.ExecStopPost)
	case finalAbort, finalTerm, finalKill:
		m.state = dead
	}
}

// lastOnes ends the service when nobody is left to wait for.
func (m *machine) lastOnes() {
	switch {
	case m.main != 0 || m.control != 0:
	case m.KillMode == "mixed" && m.state != finalKill && m.SendSIGKILL:
		m.signalAll(finalKill, success)
	case m.KillMode != "control-group" && (m.KillMode != "mixed" || m.state != finalKill), m.empty():
		m.state = dead
	}
}

// signalAll kills by KillMode=, and waits; where nobody is left to wait for it goes on.
func (m *machine) signalAll(to state, r result) {
	m.fail(r, 0)
	m.wantPIDFile, m.wantReload = false, false
	for {
		if m.kill(to) {
			m.state = to
			m.setTime(m.TimeoutStop)
			if to == stopAbort || to == finalAbort {
				m.setTime(m.TimeoutAbort)
			}
			return
		}
		switch to {
		case stopAbort, stopTerm:
			to = stopKill
			if m.SendSIGKILL {
				continue
			}
			fallthrough
		case stopKill:
			m.runFrom(stopPost, policy.ExecStopPost)
			return
		case finalAbort, finalTerm:
			to = finalKill
			if m.SendSIGKILL {
				continue
			}
		}
		m.state = dead
		return
	}
}

// kill sends the signal of a state, and tells whether there is anybody to wait for.
func (m *machine) kill(to state) (left bool) {
	if m.KillMode == "none" {
		return false
	}
	signal, hup, last := m.KillSignal, m.SendSIGHUP && m.KillSignal != int(unix.SIGHUP), false
	switch to {
	case stopAbort, finalAbort:
		signal, hup = m.WatchdogSignal, false
	case stopKill, finalKill:
		signal, hup, last = m.FinalKillSignal, false, true
	}
	for _, pid := range [...]int{m.main, m.control} {
		if pid == 0 {
			continue
		}
		left = true
		m.signal(pid, signal)
		if hup {
			m.signal(pid, int(unix.SIGHUP))
		}
	}
	if (m.KillMode == "control-group" || m.KillMode == "mixed" && last) && m.rest(signal, hup) {
		left = true
	}
	return left
}

// askStop is a request to stop.
func (m *machine) askStop() {
	switch m.state {
	case condition, startPre, start, startPost, reload, reloadSignal, reloadNotify, reloadPost:
		m.signalAll(stopTerm, success)
	case running, exited:
		m.runFrom(stop, policy.ExecStop)
	}
}

// reloads tells whether the service has a way of its own to reload.
func (s *Spec) reloads() bool {
	return len(s.Commands[policy.ExecReload]) > 0 || s.Type == "notify-reload"
}

// askReload is a request to reload; it waits until nothing else is being done.
func (m *machine) askReload() {
	if m.state < stop {
		m.wantReload = true
		if m.state == running || m.state == exited {
			m.takeReload()
		}
	}
}

// takeReload begins a reload that was asked for.
func (m *machine) takeReload() {
	if m.wantReload {
		m.wantReload = false
		m.saidReload, m.saidReloaded = false, false
		m.reloadFrom = m.now()
		m.runFrom(reload, policy.ExecReload)
	}
}

// sendReload is behind ExecReload=.
func (m *machine) sendReload() {
	if m.Type == "forking" {
		if m.PIDFile == "" || !m.loadPIDFile(true) {
			m.guessMain()
		}
	}
	switch {
	case m.Type != "notify-reload" || m.main == 0 || m.saidReloaded:
		m.runFrom(reloadPost, policy.ExecReloadPost)
	case m.saidReload:
		m.state = reloadNotify
	default:
		if !m.catches(m.main, m.ReloadSignal) {
			m.say("the main process does not handle ReloadSignal=SIG" + signalName(m.ReloadSignal) + " any more")
		}
		m.state = reloadSignal
		m.setTime(m.TimeoutStart)
		m.signal(m.main, m.ReloadSignal)
	}
}

// reloaded is the end of a reload, whether it succeeded or not.
func (m *machine) reloaded() {
	m.saidReload = false
	m.run(success, 0)
}

// notice is a message of a process that may speak. m.adopt checks what it says of another.
func (m *machine) notice(n *notice) {
	if n.mainPID != 0 && n.mainPID != m.main && m.state >= start && m.state <= stopTerm && m.state != stopAbort && m.state != exited {
		if err := m.adopt(n.mainPID); err != nil {
			m.say("MAINPID=" + strconv.Itoa(n.mainPID) + ": " + err.Error())
		} else {
			m.setMain(n.mainPID)
		}
	}
	if n.extend != 0 && m.deadline != never {
		m.deadline = max(m.deadline, later(m.now(), n.extend))
	}
	switch {
	case m.saidStop || m.state == dead:
	case n.stopping:
		m.saidStop = true
		if m.state == running || m.state == reloadSignal || m.state == reloadNotify {
			m.stopBySelf()
		}
	case n.ready:
		m.saidReloaded, m.saidReload = m.saidReload || n.reloading, false
		switch {
		case m.state == start && m.notifies():
			if m.Type == "notify-reload" && m.main != 0 && !m.catches(m.main, m.ReloadSignal) {
				m.say("the main process does not handle ReloadSignal=SIG" + signalName(m.ReloadSignal))
				m.signalAll(stopTerm, protocol)
				return
			}
			m.runFrom(startPost, policy.ExecStartPost)
		case m.state == reloadNotify, m.state == reloadSignal && n.reloading && n.since >= m.reloadFrom:
			m.runFrom(reloadPost, policy.ExecReloadPost)
		}
	case n.reloading:
		m.saidReload = true
		switch {
		case m.state == reloadSignal && n.since >= m.reloadFrom:
			m.state = reloadNotify
		case m.state == running:
			m.state = reloadNotify
			m.setTime(m.TimeoutStart)
		}
	}
}

// expired says that the time of the state is over.
func (m *machine) expired() {
	m.deadline = never
	if m.state != dead {
		m.say(names[m.state] + ": the time is over")
	}
	switch m.state {
	case condition, startPre, start, startPost:
		m.tooLong(m.StartFailure, stopAbort)
	case running:
		m.fail(timeout, 0)
		m.runFrom(stop, policy.ExecStop)
	case reload, reloadSignal, reloadNotify, reloadPost:
		if m.control != 0 {
			m.signal(m.control, int(unix.SIGKILL))
		}
		m.reloaded()
	case stop:
		m.tooLong(m.StopFailure, stopAbort)
	case stopTerm, finalTerm:
		if m.StopFailure == "abort" {
			m.tooLong("abort", m.state-1)
		} else {
			m.tooLong("kill", m.state-1)
		}
	case stopAbort, finalAbort:
		m.tooLong("kill", m.state)
	case stopKill:
		m.fail(timeout, 0)
		m.runFrom(stopPost, policy.ExecStopPost)
	case stopPost:
		m.tooLong(m.StopFailure, finalAbort)
	case finalKill:
		m.fail(timeout, 0)
		m.state = dead
	}
}

// tooLong does what a failure mode says, by the signals from abort on.
func (m *machine) tooLong(mode string, abort state) {
	switch {
	case mode == "abort":
		m.signalAll(abort, timeout)
	case mode != "kill":
		m.signalAll(abort+1, timeout)
	case m.SendSIGKILL:
		m.signalAll(abort+2, timeout)
	case abort == stopAbort:
		m.fail(timeout, 0)
		m.runFrom(stopPost, policy.ExecStopPost)
	default:
		m.fail(timeout, 0)
		m.state = dead
	}
}
