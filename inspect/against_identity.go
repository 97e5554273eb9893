package inspect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
)

// The uids of DynamicUser=, systemd.exec(5).
const firstDynamic, lastDynamic = 61184, 65519

// identity are the directives of who the process is, and what it may.
func (j *judge) identity(name string, t *tally) bool {
	p := j.p
	switch name {
	case "User":
		j.user(t)
	case "Group":
		j.group(t)
	case "SupplementaryGroups":
		j.supplementary(t)
	case "DynamicUser":
		switch {
		case !p.DynamicUser.V:
			t.yes(asksNothing)
		case p.User.Set:
			j.user(t)
		default:
			j.threads(t, "UID", "a uid of dynamic users", func(c *Credentials) string { return wrongID("uid", c.UID, dynamic) })
		}
	case "CapabilityBoundingSet":
		j.bounding(t)
	case "AmbientCapabilities":
		j.ambient(t)
	case "NoNewPrivileges":
		if !p.NoNewPrivileges.V {
			t.yes(asksNothing)
			break
		}
		j.threads(t, "NoNewPrivs", "no_new_privs is set", func(c *Credentials) string {
			if c.NoNewPrivs {
				return ""
			}
			return "no_new_privs is not set"
		})
	case "SecureBits":
		t.cannot("securebits cannot be seen from outside")
	case "KeyringMode":
		t.cannot("a keyring cannot be seen from outside")
	case "SELinuxContext":
		j.label(p.SELinuxContext.V.V, p.SELinuxContext.V.Tolerate, t)
	case "SmackProcessLabel":
		j.label(p.SmackProcessLabel.V.V, p.SmackProcessLabel.V.Tolerate, t)
	case "AppArmorProfile":
		j.label(p.AppArmorProfile.V.V, p.AppArmorProfile.V.Tolerate, t)
	default:
		return false
	}
	return true
}

func dynamic(id uint32) bool { return id >= firstDynamic && id <= lastDynamic }

// wrongID is the first of four ids that is not as asked: "saved uid 0"; empty where all are.
func wrongID(what string, ids [4]uint32, ok func(uint32) bool) string {
	same := ids[0] == ids[1] && ids[1] == ids[2] && ids[2] == ids[3]
	for i, id := range ids {
		switch {
		case ok(id):
		case same:
			return what + " " + number32(id)
		default:
			return [...]string{"real ", "effective ", "saved ", "file system "}[i] + what + " " + number32(id)
		}
	}
	return ""
}

