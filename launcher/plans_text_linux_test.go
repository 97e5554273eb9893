package launcher

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/cgroup"
	"github.com/hardrun/hardrun/ns"
	"github.com/hardrun/hardrun/policy"
	"github.com/hardrun/hardrun/process"
	"github.com/hardrun/hardrun/row"
	"github.com/hardrun/hardrun/seccomp"
)

// textOf is everything that is in a plan.
func textOf(pl *Plan) []string {
	var out []string
	for i := range pl.Entries {
		out = append(out, entryText(&pl.Entries[i]))
		if s, ok := pl.Entries[i].Step.(ns.NewMounts); ok {
			out = append(out, viewText(s.View)...)
		}
	}
	if s := pl.Start; s != nil {
		out = append(out, "start: "+show(reflect.ValueOf(s).Elem())+strings.ReplaceAll(s.Why(), "\nhardrun: ", "\n\t"))
	}
	for _, h := range pl.homes {
		out = append(out, "home: "+show(reflect.ValueOf(h)))
	}
	if f := pl.Filter; f != nil {
		s := "filter of"
		for _, by := range f.Sources[1:] { // the first stands for none
			s += " " + by.Directive + "= " + strings.TrimPrefix(by.Origin, "x.service")
		}
		out = append(out, s)
	}
	if pl.join != nil {
		out = append(out, "join: "+pl.join.String())
	}
	if args := pl.Args(); len(args) > 0 && args[0] != pl.path {
		out = append(out, "called "+strconv.Quote(args[0]))
	}
	out = append(out, fmt.Sprintf("environment: %q", pl.Environ()))
	for _, r := range pl.Refused {
		out = append(out, "refused: "+refusalText(&r))
	}
	for _, r := range pl.Waived {
		out = append(out, "waived: "+refusalText(&r))
	}
	for _, n := range pl.Notes {
		out = append(out, "note: "+n.ID+originText(n.Origin)+": "+n.Text)
	}
	return out
}

// originText is " :3" for a line of a case.
func originText(o policy.Origin) string {
	if o == (policy.Origin{}) {
		return ""
	}
	return " " + strings.TrimPrefix(o.String(), "x.service")
}

func refusalText(r *Refusal) string {
	s := r.Directive + originText(r.Origin) + ": " + r.Text + " [" + strconv.Itoa(r.Exit)
	if r.Waivable {
		s += ", waivable"
	}
	s += "]"
	if r.Hint != "" {
		s += "\n\thint: " + r.Hint
	}
	return s
}

func entryText(e *Entry) string {
	s := e.Stage.String() + ": " + e.Step.String()
	if i, ok := e.Step.(*seccomp.Install); ok { // how many there are changes with the table of system calls
		s = strings.Replace(s, " "+strconv.Itoa(len(i.Program))+" instructions", " N instructions", 1)
	}
	s += " [" + strings.TrimLeft(e.Directive+originText(e.Origin)+", ", ", ") + strconv.Itoa(e.Exit)
	if e.Transient {
		s += ", transient"
	}
	if e.flags&row.Waivable != 0 {
		s += ", waivable"
	}
	if e.flags&row.Optional != 0 {
		s += ", optional"
	}
	s += "]"
	if flags := flagsOf(e.Step); len(flags) > 0 {
		s += " " + strings.Join(flags, ", ")
	}
	if e.Because != "" {
		s += "\n\tbecause " + e.Because
	}
	if more := behind(e.Step); more != "" {
		s += "\n\t" + more
	}
	return s
}

// flagsOf is what the line of a mount or a rule does not say.
func flagsOf(s Step) (flags []string) {
	add := func(on bool, name string) {
		if on {
			flags = append(flags, name)
		}
	}
	switch s := s.(type) {
	case ns.MountLayer:
		l := s.Layer
		add(l.Optional, "optional")
		add(l.Tolerate, "tolerated")
		add(l.Unless, "unless mounted")
		add(l.Socket, "a socket")
		add(l.Bare, "bare")
		add(l.Shallow, "shallow")
		add(l.From > 0, "from descriptor "+strconv.Itoa(l.From))
		add(l.Text != "" && l.Kind == ns.LayerLines, strings.TrimSpace(l.Text))
		if l.Secrets != nil {
			flags = append(flags, show(reflect.ValueOf(l.Secrets)))
		}
	case ns.Protect:
		r := s.Rule
		add(r.Optional, "optional")
		add(r.Shallow, "shallow")
		add(r.Devices == ns.DevicesOpen, "devices as they were")
		add(r.Access == ns.WritableImplicit, "implicit")
	}
	return flags
}

// behind is what a step has and its line does not say.
func behind(s Step) string {
	switch s := s.(type) {
	case caps.SetGroups, caps.SetUID, caps.SetGID, caps.DropBounding, caps.SetCaps, caps.SetAmbient, caps.SetSecureBits,
		process.SetLimit, process.SetUMask, process.SetNice, process.SetScheduler, process.SetNUMA, process.SetIOPriority,
		process.SetKSM, process.SetTHP, process.CloseStandard, *ns.Unshare, ns.SetHostname, *userNamespaceStep,
		cgroup.LegacyDevices, *execStep, environStep:
		return "" // the line says it all
	case ns.NewMounts, ns.NewRoot, ns.EnterRoot, ns.SealView:
		return "" // viewText
	case ns.MountLayer, ns.Protect:
		return "" // flagsOf
	case *cgroup.Set:
		return show(reflect.ValueOf(s.Setting))
	case *cgroup.Lower:
		return show(reflect.ValueOf(s.Setting))
	case *process.OpenStream:
		return streamText(s)
	case *seccomp.Install:
		if s.Explain == nil {
			return ""
		}
		return fmt.Sprintf("explained by descriptor %d, killable %v", s.Explain.Socket, s.Explain.Killable)
	case *cgroup.Filter:
		return filterText(s)
	}
	return show(reflect.ValueOf(s))
}

