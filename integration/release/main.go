// Command release writes what accompanies a released binary: its SBOM, in
// CycloneDX 1.5, to a file, and how it was built, to standard output. What is
// linked in comes from the binary's own build information; of the C part, which
// has none, the caller names the files. Equal input gives equal output: there is
// no time and no serial number in it.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	var r release
	flag.StringVar(&r.binary, "binary", "", "the `file` that is released")
	flag.StringVar(&r.version, "version", "", "its version")
	flag.StringVar(&r.commit, "commit", "", "the commit it was built from, if known")
	flag.StringVar(&r.cc, "cc", "", "the C compiler, as it names itself")
	flag.StringVar(&r.ld, "ld", "", "the linker, as it names itself")
	flag.StringVar(&r.libc, "libc", "", "the `file` of musl")
	flag.StringVar(&r.libcVersion, "libc-version", "", "its version, as a package of Debian's")
	flag.StringVar(&r.libgcc, "libgcc", "", "the `file` of libgcc")
	flag.StringVar(&r.flags, "flags", "", "how the build was started")
	sbom := flag.String("sbom", "", "the `file` to write the SBOM to")
	flag.Parse()
	if err := r.write(*sbom); err != nil {
		fmt.Fprintln(os.Stderr, "release: "+err.Error())
		os.Exit(1)
	}
}

// release is what is known of a binary before it is read.
type release struct {
	binary, version, commit, cc, ld, libc, libcVersion, libgcc, flags string
}

// bom is the part of a CycloneDX 1.5 document that is used here.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Lifecycles []lifecycle `json:"lifecycles"`
	Component  component   `json:"component"`
}

type lifecycle struct {
	Phase string `json:"phase"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Text       string     `json:"description,omitempty"`
	Scope      string     `json:"scope,omitempty"` // excluded: used for building, not in the binary
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type license struct {
	Expression string `json:"expression"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// licenses are those of what may be in the binary. A module without one here is
// an error: somebody has to look.
var licenses = map[string]string{
	"golang.org/x/sys": "BSD-3-Clause",
}

func (r release) write(sbom string) error {
	info, err := buildinfo.ReadFile(r.binary)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	arch := settings["GOARCH"]
	var sums [3]string
	for i, file := range []string{r.binary, r.libc, r.libgcc} {
		if sums[i], err = sum(file); err != nil {
			return err
		}
	}
	b := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.5.schema.json", Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata: metadata{
			Lifecycles: []lifecycle{{"build"}},
			Component: component{
				Type: "application", Ref: "hardrun", Name: "hardrun", Version: r.version,
				Hashes: []hash{{"SHA-256", sums[0]}}, Licenses: []license{{"Apache-2.0"}},
				PURL: "pkg:golang/" + info.Main.Path + "@" + r.version,
			},
		},
	}
	main := &b.Metadata.Component
	if r.commit != "" {
		main.Properties = append(main.Properties, property{"hardrun:commit", r.commit})
	}
	for _, s := range info.Settings {
		main.Properties = append(main.Properties, property{"hardrun:go:" + s.Key, s.Value})
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	linked := []component{
		{
			Type: "library", Ref: "go-std", Name: "stdlib", Version: goVersion, Text: "Go's standard library and runtime",
			Licenses: []license{{"BSD-3-Clause"}}, PURL: "pkg:golang/stdlib@" + goVersion,
		},
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			return fmt.Errorf("%s: replaced by %s, which no release may hold", d.Path, d.Replace.Path)
		}
		expression, known := licenses[d.Path]
		if !known {
			return fmt.Errorf("%s: a module whose license nobody has noted", d.Path)
		}
		linked = append(linked, component{
			Type: "library", Ref: d.Path, Name: d.Path, Version: d.Version, Licenses: []license{{expression}},
			PURL: "pkg:golang/" + d.Path + "@" + d.Version, Properties: []property{{"hardrun:go:sum", d.Sum}},
		})
	}
	linked = append(linked,
		component{
			Type: "library", Ref: "musl", Name: "musl", Version: r.libcVersion, Text: "the C library; the hash is that of libc.a",
			Hashes: []hash{{"SHA-256", sums[1]}}, Licenses: []license{{"MIT"}},
			PURL: "pkg:deb/debian/musl-dev@" + r.libcVersion + "?arch=" + arch,
		},
		component{
			Type: "library", Ref: "libgcc", Name: "libgcc", Version: r.cc, Text: "the compiler's own support and start-up code; the hash is that of libgcc.a",
			Hashes: []hash{{"SHA-256", sums[2]}}, Licenses: []license{{"GPL-3.0-or-later WITH GCC-exception-3.1"}},
		},
	)
	tools := []component{
		{Type: "application", Ref: "go", Name: "go", Version: goVersion, Text: "compiler and linker of Go", Scope: "excluded"},
		{Type: "application", Ref: "cc", Name: "gcc", Version: r.cc, Text: "compiler of C", Scope: "excluded"},
		{Type: "application", Ref: "ld", Name: "ld", Version: r.ld, Text: "the linker that makes the binary", Scope: "excluded"},
	}
	on := dependency{Ref: main.Ref}
	for _, c := range linked {
		on.DependsOn = append(on.DependsOn, c.Ref)
	}
	b.Dependencies = []dependency{on}
	b.Components = append(linked, tools...)
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(sbom, append(text, '\n'), 0o644); err != nil {
		return err
	}
	_, err = fmt.Printf(`
%s
  sha256          %s
  Go              %s, GOOS=%s GOARCH=%s %s
  how             %s
  in C            %s
  linked by       %s
  musl            %s, sha256 of libc.a %s
  libgcc          sha256 of libgcc.a %s
`, filepath.Base(r.binary), sums[0], info.GoVersion, settings["GOOS"], arch, level(settings), r.flags, r.cc, r.ld, r.libcVersion, sums[1], sums[2])
	return err
}

// level is the lowest processor that the binary runs on.
func level(settings map[string]string) string {
	for _, key := range []string{"GOAMD64", "GOARM64"} {
		if v, ok := settings[key]; ok {
			return key + "=" + v
		}
	}
	return ""
}

func sum(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:]), nil
}
