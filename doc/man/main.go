// Command man writes the manual page: the text of hardrun.1.in, with the
// directives of the table in their places.
//
//	go run ./doc/man > doc/hardrun.1
package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

//go:generate sh -c "go run . > ../hardrun.1"

//go:embed hardrun.1.in
var page string

func main() {
	if _, err := os.Stdout.WriteString(Page()); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

// Page is the manual page.
func Page() string {
	var applied, units, own strings.Builder
	var refused, noted []string
	for _, d := range policy.Directives {
		switch {
		case d.Support == policy.Applied && d.NoOption:
			entry(&units, d)
		case d.Support == policy.Applied && d.Own:
			entry(&own, d)
		case d.Support == policy.Applied:
			entry(&applied, d)
		case d.Support == policy.Manager:
			noted = append(noted, d.Name+"=")
		case d.Own:
			refused = append(refused, "--"+d.Option)
		default:
			refused = append(refused, d.Name+"=")
		}
	}
	return strings.NewReplacer(
		"@APPLIED@\n", applied.String(),
		"@UNITS@\n", units.String(),
		"@OWN@\n", own.String(),
		"@REFUSED@", escape(strings.Join(refused, ", "))+".",
		"@NOTED@", escape(strings.Join(noted, ", "))+".",
	).Replace(page)
}

// entry is one option: its spellings, its value, its sentence, its traps.
func entry(b *strings.Builder, d *policy.Directive) {
	b.WriteString(".TP\n")
	head := "\\fB\\-\\-" + escape(d.Option) + "\\fP"
	if d.NoOption {
		head = "\\fB" + escape(d.Name) + "\\fP"
	}
	if d.Short != "" {
		head = "\\fB\\-" + d.Short + "\\fP, " + head
	}
	if d.Arg != "" {
		if strings.HasPrefix(d.Arg, "BOOL") && !d.NoOption {
			head += "[=\\fI" + escape(d.Arg) + "\\fP]"
		} else {
			head += "=\\fI" + escape(d.Arg) + "\\fP"
		}
	}
	for _, o := range d.OptionAliases {
		head += ", \\fB\\-\\-" + escape(o) + "\\fP"
	}
	b.WriteString(head + "\n")
	text := d.Doc
	if d.Notes != "" {
		text += " " + d.Notes
	}
	switch {
	case d.NoOption:
		text += " (" + d.Man + ")"
	case d.Own:
		text += " In a unit: " + d.ConfigName() + "=."
	default:
		text += " (" + d.Name + "=, " + d.Man + ")"
	}
	text = escape(text)
	if text[0] == '.' || text[0] == '\'' {
		text = "\\&" + text
	}
	b.WriteString(text + "\n")
}

// escape keeps roff from reading the text as anything but text.
func escape(s string) string {
	return strings.NewReplacer("\\", "\\e", "-", "\\-").Replace(s)
}
