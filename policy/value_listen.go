package policy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/hardrun/hardrun/process"
)

const (
	unixMax  = 107       // bytes of sun_path of unix(7), without the NUL
	uint32s  = 1<<32 - 1 // the highest of 32 bits
	sizeMost = 1<<31 - 1 // the highest that setsockopt(2) takes
	portMax  = 1<<16 - 1 // the highest port
)

// ParseAddress checks the address of ListenStream=, ListenDatagram= or
// ListenSequentialPacket=, systemd.socket(5): a path, "@" and a name of the abstract
// namespace, a port, an IPv4 or IPv6 address with a port, or "vsock:CID:PORT". It gives it
// with the path in its normal form. Names of hosts are none.
func ParseAddress(s string) (string, error) {
	port := s
	switch {
	case strings.HasPrefix(s, "/"):
		path, err := ParsePath(s)
		if err == nil && (len(path) > unixMax || path == "/") {
			err = bad("not a path of a socket, which has at most "+strconv.Itoa(unixMax)+" bytes: ", s)
		}
		if err != nil {
			return "", err
		}
		return path, nil
	case strings.HasPrefix(s, "@"):
		if len(s) < 2 || len(s)-1 > unixMax || hasControl(s) {
			return "", bad("not a name of the abstract namespace: ", s)
		}
		return s, nil
	case strings.HasPrefix(s, "vsock"):
		kind, rest, _ := strings.Cut(s, ":")
		cid, number, found := strings.Cut(rest, ":")
		_, err := parseUint(number, uint32s)
		if err == nil && cid != "" {
			_, err = parseUint(cid, uint32s)
		}
		if err != nil || !found || kind != "vsock" && kind != "vsock-stream" && kind != "vsock-dgram" && kind != "vsock-seqpacket" {
			return "", bad("not vsock:CID:PORT: ", s)
		}
		return s, nil
	case strings.HasPrefix(s, "["):
		addr, tail, found := strings.Cut(s[1:], "]:")
		if _, ok := parseIPv6(addr); !ok || !found {
			return "", bad("not an IPv6 address with a port: ", s)
		}
		scope, has := "", false
		if port, scope, has = strings.Cut(tail, "%"); has && (scope == "" || hasControl(scope) || len(scope) > 15 || strings.ContainsAny(scope, "/ %")) {
			return "", bad("not a scope of an IPv6 address: ", s)
		}
	case strings.IndexByte(s, ':') >= 0:
		var addr string
		var a [4]byte
		if addr, port, _ = strings.Cut(s, ":"); !parseIPv4(a[:], addr) {
			return "", bad("not an IPv4 address with a port: ", s)
		}
	}
	if _, err := ParseInt(port, 1, portMax); err != nil {
		return "", bad("not a port, an address with a port, a path or @NAME: ", s)
	}
	return s, nil
}

// ParseListener reads the value of ListenStream= and its kin for that kind,
// systemd.socket(5).
func ParseListener(s string, kind ListenKind) (Listener, error) {
	l := Listener{Kind: kind, Address: s}
	var err error
	switch kind {
	case ListenFIFO, ListenSpecial:
		if l.Address, err = ParsePath(s); err == nil && l.Address == "/" {
			err = bad("not the path of a file: ", s)
		}
	case ListenNetlink:
		words := plainWords(s)
		if len(words) == 0 || len(words) > 2 || hasControl(words[0]) {
			return Listener{}, bad("a family of netlink(7) and a group are wanted, not ", s)
		}
		if len(words) == 2 {
			_, err = parseUint(words[1], uint32s)
		}
		l.Address = strings.Join(words, " ")
	case ListenMessageQueue:
		if len(s) < 2 || len(s)-1 > nameMax || s[0] != '/' || strings.IndexByte(s[1:], '/') >= 0 || hasControl(s) || s == "/." || s == "/.." {
			err = bad("not the name of a message queue: ", s)
		}
	default:
		l.Address, err = ParseAddress(s)
		if a := l.Address; err == nil && kind == ListenSequentialPacket && a[0] != '/' && a[0] != '@' && !strings.HasPrefix(a, "vsock") {
			err = bad("there are no sequential packets over IP: ", s)
		}
	}
	if err != nil {
		return Listener{}, err
	}
	return l, nil
}

