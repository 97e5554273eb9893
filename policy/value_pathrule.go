package policy

import (
	"errors"
	"strconv"
	"strings"
)

// ParsePathRules reads a line of ReadWritePaths=, ReadOnlyPaths=,
// InaccessiblePaths=, ExecPaths= or NoExecPaths=, systemd.exec(5): words of
// SplitWords, each an absolute path of ParsePath behind an optional "-", which
// lets it be missing, and an optional "+", which makes it one of the new root.
// One bad path makes the line an error, where systemd goes on with the others.
func ParsePathRules(s string) ([]PathRule, error) {
	words, err := SplitWords(s)
	if err != nil {
		return nil, err
	}
	rules := make([]PathRule, 0, len(words))
	for _, w := range words {
		if strings.HasPrefix(w, "+-") {
			return nil, errors.New(`"-" goes before "+" in ` + strconv.Quote(w))
		}
		var r PathRule
		w, r.Tolerate = strings.CutPrefix(w, "-")
		w, r.InRoot = strings.CutPrefix(w, "+")
		if r.Path, err = ParsePath(w); err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// pathRuleText prints a rule as ParsePathRules takes it.
func pathRuleText(r PathRule) string {
	text := r.Path
	if r.InRoot {
		text = "+" + text
	}
	if r.Tolerate {
		text = "-" + text
	}
	return QuoteWord(text)
}
