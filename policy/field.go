package policy

import (
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/process"
)

// field is what a directive does with an assignment. The implementations below
// are values without captured variables, so that the whole table is data of the
// linker and costs nothing when the program starts.
type field interface {
	// set parses value, which is not empty, and stores it. On an error the policy
	// is as it was.
	set(p *Policy, value string, from Origin) error
	// reset does what an empty assignment means.
	reset(p *Policy, from Origin)
	// isSet tells whether a value was assigned and is still in force.
	isSet(p *Policy) bool
	// write hands out the assignments that lead to the present value, in order.
	write(p *Policy, each func(value string, from Origin))
}

// scalar is a setting whose last assignment wins and whose empty assignment
// means unset.
type scalar[T any] struct {
	opt   func(p *Policy) *Opt[T]
	parse func(value string) (T, error)
	text  func(v T) string
}

func (s *scalar[T]) set(p *Policy, value string, from Origin) error {
	v, err := s.parse(value)
	if err != nil {
		return err
	}
	*s.opt(p) = Opt[T]{V: v, Set: true, From: from}
	return nil
}

func (s *scalar[T]) reset(p *Policy, _ Origin) { *s.opt(p) = Opt[T]{} }
func (s *scalar[T]) isSet(p *Policy) bool      { return s.opt(p).Set }
func (s *scalar[T]) write(p *Policy, each func(string, Origin)) {
	if o := s.opt(p); o.Set {
		each(s.text(o.V), o.From)
	}
}

// boolean is the scalar of most directives: systemd.syntax(7) booleans.
type boolean func(p *Policy) *Opt[bool]

func (b boolean) set(p *Policy, value string, from Origin) error {
	v, err := ParseBool(value)
	if err != nil {
		return err
	}
	*b(p) = Opt[bool]{V: v, Set: true, From: from}
	return nil
}

func (b boolean) reset(p *Policy, _ Origin) { *b(p) = Opt[bool]{} }
func (b boolean) isSet(p *Policy) bool      { return b(p).Set }
func (b boolean) write(p *Policy, each func(string, Origin)) {
	if o := b(p); o.Set {
		each(FormatBool(o.V), o.From)
	}
}

// merged is a setting whose assignments are united. After an empty one it is
// unset, or with emptyIsValue the zero T that was asked for.
type merged[T any] struct {
	opt          func(p *Policy) *Opt[T]
	parse        func(value string) (T, error)
	text         func(v T) string
	unite        func(old, add T) T
	emptyIsValue bool
}

func (m *merged[T]) set(p *Policy, value string, from Origin) error {
	v, err := m.parse(value)
	if err != nil {
		return err
	}
	o := m.opt(p)
	if o.Set {
		v = m.unite(o.V, v)
	}
	*o = Opt[T]{V: v, Set: true, From: from}
	return nil
}

func (m *merged[T]) reset(p *Policy, from Origin) {
	*m.opt(p) = Opt[T]{}
	if m.emptyIsValue {
		*m.opt(p) = Opt[T]{Set: true, From: from}
	}
}

func (m *merged[T]) isSet(p *Policy) bool { return m.opt(p).Set }
func (m *merged[T]) write(p *Policy, each func(string, Origin)) {
	if o := m.opt(p); o.Set {
		each(m.text(o.V), o.From)
	}
}

// list is a setting whose assignments are appended; an empty one drops what
// stood before it. With silent, another directive writes the same field out.
type list[T any] struct {
	items  func(p *Policy) *List[T]
	parse  func(value string) ([]T, error)
	text   func(v T) string
	silent bool
}

func (l *list[T]) set(p *Policy, value string, from Origin) error {
	values, err := l.parse(value)
	if err != nil {
		return err
	}
	l.items(p).add(values, from)
	return nil
}

func (l *list[T]) reset(p *Policy, from Origin) { *l.items(p) = List[T]{Reset: true, From: from} }
func (l *list[T]) isSet(p *Policy) bool         { return l.items(p).IsSet() }
func (l *list[T]) write(p *Policy, each func(string, Origin)) {
	from := l.items(p)
	if l.silent {
		return
	}
	if from.Reset {
		each("", from.From)
	}
	for i := range from.Items {
		each(l.text(from.Items[i].V), from.Items[i].From)
	}
}

// one makes a list's parser of a parser for a single value.
func one[T any](v T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return []T{v}, nil
}

func itself(s string) string { return s }

// everyCapability stands for "~" without a name. It has the numbers that no
// kernel knows yet, too: what they are is decided where the policy is applied.
const everyCapability = ^caps.Set(0)

// capSet is CapabilityBoundingSet= or AmbientCapabilities=, systemd.exec(5):
// the first line decides, later ones are or-ed, or subtracted with "~"; an
// empty one means the empty set and "~" alone means every capability. fresh is
// the set that counts as not yet written: systemd lets the next line replace
// it (all for the bounding set, none for the ambient one).
type capSet struct {
	opt   func(p *Policy) *Opt[caps.Set]
	fresh caps.Set
	cut   func(p *Policy) *bool // nil, or where to remember a subtraction
}

