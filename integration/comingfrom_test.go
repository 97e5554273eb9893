//go:build linux

package integration

import (
	"encoding/binary"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// comingFromRow is a row of a table in doc/coming-from.md.
type comingFromRow struct {
	peer, ours string
	differs    []string
	place      string
}

// comingFromRows takes the tables out of the text. A row that it does not
// understand is an error, and not a row less.
func comingFromRows(t *testing.T, text string) []comingFromRow {
	t.Helper()
	var rows []comingFromRow
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			t.Fatalf("line %d: %d cells, want 3: %s", i+1, len(cells), line)
		}
		if !strings.Contains(line, "`") {
			continue // heads and rules
		}
		var code [2]string
		for k := range code {
			cell := strings.TrimSpace(cells[k])
			if len(cell) < 3 || cell[0] != '`' || cell[len(cell)-1] != '`' {
				t.Fatalf("line %d: cell %d is no code: %s", i+1, k+1, line)
			}
			code[k] = strings.Trim(cell, "`")
		}
		rows = append(rows, comingFromRow{code[0], code[1], strings.Fields(cells[2]), "line " + strconv.Itoa(i+1)})
	}
	return rows
}

// comingFromFields are the things that are compared, in the document's words.
func comingFromFields(s *state) map[string]string {
	join := func(list []uint32) string {
		var b strings.Builder
		for _, v := range list {
			b.WriteString(strconv.FormatUint(uint64(v), 10) + " ")
		}
		return b.String()
	}
	groups := slices.Clone(s.Groups)
	slices.Sort(groups)
	env := slices.Clone(s.Env)
	slices.Sort(env)
	var soft, hard strings.Builder
	for _, l := range s.Limits {
		soft.WriteString(strconv.FormatUint(l[0], 10) + " ")
		hard.WriteString(strconv.FormatUint(l[1], 10) + " ")
	}
	return map[string]string{
		"uid": join(s.UIDs), "gid": join(s.GIDs), "groups": join(groups),
		"inheritable": s.Inh, "permitted": s.Prm, "effective": s.Eff, "bounding": s.Bnd, "ambient": s.Amb,
		"securebits": s.SecureBits, "no_new_privs": strconv.Itoa(s.NNP), "seccomp": strconv.Itoa(s.Seccomp),
		"limits": soft.String(), "hard-limits": hard.String(), "nice": strconv.Itoa(s.Nice), "umask": s.UMask,
		"directory": s.Cwd, "environment": strings.Join(env, "\n"),
	}
}

// comingFromPlace is the ground on which both tools start: it hides what the machine
// keeps in these directories, and has the program where no view hides it.
const comingFromPlace = `echo host >/proc/sys/kernel/hostname
mount -t tmpfs -o mode=755 tmpfs /srv
mount -t tmpfs -o mode=755 tmpfs /home
cp "$PROBE" /srv/probe
mkdir -m 755 /srv/data
echo of the host >/srv/data/file
cp "$PROBE" /home/probe
unset PROBE
cd /`

// comingFromActs are what the probe is asked about what it sees and shares. What
// is not the same twice on one machine becomes the host's, or the own.
var comingFromActs = []struct{ field, act string }{
	{"writable", "access / w"},
	{"writable", "access /usr w"},
	{"writable", "access /etc w"},
	{"writable", "access /var w"},
	{"writable", "access /srv w"},
	{"writable", "access /srv/data w"},
	{"writable", "access /dev w"},
	{"writable", "access /proc/sys/kernel/hostname w"},
	{"writable", "access /sys w"},
	{"tmp", "list /tmp"},
	{"tmp", "access /tmp w"},
	{"srv", "list /srv"},
	{"srv", "list /srv/data"},
	{"home", "list /home"},
	{"home", "access /root r"},
	{"execution", "run /home/probe exit 0"},
	{"dev", "list /dev"},
	{"network", "interfaces"},
	{"network", "loopback"},
	{"hostname", "hostname"},
	{"processes", "list /proc"},
	{"ipc", "readlink /proc/self/ns/ipc"},
	{"cgroups", "readlink /proc/self/ns/cgroup"},
	{"users", "read /proc/self/uid_map"},
}

