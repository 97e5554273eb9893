package main

import (
	"errors"
	"math/bits"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/condition"
	"github.com/hardrun/hardrun/dirs"
	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/unit"
)

// serviceName is the name of the unit, or for a command alone what it would have: "redis-server.service".
func serviceName(in *invocation) string {
	if in.named() {
		return in.unit.Name
	}
	if len(in.command) > 0 {
		return path.Base(in.command[0]) + ".service"
	}
	return "hardrun.service"
}

// takeCommand puts the command of the command line in the place of ExecStart=.
func takeCommand(in *invocation) {
	if len(in.command) == 0 {
		return
	}
	c := policy.Command{Path: in.command[0], Args: in.command, NoVars: true}
	in.policy.Service.Commands[policy.ExecStart] = policy.List[policy.Command]{Items: []policy.Item[policy.Command]{{V: c}}}
}

// readyService completes a policy by systemd's defaults and by the command of the command
// line. The errors are what cannot be meant.
func readyService(in *invocation) []error {
	if in.named() {
		in.policy.UnitDefaults()
	}
	takeCommand(in)
	var errs []error
	in.listening, errs = socketUnits(in)
	return append(errs, in.policy.Validate(in.named())...)
}

// parentReasons are what a parent has to stay for.
func (in *invocation) parentReasons() []policy.ParentReason {
	list := in.policy.NeedsParent()
	for i := range list {
		// What is left of a unit is known by its parent, and a group is not needed for that.
		if list[i].Name == "KillMode" && in.named() {
			list[i].Small = false
		}
	}
	for _, a := range in.listening {
		if v := a.socket.RemoveOnStop; v.V && a.socket != &in.policy.Socket {
			list = append(list, policy.ParentReason{Name: "RemoveOnStop", Why: policy.Lookup("RemoveOnStop").Parent, From: v.From, CleansOnly: true})
		}
	}
	return list
}

// needsParent tells whether a parent has to stay that knows of the service, and what cannot
// be had where none may stay. One that only waits and forwards is made with the main command.
func needsParent(in *invocation) (bool, []launcher.Refusal) {
	stays := false
	var refused []launcher.Refusal
	for _, r := range in.parentReasons() {
		switch {
		case in.policy.Parent.V != "never":
			stays = stays || !r.Small
		case !r.CleansOnly && !r.Small: // those the launcher refuses
			refused = append(refused, launcher.Refusal{Directive: r.Name + "=", Origin: r.From, Text: "needs a parent: " + r.Why, Hint: "--parent=never forbids that one stays", Exit: launcher.ExitUsage})
		}
	}
	return stays, refused
}

// isService tells whether a policy asks for what only a service has, so that there is more to
// do than to execute the command.
func isService(p *policy.Policy) bool {
	for i := range p.Directories {
		if len(p.Directories[i].Items) > 0 {
			return true
		}
	}
	for i := range p.Service.Commands {
		if len(p.Service.Commands[i].Items) > 0 {
			return true
		}
	}
	if p.DynamicUser.V || p.RemoveIPC.V || p.Do.Set || len(p.Credentials.Items) > 0 || len(p.Conditions.Items) > 0 ||
		len(p.Socket.Listen.Items) > 0 || len(p.SocketUnit.Items) > 0 || len(p.Service.OpenFile.Items) > 0 {
		return true
	}
	for _, r := range p.NeedsParent() {
		if !r.Small {
			return true
		}
	}
	return p.Parent.V == "always"
}

// linksOf are the paths of the links to a directory.
func linksOf(d *dirs.Directory) []string {
	var list []string
	if d.Private {
		list = append(list, d.Path())
	}
	for _, l := range d.Links {
		list = append(list, d.Base+"/"+l)
	}
	return list
}

// badUnit says what is wrong with a unit.
func badUnit(errs []error) int {
	for _, err := range errs {
		if u, ok := err.(*unitError); ok {
			err = u.err
		}
		eachError(err, func(err error, text string) {
			say(err.Error())
			hint(text)
		})
	}
	return launcher.ExitBadUnit
}

func conditionItem(c *policy.Item[policy.Condition]) condition.Item {
	return condition.Item{Kind: c.V.Kind, Value: c.V.Value, Trigger: c.V.Trigger, Negate: c.V.Negate, Assert: c.V.Assert}
}

// dynamicName is the name of the user of DynamicUser=: User=, or one made of the unit's.
func dynamicName(p *policy.Policy, unit string) string {
	if p.User.Set {
		return p.User.V
	}
	return dirs.UserName(strings.TrimSuffix(unit, ".service"))
}

