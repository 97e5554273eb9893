package cgroup

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// describe writes a description of types: each a name, a kind, and what follows it.
type describe struct {
	types, strings []byte
}

func (d *describe) text(s string) uint32 {
	if len(d.strings) == 0 {
		d.strings = []byte{0}
	}
	if s == "" {
		return 0
	}
	if i := bytes.Index(d.strings, append([]byte(s), 0)); i >= 0 {
		return uint32(i) // as a dedup that merges ends does
	}
	d.strings = append(append(d.strings, s...), 0)
	return uint32(len(d.strings) - len(s) - 1)
}

func (d *describe) numbers(list ...uint32) {
	for _, n := range list {
		d.types = binary.NativeEndian.AppendUint32(d.types, n)
	}
}

type field struct {
	name   string
	id, at uint32
}

// record is a struct or union; flag is kind_flag.
func (d *describe) record(kind uint32, name string, flag uint32, fields ...field) {
	d.numbers(d.text(name), flag<<31|kind<<24|uint32(len(fields)), 256)
	for _, f := range fields {
		d.numbers(d.text(f.name), f.id, f.at)
	}
}

func (d *describe) other(kind, count uint32, name string, rest ...uint32) {
	d.numbers(d.text(name), kind<<24|count, 0)
	d.numbers(rest...)
}

