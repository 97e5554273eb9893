package policy

import (
	"slices"
	"strings"
	"testing"
)

// systemd.resource-control(5), BPFProgram=: its types, and its examples.
func TestParseBPFProgram(t *testing.T) {
	types := strings.Fields("egress ingress sock_create sock_ops device bind4 bind6 connect4 connect6 post_bind4 post_bind6 " +
		"sendmsg4 sendmsg6 sysctl recvmsg4 recvmsg6 getsockopt setsockopt")
	if len(types) != len(bpfTypes) {
		t.Errorf("%d types, want %d", len(bpfTypes), len(types))
	}
	for _, kind := range types {
		want := BPFProgram{kind, "/sys/fs/bpf/a:b c"}
		got, err := ParseBPFProgram(kind + ":/sys/fs/bpf//a:b c/")
		if got != want || err != nil || bpfProgramText(got) != kind+":/sys/fs/bpf/a:b c" {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
	for _, c := range []struct{ in, err, hint string }{
		{"", `a type, a colon and a path are wanted, not ""`, ""},
		{"egress", `a type, a colon and a path are wanted, not "egress"`, ""},
		{"/sys/fs/bpf/a", `a type, a colon and a path are wanted, not "/sys/fs/bpf/a"`, ""},
		{":/sys/fs/bpf/a", `unknown type of BPF program ""`, ""},
		{"egres:/sys/fs/bpf/a", `unknown type of BPF program "egres"`, "did you mean egress?"},
		{"Egress:/sys/fs/bpf/a", `unknown type of BPF program "Egress"`, "did you mean egress?"},
		{"xdp:/sys/fs/bpf/a", `unknown type of BPF program "xdp"`, ""},
		{" egress:/sys/fs/bpf/a", `unknown type of BPF program " egress"`, "did you mean egress?"},
		{"egress:", "the path is empty", ""},
		{"egress:a", `the path is not absolute: "a"`, ""},
		{"egress: /a", `the path is not absolute: " /a"`, ""},
		{"egress:/sys/../a", `".." in the path "/sys/../a"`, ""},
	} {
		if got, err := ParseBPFProgram(c.in); got != (BPFProgram{}) || err == nil || err.Error() != c.err || c.hint != "" && hintOf(err) != c.hint {
			t.Errorf("%q: %+v, %v (%s), want %s (%s)", c.in, got, err, hintOf(err), c.err, c.hint)
		}
	}
}

// A pair that is assigned twice is one; paths of IPIngressFilterPath= likewise. An empty
// line resets.
func TestProgramLines(t *testing.T) {
	var p Policy
	mustSet(t, &p, "BPFProgram", "egress:/b/a", line(1))
	mustSet(t, &p, "BPFProgram", "ingress:/b/a", line(2))
	copied := p
	mustSet(t, &p, "BPFProgram", "egress:/b//a", line(3))
	want := []Item[BPFProgram]{{BPFProgram{"egress", "/b/a"}, line(1)}, {BPFProgram{"ingress", "/b/a"}, line(2)}}
	if !slices.Equal(p.BPFProgram.Items, want) || p.BPFProgram.From != line(2) {
		t.Errorf("a program twice: %+v", p.BPFProgram)
	}
	mustSet(t, &copied, "BPFProgram", "device:/b/x", line(4))
	mustSet(t, &p, "BPFProgram", "device:/b/y", line(4))
	if got := copied.BPFProgram.Items[2].V.Path; got != "/b/x" {
		t.Errorf("the copy has %s", got)
	}
	mustSet(t, &p, "BPFProgram", "", line(5))
	if len(p.BPFProgram.Items) != 0 || !p.BPFProgram.Reset {
		t.Errorf("after a reset: %+v", p.BPFProgram)
	}
	for _, name := range []string{"IPIngressFilterPath", "IPEgressFilterPath"} {
		mustSet(t, &p, name, "/b/a", line(1))
		mustSet(t, &p, name, "/b/c", line(2))
		mustSet(t, &p, name, "/b/a/", line(3))
	}
	for _, got := range []List[string]{p.IPIngressFilterPath, p.IPEgressFilterPath} {
		if !slices.Equal(got.Items, []Item[string]{{"/b/a", line(1)}, {"/b/c", line(2)}}) {
			t.Errorf("paths: %+v", got)
		}
	}
}

func FuzzParseBPFProgram(f *testing.F) {
	for _, s := range []string{"", "egress:/a", "egress:", "bind4:/a:b", ":", "x:/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseBPFProgram(s)
		if err != nil {
			if v != (BPFProgram{}) {
				t.Fatalf("%q: an error, and %+v", s, v)
			}
			return
		}
		if again, err := ParseBPFProgram(bpfProgramText(v)); err != nil || again != v {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
		}
	})
}