// errDynamicName says why the user of DynamicUser= cannot have a name; nil where it can.
func errDynamicName(name string) error {
	if dirs.ValidUser(name) {
		return nil
	}
	return errors.New(strconv.Quote(name) + " is no name for a user of DynamicUser=: letters, digits, _ and -, 31 at most, no digit first")
}

// directoryBases are where the kinds of directories are, systemd.exec(5).
var directoryBases = [policy.DirectoryKinds]string{"/run", "/var/lib", "/var/cache", "/var/log", "/etc"}

// directoryList are the directories of a service, without their owner. dynamic says that they
// are those of a dynamic user.
func directoryList(p *policy.Policy, dynamic bool) (list []dirs.Directory, from policy.Origin) {
	for kind := range p.Directories {
		mode := uint32(0o755)
		if m := p.DirectoryMode[kind]; m.Set {
			mode = m.V
		}
		for _, d := range p.Directories[kind].Items {
			k := policy.DirectoryKind(kind)
			// What outlives the service must not be reached by who has the uid next.
			stays := k == policy.StateDirectory || k == policy.CacheDirectory || k == policy.LogsDirectory || k == policy.RuntimeDirectory && preserved(p)
			list = append(list, dirs.Directory{
				Directive: directoryNames[kind], Base: directoryBases[kind], Name: d.V.Name, Links: d.V.Links, ReadOnly: d.V.ReadOnly,
				Mode: mode, UID: -1, GID: -1, Private: dynamic && stays, Keep: k == policy.ConfigurationDirectory,
			})
			from = d.From
		}
	}
	return list, from
}

var directoryNames = [policy.DirectoryKinds]string{"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory"}

// preserved tells whether RuntimeDirectory= outlives the service.
func preserved(p *policy.Policy) bool {
	return p.RuntimeDirectoryPreserve.Set && p.RuntimeDirectoryPreserve.V != "no"
}

// removed are the directories that go when the service has ended.
func removed(p *policy.Policy, list []dirs.Directory) []dirs.Directory {
	if preserved(p) {
		return nil
	}
	var gone []dirs.Directory
	for _, d := range list {
		if strings.HasPrefix(d.Directive, "Runtime") {
			gone = append(gone, d)
		}
	}
	return gone
}

// listenAll are the sockets that are to be opened: those of socket units, and of --listen.
type listenAll struct {
	name   string // of the unit; empty for --listen
	socket *policy.Socket
}

// socketUnits reads the socket units that --socket names, for one that is bare that of the
// service.
func socketUnits(in *invocation) (all []listenAll, errs []error) {
	for _, it := range in.policy.SocketUnit.Items {
		word := it.V
		if word == "yes" {
			word = strings.TrimSuffix(serviceName(in), ".service") + ".socket"
			if in.named() && strings.Contains(in.policy.Unit.V, "/") { // a file: its own is beside it
				word = strings.TrimSuffix(in.unit.Path, ".service") + ".socket"
			}
		}
		f := unit.Finder{Path: in.finder.Path}
		u, err := f.Load(word)
		var q policy.Policy
		if err == nil {
			err = u.Apply(&q, in.warn())
		}
		if err == nil && u.Type() != "socket" {
			err = errors.New(u.Name + " is no socket unit")
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		in.policy.NotApplied = append(in.policy.NotApplied, q.NotApplied...)
		all = append(all, listenAll{u.Name, &q.Socket})
	}
	if in.policy.Socket.Listen.IsSet() {
		all = append(all, listenAll{"", &in.policy.Socket})
	}
	return all, errs
}

// commandArgs are the words of a command; given is told how they are meant.
func commandArgs(c *policy.Command, given *launcher.Given) []string {
	given.Vars = !c.NoVars
	given.Shell, given.Login = c.Shell, c.Shell && c.Argv0
	given.Argv0, given.Path = c.Argv0, c.Path
	if c.Full || c.NoUser { // the user of DynamicUser= is not theirs, either
		given.Who = nil
	}
	return c.Args
}

// booted is what exists where systemd runs: sd_booted(3).
const booted = "/run/systemd/system"

// wantsBooted tells whether the main command is to see an empty directory there, as the host has
// none: it is passed sockets, or the unit shows it.
func wantsBooted(p *policy.Policy, sockets int) (bool, error) {
	if sockets == 0 && !showsBooted(p) {
		return false, nil
	}
	st, err := os.Lstat(booted)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	return err == nil && !st.IsDir(), err
}

func showsBooted(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Binds.Items, func(i policy.Item[policy.Bind]) bool { return i.V.Source == booted })
}

