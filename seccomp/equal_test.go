package seccomp

import (
	"testing"
	"time"
)

func everything() *Filter {
	f := New(Machine("amd64"))
	src := func(s string) uint16 { return f.Source(Source{Directive: s}) }
	g := func(n string) *Set { x, ok := GroupByName(n); if !ok { panic(n) }; return &x.Set }
	f.RestrictAddressFamilies(src("AF"), true, []uint32{1, 2, 10})
	f.MemoryDenyWriteExecute(src("MDWE"))
	f.RestrictRealtime(src("RT"))
	f.RestrictSUIDSGID(src("SXID"))
	f.RestrictNamespaces(src("NS"), 0)
	f.Deny(src("clock"), g("@clock"))
	f.Deny(src("raw"), g("@raw-io"))
	f.Deny(src("mod"), g("@module"))
	f.LockPersonality(src("pers"), 0)
	by := src("SCF")
	l := &List{AllowList: true, Default: Verdict{KillProcess, by}}
	s := *g("@system-service")
	for _, rm := range []string{"@privileged", "@resources"} {
		r := g(rm)
		for i := range s { s[i] &^= r[i] }
	}
	d := g("@default")
	for i := range s { s[i] |= d[i] }
	s.Each(func(c Call) { l.Calls = append(l.Calls, Entry{c, Verdict{Action: Allow, By: by}}) })
	f.AddList(l)
	return f
}

func TestSize(t *testing.T) {
	f := everything()
	p, err := f.Program()
	if err != nil { t.Fatal(err) }
	t.Log(len(p))
	start := time.Now()
	for range 1000 { f = everything(); if _, err := f.Program(); err != nil { t.Fatal(err) } }
	t.Log(time.Since(start)/1000)
	n := 0
	for _, arch := range []uint32{ArchX86_64, ArchI386, ArchARM} {
		for nr := range uint32(700) { for _, hi := range []uint32{0, 0x40000000, 0x80000000} {
			for _, a := range []uint64{0,1,2,3,4,5,6,7,10,16,21,1<<32|2,0x10000000,0x20000000,0o100,0o4755,0x10015} {
				for _, b := range []uint64{0,4,6,1<<32|4,0o4755,0o100000} {
				d := Data{NR: nr|hi, Arch: arch, Args: [6]uint64{a,b,a,b,a,b}}
				want := f.Decide(d).Action
				got, err := p.Eval(d)
				if err != nil || got != want { t.Fatalf("%+v: %v %v want %v", d, got, err, want) }
				n++
			}}
		}}
	}
	t.Log(n)
}