// listenWords are the kinds of --listen. Each stands before a colon.
var listenWords = [...]struct {
	word string
	kind ListenKind
	path bool // what follows is a path or @NAME, else a port with or without an address
}{
	{"tcp", ListenStream, false},
	{"udp", ListenDatagram, false},
	{"unix", ListenStream, true},
	{"unix-dgram", ListenDatagram, true},
	{"unix-seqpacket", ListenSequentialPacket, true},
	{"fifo", ListenFIFO, true},
}

// ParseListen reads the value of --listen: "tcp:", "udp:", "unix:", "unix-dgram:",
// "unix-seqpacket:" or "fifo:", an address, and options behind commas: name=, and for a path
// mode=, user= and group=.
func ParseListen(s string) (Listener, error) {
	fields := strings.Split(s, ",")
	word, address, found := strings.Cut(fields[0], ":")
	at := -1
	var words [len(listenWords)]string
	for i := range listenWords {
		words[i] = listenWords[i].word
		if found && words[i] == word {
			at = i
		}
	}
	if at < 0 {
		return Listener{}, &process.WordError{What: "kind of socket", Word: word, Words: words[:]}
	}
	w := &listenWords[at]
	path := strings.HasPrefix(address, "/")
	abstract := strings.HasPrefix(address, "@") && w.kind != ListenFIFO
	if (path || abstract) != w.path || strings.HasPrefix(address, "vsock") {
		what := "a port, or an address with a port"
		if w.path {
			what = "an absolute path"
		}
		return Listener{}, bad("behind "+w.word+": "+what+" is wanted, not ", address)
	}
	l, err := ParseListener(address, w.kind)
	if err != nil {
		return Listener{}, err
	}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		if name != "name" && !path {
			return Listener{}, bad("only a path has the option ", name)
		}
		switch name {
		case "name":
			l.Name, err = parseFDName(value)
		case "mode":
			err = once(&l.Mode, value, ParseMode)
		case "user":
			err = once(&l.User, value, ParseUserName)
		case "group":
			err = once(&l.Group, value, ParseUserName)
		default:
			err = &process.WordError{What: "option of a socket", Word: name, Words: []string{"name", "mode", "user", "group"}}
		}
		if err != nil {
			return Listener{}, err
		}
	}
	return l, nil
}

// once sets an option of a word.
func once[T any](o *Opt[T], value string, parse func(string) (T, error)) (err error) {
	o.V, err = parse(value)
	o.Set = true
	return err
}

// own tells whether --listen alone can say it.
func (l *Listener) own() bool { return l.Mode.Set || l.User.Set || l.Group.Set || l.Name != "" }

// listenText prints a socket as --listen takes it.
func listenText(l *Listener) string {
	text := ""
	path := l.Address[0] == '/' || l.Address[0] == '@'
	for _, w := range listenWords {
		if w.kind == l.Kind && w.path == path {
			text = w.word + ":" + l.Address
		}
	}
	if l.Name != "" {
		text += ",name=" + l.Name
	}
	if l.Mode.Set {
		text += ",mode=" + modeText(l.Mode.V)
	}
	if l.User.Set {
		text += ",user=" + l.User.V
	}
	if l.Group.Set {
		text += ",group=" + l.Group.V
	}
	return text
}

// listenField is ListenStream= or one of its kin. All of them, and --listen, fill one list,
// which an empty assignment to any unsets.
type listenField ListenKind

func (f listenField) set(p *Policy, value string, from Origin) error {
	l, err := ParseListener(value, ListenKind(f))
	if err != nil {
		return err
	}
	p.Socket.Listen.add([]Listener{l}, from)
	return nil
}

func (f listenField) reset(p *Policy, _ Origin) { p.Socket.Listen = List[Listener]{} }
func (f listenField) isSet(p *Policy) bool      { return p.Socket.Listen.IsSet() }
func (f listenField) write(p *Policy, each func(string, Origin)) {
	for i := range p.Socket.Listen.Items {
		if item := &p.Socket.Listen.Items[i]; item.V.Kind == ListenKind(f) && !item.V.own() {
			each(item.V.Address, item.From)
		}
	}
}

// ownListen is --listen.
type ownListen struct{}

