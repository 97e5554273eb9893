package row

import "strconv"

// Dump is each row in a few words: "124 = 0", "poison", "line Uid:". Tests hold
// by it that a step still makes its call, and still reads back by others.
func (p *Program) Dump() []string {
	var out []string
	for i := range p.Rows {
		r := &p.Rows[i]
		want := strconv.FormatInt(r.Want, 10)
		call := strconv.Itoa(int(r.NR))
		switch r.Kind {
		case Equal:
			out = append(out, call+" = "+want)
		case AtLeast:
			out = append(out, call+" >= "+want)
		case Differs:
			out = append(out, call+" != "+want)
		case Poison:
			out = append(out, "poison")
		case Same:
			out = append(out, "same")
		case Status:
			out = append(out, "status")
		case Line:
			out = append(out, "line "+p.Text(uint32(r.A[0]))[1:]+p.Text(uint32(r.A[1])))
		case Signals:
			out = append(out, "signals")
		case UserNS:
			out = append(out, [...]string{"user namespace", "same user namespace"}[r.A[4]])
		case Last:
			out = append(out, "last "+call)
		}
	}
	return out
}
