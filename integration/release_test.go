//go:build linux

package integration

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A release is what release.sh makes. HARDRUN_DIST names one to look at; without it, one
// is made of these sources, of the architectures which can be built here.
var madeRelease = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(base, "dist")
	archs := []string{"amd64"}
	if _, err := exec.LookPath("aarch64-linux-gnu-gcc"); err == nil && exists(muslARM64()) {
		archs = append(archs, "arm64")
	}
	cmd := releaseScript(append([]string{"build", dir}, archs...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("release.sh build: %w\n%s", err, out)
	}
	return dir, nil
})

const releaseVersion = "v0.0.0-test"

func muslARM64() string {
	if dir := os.Getenv("MUSL_ARM64"); dir != "" {
		return dir
	}
	dir, _ := filepath.Abs("../bin/peers/arm64")
	return dir
}

func releaseScript(words ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"release.sh"}, words...)...)
	cmd.Env = append(os.Environ(), "MUSL_ARM64="+muslARM64())
	if os.Getenv("HARDRUN_DIST") == "" {
		cmd.Env = append(cmd.Env, "VERSION="+releaseVersion, "COMMIT=0123456789abcdef0123456789abcdef01234567")
	}
	return cmd
}

// requireBuilds skips where nothing can be built.
func requireBuilds(t *testing.T) {
	t.Helper()
	if os.Getenv("HARDRUN") != "" && os.Geteuid() != 0 {
		t.Skip("needs a cache of Go to build in, which this user does not have")
	}
	requireProgram(t, "musl-gcc", "musl-tools")
}

func dist(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("HARDRUN_DIST"); dir != "" {
		return dir
	}
	requireBuilds(t)
	dir, err := madeRelease()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// released is the binary of an architecture.
func released(t *testing.T, arch string) string {
	t.Helper()
	file := filepath.Join(dist(t), "hardrun-linux-"+arch)
	if os.Getenv("HARDRUN_DIST") == "" && arch == "arm64" && !exists(file) {
		t.Skip("needs aarch64-linux-gnu-gcc of the package gcc-aarch64-linux-gnu, and the musl that setup.sh unpacks")
	}
	return file
}

func eachArch(t *testing.T, f func(t *testing.T, arch, file string)) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) { f(t, arch, released(t, arch)) })
	}
}

// The second build has nothing in common with the first but the sources and the tools.
func TestReproducible(t *testing.T) {
	requireBuilds(t)
	cmd := releaseScript("reproducible", "amd64")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "\n4 files, bit for bit the same\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	if sums := regexp.MustCompile(`(?m)^[0-9a-f]{64}  hardrun-linux-amd64$`).FindAllString(string(out), -1); len(sums) != 2 || sums[0] != sums[1] {
		t.Errorf("the sums printed are %q", sums)
	}
}

