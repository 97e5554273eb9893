package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

// streamWord is a word of StandardInput= or StandardOutput=, and its kind.
type streamWord struct {
	word string
	kind StreamKind
}

// inputWords and outputWords are the words of systemd.exec(5). syslog and
// syslog+console are the old names that systemd still takes for the journal.
var (
	inputWords = [...]streamWord{
		{"inherit", StreamInherit}, // hardrun's own: a unit has no other word for the stream as it was given
		{"null", StreamNull},
		{"tty", StreamTTY},
		{"tty-force", StreamTTYForce},
		{"tty-fail", StreamTTYFail},
		{"data", StreamData},
		{"file", StreamFile},
		{"socket", StreamSocket},
		{"fd", StreamFD},
	}
	outputWords = [...]streamWord{
		{"inherit", StreamInherit},
		{"null", StreamNull},
		{"tty", StreamTTY},
		{"journal", StreamLog},
		{"kmsg", StreamLog},
		{"journal+console", StreamLog},
		{"kmsg+console", StreamLog},
		{"syslog", StreamLog},
		{"syslog+console", StreamLog},
		{"file", StreamFile},
		{"append", StreamAppend},
		{"truncate", StreamTruncate},
		{"socket", StreamSocket},
		{"fd", StreamFD},
	}
)

// ParseStream reads StandardInput= (input), or StandardOutput= and
// StandardError=, systemd.exec(5). file, append and truncate need an absolute
// path behind a colon. fd may have a name there; without one Arg is empty, and
// the name is that of the stream: stdin, stdout or stderr. An unknown word is a
// *process.WordError.
func ParseStream(s string, input bool) (Stream, error) {
	words := outputWords[:]
	if input {
		words = inputWords[:]
	}
	word, arg, hasArg := strings.Cut(s, ":")
	for _, w := range words {
		if w.word != word {
			continue
		}
		if hasArg || w.kind == StreamFile || w.kind == StreamAppend || w.kind == StreamTruncate {
			return streamWithArg(w, arg, hasArg)
		}
		return Stream{Kind: w.kind, Word: word}, nil
	}
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.word
	}
	return Stream{}, &process.WordError{What: "stream", Word: s, Words: list}
}

func streamWithArg(w streamWord, arg string, hasArg bool) (Stream, error) {
	st := Stream{Kind: w.kind, Word: w.word}
	var err error
	switch w.kind {
	case StreamFile, StreamAppend, StreamTruncate:
		if !hasArg {
			return Stream{}, errors.New(w.word + " needs a path: " + w.word + ":/PATH")
		}
		st.Arg, err = ParsePath(arg)
	case StreamFD:
		st.Arg, err = arg, checkFDName(arg)
	default:
		err = errors.New("nothing can follow " + w.word + ", but there is " + strconv.Quote(arg))
	}
	if err != nil {
		return Stream{}, err
	}
	return st, nil
}

// checkFDName checks a name of sd_listen_fds_with_names(3): at most 255 printable
// ASCII characters without colons. The empty name stands for the stream's own.
func checkFDName(s string) error {
	ok := len(s) <= 255
	for i := range len(s) {
		ok = ok && s[i] >= ' ' && s[i] < 0x7f && s[i] != ':'
	}
	if !ok {
		return errors.New("not the name of a descriptor: " + strconv.Quote(s))
	}
	return nil
}
