package launcher

import (
	"strconv"

	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
)

// The flags of open(2) that streams need, by their Linux numbers; other systems
// translate where they open.
const (
	openRead   = 0
	openWrite  = 1
	openBoth   = 2
	openCreate = 0o100
	openTrunc  = 0o1000
	openAppend = 0o2000
)

var streamExit = [3]int{ExitStdin, ExitStdout, ExitStderr}

// streams plans the terminal and the three standard streams.
func (c *compiler) streams() {
	p := c.p
	set := [3]policy.Opt[policy.Stream]{p.StandardInput, p.StandardOutput, p.StandardError}
	if len(p.InputData.Items) > 0 && (!set[0].Set || set[0].V.Kind == policy.StreamNull) {
		// StandardInputText= and StandardInputData= imply "data", systemd.exec(5).
		set[0] = policy.Opt[policy.Stream]{V: policy.Stream{Kind: policy.StreamData, Word: "data"}, Set: true, From: p.InputData.Items[0].From}
	}
	c.tty(set)
	for fd, s := range set {
		if s.Set {
			c.stream(fd, s, set)
		}
	}
}

var streamNames = [3]string{"stdin", "stdout", "stderr"}

func (c *compiler) stream(fd int, s policy.Opt[policy.Stream], set [3]policy.Opt[policy.Stream]) {
	name := [3]string{"StandardInput", "StandardOutput", "StandardError"}[fd]
	step := &process.OpenStream{FD: fd, Dup: -1, Mode: 0o666}
	if c.p.UMask.Set {
		step.Mode &^= c.p.UMask.V
	}
	what := streamNames[fd]
	write := openWrite | openCreate
	switch s.V.Kind {
	case policy.StreamInherit:
		// For output "inherit" is the stream before, where that one was chosen, and can be written to.
		if fd == 0 || !set[fd-1].Set || (set[fd-1].V.Kind == policy.StreamNull || set[fd-1].V.Kind == policy.StreamData) && fd == 1 {
			return
		}
		if s.From.Default && set[fd-1].V.Kind == policy.StreamLog {
			return // both stay as inherited
		}
		step.Dup = fd - 1
		what += " as " + streamNames[fd-1]
	case policy.StreamNull:
		step.Path, step.Null, step.Flags = "/dev/null", true, openRead
		if fd > 0 {
			step.Flags = openWrite
		}
		what += " on /dev/null"
	case policy.StreamFile, policy.StreamAppend, policy.StreamTruncate:
		if d := c.sameFile(fd, s.V.Arg, set); d >= 0 {
			step.Dup = d
			what += " as " + streamNames[d]
			break
		}
		step.Path, step.Flags = s.V.Arg, write
		what += " to " + s.V.Arg
		switch {
		case fd == 0:
			step.Flags = openRead
			what = "stdin from " + s.V.Arg
			for _, o := range set[1:] {
				if o.Set && o.V.Arg == s.V.Arg && o.V.Kind == policy.StreamFile {
					step.Flags = openBoth | openCreate // systemd.exec(5): one descriptor for both
				}
			}
		case s.V.Kind == policy.StreamAppend:
			step.Flags |= openAppend
			what += ", append"
		case s.V.Kind == policy.StreamTruncate:
			step.Flags |= openTrunc
			what += ", truncated"
		}
	case policy.StreamTTY, policy.StreamTTYForce, policy.StreamTTYFail:
		step.Path, step.Flags = c.ttyPath(), openBoth
		what += " on " + step.Path
	case policy.StreamData:
		var data []byte
		for _, d := range c.p.InputData.Items {
			data = append(data, d.V...)
		}
		if data == nil {
			data = []byte{}
		}
		step.Data = data
		what += " from " + strconv.Itoa(len(data)) + " bytes of data"
	case policy.StreamFD, policy.StreamSocket:
		n := c.passedFD(s, name, fd)
		if n < 0 {
			return
		}
		step.Dup = n
		what += " from descriptor " + strconv.Itoa(n)
	case policy.StreamLog:
		if s.From.Default {
			return
		}
		c.note("stream-log", s.From, name+"="+s.V.Word+" ("+s.From.String()+"): there is no journal; "+streamNames[fd]+" stays as inherited")
		return
	}
	step.What = what
	c.replaced[fd] = true
	e := c.add(StageStreams, step, name, s.From, streamExit[fd])
	if fd == 0 && s.V.Kind == policy.StreamData && c.p.StandardInput.V.Kind != policy.StreamData {
		e.Because = "StandardInputText= and StandardInputData= imply it"
	}
}

