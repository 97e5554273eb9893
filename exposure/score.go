package exposure

import "strconv"

// Score is the exposure of a whole service, from 0 to 100.
type Score struct{ Tenths int }

// Level is what systemd calls a score.
type Level struct{ Name, Face string }

// String is the score with its point: "1.1".
func (s Score) String() string {
	return strconv.Itoa(s.Tenths/10) + "." + strconv.Itoa(s.Tenths%10)
}

// Level is the level of a score.
func (s Score) Level() Level {
	switch {
	case s.Tenths >= 100:
		return Level{"DANGEROUS", "🤢"}
	case s.Tenths >= 90:
		return Level{"UNSAFE", "😨"}
	case s.Tenths >= 75:
		return Level{"EXPOSED", "🙁"}
	case s.Tenths >= 50:
		return Level{"MEDIUM", "😐"}
	case s.Tenths >= 10:
		return Level{"OK", "🙂"}
	case s.Tenths >= 1:
		return Level{"SAFE", "😀"}
	}
	return Level{"PERFECT", "😇"}
}

// counts tells whether a result is a part of the sums.
func (r *Result) counts() bool { return !r.NotApplicable && !r.Unknown }

// weights is the sum of those that count.
func weights(results *[81]Result) int {
	sum := 0
	for i := range results {
		if results[i].counts() {
			sum += Checks[i].Weight
		}
	}
	return sum
}

// up is a/b, rounded up; 0 where b is.
func up(a, b int) int {
	if b == 0 {
		return 0
	}
	return (a + b - 1) / b
}

// badness is that of a result, never beyond the range of its check.
func badness(i int, r *Result) int { return min(max(r.Badness, 0), Checks[i].Range) }

// Sum is the score of a service: the weighted mean of what counts, rounded up twice as
// systemd does. It is 0 where nothing counts.
func Sum(results *[81]Result) Score {
	sum := 0
	for i := range results {
		if r := &results[i]; r.counts() {
			sum += up(badness(i, r)*Checks[i].Weight, Checks[i].Range)
		}
	}
	return Score{up(sum*100, weights(results))}
}

// Row is the share of check i in the score, in tenths, r being its result among results; 0
// where it is good or does not count. Each row is rounded up, so they come to more than Sum.
func Row(i int, r *Result, results *[81]Result) int {
	if !r.counts() {
		return 0
	}
	return up(up(badness(i, r)*Checks[i].Weight*100, Checks[i].Range), weights(results))
}