// comingFromSeen is what the answers say, by their fields.
func comingFromSeen(t *testing.T, answers []answer) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for i, a := range answers {
		act := comingFromActs[i]
		text := a.Act
		switch {
		case a.Errno != "":
			text = a.Errno
		case strings.HasPrefix(act.act, "access"), strings.HasPrefix(act.act, "run"), act.act == "loopback":
			text = "yes"
		case act.act == "list /tmp" && strings.Contains(text, filepath.Base(base)):
			text = "the host's"
		case act.act == "list /proc":
			var own []string
			for _, name := range strings.Fields(text) {
				if n, err := strconv.Atoi(name); err == nil && n == os.Getpid() {
					own = []string{"the host's"}
					break
				} else if err == nil {
					own = append(own, name)
				}
			}
			text = strings.Join(own, " ")
		case strings.HasPrefix(act.act, "readlink"):
			link, err := os.Readlink(strings.Fields(act.act)[1])
			if err != nil {
				t.Fatal(err)
			}
			if text == link {
				text = "the host's"
			} else {
				text = "its own"
			}
		}
		seen[act.field] += act.act + ": " + text + "; "
	}
	return seen
}

func TestComingFrom(t *testing.T) {
	requireRoot(t)
	requireProgram(t, "unshare", "util-linux")
	root := cage(t)
	// A filter that lets everything pass: BPF_RET, SECCOMP_RET_ALLOW.
	var allow [8]byte
	binary.NativeEndian.PutUint16(allow[:], 0x06)
	binary.NativeEndian.PutUint32(allow[4:], 0x7fff0000)
	file := write(t, directory(t, 0o755)+"/filter", string(allow[:]), 0o644)

	rows := comingFromRows(t, read(t, "../doc/coming-from.md"))
	if len(rows) < 85 {
		t.Fatalf("only %d rows were found in doc/coming-from.md", len(rows))
	}
	compared := map[string]int{}
	for _, r := range rows {
		t.Run(r.place, func(t *testing.T) {
			sh := func(line string) map[string]string {
				t.Helper()
				prog := "/srv/probe"
				if strings.Contains(line, "ROOT") {
					prog = "/probe"
				}
				start := func(prog string) program {
					full := strings.NewReplacer("PROGRAM", "/srv/probe", "PROG", prog, "ROOT", root, "FILTER", file).Replace(line)
					return program{
						argv: []string{"unshare", "--mount", "--uts", "--propagation=private", "--", "sh", "-euc", comingFromPlace + "\nexec " + full},
						env:  append([]string{"PROBE=" + probe}, smallEnv...),
					}
				}
				fields := comingFromFields(start(prog).run(t).state(t))
				var acts []string
				for _, a := range comingFromActs {
					acts = append(acts, a.act)
				}
				maps.Copy(fields, comingFromSeen(t, asked(t, start(prog+" ask"), acts...)))
				return fields
			}
			rest, ok := strings.CutPrefix(r.ours, "hardrun ")
			if !ok {
				t.Fatalf("not a line of hardrun's: %s", r.ours)
			}
			ours := sh(hardrun + " " + rest)

			tool, _, _ := strings.Cut(r.peer, " ")
			switch tool {
			case "chpst", "setpriv", "gosu", "su-exec", "capsh", "bwrap", "firejail", "unshare":
			default:
				return // variables of OpenRC, and systemd, which would have to be running
			}
			if _, err := exec.LookPath(tool); err != nil {
				t.Logf("%s is not here: only hardrun's line was run", tool)
				return
			}
			compared[tool]++
			theirs := sh(r.peer)
			for name, got := range ours {
				differs := slices.Contains(r.differs, name)
				if same := got == theirs[name]; same == differs {
					t.Errorf("%s: differs %v, and the document says %v\n%s: %s\n%s: %s", name, !same, differs, r.peer, theirs[name], r.ours, got)
				}
			}
			for _, name := range r.differs {
				if _, known := ours[name]; !known {
					t.Errorf("%q is nothing that is compared", name)
				}
			}
		})
	}
	t.Logf("compared: %v", compared)
	if compared["setpriv"] == 0 {
		t.Error("setpriv is part of every Debian, and was not compared")
	}
}

func TestComingFromRows(t *testing.T) {
	got := comingFromRows(t, "# x\n| a | b | c |\n|---|---|---|\n| `a -x` | `hardrun -y` | uid gid |\ntext\n")
	if len(got) != 1 || got[0].peer != "a -x" || got[0].ours != "hardrun -y" || !slices.Equal(got[0].differs, []string{"uid", "gid"}) || got[0].place != "line 4" {
		t.Errorf("got %+v", got)
	}
}
