// Package exposure gives the score of `systemd-analyze security`: 81 checks of what a
// service is confined by, each with a weight, and a number from 0.0 to 10.0 for all of them.
//
// Read reads settings as systemd 262 does when it scores a file, and Settings.Results judges
// them. Results may as well come from elsewhere, as those of a running process do. The
// arithmetic is in Score alone. The package is pure: it looks at no file and no process.
package exposure

import "github.com/hardrun/hardrun/policy"

// Check is one row of the table. What is fixed about it is in Checks.
type Check struct {
	ID     string // as systemd-analyze prints it: "RestrictNamespaces=~user"
	Field  string // json_field of its JSON
	Weight int
	Range  int // the worst badness
	text   string
	// Words are what the check looks for, blanks between: capabilities, address families, a
	// kind of namespace, or a group of calls. Empty where ID says it all.
	Words string
}

// Result is what was found for the check of the same place in Checks.
type Result struct {
	Badness int // 0 is good, Check.Range the worst
	// NotApplicable leaves the check out of the sums, as systemd does: "service runs as root".
	NotApplicable bool
	// Unknown leaves it out as well: of a running process, what cannot be known.
	Unknown bool
	// Weaker marks a bad row of a running process that has something of what is asked for.
	Weaker bool
	Why    string // what was found, a sentence without a period; never empty
	// Advice is the line to write behind all others, or behind an empty assignment where a list
	// cannot be undone: "PrivateTmp=yes". NAME and PATH stand for what there is. It makes the row good, or
	// better; empty where it is good, and where nothing but a loss elsewhere would help.
	Advice string
	From   policy.Origin // the line that decided; zero for none
}

// Line is an assignment as it was written, in the order in which lines take effect. Specifiers are not resolved yet.
type Line struct {
	Section, Name, Value string
	From                 policy.Origin
}

// Ignored is a line that systemd passes over, in whole or in part, and why: Text is no sentence, but what
// follows a colon.
type Ignored struct {
	Line
	Text string
}
