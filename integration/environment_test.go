//go:build linux

package integration

import (
	"strings"
	"testing"
)

func TestEnvironmentDirectives(t *testing.T) {
	requireRoot(t)
	dir := directory(t, 0o755)
	file := write(t, dir+"/env", "# a comment\nFROM_FILE=1\nA=file\nQUOTED=\"two words\"\nSINGLE='$x'\n; another\n\n  INDENTED=yes  \n", 0o600)
	write(t, dir+"/env2", "FROM_FILE=2\n", 0o600)
	inherited := []string{"PATH=/usr/bin", "A=caller", "KEEP=me", "SECRET=x"}
	for _, x := range []struct {
		words []string
		want  []string
	}{
		{[]string{"--env=A=new"}, []string{"PATH=/usr/bin", "A=new", "KEEP=me", "SECRET=x"}},
		{[]string{"--env=B=1", "--env=B=2"}, append(inherited[:4:4], "B=2")},
		{[]string{`--env=B=it's "as it is" %n \t $A`}, append(inherited[:4:4], `B=it's "as it is" %n \t $A`)},
		{[]string{"--env=B="}, append(inherited[:4:4], "B=")},
		{[]string{`--environment=B=1 "C=two words" 'D=x'`}, append(inherited[:4:4], "B=1", "C=two words", "D=x")},
		{[]string{"-p", "Environment=B=1", "-p", "Environment=C=2"}, append(inherited[:4:4], "B=1", "C=2")},
		{[]string{"-p", "Environment=B=1", "-p", "Environment="}, inherited},
		{[]string{"--unset-environment=SECRET"}, []string{"PATH=/usr/bin", "A=caller", "KEEP=me"}},
		{[]string{"--unset-environment=A=caller KEEP=you"}, []string{"PATH=/usr/bin", "KEEP=me", "SECRET=x"}},
		{[]string{"--env=SECRET=y", "--unset-environment=SECRET"}, []string{"PATH=/usr/bin", "A=caller", "KEEP=me"}},
		{[]string{"--clear-env"}, []string{}},
		{[]string{"--clear-env", "--env=A=1"}, []string{"A=1"}},
		{[]string{"--clear-env", "--pass-environment=KEEP NOSUCH", "--env=A=1"}, []string{"KEEP=me", "A=1"}},
		{[]string{"--clear-env", "--environment-file=" + file}, []string{"FROM_FILE=1", "A=file", "QUOTED=two words", "SINGLE=$x", "INDENTED=yes"}},
		{[]string{"--clear-env", "--env=A=1", "--environment-file=" + file, "--environment-file=" + dir + "/env2"}, []string{"A=file", "FROM_FILE=2", "QUOTED=two words", "SINGLE=$x", "INDENTED=yes"}},
		{[]string{"--clear-env", "--environment-file=" + dir + "/env*", "--unset-environment=A QUOTED SINGLE INDENTED"}, []string{"FROM_FILE=2"}},
		{[]string{"--environment-file=-/nosuch"}, inherited},
		{[]string{"--clear-env", "--exec-search-path=/opt/bin:/usr/bin"}, []string{"PATH=/opt/bin:/usr/bin"}},
		{[]string{"--exec-search-path=/opt/bin"}, []string{"PATH=/opt/bin", "A=caller", "KEEP=me", "SECRET=x"}},
		{[]string{"--clear-env", "--user=nobody"}, []string{"HOME=/nonexistent", "LOGNAME=nobody", "USER=nobody"}},
		{[]string{"--clear-env", "--user=nobody", "--env=HOME=/var/empty"}, []string{"HOME=/var/empty", "LOGNAME=nobody", "USER=nobody"}},
	} {
		t.Run(strings.Join(x.words, " "), func(t *testing.T) {
			r := program{argv: append(append([]string{hardrun}, x.words...), "--", probe), env: inherited}.run(t)
			equals(t, "environment", r.state(t).Env, x.want)
		})
	}
}

// A file that never ends, or that nobody writes to, is no environment file.
func TestEnvironmentFileRefused(t *testing.T) {
	dir := directory(t, 0o755)
	if r := runs(t, "mkfifo", dir+"/fifo"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	write(t, dir+"/bad", "NOT A VARIABLE\n", 0o600)
	write(t, dir+"/nul", "A=\x00\n", 0o600)
	for _, path := range []string{dir + "/fifo", "/dev/zero", dir, dir + "/nosuch", dir + "/none*", dir + "/[", dir + "/nul"} {
		refused(t, run(t, "--environment-file="+path, "--", probe), 203, "EnvironmentFile=")
	}
	// "-" lets a file be missing, and nothing else.
	refused(t, run(t, "--environment-file=-"+dir+"/fifo", "--", probe), 203, "EnvironmentFile=")
}
