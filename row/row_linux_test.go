package row

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"unsafe"
)

// The blob: strings are terminated, data is aligned, vectors are offsets that the
// executor turns into addresses.
func TestBlob(t *testing.T) {
	p := &Program{}
	if at := p.String("ab"); at == 0 || p.Text(uint32(at)) != "ab" {
		t.Errorf("string at %d", at)
	}
	if at := p.Bytes([]byte{1, 2, 3}); at%8 != 0 || !bytes.Equal(p.Blob[at:at+3], []byte{1, 2, 3}) {
		t.Errorf("bytes at %d", at)
	}
	at := p.Vector([]string{"x", "yz"})
	if at%8 != 0 || len(p.Relocs) != 2 || len(p.Blob) != int(at)+24 {
		t.Fatalf("vector at %d, %d relocations, %d bytes", at, len(p.Relocs), len(p.Blob))
	}
	for i, want := range []string{"x", "yz"} {
		o := *(*uint64)(unsafe.Pointer(&p.Blob[p.Relocs[i]]))
		if p.Text(uint32(o)) != want {
			t.Errorf("element %d is %q", i, p.Text(uint32(o)))
		}
	}
	f := p.Fprog(make([]byte, 16))
	if n := p.Blob[f]; n != 2 || p.Relocs[2] != uint32(f)+8 {
		t.Errorf("a filter of %d instructions, relocation %d", n, p.Relocs[2])
	}
	// Offset 0 is the empty string, in a program that was reserved as in one that was not.
	q := &Program{}
	q.Reserve(1, 1)
	if q.String("s") == 0 || p.Text(0) != "" || q.Text(0) != "" {
		t.Error("offset 0 is taken")
	}
}

// Where the getters are asked, no line is looked for; before the end, both are; a
// part by part reading only where no full text replaces it.
func TestSources(t *testing.T) {
	check := func(p *Program) []string {
		n := len(p.Rows)
		if p.EachByCall() {
			p.Call(1, 0)
		}
		p.Line("K:\t", "v")
		return (&Program{Rows: p.Rows[n:], Blob: p.Blob}).Dump()
	}
	for _, tt := range []struct {
		full, status bool
		late         []string
		weak         bool
	}{
		{true, true, []string{"line K:\tv\n"}, false},
		{false, true, []string{"1 = 0", "line K:\tv\n"}, true},
		{false, false, []string{"1 = 0", "line K:\tv\n"}, true},
	} {
		p := &Program{FullStatus: tt.full}
		if got := check(p); !slices.Equal(got, []string{"1 = 0"}) {
			t.Errorf("%+v: directly after a change %q", tt, got)
		}
		n := len(p.Rows)
		p.ReadOnly(tt.status)
		if read := len(p.Rows) > n; read != tt.status {
			t.Errorf("%+v: the status text is read: %v", tt, read)
		}
		if got := check(p); !slices.Equal(got, tt.late) {
			t.Errorf("%+v: before the end %q, want %q", tt, got, tt.late)
		}
		if weak := p.Rows[len(p.Rows)-1].Flags&Weak != 0; weak != tt.weak {
			t.Errorf("%+v: the line may be absent: %v", tt, weak)
		}
	}
}

// A step that is gone on with has its texts in the blob once.
func TestStepTwice(t *testing.T) {
	p := &Program{}
	s := &Step{Text: "text", Tail: "tail", Exit: 217, Group: 3, Flags: Waivable}
	p.Step(s)
	p.Call(1, 0)
	size := len(p.Blob)
	p.Step(&Step{Text: "another"})
	other := len(p.Blob)
	p.Step(s)
	p.Call(2, 0)
	if size == other || len(p.Blob) != other || p.Rows[0].Text != p.Rows[1].Text || p.Rows[1].Exit != 217 || p.Rows[1].Group != 3 || p.Rows[1].Flags != Waivable {
		t.Errorf("rows %+v, %d bytes, then %d, then %d", p.Rows, size, other, len(p.Blob))
	}
}

