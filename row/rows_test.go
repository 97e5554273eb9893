package row

import (
	"slices"
	"testing"
)

// Each kind of row has its words, in the order of the rows.
func TestDump(t *testing.T) {
	p := &Program{}
	p.Call(105, 0)
	p.CallAtLeast(39, 1)
	p.CallDiffers(186, 7)
	out := p.Space(8)
	p.Poison(out, 8)
	p.Same(out, []byte{1}, FormBytes)
	p.ReadOnly(true)
	p.Line("Uid:", "\t0")
	p.Signals(0)
	p.UserNamespace(3, "", "", false)
	p.SameUserNamespace(3)
	p.Exec(59)
	want := []string{"105 = 0", "39 >= 1", "186 != 7", "poison", "same", "status", "line Uid:\t0\n", "signals", "user namespace", "same user namespace", "last 59"}
	if got := p.Dump(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Each signal is read back by itself where no full status text tells of all.
func TestSignalsReadBack(t *testing.T) {
	for full, each := range map[bool]uint64{false: 1, true: 0} {
		p := &Program{FullStatus: full}
		p.Signals(0x1001)
		if r := p.Rows[0]; r.Kind != Signals || r.A != [6]uint64{0x1001, each} || r.Ptr != 0 {
			t.Errorf("with a full status text %v: %+v", full, r)
		}
	}
}

// A filter that is listened to says by what it is, how it is loaded, who is told, and whether sched_yield(2) may be made.
func TestListenRow(t *testing.T) {
	for yields, may := range map[bool]uint64{false: 0, true: 1} {
		p := &Program{}
		filter := p.Fprog(make([]byte, 8))
		p.Listen(filter, 8, 5, yields)
		if r := p.Rows[0]; r.Kind != Listen || r.A != [6]uint64{uint64(filter), 8, 5, may} || r.Ptr != 1 {
			t.Errorf("a filter that lets yield is %v: %+v", yields, r)
		}
	}
}