// sameFile is the stream before fd that opens the same file in the same way, or -1. One
// descriptor serves both then, so that they share an offset. "append" and "truncate" are ways of
// their own, systemd.exec(5) "StandardOutput=".
func (c *compiler) sameFile(fd int, path string, set [3]policy.Opt[policy.Stream]) int {
	for d := fd - 1; d >= 0; d-- {
		if set[d].Set && set[d].V.Arg == path && set[d].V.Kind == set[fd].V.Kind {
			return d
		}
	}
	return -1
}

// socketStream tells whether a stream is the one passed socket, which is not passed on as a
// descriptor then, systemd.exec(5) "StandardInput=".
func (c *compiler) socketStream() bool {
	for _, s := range [...]policy.Opt[policy.Stream]{c.p.StandardInput, c.p.StandardOutput, c.p.StandardError} {
		if s.V.Kind == policy.StreamSocket {
			return true
		}
	}
	return false
}

// passedFD is the descriptor of LISTEN_FDS that a stream names, or -1 after a
// refusal.
func (c *compiler) passedFD(s policy.Opt[policy.Stream], name string, fd int) int {
	env, own := c.env, c.given.Sockets
	if s.V.Kind == policy.StreamSocket {
		switch {
		case len(own) == 1 && env.Listen == 0:
			return own[0].FD
		case len(own) == 0 && env.Listen == 1:
			return 3
		}
		c.refuse(name, s.From, streamExit[fd], "socket needs exactly one passed descriptor (LISTEN_FDS), and there are "+strconv.Itoa(len(own)+env.Listen))
		return -1
	}
	want := s.V.Arg
	if want == "" {
		want = streamNames[fd]
	}
	for i := range own {
		if own[i].Name == want {
			return own[i].FD
		}
	}
	for i, n := range env.FDNames {
		if n == want && i < env.Listen {
			return 3 + i
		}
	}
	c.refuse(name, s.From, streamExit[fd], "no descriptor named \""+want+"\" was passed (LISTEN_FDNAMES)")
	return -1
}

func (c *compiler) ttyPath() string {
	if c.p.TTYPath.Set {
		return c.p.TTYPath.V
	}
	return "/dev/console"
}

func (c *compiler) tty(set [3]policy.Opt[policy.Stream]) {
	p := c.p
	step := &process.Terminal{
		Path: c.ttyPath(), Reset: p.TTYReset.V, Hangup: p.TTYVHangup.V, Disallocate: p.TTYVTDisallocate.V,
		Rows: p.TTYRows.V, Columns: p.TTYColumns.V,
	}
	name, from := "TTYPath", p.TTYPath.From
	used := false
	for _, s := range set {
		switch {
		case !s.Set:
		case s.V.Kind == policy.StreamTTYForce:
			step.Force, used = true, true
		case s.V.Kind == policy.StreamTTYFail:
			step.Fail, used = true, true
		case s.V.Kind == policy.StreamTTY:
			used = true
		}
	}
	if set[0].Set && used {
		switch set[0].V.Kind {
		case policy.StreamTTY, policy.StreamTTYForce, policy.StreamTTYFail:
			step.Acquire = true
			name, from = "StandardInput", set[0].From
		}
	}
	if !used && !step.Reset && !step.Hangup && !step.Disallocate && step.Rows == 0 && step.Columns == 0 {
		return
	}
	step.What = "prepare " + step.Path
	if step.Acquire {
		step.What = "make " + step.Path + " the controlling terminal"
	}
	c.add(StageTerminal, step, name, from, ExitStdin)
}