func (d *describe) file() []byte {
	b := binary.NativeEndian.AppendUint16(nil, 0xeb9f)
	b = append(b, 1, 0)
	for _, n := range []int{24, 0, len(d.types), len(d.types), len(d.strings)} {
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	return append(append(b, d.types...), d.strings...)
}

// plain has one type of each kind, and the three structs.
func plain() *describe {
	d := &describe{}
	d.other(1, 0, "int", 32)
	d.other(2, 0, "")
	d.other(3, 0, "", 1, 1, 4)
	d.other(6, 2, "e", 0, 0, 0, 1)
	for _, kind := range []uint32{7, 8, 9, 10, 11} {
		d.other(kind, 0, "x")
	}
	d.record(4, "file", 0, field{"f_mode", 1, 0}, field{"f_inode", 2, 256})
	d.other(13, 1, "", d.text("file"), 2)
	d.other(12, 1, "__pfx_bpf_lsm_file_open")
	d.other(12, 1, "bpf_lsm_file_open") // 13
	d.other(14, 0, "v", 1)
	d.other(15, 1, ".data", 14, 0, 4)
	d.other(16, 0, "float")
	d.other(17, 0, "tag", 0)
	d.other(18, 0, "tag")
	d.other(19, 1, "e64", 0, 1, 2)
	d.record(5, "inode", 0, field{"i_sb", 1, 64}) // a union of that name is another thing
	d.record(4, "inode", 0, field{"i_sb", 2, 320})
	d.record(4, "super_block", 0, field{"s_magic", 1, 768})
	return d
}

// nested has the members in structs without a name, after and before what holds them.
func nested() *describe {
	d := &describe{}
	d.record(5, "", 0, field{"s_magic", 9, 64}, field{"s_x", 9, 0}) // 1
	d.record(4, "", 1, field{"", 1, 128})                           // 2
	d.record(4, "super_block", 0, field{"", 2, 512}, field{"", 3, 1024})
	d.record(4, "file", 1, field{"f_x", 9, 0}, field{"", 6, 64}, field{"", 6, 4 << 24}) // 4: and bits
	d.record(4, "inode", 1, field{"i_bits", 9, 3<<24 | 64}, field{"i_sb", 9, 128})      // 5
	d.record(4, "", 0, field{"f_inode", 9, 64})                                         // 6
	d.other(12, 0, "bpf_lsm_file_open")
	return d
}

func TestReadBTF(t *testing.T) {
	changed := func(d *describe, change func(*describe)) []byte {
		change(d)
		return d.file()
	}
	for _, tt := range []struct {
		name string
		file []byte
		want Offsets
		err  string
	}{
		{"each kind", plain().file(), Offsets{13, 32, 40, 96}, ""},
		{"members without a name", nested().file(), Offsets{7, 16, 16, 88}, ""},
		{"the same struct twice", changed(plain(), func(d *describe) { d.record(4, "inode", 0, field{"i_sb", 2, 320}) }), Offsets{13, 32, 40, 96}, ""},
		{"a second struct", changed(plain(), func(d *describe) { d.record(4, "inode", 0, field{"i_sb", 2, 64}) }), Offsets{}, "member i_sb of struct inode is not the only one"},
		{"a second function", changed(plain(), func(d *describe) { d.other(12, 1, "bpf_lsm_file_open") }), Offsets{}, "two functions"},
		{"bits", changed(plain(), func(d *describe) { d.record(4, "file", 1, field{"f_inode", 2, 1<<24 | 256}) }), Offsets{}, "not the only one"},
		{"not at a byte", changed(nested(), func(d *describe) { d.record(4, "super_block", 0, field{"s_magic", 9, 4}) }), Offsets{}, "member s_magic of struct super_block lies where"},
		{"too far", changed(&describe{}, func(d *describe) {
			d.record(4, "file", 0, field{"f_inode", 1, 8 * 32768})
			d.record(4, "inode", 0, field{"i_sb", 1, 0})
			d.record(4, "super_block", 0, field{"s_magic", 1, 0})
			d.other(12, 0, "bpf_lsm_file_open")
		}), Offsets{}, "member f_inode of struct file lies where"},
		{"beyond", changed(nested(), func(d *describe) { d.record(4, "file", 0, field{"", 6, 1<<32 - 1}) }), Offsets{}, "lies beyond its end"},
		{"a circle", changed(&describe{}, func(d *describe) {
			d.record(4, "", 0, field{"", 1, 64})
			d.record(4, "file", 0, field{"", 1, 0})
			d.other(12, 0, "bpf_lsm_file_open")
		}), Offsets{}, "no member f_inode of struct file"},
		{"too many without a name", changed(&describe{}, func(d *describe) {
			d.record(4, "file", 0, slices.Repeat([]field{{"", 1, 0}}, 1025)...)
		}), Offsets{}, "too many members"},
		{"no function", changed(&describe{}, func(d *describe) { d.record(4, "file", 0) }), Offsets{}, "without BPF LSM"},
		{"an unknown kind", changed(plain(), func(d *describe) { d.other(20, 0, "") }), Offsets{}, "unknown kind"},
		{"no kind", changed(plain(), func(d *describe) { d.other(0, 0, "") }), Offsets{}, "unknown kind"},
		{"members cut off", changed(plain(), func(d *describe) { d.other(4, 1, "file", 1, 2) }), Offsets{}, "cut off"},
		{"a type cut off", changed(plain(), func(d *describe) { d.numbers(0, 1) }), Offsets{}, "cut off"},
		{"empty", nil, Offsets{}, "too short"},
		{"the other byte order", append([]byte{plain().file()[1], plain().file()[0]}, plain().file()[2:]...), Offsets{}, "byte order"},
		{"another version", append([]byte{plain().file()[0], plain().file()[1], 2}, plain().file()[3:]...), Offsets{}, "version 1"},
		{"shorter than it says", plain().file()[:len(plain().file())-1], Offsets{}, "not within the file"},
		{"a header that is too short", func() []byte { // while the sections are where they should be
			b := plain().file()
			binary.NativeEndian.PutUint32(b[4:], 0)
			binary.NativeEndian.PutUint32(b[8:], 24)
			binary.NativeEndian.PutUint32(b[16:], 24+uint32(len(plain().types)))
			return b
		}(), Offsets{}, "not within the file"},
		{"a member that has a name, with such a member in it", changed(plain(), func(d *describe) {
			d.record(4, "path", 0, field{"f_inode", 2, 64}) // 23
			d.record(4, "file", 0, field{"f_path", 23, 0}, field{"f_inode", 2, 256})
		}), Offsets{13, 32, 40, 96}, ""},
		{"beyond, in a member without a name", changed(nested(), func(d *describe) {
			d.record(4, "", 0, field{"f_y", 9, 1<<32 - 64}) // 8
			d.record(4, "file", 0, field{"", 8, 64})
		}), Offsets{}, "lies beyond its end"},
		{"no types", (&describe{strings: []byte{0}}).file(), Offsets{}, "not within the file"},
		{"strings without an end", changed(plain(), func(d *describe) { d.strings = append(d.strings, 'x') }), Offsets{}, "not within the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadBTF(tt.file)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, %v; want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil || *got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

const kernelBTF = "/sys/kernel/btf/vmlinux"

func readKernelBTF(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(kernelBTF)
	if err != nil {
		t.Skip("the kernel does not describe its types: ", err)
	}
	return data
}

// What another reader finds in the description of the running kernel.
func TestReadBTFOfKernel(t *testing.T) {
	got, err := ReadBTF(readKernelBTF(t))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpec(kernelBTF)
	if err != nil {
		t.Fatal(err)
	}
	var f *btf.Func
	if err := spec.TypeByName("bpf_lsm_file_open", &f); err != nil {
		t.Fatal(err)
	}
	hook, err := spec.TypeID(f)
	if err != nil {
		t.Fatal(err)
	}
	var at [len(followed)]int16
	for i, m := range followed {
		var s *btf.Struct
		if err := spec.TypeByName(m.of, &s); err != nil {
			t.Fatal(err)
		}
		offset, ok := memberOf(s.Members, m.name)
		if !ok {
			t.Fatalf("no %s in struct %s", m.name, m.of)
		}
		at[i] = int16(offset)
	}
	if want := (Offsets{uint32(hook), at[0], at[1], at[2]}); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

// memberOf is where a member lies, in bytes.
func memberOf(list []btf.Member, name string) (uint32, bool) {
	for _, m := range list {
		if m.Name == name {
			return m.Offset.Bytes(), true
		}
		var inside []btf.Member
		switch s := m.Type.(type) {
		case *btf.Struct:
			inside = s.Members
		case *btf.Union:
			inside = s.Members
		}
		if m.Name != "" {
			continue
		}
		if at, ok := memberOf(inside, name); ok {
			return m.Offset.Bytes() + at, true
		}
	}
	return 0, false
}

func BenchmarkReadBTF(b *testing.B) {
	data := readKernelBTF(b)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := ReadBTF(data); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever the bytes are, there is an answer, and one without an error is complete.
func FuzzBTF(f *testing.F) {
	f.Add(plain().file())
	f.Add(nested().file())
	f.Add(plain().file()[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadBTF(data)
		if (got == nil) == (err == nil) {
			t.Fatalf("got %v and %v", got, err)
		}
		if got != nil && (got.Hook == 0 || got.Inode < 0 || got.Super < 0 || got.Magic < 0 || got.Inode%8 != 0 || got.Super%8 != 0 || got.Magic%8 != 0) {
			t.Errorf("got %+v", *got)
		}
	})
}
