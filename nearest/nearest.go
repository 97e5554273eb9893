// Package nearest finds the word that was most likely meant, for hints.
package nearest

import "strings"

// Of is the word of list that s most likely stands for: one that begins with
// s (the shortest such), else one that contains it, else the one with the fewest
// single-letter edits if these are few for the length of s. Upper and lower case
// are alike. It is empty when no word is near; empty words of list don't count.
func Of(s string, list []string) string {
	s = strings.ToLower(s)
	if s == "" || len(s) > 64 {
		return ""
	}
	best, cost := "", 1000
	for _, w := range list {
		lower := strings.ToLower(w)
		c := 1000
		switch {
		case lower == s:
			c = -1000
		case len(s) >= 3 && strings.HasPrefix(lower, s):
			c = len(w) - 600
		case len(s) >= 4 && strings.Contains(lower, s):
			c = len(w) - 300
		case w != "":
			if d := distance(s, lower); d <= min(1+len(s)/4, 4) && d < len(s) {
				c = d
			}
		}
		if c < cost {
			best, cost = w, c
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace on the way from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
