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

// Gather is GatherFor of a bare command line.
func Gather(p *policy.Policy, who string, args []string, snap Snapshot) (*Env, error) {
	return GatherFor(p, who, args, snap, nil)
}

// names looks users and groups up, in the host's files. The user of DynamicUser= is in none.
func (e *Env) names(p *policy.Policy) {
	db := caps.Host
	var err error
	who := e.given().Who
	if e.Given != nil && !p.User.Set {
		if e.Own, err = db.LookupUser(strconv.FormatUint(uint64(e.UIDs[1]), 10)); err != nil {
			e.problem("User", p.User.From, ExitUser, err)
		}
		if e.Own.Name == "" {
			e.Own.Name = strconv.FormatUint(uint64(e.UIDs[1]), 10)
		}
	}
	switch {
	case who != nil:
		e.User, e.UserGroups = *who, []uint32{who.GID}
	case p.User.Set:
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
	switch {
	case p.Group.Set && who != nil && p.Group.V == who.Name:
		e.Group = caps.Group{Name: who.Name, GID: who.GID}
	case p.Group.Set:
		if e.Group, err = db.LookupGroup(p.Group.V); err != nil {
			e.problem("Group", p.Group.From, ExitGroup, err)
		}
		if p.User.Set && !e.User.Entry && who == nil {
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
