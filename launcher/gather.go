package launcher

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/policy"
)

// problem notes what was asked for and is not there.
func (e *Env) problem(directive string, from policy.Origin, exit int, err error) {
	r := Refusal{Directive: directive + "=", Origin: from, Text: reason(err), Exit: exit}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		r.Hint = hint.Hint()
	}
	e.Problems = append(e.Problems, r)
}

// listen reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)).
// hardrun keeps its PID, so what is meant for it is meant for the daemon.
func (e *Env) listen() {
	pid, has := lookupVar(e.Environ, "LISTEN_PID")
	count, hasCount := lookupVar(e.Environ, "LISTEN_FDS")
	names, hasNames := lookupVar(e.Environ, "LISTEN_FDNAMES")
	e.ListenFor = has || hasCount || hasNames
	if pid != strconv.Itoa(e.PID) {
		return
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 4096 {
		e.Problems = append(e.Problems, Refusal{Text: "LISTEN_FDS=" + strconv.Quote(count) + " is no count of descriptors", Exit: ExitFDs})
		return
	}
	e.Listen = n
	if names != "" {
		e.FDNames = strings.Split(names, ":")
	}
}

// names looks users and groups up, in the host's files.
func (e *Env) names(p *policy.Policy) {
	db := caps.Host
	var err error
	if p.User.Set {
		e.User, err = db.LookupUser(p.User.V)
		switch {
		case err != nil:
			e.problem("User", p.User.From, ExitUser, err)
		case !e.User.Entry && !p.Group.Set:
			r := Refusal{Directive: "User=", Origin: p.User.From, Exit: ExitUser, Text: "no entry for uid " + p.User.V + ", so its group is not known"}
			r.Hint = "give the group as well: --user=" + p.User.V + ":GID"
			e.Problems = append(e.Problems, r)
		case e.User.Entry && !p.ExactGroups.Set:
			if e.UserGroups, err = db.GroupsOf(e.User.Name, e.User.GID); err != nil {
				e.problem("User", p.User.From, ExitGroup, err)
			}
		}
		if !e.User.Entry {
			e.User.Home = "/"
		}
	}
	if p.Group.Set {
		if e.Group, err = db.LookupGroup(p.Group.V); err != nil {
			e.problem("Group", p.Group.From, ExitGroup, err)
		}
		if p.User.Set && !e.User.Entry {
			e.User.GID, e.UserGroups = e.Group.GID, []uint32{e.Group.GID}
		}
	}
	for _, g := range p.SupplementaryGroups.Items {
		group, err := db.LookupGroup(g.V)
		if err != nil {
			e.problem("SupplementaryGroups", g.From, ExitGroup, err)
			continue
		}
		e.Extra = append(e.Extra, group.GID)
	}
}
