package supervise

import (
	"strconv"
	"strings"
)

// notice is a message of sd_notify(3), as far as it matters here. Fields that are not there
// are zero.
type notice struct {
	ready, reloading, stopping bool
	mainPID                    int
	extend                     uint64 // EXTEND_TIMEOUT_USEC=
	since                      uint64 // MONOTONIC_USEC=
	status, errno              string
	outer                      string // the lines that another manager may see
}

// parseNotice reads a message; ok is false for one that is none. Unknown fields are nobody's
// business here, and passed on.
func parseNotice(text string) (n notice, ok bool) {
	if strings.IndexByte(text, 0) >= 0 {
		return n, false
	}
	var outer strings.Builder
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		name, value, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		switch name {
		case "READY":
			n.ready = n.ready || value == "1"
		case "RELOADING":
			n.reloading = n.reloading || value == "1"
		case "STOPPING":
			n.stopping = n.stopping || value == "1"
		case "MAINPID":
			if pid, err := strconv.ParseUint(value, 10, 31); err == nil {
				n.mainPID = int(pid)
			}
			continue // this process is the main one to whoever is outside
		case "EXTEND_TIMEOUT_USEC":
			n.extend, _ = strconv.ParseUint(value, 10, 64) // what is no number extends nothing
		case "MONOTONIC_USEC":
			n.since, _ = strconv.ParseUint(value, 10, 64)
		case "STATUS":
			n.status = printable(value)
		case "ERRNO":
			n.errno = printable(value)
		case "MAINPIDFD", "MAINPIDFDID", "BARRIER", "NOTIFYACCESS", "FDSTORE", "FDSTOREREMOVE", "FDNAME", "FDPOLL":
			continue // they are about processes and descriptors of this sender
		}
		outer.WriteString(line + "\n")
	}
	n.outer = outer.String()
	return n, true
}

// printable is a text of the daemon that can be told in a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s[:min(len(s), 200)])
}
