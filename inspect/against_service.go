package inspect

import (
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// service are the directives of the life of a service, of which little is left to be seen.
func (j *judge) service(name string, t *tally) bool {
	s := &j.p.Service
	switch name {
	case "ExecStart":
		j.command(t)
	case "PIDFile":
		text, err := hostText(s.PIDFile.V)
		pid := strconv.Itoa(j.proc.PID)
		switch {
		case err == nil && strings.TrimSpace(text) == pid:
			t.yes("it has " + pid)
		case err == nil:
			t.cannot("it names another process")
		default:
			t.cannot(err.Error())
		}
	default:
		return false
	}
	return true
}

// command tells whether the process runs the command of the service. A script, and what it
// starts, is another program.
func (j *judge) command(t *tally) {
	for i := range j.p.Service.Commands[policy.ExecStart].Items {
		path := j.p.Service.Commands[policy.ExecStart].Items[i].V.Path
		if j.blind != nil {
			break
		}
		have, err := j.see.target("exe")
		if err != nil {
			t.cannot(err.Error())
			return
		}
		want, err := j.look(path)
		if err == nil && want.same(&have) {
			t.yes("it runs " + path)
			return
		}
	}
	t.cannot("it runs another program: " + j.proc.Exe)
}

// socket are the directives of sockets.
func (j *judge) socket(name string, t *tally) {
	q := &j.p.Socket
	if !strings.HasPrefix(name, "Listen") {
		t.cannot("what a socket was opened with cannot be seen from outside")
		return
	}
	if why := j.proc.Why("Listening"); why != "" {
		t.cannot(why)
		return
	}
	for i := range q.Listen.Items {
		l := &q.Listen.Items[i].V
		if listenName(l.Kind) != name {
			continue
		}
		switch l.Kind {
		case policy.ListenStream, policy.ListenDatagram, policy.ListenSequentialPacket:
			if j.listens(l) {
				t.yes("it listens on " + l.Address)
			} else {
				t.no("it does not listen on " + l.Address)
			}
		default:
			t.cannot(l.Address + " is not looked for")
		}
	}
}

func listenName(k policy.ListenKind) string {
	return [...]string{"ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial", "ListenNetlink", "ListenMessageQueue"}[k]
}

// listens tells whether the process has a socket that waits at an address. A port alone is one of
// any address.
func (j *judge) listens(l *policy.Listener) bool {
	stream := l.Kind != policy.ListenDatagram
	_, err := strconv.ParseUint(l.Address, 10, 16)
	for _, s := range j.proc.Listening {
		switch {
		case strings.HasPrefix(l.Address, "/"), strings.HasPrefix(l.Address, "@"):
			if s.Protocol == "unix" && s.Address == l.Address {
				return true
			}
		case strings.HasPrefix(s.Protocol, "udp") == stream:
		case err == nil:
			if strings.HasSuffix(s.Address, ":"+l.Address) {
				return true
			}
		case s.Address == l.Address:
			return true
		}
	}
	return false
}
