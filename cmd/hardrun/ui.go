package main

// The rules of output: the daemon's stdout is never written to by a launch; what
// hardrun has to say is one line for each problem on stderr, behind "hardrun: ",
// in lower case, without a period. Hints stand on lines of their own.

import (
	"os"
	"strings"

	"github.com/hardrun/hardrun/launcher"
)

// logger is where hardrun's own messages go, --log=.
type logger struct {
	fd     int // stderr as it was at the start; -1 where there was none
	syslog int // a connected socket; -1 for none
}

var log = logger{fd: 2, syslog: -1}

func say(text string) { log.write("hardrun: " + printable(text)) }

// printable is a text without what a terminal acts upon: it may quote what others wrote.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '?'
		}
		return r
	}, text)
}

func hint(text string) {
	if text != "" {
		say("hint: " + text)
	}
}

// usage says what is wrong with the command line, and is its exit status.
func usage(text string) int {
	say(text)
	return launcher.ExitUsage
}

func out(text string) int {
	if _, err := os.Stdout.WriteString(text); err != nil {
		say("stdout: " + err.Error())
		return 1
	}
	return 0
}

// refusals says everything that cannot be had at once, ends in the line that
// would waive it, and answers the exit status of the first.
func refusals(list []launcher.Refusal) int {
	for i := range list {
		say(list[i].Error())
		hint(list[i].Hint)
	}
	for _, h := range launcher.WithoutThem(list) {
		hint(h)
	}
	return list[0].Exit
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