// viewText is a view but for its layers and rules, which are steps. An exempted path is none.
func viewText(v *ns.View) []string {
	var layers, exempt []string
	for _, l := range v.Layers {
		layers = append(layers, l.Path)
	}
	for _, r := range v.Rules {
		if r.Access == ns.WritableImplicit {
			exempt = append(exempt, r.Path)
		}
	}
	s := "view"
	for _, word := range [...]string{v.Root, v.Flags} {
		if word != "" {
			s += " " + word
		}
	}
	for _, f := range [...]struct {
		on   bool
		name string
	}{
		{v.Empty, "empty"},
		{v.NoSUID, "nosuid"},
		{v.Mknod, "mknod"},
		{v.UserNS, "userns"},
		{v.Chrooted, "chrooted"},
		{v.Private, "private"},
		{v.OneByOne, "one by one"},
	} {
		if f.on {
			s += ", " + f.name
		}
	}
	out := []string{s}
	for _, l := range [...]struct {
		name string
		list []string
	}{{"layers", layers}, {"exempt", exempt}} {
		if len(l.list) > 0 {
			out = append(out, l.name+" "+strings.Join(l.list, " "))
		}
	}
	for _, f := range v.Files {
		out = append(out, "holds "+show(reflect.ValueOf(f)))
	}
	return out
}

func streamText(s *process.OpenStream) string {
	switch {
	case s.Dup >= 0:
		return "duplicate of " + strconv.Itoa(s.Dup)
	case s.Data != nil:
		return "data " + strconv.Quote(string(s.Data))
	}
	t := fmt.Sprintf("open %s, flags %#o, mode %#o", s.Path, s.Flags, s.Mode)
	if s.Null {
		t += ", which must be the null device"
	}
	return t
}

func filterText(f *cgroup.Filter) string {
	var s string
	for _, d := range f.Devices {
		s += ", " + d.String()
	}
	return strings.TrimPrefix(s, ", ")
}

// show prints a value without what is zero in it, and follows pointers.
func show(v reflect.Value) string {
	if s, ok := showOwn(v); ok {
		return s
	}
	switch v.Kind() {
	case reflect.Func:
		return ""
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return show(v.Elem())
	case reflect.Struct:
		var list []string
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			if s := show(f); !f.IsZero() && s != "" && !slices.Contains([]string{"What", "Home", "tail", "hints"}, name) {
				list = append(list, name+":"+s)
			}
		}
		if len(list) == 0 {
			return ""
		}
		return "{" + strings.Join(list, " ") + "}"
	case reflect.Slice, reflect.Array:
		var list []string
		for i := range v.Len() {
			list = append(list, show(v.Index(i)))
		}
		return "[" + strings.Join(list, " ") + "]"
	case reflect.String:
		return strconv.Quote(v.String())
	}
	return fmt.Sprint(v)
}

// showOwn prints what is not printed by its fields.
func showOwn(v reflect.Value) (string, bool) {
	flags := func(of reflect.Value, names ...string) (s string) {
		for _, name := range names {
			if of.FieldByName(name).Bool() {
				s += " " + strings.ToLower(name)
			}
		}
		return s
	}
	switch v.Type() {
	case reflect.TypeFor[*Plan](), reflect.TypeFor[*cgroup.Programs](), reflect.TypeFor[*ns.View](), reflect.TypeFor[identity]():
		return "", true
	case reflect.TypeFor[[]byte]():
		return strconv.Quote(string(v.Bytes())), true
	case reflect.TypeFor[process.Blocking]():
		return [...]string{process.AsPassed: "as passed", process.Blocks: "blocks", process.NonBlocking: "non-blocking"}[v.Uint()], true
	case reflect.TypeFor[ns.Kinds]():
		return ns.Kinds(v.Uint()).Name(), true
	case reflect.TypeFor[ns.UserMap]():
		return fmt.Sprintf("(%d %d %d)", v.Field(0).Uint(), v.Field(1).Uint(), v.Field(2).Uint()), true
	case reflect.TypeFor[cgroup.Setting](): // the line says the rest
		if want := v.FieldByName("Want").String(); want != v.FieldByName("Value").String() {
			return "reads " + want, true
		}
		return "", true
	case reflect.TypeFor[*cgroup.Home]():
		h := v.Elem()
		s := h.FieldByName("Tree").FieldByName("Mount").String() + " " + h.FieldByName("Path").String() + flags(h, "Fixed", "gone", "bare")
		if fd := h.FieldByName("FD").Int(); fd >= 0 {
			s += " descriptor " + strconv.FormatInt(fd, 10)
		}
		return s, true
	case reflect.TypeFor[*ns.Rule]():
		r := v.Elem()
		s := r.FieldByName("Path").String()
		s += [...]string{"", " hidden", " unwritable", " writable", " as-is"}[r.FieldByName("Access").Uint()]
		s += [...]string{"", " noexec", " exec"}[r.FieldByName("Exec").Uint()]
		s += [...]string{"", " closed", " open"}[r.FieldByName("Devices").Uint()]
		return s + flags(r, "Optional", "Shallow"), true
	}
	return "", false
}
