package main

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/caps"
	"github.com/hardrun/hardrun/ns"
)

const cageUsage = "hardrun cage DIR [--user=USER[:GROUP]] [--file=PATH]... -- COMMAND [ARG]..."

// cageArgs is the command line of "hardrun cage".
type cageArgs struct {
	dir, user string
	files     []string
	command   string
	args      []string
}

// cageCommand is "hardrun cage": args are the words behind it. It copies what
// the command needs into a directory, prints what it did and what it cannot
// know to stdout, and one line per problem to stderr. It returns 0, 64 for a
// wrong command line, or 1.
func cageCommand(args []string, stdout, stderr io.Writer) int {
	const usage, failed = 64, 1
	complain := func(err error) {
		text := "hardrun: cage: " + err.Error() + "\n"
		var hint interface{ Hint() string }
		if errors.As(err, &hint) && hint.Hint() != "" {
			text += "hardrun: hint: " + hint.Hint() + "\n"
		}
		_, _ = io.WriteString(stderr, text)
	}
	a, err := parseCage(args)
	if err != nil {
		complain(err)
		_, _ = io.WriteString(stderr, "hardrun: hint: "+cageUsage+"\n")
		return usage
	}
	spec := ns.CageSpec{Dir: a.dir, Command: a.command, Files: a.files}
	if a.user != "" {
		// The user is the host's, whatever the cage's files say.
		if spec.User, err = cageUser(caps.Host, a.user); err != nil {
			complain(err)
			return failed
		}
	}
	report, err := ns.Cage(spec)
	if err != nil {
		complain(err)
		return failed
	}
	if _, err := io.WriteString(stdout, cageText(a, report)); err != nil {
		complain(err)
		return failed
	}
	return 0
}

// parseCage reads DIR and the options, in any order up to "--", and the
// command behind it. An empty value is an unset shell variable, and refused.
func parseCage(args []string) (cageArgs, error) {
	var a cageArgs
	i := 0
	for ; i < len(args) && args[i] != "--"; i++ {
		word := args[i]
		if word == "" {
			return cageArgs{}, errors.New("an empty word stands before --")
		}
		if word[0] != '-' || word == "-" {
			if a.dir != "" {
				return cageArgs{}, errors.New("a second directory " + strconv.Quote(word) + "; the command stands behind --")
			}
			a.dir = word
			continue
		}
		name, value, given := strings.Cut(word, "=")
		if strings.HasPrefix(name, "--") {
			name = name[1:]
		}
		if name != "-user" && name != "-u" && name != "-file" {
			return cageArgs{}, errors.New("unknown option " + strconv.Quote(word))
		}
		if !given {
			if i++; i == len(args) || args[i] == "--" {
				return cageArgs{}, errors.New(word + " needs a value")
			}
			value = args[i]
		}
		switch {
		case value == "":
			return cageArgs{}, errors.New(word + " has an empty value")
		case name == "-file":
			a.files = append(a.files, value)
		case a.user != "":
			return cageArgs{}, errors.New("a cage has one user, and --user stands there twice")
		default:
			a.user = value
		}
	}
	switch {
	case a.dir == "":
		return cageArgs{}, errors.New("no directory is given")
	case i >= len(args)-1 || args[i+1] == "":
		return cageArgs{}, errors.New("no command is given behind --")
	}
	a.command, a.args = args[i+1], args[i+2:]
	return a, nil
}

// cageUser looks a USER or USER:GROUP up. Both need an entry, as a cage's
// passwd and group give names to ids.
func cageUser(db caps.Database, text string) (*ns.CageUser, error) {
	name, groupName, withGroup := strings.Cut(text, ":")
	if withGroup && (groupName == "" || strings.ContainsAny(groupName, ",:")) {
		return nil, errors.New("--user=" + text + ": a cage takes one group, as USER:GROUP")
	}
	user, err := db.LookupUser(name)
	if err != nil {
		return nil, err
	}
	if !user.Entry {
		return nil, errors.New("user " + name + " has no entry in " + db.Passwd + ", so no name for the cage's etc/passwd")
	}
	if !withGroup {
		groupName = strconv.FormatUint(uint64(user.GID), 10)
	}
	group, err := db.LookupGroup(groupName)
	if err != nil {
		return nil, err
	}
	if group.Name == "" {
		return nil, errors.New("group " + groupName + " has no entry in " + db.Group + ", so no name for the cage's etc/group")
	}
	return &ns.CageUser{Name: user.Name, UID: user.UID, GID: group.GID, Group: group.Name, Home: user.Home}, nil
}

// cageText is what is printed: one line for each entry that was changed, and
// one for each thing that cannot be known.
func cageText(a cageArgs, r ns.Report) string {
	var b strings.Builder
	b.WriteString("cage " + a.dir + " for " + r.Command + ": " +
		strconv.Itoa(r.Count(ns.Made)) + " made, " + strconv.Itoa(r.Count(ns.Updated)) + " updated, " +
		strconv.Itoa(r.Count(ns.Kept)) + " kept, " + strconv.FormatInt((r.Bytes+1023)/1024, 10) + " KiB written\n")
	for _, e := range r.Entries {
		// Directories and links on the way to a file go without saying.
		if e.Action == ns.Kept || (e.Kind != ns.KindFile && (e.Why == "directory" || strings.HasPrefix(e.Why, "link on the way"))) {
			continue
		}
		b.WriteString("  " + e.Action.String() + " " + e.Path)
		if e.Kind == ns.KindDir {
			b.WriteString("/")
		}
		if e.Kind == ns.KindSymlink {
			b.WriteString(" -> " + e.Target)
		}
		b.WriteString(" (" + e.Why)
		if e.UID != 0 {
			b.WriteString(", of uid " + strconv.FormatUint(uint64(e.UID), 10))
		}
		b.WriteString(")\n")
	}
	b.WriteString("not known, or left to do:\n")
	for _, w := range a.args {
		if strings.HasPrefix(w, "/") {
			b.WriteString("  arguments: " + w + " is not copied unless --file=" + w + " asks for it\n")
		}
	}
	for _, n := range r.Notes {
		b.WriteString("  " + n.Topic + ": " + n.Text + "\n")
	}
	return b.String()
}
