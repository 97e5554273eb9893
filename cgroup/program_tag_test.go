package cgroup

import (
	"bytes"
	stdsha1 "crypto/sha1"
	stdsha256 "crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	bpfasm "github.com/cilium/ebpf/asm"
)

// The hashes are those of the standard library, at every length around the blocks.
func TestHashes(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 6))
	lengths := []int{1000, 4096, 100000}
	for n := range 260 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		message := make([]byte, n)
		for i := range message {
			message[i] = byte(r.Uint32())
		}
		p := padded(bytes.Clone(message))
		var got []byte
		for _, w := range sha1(p) {
			got = binary.BigEndian.AppendUint32(got, w)
		}
		if want := stdsha1.Sum(message); !bytes.Equal(got, want[:]) {
			t.Errorf("SHA-1 of %d bytes: %x, want %x", n, got, want)
		}
		got = nil
		for _, w := range sha256(p) {
			got = binary.BigEndian.AppendUint32(got, w)
		}
		if want := stdsha256.Sum256(message); !bytes.Equal(got, want[:]) {
			t.Errorf("SHA-256 of %d bytes: %x, want %x", n, got, want)
		}
	}
}

// A tag is of everything but what is put in for the counters.
func TestTag(t *testing.T) {
	p, err := DeviceProgram([]Device{{false, 1, 3, Read}})
	if err != nil {
		t.Fatal(err)
	}
	zeroed := bytes.Clone(raw(p))
	for i := range p {
		if p[i].isMapValue() {
			clear(zeroed[8*i+4 : 8*i+8])
			clear(zeroed[8*i+12 : 8*i+16])
		}
	}
	want1, want256 := stdsha1.Sum(zeroed), stdsha256.Sum256(zeroed)
	tag := Tag(p)
	if want := [2][8]byte{[8]byte(want1[:8]), [8]byte(want256[:8])}; tag != want {
		t.Errorf("%x, want %x", tag, want)
	}
	ins, err := bpfasm.AppendInstructions(nil, bytes.NewReader(raw(p)), byteOrder(), "linux")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range tag {
		if is, err := ins.HasTag(hex.EncodeToString(h[:]), byteOrder()); !is || err != nil {
			t.Errorf("%x is no tag for cilium/ebpf: %v", h, err)
		}
	}
	if got := Tag(Counting(p, 12345)); got != tag {
		t.Errorf("with a descriptor %x, want %x", got, tag)
	}
	for i := range p {
		if p[i].isMapValue() || i > 0 && p[i-1].isMapValue() {
			continue
		}
		was := p[i]
		p[i].Imm++
		if got := Tag(p); got[0] == tag[0] || got[1] == tag[1] {
			t.Errorf("another constant in instruction %d has the same tag", i)
		}
		p[i] = was
	}
}

func BenchmarkTag(b *testing.B) {
	p := make([]Ins, maxLength)
	for b.Loop() {
		Tag(p)
	}
}
