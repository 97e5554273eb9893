package policy

import "errors"

// Validate is what systemd refuses of a service as a whole, systemd.service(5); each error
// is an *Error. unit says that it is the service of a unit, which has to have a command of
// its own, or one from the command line that is ExecStart= by now. It comes after
// UnitDefaults.
func (p *Policy) Validate(unit bool) []error {
	var all []error
	s := &p.Service
	refuse := func(bad bool, name string, from Origin, text, hint string) {
		if bad {
			all = append(all, &Error{From: from, Name: name, Err: errors.New(text), Hint: hint})
		}
	}
	start := s.Commands[ExecStart].Items
	kind, from := s.Type.V, s.Type.From
	oneshot := kind == "oneshot"
	if len(start) > 1 {
		refuse(!oneshot, "ExecStart", start[1].From, "more than one command is for Type=oneshot", "several commands can be ExecStartPre=, or be written without the empty ExecStart= that takes back those before")
	}
	if unit && len(start) == 0 {
		action := p.noted("SuccessAction")
		none := action == "" || action == "none"
		refuse(len(s.Commands[ExecStop].Items) == 0 && none, "ExecStart", Origin{}, "is not there, and neither is ExecStop=", "")
		if len(all) == 0 {
			refuse(!oneshot, "ExecStart", from, "is not there, which goes with Type=oneshot alone", "")
			refuse(oneshot && none && !s.RemainAfterExit.V, "ExecStart", Origin{}, "is not there, which goes with RemainAfterExit=yes alone", "")
		}
	}
	if oneshot {
		for i := range p.Noted {
			a := &p.Noted[i]
			last := p.noted(a.Directive.Name) == a.Value
			switch a.Directive.Name {
			case "Restart":
				refuse(last && (a.Value == "always" || a.Value == "on-success"), "Restart", a.From, a.Value+" does not go with Type=oneshot", "")
			case "ExitType":
				refuse(last && a.Value == "cgroup", "ExitType", a.From, "cgroup does not go with Type=oneshot", "")
			}
		}
	}
	refuse(kind == "dbus" && p.noted("BusName") == "", "Type", from, "dbus wants BusName=", "")
	refuse(kind == "forking" && p.PrivatePIDs.V, "PrivatePIDs", p.PrivatePIDs.From, "does not go with Type=forking: the namespace ends with its first process", "")
	q := &p.Socket
	refuse(q.MessageQueueMaxMessages.Set != q.MessageQueueMessageSize.Set, "MessageQueueMaxMessages", first(q.MessageQueueMaxMessages, q.MessageQueueMessageSize), "goes with MessageQueueMessageSize= alone, and the other way round", "")
	files := 0
	for i := range q.Listen.Items {
		if l := &q.Listen.Items[i].V; l.Kind == ListenFIFO || l.Address[0] == '/' && l.Kind <= ListenSequentialPacket {
			files++
		}
	}
	if len(q.Symlinks.Items) > 0 {
		refuse(files != 1, "Symlinks", q.Symlinks.Items[0].From, "goes with one socket or FIFO in the file system alone", "")
	}
	return all
}

func first(a, b Opt[uint64]) Origin {
	if a.Set {
		return a.From
	}
	return b.From
}
