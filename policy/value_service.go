package policy

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardrun/hardrun/process"
)

func parseType(s string) (string, error) {
	return oneOf(s, "simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle")
}
func parseNotifyAccess(s string) (string, error) { return oneOf(s, "none", "main", "exec", "all") }
func parseFailureMode(s string) (string, error)  { return oneOf(s, "terminate", "abort", "kill") }
func parsePreserve(s string) (string, error)     { return boolWord(s, "restart") }

// parseSec reads a time span, a number without a unit being seconds.
func parseSec(s string) (uint64, error) { return ParseTimespan(s, process.Second) }

// parseTimeout is parseSec for the times that 0 switches off, too.
func parseTimeout(s string) (uint64, error) {
	v, err := parseSec(s)
	if err == nil && v == 0 {
		v = infinity
	}
	return v, err
}

// parsePIDFile reads a path, a relative one being below /run, systemd.service(5) PIDFile=.
func parsePIDFile(s string) (string, error) {
	if !strings.HasPrefix(s, "/") {
		s = "/run/" + s
	}
	path, err := ParsePath(s)
	if err == nil && (path == "/run" || path == "/") {
		return "", bad("a directory is no file: ", s)
	}
	return path, err
}

// timeoutField is TimeoutSec=: one word for the start and the stop. Written out it is the
// two that it sets.
type timeoutField struct{}

func (timeoutField) set(p *Policy, value string, from Origin) error {
	v, err := parseTimeout(value)
	if err != nil {
		return err
	}
	o := Opt[uint64]{V: v, Set: true, From: from}
	p.Service.TimeoutStartSec, p.Service.TimeoutStopSec = o, o
	return nil
}

func (timeoutField) reset(p *Policy, _ Origin) {
	p.Service.TimeoutStartSec, p.Service.TimeoutStopSec = Opt[uint64]{}, Opt[uint64]{}
}

func (timeoutField) isSet(p *Policy) bool {
	return p.Service.TimeoutStartSec.Set || p.Service.TimeoutStopSec.Set
}
func (timeoutField) write(*Policy, func(string, Origin)) {}

// signalNames are the signals of signal(7) without "SIG".
var signalNames = [...]struct {
	name string
	n    int
}{
	{"HUP", int(syscall.SIGHUP)},
	{"INT", int(syscall.SIGINT)},
	{"QUIT", int(syscall.SIGQUIT)},
	{"ILL", int(syscall.SIGILL)},
	{"TRAP", int(syscall.SIGTRAP)},
	{"ABRT", int(syscall.SIGABRT)},
	{"BUS", int(syscall.SIGBUS)},
	{"FPE", int(syscall.SIGFPE)},
	{"KILL", int(syscall.SIGKILL)},
	{"USR1", int(syscall.SIGUSR1)},
	{"SEGV", int(syscall.SIGSEGV)},
	{"USR2", int(syscall.SIGUSR2)},
	{"PIPE", int(syscall.SIGPIPE)},
	{"ALRM", int(syscall.SIGALRM)},
	{"TERM", int(syscall.SIGTERM)},
	{"CHLD", int(syscall.SIGCHLD)},
	{"CONT", int(syscall.SIGCONT)},
	{"STOP", int(syscall.SIGSTOP)},
	{"TSTP", int(syscall.SIGTSTP)},
	{"TTIN", int(syscall.SIGTTIN)},
	{"TTOU", int(syscall.SIGTTOU)},
	{"URG", int(syscall.SIGURG)},
	{"XCPU", int(syscall.SIGXCPU)},
	{"XFSZ", int(syscall.SIGXFSZ)},
	{"VTALRM", int(syscall.SIGVTALRM)},
	{"PROF", int(syscall.SIGPROF)},
	{"WINCH", int(syscall.SIGWINCH)},
	{"IO", int(syscall.SIGIO)},
	{"SYS", int(syscall.SIGSYS)},
	// Of Linux alone.
	{"STKFLT", 16},
	{"PWR", 30},
	{"POLL", int(syscall.SIGIO)},
}

// The real-time signals that the C library leaves to programs, signal(7).
const (
	signalRTMin = 34
	signalRTMax = 64
)