// givenTo is what a command of a list is given: sockets and files are for ExecStart= alone.
func givenTo(list int, p *policy.Policy, given launcher.Given) launcher.Given {
	if list != policy.ExecStart {
		given.Sockets, given.Booted = nil, given.Booted && showsBooted(p)
	}
	return given
}

// startsLater tells whether other commands than the main one run, or its failure is none, so
// that a program which is missing matters when it is to be started, and not before.
func startsLater(p *policy.Policy) bool {
	v := &p.Service.Commands
	for _, list := range [...]int{policy.ExecCondition, policy.ExecStartPre, policy.ExecStartPost, policy.ExecStop, policy.ExecStopPost} {
		if len(v[list].Items) > 0 {
			return true
		}
	}
	return len(v[policy.ExecStart].Items) > 1 || v[policy.ExecStart].Items[0].V.Ignore
}

// lookupEnv is the value of a variable of an environment.
func lookupEnv(environ []string, name string) (string, bool) {
	for _, v := range environ {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			return rest, true
		}
	}
	return "", false
}

// giveDirectories gives the directories of a service to its commands.
func giveDirectories(given *launcher.Given, list []dirs.Directory) {
	given.Environ = append(given.Environ, dirs.Environ(list)...)
	for i := range list {
		d := &list[i]
		given.Directories = append(given.Directories, launcher.GivenDirectory{Host: d.Host(), Inside: d.Host(), Links: linksOf(d), ReadOnly: d.ReadOnly, Directive: d.Directive})
	}
}

// conditionFacts are what conditions ask of this process: what it was started with.
func conditionFacts(snap *launcher.Snapshot) *condition.Facts {
	f := &condition.Facts{Environ: snap.Environ}
	for _, word := range snap.Affinity {
		f.CPUs += bits.OnesCount64(word)
	}
	return f
}

// loginEnvironment are the variables of User=, for a command that has it not, but is told of
// it: systemd.exec(5) "Environment Variables in Spawned Processes".
func loginEnvironment(p *policy.Policy) []string {
	if !p.User.Set || p.SetLoginEnvironment.Set && !p.SetLoginEnvironment.V {
		return nil
	}
	u, err := caps.Host.LookupUser(p.User.V)
	if err != nil || !u.Entry { // the main command says so
		return nil
	}
	list := []string{"HOME=" + u.Home, "LOGNAME=" + u.Name, "USER=" + u.Name}
	if launcher.LoginShell(u.Shell) {
		list = append(list, "SHELL="+u.Shell)
	}
	return list
}

// keeps are the capabilities that the end of a service takes: to send signals, to remove what
// lies in directories of the daemon's, a control group, whose root nobody may write to, and IPC
// objects of its user.
func keeps(in *invocation) caps.Set {
	const dacOverride, fowner, kill, sysAdmin = 1 << 1, 1 << 3, 1 << 5, 1 << 21 // linux/capability.h
	keep := caps.Set(kill)
	removes := in.policy.Service.PIDFile.Set || launcher.WantsGroup(&in.policy)
	for _, r := range in.parentReasons() {
		removes = removes || r.CleansOnly
		if r.Name == "RemoveIPC" {
			keep |= sysAdmin
		}
	}
	if removes {
		keep |= dacOverride | fowner
	}
	return keep
}

// commandPolicy is the policy of one command. Of a child of the service's parent that parent
// does what would need another.
func commandPolicy(p *policy.Policy, list, index int, child bool) policy.Policy {
	q := p.ForCommand(list, index)
	if child {
		q.Init, q.KillMode = policy.Opt[bool]{}, policy.Opt[string]{}
	}
	return q
}

// outerNotify hands NOTIFY_SOCKET of who started hardrun to a daemon that tells of itself,
// and that has hardrun's own process ID.
func outerNotify(p *policy.Policy, environ []string) []string {
	v := &p.Service
	outer, ok := lookupEnv(environ, "NOTIFY_SOCKET")
	if !ok || v.Type.V != "notify" && v.Type.V != "notify-reload" && (!v.NotifyAccess.Set || v.NotifyAccess.V == "none") {
		return nil
	}
	return []string{"NOTIFY_SOCKET=" + outer}
}