func TestReproducibleFails(t *testing.T) {
	for _, tt := range []struct {
		name     string
		one, two map[string]string
		want     string // of the error; empty: none
	}{
		{"same", map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1", "b": "2"}, ""},
		{"a byte", map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1", "b": "3"}, "NOT REPRODUCIBLE: 1 files differ, 1 are the same"},
		{"longer", map[string]string{"a": "1"}, map[string]string{"a": "11"}, "NOT REPRODUCIBLE: 1 files differ"},
		{"missing", map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1"}, "NOT REPRODUCIBLE: 1 files differ"},
		{"one more", map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}, "NOT REPRODUCIBLE: 1 files differ"},
		{"nothing", nil, nil, "NOT REPRODUCIBLE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := t.TempDir(), t.TempDir()
			for dir, files := range map[string]map[string]string{one: tt.one, two: tt.two} {
				for name, text := range files {
					write(t, filepath.Join(dir, name), text, 0o644)
				}
			}
			out, err := releaseScript("compare", one, two).CombinedOutput()
			if (err == nil) != (tt.want == "") || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestReleaseSums(t *testing.T) {
	dir := dist(t)
	listed := map[string]bool{"SHA256SUMS": true}
	for line := range strings.Lines(read(t, dir+"/SHA256SUMS")) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		equal(t, name, sum, fileSum(t, filepath.Join(dir, name)))
		listed[name] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !listed[e.Name()] {
			t.Errorf("%s is not in SHA256SUMS", e.Name())
		}
	}
	text := read(t, dir+"/BUILD.txt")
	eachArch(t, func(t *testing.T, arch, file string) {
		for _, want := range []string{"\nhardrun-linux-" + arch + "\n  sha256          " + fileSum(t, file) + "\n", " GOARCH=" + arch + " ", "\n  in C ", "\n  musl ", "STRIP='-s -w "} {
			if !strings.Contains(text, want) {
				t.Errorf("BUILD.txt does not say %q:\n%s", want, text)
			}
		}
	})
}

func fileSum(t *testing.T, file string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(read(t, file)))
	return hex.EncodeToString(sum[:])
}

// weaknesses are what makes a file easier to attack, or is not to be shipped.
func weaknesses(f *elf.File) []string {
	var list []string
	stack, relro := false, uint64(0)
	for _, p := range f.Progs {
		switch {
		case p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0:
			list = append(list, "writable and executable: "+p.Type.String())
		case p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC:
			list = append(list, "not static: "+p.Type.String())
		case p.Type == elf.PT_GNU_RELRO:
			relro = p.Vaddr + p.Memsz
		}
		if p.Type == elf.PT_GNU_STACK {
			stack = p.Flags&elf.PF_X == 0
		}
	}
	if !stack {
		list = append(list, "executable stack")
	}
	for _, s := range f.Sections {
		switch {
		case s.Name == ".symtab" || strings.HasPrefix(s.Name, ".debug") || strings.HasPrefix(s.Name, ".zdebug"):
			list = append(list, "not stripped: "+s.Name)
		case s.Type == elf.SHT_NOTE:
			list = append(list, "a note: "+s.Name)
		case slices.Contains([]string{".init_array", ".fini_array", ".data.rel.ro", ".got", ".got.plt"}, s.Name) && s.Addr+s.Size > relro:
			list = append(list, "not read-only after relocation: "+s.Name)
		case s.Name == ".rodata" && s.Flags&elf.SHF_WRITE != 0:
			list = append(list, "writable: "+s.Name)
		}
		// Constants are no instructions: no segment may hold both.
		for _, p := range f.Progs {
			if s.Name == ".rodata" && p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && s.Addr >= p.Vaddr && s.Addr < p.Vaddr+p.Memsz {
				list = append(list, "executable: "+s.Name)
			}
		}
	}
	return list
}

func elfFile(t *testing.T, file string) *elf.File {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestReleaseELF(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	eachArch(t, func(t *testing.T, arch, file string) {
		f := elfFile(t, file)
		equal(t, "machine", f.Machine, machines[arch])
		equals(t, "weaknesses", weaknesses(f), nil)
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range info.Settings {
			if strings.HasPrefix(s.Key, "vcs") || strings.HasPrefix(s.Key, "-ldflags") || s.Key == "-trimpath" && s.Value != "true" {
				t.Errorf("built with %s=%s", s.Key, s.Value)
			}
		}
	})
}

// What is looked for is found where it is.
func TestReleaseELFControl(t *testing.T) {
	requireBuilds(t)
	source := write(t, t.TempDir()+"/a.c", "int main(void) { return 0; }\n", 0o644)
	for _, tt := range []struct{ flags, want string }{
		{"-static -s -Wl,-z,execstack", "writable and executable: PT_GNU_STACK"},
		{"-static -s -Wl,-N", "writable and executable: PT_LOAD"},
		{"-static -s -Wl,-z,norelro", "not read-only after relocation: .init_array"},
		{"-static -Wl,-z,now", "not stripped: .symtab"},
		{"-static -s -Wl,--build-id=sha1", "a note: .note.gnu.build-id"},
		{"-static -s -Wl,-z,noseparate-code", "executable: .rodata"},
		{"-s", "not static: PT_INTERP"},
	} {
		file := filepath.Join(t.TempDir(), "a")
		if out, err := exec.Command("musl-gcc", append(strings.Fields(tt.flags), "-o", file, source)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", tt.flags, err, out)
		}
		if list := weaknesses(elfFile(t, file)); !slices.Contains(list, tt.want) {
			t.Errorf("%s: found %q, want %q", tt.flags, list, tt.want)
		}
	}
}

// sourceFiles are the names of the files that a Go binary was compiled from, by its own
// table for tracebacks, which stripping leaves in it.
func sourceFiles(t *testing.T, file string) []string {
	t.Helper()
	f := elfFile(t, file)
	section := f.Section(".gopclntab")
	if section == nil {
		t.Fatal(file + ": no .gopclntab")
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	// The header is runtime.pcHeader: 8 bytes, and words of which the sixth and seventh
	// say where the table of files begins and ends.
	if len(data) < 72 || binary.LittleEndian.Uint32(data) != 0xfffffff1 || data[7] != 8 {
		t.Fatalf("%s: .gopclntab begins with % x, which is not known here", file, data[:min(8, len(data))])
	}
	begin, end := binary.LittleEndian.Uint64(data[48:]), binary.LittleEndian.Uint64(data[56:])
	if begin >= end || end > uint64(len(data)) {
		t.Fatalf("%s: .gopclntab: files from %d to %d of %d", file, begin, end, len(data))
	}
	return slices.DeleteFunc(strings.Split(string(data[begin:end]), "\x00"), func(s string) bool { return s == "" })
}

var moduleAt = regexp.MustCompile(`@v[^/]*`)

// packagesIn are the packages that a binary built with -trimpath holds functions of.
func packagesIn(t *testing.T, file string) []string {
	t.Helper()
	var list []string
	for _, f := range sourceFiles(t, file) {
		if !strings.HasPrefix(f, "<") { // <autogenerated>
			list = append(list, moduleAt.ReplaceAllString(path.Dir(f), ""))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// The binary is asked, not the build: it holds nothing that is forbidden, and nothing
// that go list does not know of.
func TestReleaseImports(t *testing.T) {
	eachArch(t, func(t *testing.T, arch, file string) {
		t.Setenv("GOARCH", arch)
		t.Setenv("CGO_ENABLED", "1")
		known := append(goList(t, "-deps", "-tags", "osusergo,netgo", "./cmd/hardrun"), ".")
		held := packagesIn(t, file)
		for _, p := range held {
			if why, bad := forbidden[p]; bad {
				t.Errorf("the binary holds %s: %s", p, why)
			}
			if !slices.Contains(known, p) {
				t.Errorf("the binary holds %s, which go list does not name", p)
			}
		}
		for _, want := range []string{"runtime", "strconv", "golang.org/x/sys/unix", module + "cmd/hardrun", module + "policy", module + "launcher", module + "seccomp"} {
			if !slices.Contains(held, want) {
				t.Errorf("%s was not found, and is in the binary: %q", want, held)
			}
		}
		// No other package brings C, and none a file that was compiled elsewhere.
		equals(t, "packages with C", goList(t, "-deps", "-tags", "osusergo,netgo", "-f", "{{if or .CgoFiles .CFiles .CXXFiles .SwigFiles}}{{.ImportPath}}{{end}}", "./cmd/hardrun"),
			[]string{"runtime/cgo", module + "cmd/hardrun"})
		equals(t, "packages with object files", goList(t, "-deps", "-tags", "osusergo,netgo", "-f", "{{if .SysoFiles}}{{.ImportPath}}{{end}}", "./cmd/hardrun"), nil)
	})
}

// What is looked for is found where it is: a package, and the place it was compiled in.
func TestReleaseImportsControl(t *testing.T) {
	requireBuilds(t)
	dir := t.TempDir()
	write(t, dir+"/go.mod", "module control\n\ngo 1.26.0\n", 0o644)
	write(t, dir+"/main.go", "package main\n\nimport \"os/exec\"\n\nfunc main() { _ = exec.Command(\"true\").Run() }\n", 0o644)
	for _, trimmed := range []bool{true, false} {
		cmd := exec.Command("go", "build", "-trimpath="+fmt.Sprint(trimmed), "-ldflags", "-s -w", "-o", "control", ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if trimmed {
			if held := packagesIn(t, dir+"/control"); !slices.Contains(held, "os/exec") {
				t.Errorf("os/exec is not among %q", held)
			}
		}
		equal(t, "its directory is in it", len(found("control", []byte(read(t, dir+"/control")), []string{dir})) == 1, !trimmed)
	}
}

// machinePaths are those of this machine which a build could leave in its result.
func machinePaths(t *testing.T) []string {
	t.Helper()
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	list := []string{source, "go-build", "go-link", "/cgo-", ".cgo2.c", "crtstuff.c", "hardrun.c", "/integration/", muslARM64()}
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	return append(list, strings.Fields(string(out))...)
}

func found(file string, data []byte, words []string) []string {
	var list []string
	for _, w := range words {
		if bytes.Contains(data, []byte(w)) {
			list = append(list, file+" holds "+w)
		}
	}
	return list
}

func TestReleasePaths(t *testing.T) {
	paths := machinePaths(t)
	eachArch(t, func(t *testing.T, arch, file string) {
		equals(t, "paths", found(file, []byte(read(t, file)), paths), nil)
		equals(t, "paths", found("SBOM", []byte(read(t, file+".cdx.json")), paths), nil)
		for _, f := range sourceFiles(t, file) {
			if path.IsAbs(f) {
				t.Errorf("compiled from %s", f)
			}
		}
	})
	equals(t, "paths", found("BUILD.txt", []byte(read(t, dist(t)+"/BUILD.txt")), paths), nil)
}

// linkedFrom are the only files and libraries that C comes from: Go's own objects, one of
// them made of hardrun.c, the start-up code, musl, and the compiler's support library.
var linkedFrom = regexp.MustCompile(`^(go-link/(go|[0-9]{6})\.o|linker stubs|/[^ ]*/(Scrt1|crti|crtn|crtbeginS|crtendS)\.o|/[^ ]*/(libc|libpthread|libgcc|libgcc_eh)\.a( .*)?)$`)

// notLinked are members of libc that load other code, ask other programs, or start some.
var notLinked = regexp.MustCompile(`^/[^ ]*/libc\.a (getpw|getgr|getaddrinfo|gethostby|res_|dlopen|dlsym|dlerror|system|popen|posix_spawn|exec[lv]|iconv|locale|syslog)`)

// The linker says what it took, as it links the same once more.
func TestReleaseLinked(t *testing.T) {
	requireBuilds(t)
	eachArch(t, func(t *testing.T, arch, _ string) {
		cmd := releaseScript("linked", arch, dist(t))
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		var members, objects int
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSuffix(line, "\n")
			if !linkedFrom.MatchString(line) || notLinked.MatchString(line) {
				t.Errorf("linked: %s", line)
			}
			if strings.Contains(line, "/libc.a ") {
				members++
			}
			if strings.HasPrefix(line, "go-link/") {
				objects++
			}
		}
		if members < 20 || objects < 3 {
			t.Errorf("only %d members of libc and %d objects of Go were named", members, objects)
		}
	})
	for _, line := range []string{"/usr/lib/libseccomp.a", "/usr/lib/x86_64-linux-musl/libdl.a dlopen.lo", "/tmp/other.o", "go-link/other.o"} {
		if linkedFrom.MatchString(line) {
			t.Errorf("%s passes", line)
		}
	}
}

func TestReleaseSBOM(t *testing.T) {
	eachArch(t, func(t *testing.T, arch, file string) {
		type component struct {
			Type, Name, Version, PURL, Scope string
			Ref                              string `json:"bom-ref"`
			Hashes                           []struct{ Alg, Content string }
			Licenses                         []struct{ Expression string }
			Properties                       []struct{ Name, Value string }
		}
		var b struct {
			BOMFormat, SpecVersion string
			Version                int
			Metadata               struct{ Component component }
			Components             []component
			Dependencies           []struct {
				Ref       string
				DependsOn []string
			}
		}
		if err := json.Unmarshal([]byte(read(t, file+".cdx.json")), &b); err != nil {
			t.Fatal(err)
		}
		equal(t, "format", b.BOMFormat+" "+b.SpecVersion, "CycloneDX 1.5")
		main := b.Metadata.Component
		if len(main.Hashes) != 1 || main.Hashes[0].Content != fileSum(t, file) || main.Hashes[0].Alg != "SHA-256" {
			t.Errorf("the hash is %v", main.Hashes)
		}
		if text := runs(t, released(t, "amd64"), "version").stdout; !strings.HasPrefix(text, "hardrun "+main.Version+"\n") {
			t.Errorf("version %s, and the binary says %q", main.Version, text)
		}
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"stdlib " + strings.TrimPrefix(info.GoVersion, "go")}
		for _, d := range info.Deps {
			want = append(want, d.Path+" "+d.Version)
		}
		var got, refs []string
		for _, c := range b.Components {
			if c.Name == "" || c.Version == "" || c.Version == "unknown" || c.Ref == "" || c.Type == "" {
				t.Errorf("incomplete: %+v", c)
			}
			if c.Scope == "excluded" {
				continue
			}
			if len(c.Licenses) != 1 {
				t.Errorf("%s: licenses %v", c.Name, c.Licenses)
			}
			refs = append(refs, c.Ref)
			if strings.HasPrefix(c.PURL, "pkg:golang/") {
				got = append(got, c.Name+" "+c.Version)
				equal(t, "purl", c.PURL, "pkg:golang/"+c.Name+"@"+c.Version)
			}
		}
		equals(t, "modules", got, want)
		for _, name := range []string{"musl", "libgcc"} {
			if !slices.Contains(refs, name) {
				t.Errorf("no %s in %q", name, refs)
			}
		}
		if len(b.Dependencies) != 1 || b.Dependencies[0].Ref != main.Ref || !slices.Equal(b.Dependencies[0].DependsOn, refs) {
			t.Errorf("depends on %v, components are %q", b.Dependencies, refs)
		}
	})
}

// arm64 is a start of the binary of arm64 on this machine.
func arm64(t *testing.T, words ...string) program {
	t.Helper()
	qemu := muslARM64() + "/usr/bin/qemu-aarch64-static"
	if !exists(qemu) {
		qemu = requireProgram(t, "qemu-aarch64-static", "qemu-user-static")
	}
	return program{argv: append([]string{qemu, released(t, "arm64")}, words...)}
}

// What looks at nothing but its words says the same on both.
func TestReleaseArm64(t *testing.T) {
	for _, line := range []string{
		"version", "help", "directives", "directives PrivateTmp", "directives @strict", "completion bash", "syscalls",
		"security --user=nobody -p PrivateTmp=yes",
		"security --json -p PrivateTmp=yes -p SystemCallFilter=@system-service -p SystemCallArchitectures=native",
		"security --json=systemd -p ProtectSystem=strict -p RestrictAddressFamilies=AF_UNIX",
		"plan --user=nobody -p NoNewPrivileges=yes -p CapabilityBoundingSet=CAP_NET_BIND_SERVICE -p AmbientCapabilities=CAP_NET_BIND_SERVICE -p LimitNOFILE=512 -- /bin/true",
		"plan --json --user=nobody -p UMask=077 -- /bin/true",
		"plan -p NoSuchDirective=1 -- /bin/true",
		"plan -p User=",
		"no-such-word",
	} {
		t.Run(line, func(t *testing.T) {
			words := strings.Fields(line)
			got := arm64(t, words...).run(t)
			want := program{argv: append([]string{released(t, "amd64")}, words...)}.run(t)
			equal(t, "status", got.code, want.code)
			equal(t, "stdout", got.stdout, want.stdout)
			equal(t, "stderr", got.stderr, want.stderr)
			if got.stdout+got.stderr == "" {
				t.Error("nothing was printed")
			}
		})
	}
}

// The emulator is not the kernel: it has no seccomp(2), no openat2(2), no execveat(2), and
// signal handlers of its own. A launch finds that out, and is refused; a plan says it, too.
func TestReleaseArm64Launch(t *testing.T) {
	for _, tt := range []struct {
		words string
		code  int
		want  string
	}{
		{"", 207, "signals: dispositions and mask as inherited: /proc/self/status reads "},
		{"--user=nobody -p NoNewPrivileges=yes", 207, "/proc/self/status reads "},
		{"-p CapabilityBoundingSet=CAP_NET_BIND_SERVICE", 207, "/proc/self/status reads "},
		{"-p LimitNOFILE=100", 207, "/proc/self/status reads "},
		{"-p SystemCallFilter=@system-service", 228, "SystemCallFilter=: no filter can be loaded: seccomp: function not implemented"},
		{"-p MemoryDenyWriteExecute=yes", 228, "no filter can be loaded: seccomp: function not implemented"},
		{"-p PrivateTmp=yes", 226, "openat2 /tmp: function not implemented (PrivateTmp= "},
		{"-p PrivatePIDs=yes", 226, "start again: execveat: function not implemented"},
		{"--init", 203, "start again: execveat: function not implemented"},
	} {
		t.Run("hardrun "+tt.words, func(t *testing.T) {
			requireRoot(t)
			p := arm64(t, append(strings.Fields(tt.words), "--", probe)...)
			p.argv = append([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation=private"}, p.argv...)
			refused(t, p.run(t), tt.code, tt.want)
		})
	}
	requireRoot(t)
	r := arm64(t, "plan", "-p", "SystemCallFilter=@system-service", "--", "/bin/true").run(t)
	if r.code != 1 || !strings.Contains(r.stdout, "\nrefused: SystemCallFilter=: no filter can be loaded: seccomp: function not implemented") {
		t.Errorf("plan: status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// A database of vulnerabilities is read; where there is none, that is said.
func TestReleaseVulnerable(t *testing.T) {
	file := released(t, "amd64")
	requireBuilds(t)
	if out, err := exec.Command("go", "tool", "-n", "govulncheck").CombinedOutput(); err != nil {
		t.Skipf("needs govulncheck: %v %s", err, out)
	}
	const entry = `{"schema_version":"1.3.1","id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z",
		"summary":"made up for a test","details":"made up for a test","affected":[{"package":{"name":"golang.org/x/sys","ecosystem":"Go"},
		"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],"ecosystem_specific":{"imports":[{"path":"golang.org/x/sys/unix"}]}}],
		"references":[],"database_specific":{"url":"https://pkg.go.dev/vuln/GO-2026-0001"}}`
	for _, tt := range []struct {
		name, modules string
		code          int
		want          string
	}{
		{"none", "[]", 0, file + ": No vulnerabilities found (database of 2026-01-01 00:00:00 +0000 UTC)\n"},
		{"one", `[{"path":"golang.org/x/sys","vulns":[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}]}]`, 1, "release: " + file + " has known vulnerabilities\n"},
		{"an empty directory", "", 0, file + ": vulnerabilities: NOT CHECKED: "},
		{"out of reach", "", 0, file + ": vulnerabilities: NOT CHECKED: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := t.TempDir()
			if tt.modules != "" {
				write(t, db+"/index/db.json", `{"modified":"2026-01-01T00:00:00Z"}`, 0o644)
				write(t, db+"/index/modules.json", tt.modules, 0o644)
				write(t, db+"/ID/GO-2026-0001.json", entry, 0o644)
			}
			cmd := releaseScript("vulnerable", file)
			if tt.name == "out of reach" {
				db += "/not/there"
			}
			cmd.Env = append(cmd.Env, "VULNDB=file://"+db)
			out, err := cmd.CombinedOutput()
			var status *exec.ExitError
			if err != nil && !errors.As(err, &status) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(out), tt.want) {
				t.Errorf("status %d, want %d with %q\n%s", code, tt.code, tt.want, out)
			}
		})
	}
}

// What doc/release.md shows is typed into a shell, in the sources and with the release in
// dist/, and must print what it shows.
func TestReleaseDoc(t *testing.T) {
	requireBuilds(t)
	released(t, "arm64") // both are in what is shown
	clone := directory(t, 0o755)
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sh := func(line string) result {
		env := append(releaseScript().Env, "PATH="+os.Getenv("PATH"))
		return program{argv: []string{"sh", "-c", "cd '" + clone + "' && { " + line + "\n} 2>&1"}, env: env}.run(t)
	}
	if r := sh("tar -C '" + source + "' -cf - --exclude=./.git --exclude=./bin --exclude=./dist . | tar -xf - --no-same-owner && cp -a '" + dist(t) + "' dist"); r.code != 0 {
		t.Fatal(r.stdout)
	}
	n := 0
	for _, b := range readmeBlocks(read(t, "../doc/release.md")) {
		if b.language != "console" {
			continue
		}
		for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, shown, _ := strings.Cut(part, "\n")
			n++
			t.Run(command, func(t *testing.T) {
				r := sh(command)
				if !readmeMatches(readmeLines(strings.TrimSuffix(shown, "\n")), readmeLines(r.stdout)) {
					t.Errorf("status %d, printed\n%sand doc/release.md shows\n%s", r.code, r.stdout, shown)
				}
			})
		}
	}
	if n < 5 {
		t.Errorf("only %d commands were found in doc/release.md", n)
	}
	// What a block of "sh" tells to make, the Makefile has.
	makefile := read(t, "../Makefile")
	targets := regexp.MustCompile(`(?m)^make ([a-z-]+)`).FindAllStringSubmatch(read(t, "../doc/release.md"), -1)
	for _, m := range targets {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("make %s: no such target", m[1])
		}
	}
	if len(targets) < 2 {
		t.Errorf("only %d targets of make were found in doc/release.md", len(targets))
	}
}
