package dirs

import (
	"slices"
	"strings"
	"testing"
)

func TestEnviron(t *testing.T) {
	state := func(name string) Directory {
		return Directory{Directive: "StateDirectory", Base: "/var/lib", Name: name}
	}
	for _, x := range []struct {
		name string
		list []Directory
		want string
	}{
		{"none", nil, ""},
		{"one", []Directory{state("a")}, "STATE_DIRECTORY=/var/lib/a"},
		{"sorted", []Directory{state("zzz"), state("aaa/bbb"), state("ccc")}, "STATE_DIRECTORY=/var/lib/aaa/bbb:/var/lib/ccc:/var/lib/zzz"},
		{"by components", []Directory{state("a.b"), state("a/b"), state("a")}, "STATE_DIRECTORY=/var/lib/a:/var/lib/a/b:/var/lib/a.b"},
		{"each once", []Directory{state("b"), state("a"), state("b")}, "STATE_DIRECTORY=/var/lib/a:/var/lib/b"},
		{"private", []Directory{{Directive: "LogsDirectory", Base: "/var/log", Name: "x", Private: true}}, "LOGS_DIRECTORY=/var/log/x"},
		{"kinds", []Directory{
			{Directive: "RuntimeDirectory", Base: "/run", Name: "r"},
			state("s"),
			{Directive: "CacheDirectory", Base: "/var/cache/", Name: "c"},
			{Directive: "ConfigurationDirectory", Base: "/etc", Name: "e"},
			{Directive: "RuntimeDirectory", Base: "/run", Name: "q"},
		}, "RUNTIME_DIRECTORY=/run/q:/run/r STATE_DIRECTORY=/var/lib/s CACHE_DIRECTORY=/var/cache/c CONFIGURATION_DIRECTORY=/etc/e"},
	} {
		if got := strings.Join(Environ(x.list), " "); got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
}

func TestSorted(t *testing.T) {
	paths := []string{"/a", "/a/b", "/a/b/c", "/a/c", "/a.b", "/a.b/c", "/aa", "/b"}
	for i, a := range paths {
		for j, b := range paths {
			if before(a, b) != (i < j) {
				t.Errorf("%q before %q is %v", a, b, !(i < j))
			}
		}
	}
	if !below("/a/b", "/a") || below("/ab", "/a") || below("/a", "/a") || below("/a", "/a/b") {
		t.Error("below")
	}
}

func TestRelative(t *testing.T) {
	for _, x := range []struct{ from, to, want string }{
		{"a", "private/a", "private/a"},
		{"a/b", "private/a/b", "../private/a/b"},
		{"x/y/z", "a", "../../a"},
	} {
		if got := relative(x.from, x.to); got != x.want {
			t.Errorf("%q to %q: %q, want %q", x.from, x.to, got, x.want)
		}
	}
}

func TestCheckNames(t *testing.T) {
	for _, x := range []struct {
		d    Directory
		want string
	}{
		{Directory{Base: "/run", Name: "a"}, ""},
		{Directory{Base: "/run", Name: "a/b", Links: []string{"c", "d/e", "a/c"}}, ""},
		{Directory{Base: "/run", Name: "privat/b"}, ""},
		{Directory{Base: "run", Name: "a"}, "run: is no absolute path"},
		{Directory{Base: "/run", Name: ""}, "normal"},
		{Directory{Base: "/run", Name: "/a"}, "normal"},
		{Directory{Base: "/run", Name: "a/"}, "normal"},
		{Directory{Base: "/run", Name: "a//b"}, "normal"},
		{Directory{Base: "/run", Name: "a/./b"}, "normal"},
		{Directory{Base: "/run", Name: ".."}, "normal"},
		{Directory{Base: "/run", Name: "a/../../etc"}, "normal"},
		{Directory{Base: "/run", Name: "a\x00b"}, "normal"},
		{Directory{Base: "/run", Name: strings.Repeat("a", 256)}, "normal"},
		{Directory{Base: "/run", Name: "private"}, "DynamicUser="},
		{Directory{Base: "/run", Name: "private/a"}, "DynamicUser="},
		{Directory{Base: "/run", Name: "a", Links: []string{"../b"}}, "normal"},
		{Directory{Base: "/run", Name: "a", Links: []string{"private/b"}}, "DynamicUser="},
		{Directory{Base: "/run", Name: "a", Links: []string{"a"}}, "a link cannot"},
		{Directory{Base: "/run", Name: "a/b", Links: []string{"a"}}, "a link cannot"},
		{Directory{Base: "/run", Name: "a", Mode: 0o10000}, "mode"},
	} {
		err := x.d.check()
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%+v: %v, want %q", x.d, err, x.want)
		}
	}
}

func TestCovered(t *testing.T) {
	list := []Directory{
		{Base: "/l", Name: "a", Private: true},
		{Base: "/l", Name: "a/b", Private: true},
		{Base: "/l", Name: "ab", Private: true},
		{Base: "/m", Name: "a/b", Private: true},
		{Base: "/l", Name: "a/c"},
		{Base: "/n", Name: "a"}, // no link leads into it
		{Base: "/n", Name: "a/b", Private: true},
	}
	var got []bool
	for i := range list {
		got = append(got, covered(list, &list[i]))
	}
	if want := []bool{false, true, false, false, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
