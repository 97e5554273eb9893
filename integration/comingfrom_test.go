//go:build linux

package integration

import (
	"encoding/binary"
	"os/exec"
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

func TestComingFrom(t *testing.T) {
	requireRoot(t)
	root := cage(t)
	// A filter that lets everything pass: BPF_RET, SECCOMP_RET_ALLOW.
	var allow [8]byte
	binary.NativeEndian.PutUint16(allow[:], 0x06)
	binary.NativeEndian.PutUint32(allow[4:], 0x7fff0000)
	file := write(t, directory(t, 0o755)+"/filter", string(allow[:]), 0o644)

	rows := comingFromRows(t, read(t, "../doc/coming-from.md"))
	if len(rows) < 45 {
		t.Fatalf("only %d rows were found in doc/coming-from.md", len(rows))
	}
	compared := map[string]int{}
	for _, r := range rows {
		t.Run(r.place, func(t *testing.T) {
			sh := func(line string) *state {
				prog := probe
				if strings.Contains(line, "ROOT") {
					prog = "/probe"
				}
				line = strings.NewReplacer("PROG", prog, "ROOT", root, "FILTER", file).Replace(line)
				return runs(t, "sh", "-c", "exec "+line).state(t)
			}
			rest, ok := strings.CutPrefix(r.ours, "hardrun ")
			if !ok {
				t.Fatalf("not a line of hardrun's: %s", r.ours)
			}
			ours := comingFromFields(sh(hardrun + " " + rest))

			tool, _, _ := strings.Cut(r.peer, " ")
			switch tool {
			case "chpst", "setpriv", "gosu", "su-exec", "capsh", "bwrap":
			default:
				return // variables of OpenRC, and systemd, which would have to be running
			}
			if _, err := exec.LookPath(tool); err != nil {
				t.Logf("%s is not here: only hardrun's line was run", tool)
				return
			}
			compared[tool]++
			theirs := comingFromFields(sh(r.peer))
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
