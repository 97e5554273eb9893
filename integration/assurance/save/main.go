// Command save writes the record of a run that no Go program makes: a script's. See package assurance.
//
//	go run ./integration/assurance/save -name fuzz -title "…" -command "make fuzz" "findings|0|0|met" "targets|90"
//
// A figure is its name, its value and, where it has one, its goal and whether that is "met" or "missed". Where
// one is missed the record is written, and the status is 1.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hardrun/hardrun/integration/assurance"
)

func main() {
	r, err := record(os.Args[1:])
	if err == nil {
		err = r.Save()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "save:", err)
		os.Exit(2)
	}
	for _, f := range r.Failed() {
		fmt.Fprintf(os.Stderr, "save: %s: %s is %s, and must be %s\n", r.Name, f.Name, f.Value, f.Goal)
	}
	if len(r.Failed()) > 0 {
		os.Exit(1)
	}
}

// record is the run that the arguments describe.
func record(args []string) (*assurance.Run, error) {
	var r assurance.Run
	set := flag.NewFlagSet("save", flag.ContinueOnError)
	set.StringVar(&r.Name, "name", "", "name of the record's file")
	set.StringVar(&r.Title, "title", "", "what is tried")
	set.StringVar(&r.Command, "command", "", "what repeats it")
	set.StringVar(&r.Page, "page", "", "page below doc that has all of it")
	seconds := set.Int("seconds", 0, "how long it took")
	set.Func("note", "a sentence; may be given several times", func(s string) error {
		r.Notes = append(r.Notes, s)
		return nil
	})
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if strings.ContainsAny(r.Name, "/\x00") {
		return nil, fmt.Errorf("name %q is not that of a file", r.Name)
	}
	if *seconds > 0 {
		r.Took = assurance.Span(time.Duration(*seconds) * time.Second)
	}
	for _, word := range set.Args() {
		f, err := figure(word)
		if err != nil {
			return nil, err
		}
		r.Figures = append(r.Figures, f)
	}
	return &r, nil
}

// figure is "name|value" or "name|value|goal|met", with "missed" for what is not.
func figure(word string) (assurance.Figure, error) {
	parts := strings.Split(word, "|")
	for _, p := range parts {
		if p == "" {
			return assurance.Figure{}, fmt.Errorf("figure %q has an empty part", word)
		}
	}
	switch {
	case len(parts) == 2:
		return assurance.Figure{Name: parts[0], Value: parts[1]}, nil
	case len(parts) != 4:
		return assurance.Figure{}, fmt.Errorf("figure %q is neither name|value nor name|value|goal|met", word)
	case parts[3] != "met" && parts[3] != "missed":
		return assurance.Figure{}, errors.New("figure " + word + ` ends neither in "met" nor in "missed"`)
	}
	return assurance.Figure{Name: parts[0], Value: parts[1], Goal: parts[2], Met: parts[3] == "met"}, nil
}