func number32(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// account is who User= names. known is false where the database does not know; dynamic tells
// that a uid was chosen for the service.
func (j *judge) account() (u caps.User, dynamicUser bool, err error) {
	u, err = caps.Host.LookupUser(j.p.User.V)
	return u, err != nil && j.p.DynamicUser.V, err
}

func (j *judge) user(t *tally) {
	u, chosen, err := j.account()
	switch {
	case chosen:
		j.threads(t, "UID", "a uid of dynamic users", func(c *Credentials) string { return wrongID("uid", c.UID, dynamic) })
	case err != nil:
		t.cannot(err.Error())
		return
	default:
		fact := "uid " + number32(u.UID)
		if u.UID == 0 {
			fact = "root was asked for"
		}
		j.threads(t, "UID", fact, func(c *Credentials) string {
			// Who was asked to be root may be less.
			return wrongID("uid", c.UID, func(id uint32) bool { return id == u.UID || u.UID == 0 })
		})
		if !j.p.Group.Set && u.Entry && u.UID != 0 {
			j.threads(t, "GID", "gid "+number32(u.GID), func(c *Credentials) string {
				return wrongID("gid", c.GID, func(id uint32) bool { return id == u.GID })
			})
		}
	}
	if !j.p.Group.Set && !j.p.SupplementaryGroups.IsSet() {
		j.listed(t)
	}
}

func (j *judge) group(t *tally) {
	g, err := caps.Host.LookupGroup(j.p.Group.V)
	switch {
	case err != nil && j.p.DynamicUser.V:
		j.threads(t, "GID", "a gid of dynamic users", func(c *Credentials) string { return wrongID("gid", c.GID, dynamic) })
		return
	case err != nil:
		t.cannot(err.Error())
		return
	}
	j.threads(t, "GID", "gid "+number32(g.GID), func(c *Credentials) string {
		return wrongID("gid", c.GID, func(id uint32) bool { return id == g.GID || g.GID == 0 })
	})
	if !j.p.SupplementaryGroups.IsSet() {
		j.listed(t)
	}
}

// asked are the groups that the process may be in: those of the directives, and of the user in
// the database. all is false where anybody's are.
func (j *judge) asked() (may, extra []uint32, all bool, err error) {
	p := j.p
	switch {
	case p.User.Set:
		u, chosen, err := j.account()
		if chosen {
			break
		}
		if err != nil {
			return nil, nil, false, err
		}
		if u.UID == 0 && !p.ExactGroups.V {
			all = !p.SupplementaryGroups.IsSet() && !p.Group.Set
		}
		if u.Entry {
			may = append(may, u.GID)
			if !p.ExactGroups.V {
				list, err := caps.Host.GroupsOf(u.Name, u.GID)
				if err != nil {
					return nil, nil, false, err
				}
				may = append(may, list...)
			}
		}
	case !p.DynamicUser.V && !p.Group.Set && len(p.SupplementaryGroups.Items) == 0:
		return nil, nil, true, nil
	}
	if p.Group.Set {
		if g, err := caps.Host.LookupGroup(p.Group.V); err == nil {
			may = append(may, g.GID)
		}
	}
	for i := range p.SupplementaryGroups.Items {
		g, err := caps.Host.LookupGroup(p.SupplementaryGroups.Items[i].V)
		if err != nil {
			return nil, nil, false, err
		}
		may, extra = append(may, g.GID), append(extra, g.GID)
	}
	return may, extra, all, nil
}

// listed holds that no thread is in a group that was not asked for.
func (j *judge) listed(t *tally) {
	may, _, all, err := j.asked()
	switch {
	case err != nil:
		t.cannot(err.Error())
		return
	case all:
		return
	}
	j.threads(t, "Groups", "no group beside", func(c *Credentials) string {
		var more []string
		for _, g := range c.Groups {
			own := g == c.GID[0] && (j.p.DynamicUser.V && dynamic(g))
			if !own && !slices.Contains(may, g) {
				more = append(more, number32(g))
			}
		}
		if len(more) == 0 {
			return ""
		}
		return "in group " + strings.Join(more, " ") + ", which was not asked for"
	})
}

func (j *judge) supplementary(t *tally) {
	j.listed(t)
	_, extra, _, err := j.asked()
	if err != nil {
		return // listed has said it
	}
	for _, g := range extra {
		c := &j.proc.Threads[0].State
		if !slices.Contains(c.Groups, g) && c.GID[0] != g && t.bad == 0 {
			t.cannot("not in group " + number32(g) + ": it was not given, or was given up since")
		}
	}
}

// leftBySystemd is what systemd leaves in the inheritable set, and nowhere else, where it has loaded a
// filter for a user: CAP_SETPCAP and CAP_SYS_ADMIN.
const leftBySystemd = caps.Set(1<<8 | 1<<21)

// bounding holds that no set has what CapabilityBoundingSet= takes away.
func (j *judge) bounding(t *tally) {
	asked := j.p.CapabilityBoundingSet.V
	known := caps.All(max(j.r.LastCap(), 0))
	if asked.Intersect(known) == known {
		t.yes(asksNothing)
		return
	}
	have := asked.Intersect(known)
	j.threads(t, "Bounding", "within "+have.Short(j.r.LastCap()), func(c *Credentials) string {
		all := c.Bounding.Union(c.Permitted).Union(c.Inheritable).Union(c.Ambient)
		more := all.Without(asked)
		switch {
		case more == 0, j.p.User.Set && more == c.Inheritable.Without(asked) && more.Without(leftBySystemd) == 0 && c.Permitted.Union(c.Bounding).Without(asked) == 0:
			return ""
		case c.Bounding.Without(asked) == 0:
			return more.Short(max(j.r.LastCap(), 0)) + " is in another set than the bounding one"
		case more == known.Without(asked) && more.Count() > 8:
			return "nothing is taken from it"
		}
		return "it has " + more.Short(max(j.r.LastCap(), 0))
	})
	if t.bad == 0 {
		return
	}
	// Something of it is kept where not all that was to go is there.
	for i := range j.proc.Threads {
		if s := &j.proc.Threads[i].State; known.Without(asked).Without(s.Bounding) != 0 && s.Bounding.Without(asked) != 0 {
			t.half++
		}
	}
}

// ambient compares the ambient set. What is missing of it may have been given up.
func (j *judge) ambient(t *tally) {
	asked := j.p.AmbientCapabilities.V
	j.threads(t, "Ambient", "ambient "+asked.Intersect(caps.All(max(j.r.LastCap(), 0))).String(), func(c *Credentials) string {
		if more := c.Ambient.Without(asked); more != 0 {
			return more.Short(max(j.r.LastCap(), 0)) + " is ambient as well"
		}
		return ""
	})
	if t.bad > 0 {
		return
	}
	c := &j.proc.Threads[0].State
	if asked>>63&1 == 1 {
		return // all that there was
	}
	if less := asked.Without(c.Ambient); less.Without(c.Permitted) != 0 {
		t.cannot(less.String() + " is not there: it was not given, or was given up since")
	}
}

// label compares the label of a security module. An AppArmor profile has its mode behind it.
func (j *judge) label(asked string, tolerate bool, t *tally) {
	if why := j.proc.Why("Label"); why != "" {
		t.cannot(why)
		return
	}
	have := j.proc.Label
	name, mode, _ := strings.Cut(have, " (")
	switch {
	case have == "" && tolerate:
		t.cannot("no security module labels it, and \"-\" lets that pass")
	case have == "":
		t.no("it has no label")
	case name != asked && have != asked:
		t.no("it is labelled " + have)
	case mode == "complain)" || mode == "unconfined)":
		t.part("the profile forbids nothing: " + have)
	default:
		t.yes(have)
	}
}