func (c *capSet) set(p *Policy, value string, from Origin) error {
	listed, invert, err := caps.ParseSet(value)
	if err != nil {
		return err
	}
	o := c.opt(p)
	cut := c.cut != nil && *c.cut(p)
	v := listed
	switch {
	case listed == 0 || !o.Set || o.V == c.fresh && !cut:
		if invert {
			v = everyCapability &^ listed
		}
		cut = false
	case invert:
		// systemd forgets a subtraction that left nothing, and would take a third
		// line "~CAP_X" for the first: all but CAP_X. The manual page says AND.
		v = o.V &^ listed
		cut = true
	default:
		v = o.V | listed
		cut = false
	}
	*o = Opt[caps.Set]{V: v, Set: true, From: from}
	if c.cut != nil {
		*c.cut(p) = cut
	}
	return nil
}

func (c *capSet) reset(p *Policy, from Origin) {
	*c.opt(p) = Opt[caps.Set]{Set: true, From: from}
	if c.cut != nil {
		*c.cut(p) = false
	}
}

func (c *capSet) isSet(p *Policy) bool { return c.opt(p).Set }
func (c *capSet) write(p *Policy, each func(string, Origin)) {
	if o := c.opt(p); o.Set {
		each(capSetText(o.V), o.From)
	}
}

// capSetText prints a set as CapabilityBoundingSet= takes it. A set that has
// the highest number came of a "~", and is printed so.
func capSetText(s caps.Set) string {
	if s>>63 == 1 {
		return "~" + capNames(^s)
	}
	return capNames(s)
}

func capNames(s caps.Set) string {
	var b strings.Builder
	for n := range 64 {
		if s>>n&1 == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.ToUpper(caps.Name(n)))
	}
	return b.String()
}

// userField is User=. On the command line it takes the groups as well,
// "USER:GROUP,GROUP": then the daemon has exactly these.
type userField struct{}

func (userField) set(p *Policy, value string, from Origin) error {
	var groups []string
	var err error
	user := value
	if from.CommandLine() {
		user, groups, err = ParseUserGroup(value)
	} else {
		_, err = ParseUserName(value)
	}
	if err != nil {
		return err
	}
	if p.ExactGroups.Set {
		// They were another user's.
		p.Group, p.SupplementaryGroups, p.ExactGroups = Opt[string]{}, List[string]{}, Opt[bool]{}
	}
	p.User = Opt[string]{V: user, Set: true, From: from}
	if len(groups) == 0 {
		return nil
	}
	p.Group = Opt[string]{V: groups[0], Set: true, From: from}
	p.SupplementaryGroups = List[string]{Reset: true, From: from}
	for _, g := range groups[1:] {
		p.SupplementaryGroups.Items = append(p.SupplementaryGroups.Items, Item[string]{V: g, From: from})
	}
	p.ExactGroups = Opt[bool]{V: true, Set: true, From: from}
	return nil
}

func (userField) reset(p *Policy, _ Origin) { p.User = Opt[string]{} }
func (userField) isSet(p *Policy) bool      { return p.User.Set }
func (userField) write(p *Policy, each func(string, Origin)) {
	if !p.User.Set {
		return
	}
	text := p.User.V
	if p.ExactGroups.Set {
		sep := ":"
		for _, g := range exactGroups(p) {
			text += sep + g
			sep = ","
		}
	}
	each(text, p.User.From)
}

func exactGroups(p *Policy) []string {
	groups := []string{p.Group.V}
	for _, g := range p.SupplementaryGroups.Items {
		groups = append(groups, g.V)
	}
	return groups
}

// groupField and groupsField are Group= and SupplementaryGroups=. They are part
// of the text of User= where that has named all groups.
type groupField struct{ scalar[string] }

func (g *groupField) write(p *Policy, each func(string, Origin)) {
	if !p.ExactGroups.Set {
		g.scalar.write(p, each)
	}
}

func (g *groupField) reset(p *Policy, _ Origin) {
	p.Group, p.ExactGroups = Opt[string]{}, Opt[bool]{}
}

type groupsField struct{ list[string] }

func (g *groupsField) write(p *Policy, each func(string, Origin)) {
	if !p.ExactGroups.Set {
		g.list.write(p, each)
	}
}

// ioField is half of an I/O priority: an empty assignment to either half undoes
// both, systemd.exec(5), IOSchedulingClass=.
type ioField[T any] struct{ scalar[T] }

func (*ioField[T]) reset(p *Policy, _ Origin) {
	p.IOSchedulingClass, p.IOSchedulingPriority = Opt[process.IOClass]{}, Opt[int]{}
}

// limitField is the resource limit of that RLIMIT_ number.
type limitField uint8

func (n limitField) set(p *Policy, value string, from Origin) error {
	v, err := process.ParseLimit(int(n), value)
	if err != nil {
		return err
	}
	p.Limits[n] = Opt[process.Limit]{V: v, Set: true, From: from}
	return nil
}

func (n limitField) reset(p *Policy, _ Origin) { p.Limits[n] = Opt[process.Limit]{} }
func (n limitField) isSet(p *Policy) bool      { return p.Limits[n].Set }
func (n limitField) write(p *Policy, each func(string, Origin)) {
	if o := p.Limits[n]; o.Set {
		each(o.V.String(int(n)), o.From)
	}
}