// ParseSignal reads a signal as KillSignal= takes it, systemd.kill(5): a name of signal(7)
// with or without "SIG", RTMIN+N, RTMAX-N, or a number of 1 to 64.
func ParseSignal(s string) (int, error) {
	if n, err := ParseInt(s, 1, signalRTMax); err == nil {
		return n, nil
	}
	name := strings.TrimPrefix(s, "SIG")
	for i := range signalNames {
		if signalNames[i].name == name {
			return signalNames[i].n, nil
		}
	}
	n, base, sign := "", 0, 1
	if tail, ok := strings.CutPrefix(name, "RTMIN"); ok {
		n, base = tail, signalRTMin
	} else if tail, ok = strings.CutPrefix(name, "RTMAX"); ok {
		n, base, sign = tail, signalRTMax, -1
	}
	if base != 0 && n == "" {
		return base, nil
	}
	if base != 0 && n[0] == "+-"[(1-sign)/2] {
		if off, err := ParseInt(n[1:], 0, signalRTMax-signalRTMin); err == nil {
			return base + sign*off, nil
		}
	}
	names := make([]string, len(signalNames))
	for i := range signalNames {
		names[i] = "SIG" + signalNames[i].name
	}
	return 0, &process.WordError{What: "signal", Word: s, Words: names}
}

// SignalName is "SIGTERM", "SIGRTMIN+3", or the number of one without a name.
func SignalName(n int) string {
	for i := range signalNames {
		if signalNames[i].n == n {
			return "SIG" + signalNames[i].name
		}
	}
	switch {
	case n == signalRTMin:
		return "SIGRTMIN"
	case n > signalRTMin && n <= signalRTMax:
		return "SIGRTMIN+" + strconv.Itoa(n-signalRTMin)
	}
	return strconv.Itoa(n)
}

// statusNames are the names that systemd.exec(5), "PROCESS EXIT CODES", gives to exit
// statuses, without "EXIT_" and "EX_".
var statusNames = [...]struct {
	name string
	n    uint8
}{
	{"SUCCESS", 0},
	{"FAILURE", 1},
	{"INVALIDARGUMENT", 2},
	{"NOTIMPLEMENTED", 3},
	{"NOPERMISSION", 4},
	{"NOTINSTALLED", 5},
	{"NOTCONFIGURED", 6},
	{"NOTRUNNING", 7},
	{"USAGE", 64},
	{"DATAERR", 65},
	{"NOINPUT", 66},
	{"NOUSER", 67},
	{"NOHOST", 68},
	{"UNAVAILABLE", 69},
	{"SOFTWARE", 70},
	{"OSERR", 71},
	{"OSFILE", 72},
	{"CANTCREAT", 73},
	{"IOERR", 74},
	{"TEMPFAIL", 75},
	{"PROTOCOL", 76},
	{"NOPERM", 77},
	{"CONFIG", 78},
	{"CHDIR", 200},
	{"NICE", 201},
	{"FDS", 202},
	{"EXEC", 203},
	{"MEMORY", 204},
	{"LIMITS", 205},
	{"OOM_ADJUST", 206},
	{"SIGNAL_MASK", 207},
	{"STDIN", 208},
	{"STDOUT", 209},
	{"CHROOT", 210},
	{"IOPRIO", 211},
	{"TIMERSLACK", 212},
	{"SECUREBITS", 213},
	{"SETSCHEDULER", 214},
	{"CPUAFFINITY", 215},
	{"GROUP", 216},
	{"USER", 217},
	{"CAPABILITIES", 218},
	{"CGROUP", 219},
	{"SETSID", 220},
	{"CONFIRM", 221},
	{"STDERR", 222},
	{"PAM", 224},
	{"NETWORK", 225},
	{"NAMESPACE", 226},
	{"NO_NEW_PRIVILEGES", 227},
	{"SECCOMP", 228},
	{"SELINUX_CONTEXT", 229},
	{"PERSONALITY", 230},
	{"APPARMOR", 231}, // the table calls it APPARMOR_PROFILE
	{"ADDRESS_FAMILIES", 232},
	{"RUNTIME_DIRECTORY", 233},
	{"CHOWN", 235},
	{"SMACK_PROCESS_LABEL", 236},
	{"KEYRING", 237},
	{"STATE_DIRECTORY", 238},
	{"CACHE_DIRECTORY", 239},
	{"LOGS_DIRECTORY", 240},
	{"CONFIGURATION_DIRECTORY", 241},
	{"NUMA_POLICY", 242},
	{"CREDENTIALS", 243},
	{"BPF", 245},
	{"EXCEPTION", 255},
	{"APPARMOR_PROFILE", 231},
}

// ParseExitStatuses reads SuccessExitStatus=, systemd.service(5): exit statuses by number or
// by the names of systemd.exec(5), and signals by name, between blanks. A word that is
// none of these is an error, where systemd goes on with the others.
func ParseExitStatuses(s string) (ExitStatuses, error) {
	var v ExitStatuses
	words, err := SplitWords(s)
	if err != nil {
		return v, err
	}
	for _, w := range words {
		if n, ok := exitStatus(w); ok {
			v.Status[n/64] |= 1 << (n % 64)
			continue
		}
		n, err := ParseSignal(w)
		if err != nil {
			return ExitStatuses{}, bad("neither an exit status nor a signal: ", w)
		}
		v.Signals |= 1 << (n - 1)
	}
	return v, nil
}