func TestIdentity(t *testing.T) {
	open := func(path string) *Identity {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		i, err := Identify(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	a, b, c := open("/"), open("/."), open("/proc")
	if !a.Equal(b) || a.Equal(c) {
		t.Errorf("%+v, %+v, %+v", a, b, c)
	}
	unknown := *a
	unknown.Mount = 0
	if !a.Equal(&unknown) {
		t.Error("a mount that is not told makes a difference")
	}
	unknown.Mount = a.Mount + 1
	if a.Equal(&unknown) {
		t.Error("another mount makes none")
	}
	if _, err := Identify(-1); err == nil {
		t.Error("a descriptor that is not open was identified")
	}
}

// A row says what it belongs to, and a step that may be given up remains one where a line of it may be absent.
func TestStepWords(t *testing.T) {
	p := &Program{}
	p.Step(&Step{Text: "text", Tail: "tail", Flags: Waivable})
	p.Call(1, 0)
	p.Step(&Step{Text: "alone", Flags: Optional})
	p.ReadOnly(false)
	p.Line("K:\t", "v")
	if text, tail := p.Text(p.Rows[0].Text), p.Text(p.Rows[0].Tail); text != "text" || tail != "tail" || p.Rows[0].Flags != Waivable {
		t.Errorf("%q, %q, flags %d", text, tail, p.Rows[0].Flags)
	}
	if text, tail := p.Text(p.Rows[1].Text), p.Rows[1].Tail; text != "alone" || tail != 0 || p.Rows[1].Flags != Optional|Weak {
		t.Errorf("%q, tail at %d, flags %d", text, tail, p.Rows[1].Flags)
	}
}

// A user namespace is one row, which is told apart from its read-back.
func TestUserNamespaceRows(t *testing.T) {
	p := &Program{}
	p.Step(&Step{Text: "user namespace", Exit: 217})
	p.UserNamespace(7, "0 0 1\n", "5 5 1\n", true)
	p.SameUserNamespace(8)
	p.UserNamespace(9, "", "", false)
	if got := p.Dump(); !slices.Equal(got, []string{"user namespace", "same user namespace", "user namespace"}) {
		t.Errorf("%q", got)
	}
	made, same, open := p.Rows[0], p.Rows[1], p.Rows[2]
	uid, gid := p.Text(uint32(made.A[1])), p.Text(uint32(made.A[2]))
	if made.A[0] != 7 || uid != "0 0 1\n" || gid != "5 5 1\n" || made.A[3] != 1 || made.A[4] != 0 || made.Ptr != 1<<1|1<<2 || made.Exit != 217 {
		t.Errorf("%+v, %q, %q", made, uid, gid)
	}
	if same.A[0] != 8 || same.A[4] != 1 || same.Ptr != 0 {
		t.Errorf("%+v", same)
	}
	if open.A[3] != 0 {
		t.Errorf("setgroups is denied, and was not to be: %+v", open)
	}
}

// What is read of the whole status text need not be asked for signal by signal; a filter that is listened to says whether
// sched_yield(2) passes it; and Dump has a word for each row.
func TestRowsOfTheEnd(t *testing.T) {
	p := &Program{FullStatus: true}
	p.Signals(1 << 12)
	p.FullStatus = false
	p.Signals(1 << 16)
	p.Listen(p.Bytes([]byte("filter")), 8, 7, true)
	p.Listen(p.Bytes([]byte("filter")), 0, 5, false)
	p.ReadOnly(true)
	p.Exec(59, Int(1), Int(2))
	for i, want := range [][]uint64{{1 << 12, 0}, {1 << 16, 1}, {p.Rows[2].A[0], 8, 7, 1}, {p.Rows[3].A[0], 0, 5, 0}} {
		if r := p.Rows[i]; !slices.Equal(r.A[:len(want)], want) || (r.Ptr == 1) != (i >= 2) {
			t.Errorf("row %d: %+v, want %v", i, r, want)
		}
	}
	if p.Rows[2].Kind != Listen || p.Rows[2].A[0] == p.Rows[3].A[0] {
		t.Errorf("%+v", p.Rows[2:4])
	}
	if got := p.Dump(); !slices.Equal(got, []string{"signals", "signals", "status", "last 59"}) {
		t.Errorf("%q", got)
	}
}

// Two files are one where all of their numbers are the same, or the mount is not told by one of them.
func TestIdentitiesDiffer(t *testing.T) {
	a := Identity{Ino: 1, Major: 2, Minor: 3, Mount: 4}
	for _, tt := range []struct {
		b    Identity
		want bool
	}{
		{a, true}, {Identity{9, 2, 3, 4}, false}, {Identity{1, 9, 3, 4}, false}, {Identity{1, 2, 9, 4}, false}, {Identity{1, 2, 3, 9}, false}, {Identity{1, 2, 3, 0}, true},
	} {
		if a.Equal(&tt.b) != tt.want || tt.b.Equal(&a) != tt.want {
			t.Errorf("%+v, %+v: %v, %v", a, tt.b, a.Equal(&tt.b), tt.b.Equal(&a))
		}
	}
}