func (ownListen) set(p *Policy, value string, from Origin) error {
	l, err := ParseListen(value)
	if err != nil {
		return err
	}
	p.Socket.Listen.add([]Listener{l}, from)
	return nil
}

func (ownListen) reset(p *Policy, _ Origin) { p.Socket.Listen = List[Listener]{} }
func (ownListen) isSet(p *Policy) bool      { return p.Socket.Listen.IsSet() }
func (ownListen) write(p *Policy, each func(string, Origin)) {
	for i := range p.Socket.Listen.Items {
		if item := &p.Socket.Listen.Items[i]; item.V.own() {
			each(listenText(&item.V), item.From)
		}
	}
}

// parseUint reads a decimal number up to limit, without a sign and leading zeros.
func parseUint(s string, limit uint64) (uint64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" || s[0] == '0' && len(s) > 1 {
		return 0, errors.New("not a decimal number: " + strconv.Quote(s))
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > limit {
		return 0, errors.New(s + " is above " + strconv.FormatUint(limit, 10))
	}
	return n, nil
}

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }

func parseUint32(s string) (uint32, error) {
	n, err := parseUint(s, uint32s)
	return uint32(n), err
}
func uint32Text(n uint32) string { return uintText(uint64(n)) }

func parseFDName(s string) (string, error) {
	if s == "" {
		return "", errors.New("the name of a descriptor is empty")
	}
	return s, checkFDName(s)
}

// parseBindIPv6Only takes a boolean as well, as systemd does.
func parseBindIPv6Only(s string) (string, error) {
	if yes, err := ParseBool(s); err == nil {
		if yes {
			return "ipv6-only", nil
		}
		return "both", nil
	}
	return oneOf(s, "default", "both", "ipv6-only")
}

func parseSocketProtocol(s string) (string, error) { return oneOf(s, "udplite", "sctp", "mptcp") }

// parseTimestamping takes the short words for the long ones.
func parseTimestamping(s string) (string, error) {
	if no, err := ParseBool(s); err == nil && !no {
		return "off", nil
	}
	switch s {
	case "usec", "µs", "μs":
		s = "us"
	case "nsec":
		s = "ns"
	}
	return oneOf(s, "off", "us", "ns")
}

func parsePriority(s string) (int, error) { return ParseInt(s, 0, sizeMost) }
func parseIPTTL(s string) (int, error)    { return ParseInt(s, 1, 255) }
func parseMark(s string) (uint64, error)  { return parseUint(s, uint32s) }

// parseIPTOS takes a number, or a word of ip(7).
func parseIPTOS(s string) (int, error) {
	for _, w := range [...]struct {
		word string
		n    int
	}{{"low-delay", 0x10}, {"throughput", 0x08}, {"reliability", 0x04}, {"low-cost", 0x02}} {
		if w.word == s {
			return w.n, nil
		}
	}
	return ParseInt(s, 0, 255)
}

// parseBuffer takes a size that setsockopt(2) and fcntl(2) can be given.
func parseBuffer(s string) (uint64, error) {
	n, err := ParseSize(s)
	if err == nil && (n == 0 || n > sizeMost) {
		err = bad("not a size of a buffer: ", s)
	}
	return n, err
}

// parseQueue takes a number of messages, or of bytes, of a message queue.
func parseQueue(s string) (uint64, error) {
	n, err := parseUint(s, sizeMost)
	if err == nil && n == 0 {
		err = bad("not a size of a message queue: ", s)
	}
	return n, err
}

// parseKernelName takes the name of a module of the kernel: of a way to control congestion.
func parseKernelName(s string) (string, error) {
	if len(s) > 15 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "", bad("not the name of an algorithm: ", s)
	}
	return s, nil
}

func parseServiceName(s string) (string, error) {
	name, ok := strings.CutSuffix(s, ".service")
	if !ok || name == "" || len(s) > nameMax || strings.IndexByte(s, '/') >= 0 || hasControl(s) {
		return "", bad("not the name of a service: ", s)
	}
	return s, nil
}

// parsePaths takes absolute paths between blanks.
func parsePaths(s string) ([]string, error) {
	words, err := SplitWords(s)
	for i := range words {
		if words[i], err = ParsePath(words[i]); err != nil {
			return nil, err
		}
	}
	return words, err
}