func exitStatus(w string) (uint8, bool) {
	if n, err := ParseInt(w, 0, 255); err == nil {
		return uint8(n), true
	}
	for i := range statusNames {
		if statusNames[i].name == w {
			return statusNames[i].n, true
		}
	}
	return 0, false
}

func exitStatusesText(v ExitStatuses) string {
	var words []string
	for n := range 256 {
		if v.Has(uint8(n)) {
			words = append(words, strconv.Itoa(n))
		}
	}
	for n := 1; n <= 64; n++ {
		if v.HasSignal(n) {
			words = append(words, SignalName(n))
		}
	}
	return strings.Join(words, " ")
}

func uniteStatuses(old, add ExitStatuses) ExitStatuses {
	for i := range add.Status {
		add.Status[i] |= old.Status[i]
	}
	add.Signals |= old.Signals
	return add
}

// ParseOpenFile reads OpenFile=, systemd.service(5): PATH[:NAME[:OPTIONS]], where C escapes
// and "\:" are resolved. The options are read-only, append, truncate and graceful, with
// commas between them, each once. A name that is left out is the last part of the path.
func ParseOpenFile(s string) (OpenFile, error) {
	fields, err := splitColons(s)
	if err != nil {
		return OpenFile{}, err
	}
	if len(fields) > 3 {
		return OpenFile{}, bad("more than a path, a name and options: ", s)
	}
	var f OpenFile
	if f.Path, err = ParsePath(fields[0]); err != nil {
		return OpenFile{}, err
	}
	if f.Path == "/" {
		return OpenFile{}, errors.New("/ is a directory")
	}
	f.Name = f.Path[strings.LastIndexByte(f.Path, '/')+1:]
	if len(fields) > 1 && fields[1] != "" {
		f.Name = fields[1]
	}
	if err = checkFDName(f.Name); err != nil {
		return OpenFile{}, err
	}
	if len(fields) < 3 || fields[2] == "" {
		return f, nil
	}
	for word := range strings.SplitSeq(fields[2], ",") {
		words := [...]string{"read-only", "append", "truncate", "graceful"}
		flag := &f.ReadOnly
		switch word {
		case words[0]:
		case words[1]:
			flag = &f.Append
		case words[2]:
			flag = &f.Truncate
		case words[3]:
			flag = &f.Graceful
		default:
			return OpenFile{}, &process.WordError{What: "option of a file", Word: word, Words: words[:]}
		}
		if *flag {
			return OpenFile{}, errors.New(word + " stands twice")
		}
		*flag = true
	}
	if f.ReadOnly && (f.Append || f.Truncate) {
		return OpenFile{}, errors.New("read-only goes with neither append nor truncate")
	}
	return f, nil
}

func parseOpenFiles(s string) ([]OpenFile, error) { return one(ParseOpenFile(s)) }

func openFileText(f OpenFile) string {
	options, sep := "", ""
	for _, o := range [...]struct {
		on   bool
		word string
	}{{f.ReadOnly, "read-only"}, {f.Append, "append"}, {f.Truncate, "truncate"}, {f.Graceful, "graceful"}} {
		if o.on {
			options += sep + o.word
			sep = ","
		}
	}
	text := escapeColons(f.Path) + ":" + escapeColons(f.Name)
	if options != "" {
		text += ":" + options
	}
	return text
}

// splitColons parts a value at its colons, and resolves C escapes and "\:" in the fields.
// Blanks and quotes are characters like others.
func splitColons(s string) ([]string, error) {
	var fields []string
	var field []byte
	for i := 0; i < len(s); {
		n := 1
		switch {
		case s[i] == 0:
			return nil, errors.New("NUL byte")
		case s[i] == ':':
			fields, field = append(fields, string(field)), field[:0]
		case strings.HasPrefix(s[i:], `\:`):
			field, n = append(field, ':'), 2
		case s[i] == '\\':
			var err error
			if field, n, err = appendUnescaped(field, s[i:]); err != nil {
				return nil, err
			}
		default:
			field = append(field, s[i])
		}
		i += n
	}
	return append(fields, string(field)), nil
}

// escapeColons prints a field so that splitColons gives it back.
func escapeColons(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' || c == ':':
			b = append(b, '\\', c)
		case c <= ' ' || c == 0x7f:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}
