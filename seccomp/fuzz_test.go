package seccomp

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/hardrun/hardrun/integration/bounded"
)

// table is what a launch tells of a filter.
func table(p Program, lines string) []byte {
	b := p.Bytes()
	return append(append(binary.NativeEndian.AppendUint32(nil, uint32(len(b))), b...), lines...)
}

func FuzzParseDenials(f *testing.F) {
	f.Add(table(ret(uint32(Errno|1)), "3221225534\t165\t327681\tmount\tSystemCallFilter= a.service:3\n"), uint32(165))
	f.Add(table(ret(uint32(KillProcess)), "1\t2\t3\t\t\n1\t2\t3\tx\ty\n"), uint32(2))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint32(0))
	f.Add([]byte{8, 0, 0, 0}, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, nr uint32) {
		d, err := ParseDenials(b)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if again, err2 := ParseDenials(b); (err == nil) != (err2 == nil) || !reflect.DeepEqual(d, again) {
			t.Fatalf("%v, again %v", d, again)
		}
		if err != nil {
			return
		}
		for _, arch := range []uint32{ArchX86_64, 1} {
			data := Data{NR: nr, Arch: arch}
			action, name, by, err := d.Of(data)
			want, err2 := d.Program.Eval(data)
			if err != nil || err2 != nil || action != want || name == "" || by == "" && len(d.by) == 0 {
				t.Fatalf("%+v: %#x %q %q, %v", data, uint32(action), name, by, err)
			}
		}
	})
}

func TestBounded(t *testing.T) {
	head := table(ret(0), "")
	bounded.Check(t, func(s string) { _, _ = ParseDenials(append(head[:len(head):len(head)], s...)) }, "1\t2\t3\tx\ty\n", "1\t2\t3\t\t\n")
	bounded.Check(t, func(s string) { _, _ = Parse([]byte(s)) }, string(ret(0).Bytes()))
	bounded.Check(t, func(s string) { _, _ = ByName(s); _, _ = ErrnoByName(s) })
}
