//go:build linux

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readmeBlock is a fenced block of README.md.
type readmeBlock struct{ language, text string }

func readmeBlocks(text string) []readmeBlock {
	var list []readmeBlock
	for {
		_, rest, ok := strings.Cut(text, "\n```")
		if !ok {
			return list
		}
		language, rest, _ := strings.Cut(rest, "\n")
		body, rest, _ := strings.Cut(rest, "```")
		list, text = append(list, readmeBlock{language, body}), rest
	}
}

// readmeMatches compares what was printed with what the README shows; a line "…"
// stands for any lines, also for none.
func readmeMatches(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "…" {
		for i := range len(got) + 1 {
			if readmeMatches(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && want[0] == got[0] && readmeMatches(want[1:], got[1:])
}

func readmeLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// What the README shows is typed into a shell, and must print what it shows.
func TestReadmeConsole(t *testing.T) {
	requireRoot(t)
	n := 0
	for _, b := range readmeBlocks(read(t, "../README.md")) {
		if b.language != "console" {
			continue
		}
		for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, shown, _ := strings.Cut(part, "\n")
			n++
			t.Run(command, func(t *testing.T) {
				env := append([]string{"PATH=" + filepath.Dir(hardrun) + ":/usr/sbin:/usr/bin:/sbin:/bin"}, smallEnv[1:]...)
				r := program{argv: []string{"sh", "-c", command + " 2>&1"}, env: env}.run(t)
				if !readmeMatches(readmeLines(strings.TrimSuffix(shown, "\n")), readmeLines(r.stdout)) {
					t.Errorf("printed\n%sand the README shows\n%s", r.stdout, shown)
				}
			})
		}
	}
	if n < 4 {
		t.Errorf("only %d commands were found in README.md", n)
	}
}

// The build is done in a copy of the sources, as after a clone, and so is the demo.
func TestReadmeBuild(t *testing.T) {
	if os.Getenv("HARDRUN") != "" && os.Geteuid() != 0 {
		t.Skip("needs a cache of Go to build in, which this user does not have")
	}
	clone := directory(t, 0o755)
	sh := func(line string) string {
		t.Helper()
		cmd := exec.Command("sh", "-euc", line)
		cmd.Dir = clone
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sh("tar -C '" + source + "' -cf - --exclude=./.git --exclude=./bin --exclude=./dist . | tar -xf - --no-same-owner")
	n := 0
	for _, b := range readmeBlocks(read(t, "../README.md")) {
		if b.language == "sh" {
			n++
			out := sh(b.text)
			if !strings.Contains(out, "building bin/hardrun, static, with ") || !strings.Contains(out, "\nhardrun ") {
				t.Errorf("the block printed\n%s", out)
			}
		}
	}
	if n != 1 {
		t.Fatalf("%d blocks to build were found in README.md, want 1", n)
	}
	if out := sh("make -s install DESTDIR=" + clone + "/out PREFIX=/usr; out/usr/bin/hardrun version"); !strings.Contains(out, "hardrun ") {
		t.Errorf("make install: %s", out)
	}
	for _, name := range []string{"bin/hardrun", "share/man/man1/hardrun.1", "share/bash-completion/completions/hardrun"} {
		if info, err := os.Stat(clone + "/out/usr/" + name); err != nil || info.Size() == 0 {
			t.Errorf("make install: %s: %v", name, err)
		}
	}
}

// Twice, as what the first leaves behind would show in the second.
func TestDemo(t *testing.T) {
	requireRoot(t)
	for name, pkg := range map[string]string{"named": "bind9", "dig": "bind9-dnsutils", "capsh": "libcap2-bin", "ip": "iproute2"} {
		requireProgram(t, name, pkg)
	}
	clone := directory(t, 0o755)
	if err := os.MkdirAll(clone+"/integration", 0o755); err != nil {
		t.Fatal(err)
	}
	copied(t, "demo.sh", clone+"/integration/demo.sh", 0o644)
	copied(t, hardrun, clone+"/bin/hardrun", 0o755)
	before := readmeLeft(t)
	for range 2 {
		r := runs(t, "sh", clone+"/integration/demo.sh")
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("status %d, stderr %q\n%s", r.code, r.stderr, r.stdout)
		}
		for _, want := range []string{
			"\nuser          set uid ", "\nwww.hardrun.test.\t60\tIN\tA\t192.0.2.53\n", "its name is named\n",
			"CapBnd:\t0000000000000400\n", "\n0x0000000000000400=cap_net_bind_service\n", "nothing is left behind\n",
		} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%q is not in\n%s", want, r.stdout)
			}
		}
	}
	equal(t, "what is left behind", readmeLeft(t), before)

	// It fails loudly: a named that is another program answers nothing.
	write(t, clone+"/bin/hardrun", "#!/bin/sh\nexit 3\n", 0o755)
	if r := runs(t, "sh", clone+"/integration/demo.sh"); r.code == 0 || !strings.Contains(r.stderr, "demo: no cage\n") {
		t.Errorf("without a hardrun: status %d, stderr %q", r.code, r.stderr)
	}
	equal(t, "what a failure leaves behind", readmeLeft(t), before)
}

// readmeLeft are the directories, mounts and processes that a demo would leave.
func readmeLeft(t *testing.T) string {
	t.Helper()
	return runs(t, "sh", "-c", `ls -d /tmp/hardrun-demo.* 2>/dev/null; grep hardrun-demo /proc/mounts; ps -eo args | grep '[n]amed -f -4 -n 2'; true`).stdout
}

func TestReadmeMatches(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		same      bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\n…\nc\n", "a\nc\n", true},
		{"a\n…\nc\n", "a\nb\nb\nc\n", true},
		{"a\n…\n", "a\n", true},
		{"a\n", "a\nb\n", false},
		{"a\n…\nc\n", "a\nb\n", false},
		{"a\nb\n", "a\n", false},
		{"", "a\n", false},
	} {
		if got := readmeMatches(readmeLines(tt.want), readmeLines(tt.got)); got != tt.same {
			t.Errorf("%q, %q: %v, want %v", tt.want, tt.got, got, tt.same)
		}
	}
}
