package caps

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/row"
	"golang.org/x/sys/unix"
)

// rows are what a step writes: its change, its read-back directly after it, and
// that before the end with a full status text.
func rows(step interface {
	Do(p *row.Program)
	Check(p *row.Program)
},
) (do, early, late []string) {
	write := func(f func(p *row.Program), readOnly bool) []string {
		p := &row.Program{FullStatus: true}
		if readOnly {
			p.ReadOnly(false)
		}
		f(p)
		return p.Dump()
	}
	return write(step.Do, false), write(step.Check, false), write(step.Check, true)
}

func call(nr uintptr, want int) string {
	return strconv.Itoa(int(nr)) + " = " + strconv.Itoa(want)
}

// Every change is there, and is read back by other calls than the one that made
// it, directly and by the status text. A read-back that is lost shows here; what
// it is for shows in the fault matrix.
func TestStepRows(t *testing.T) {
	prctl := func(want int) string { return call(unix.SYS_PRCTL, want) }
	repeat := func(s string, n int) []string { return slices.Repeat([]string{s}, n) }
	const mask = "0000000000000400"
	for _, tt := range []struct {
		step interface {
			Do(p *row.Program)
			Check(p *row.Program)
		}
		do, early, late []string
	}{
		{
			KeepCaps{},
			[]string{prctl(0)},
			[]string{prctl(1)},
			[]string{prctl(1)},
		},
		{
			DropBounding{Keep: 1 << 10, Last: 40},
			repeat(prctl(0), 40),
			append(append(append(repeat(prctl(0), 10), prctl(1)), repeat(prctl(0), 30)...), prctl(-22)),
			[]string{"line CapBnd:\t" + mask + "\n"},
		},
		{
			SetGroups{[]uint32{105, 4}},
			[]string{call(unix.SYS_SETGROUPS, 0)},
			[]string{"poison", call(unix.SYS_GETGROUPS, 2), "same", call(unix.SYS_GETGROUPS, -22)},
			[]string{"poison", call(unix.SYS_GETGROUPS, 2), "same", call(unix.SYS_GETGROUPS, -22), "line Groups:\t4 105 \n"},
		},
		{
			SetGroups{nil},
			[]string{call(unix.SYS_SETGROUPS, 0)},
			[]string{"poison", call(unix.SYS_GETGROUPS, 0), call(unix.SYS_GETGROUPS, -22)},
			[]string{"poison", call(unix.SYS_GETGROUPS, 0), call(unix.SYS_GETGROUPS, -22), "line Groups:\t \n"},
		},
		{
			SetGID{7},
			[]string{call(unix.SYS_SETRESGID, 0)},
			[]string{"poison", call(unix.SYS_GETRESGID, 0), "same", call(unix.SYS_SETFSGID, 7)},
			[]string{"poison", call(unix.SYS_GETRESGID, 0), "same", call(unix.SYS_SETFSGID, 7), "line Gid:\t7\t7\t7\t7\n"},
		},
		{
			SetUID{7},
			[]string{call(unix.SYS_SETRESUID, 0)},
			[]string{"poison", call(unix.SYS_GETRESUID, 0), "same", call(unix.SYS_SETFSUID, 7)},
			[]string{"poison", call(unix.SYS_GETRESUID, 0), "same", call(unix.SYS_SETFSUID, 7), "line Uid:\t7\t7\t7\t7\n"},
		},
		{
			SetCaps{Effective: 1, Permitted: 3, Inheritable: 2},
			[]string{call(unix.SYS_CAPSET, 0)},
			[]string{"poison", call(unix.SYS_CAPGET, 0), "same"},
			[]string{"poison", call(unix.SYS_CAPGET, 0), "same", "line CapInh:\t0000000000000002\n", "line CapPrm:\t0000000000000003\n", "line CapEff:\t0000000000000001\n"},
		},
		{
			SetAmbient{Set: 1 << 10, Last: 40},
			repeat(prctl(0), 2),
			append(append(append(repeat(prctl(0), 10), prctl(1)), repeat(prctl(0), 30)...), prctl(-22)),
			[]string{"line CapAmb:\t" + mask + "\n"},
		},
		{
			SetSecureBits{Bits: SecbitNoRoot},
			[]string{prctl(0)},
			[]string{prctl(1), prctl(-22)},
			[]string{prctl(1), prctl(-22)},
		},
		{
			NoNewPrivs{},
			[]string{prctl(0)},
			[]string{prctl(1)},
			[]string{prctl(1), "line NoNewPrivs:\t1\n"},
		},
	} {
		do, early, late := rows(tt.step)
		for _, x := range []struct {
			what      string
			got, want []string
		}{{"Do", do, tt.do}, {"Check after it", early, tt.early}, {"Check before the end", late, tt.late}} {
			if !slices.Equal(x.got, x.want) {
				t.Errorf("%T %s:\n%s\nwant\n%s", tt.step, x.what, strings.Join(x.got, "; "), strings.Join(x.want, "; "))
			}
		}
	}
}
