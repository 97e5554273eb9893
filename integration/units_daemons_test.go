//go:build linux

package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unitDaemon is a daemon by the unit that Debian ships for it, unchanged. Its configuration is the
// test's.
type unitDaemon struct {
	unit    string
	pkg     string
	program string   // a file of the package
	users   []string // that the package's installation would have made
	options []string // of hardrun
	files   map[string]string
	prepare string   // a script
	hide    []string // directories that are to be empty
	syslog  bool     // /dev/log is its own business
	helper  []string // a program that runs beside it
	self    bool     // no parent stays: the supervisor's process is the daemon itself
	ready   bool     // it tells when it is ready, or has a start that ends
	do      bool     // its reload is not HUP: a script calls hardrun --do=reload
	once    bool     // it ends by itself
	ended   string   // status and signal in the end, as runsv has them, or "any"; empty for "0 0"
	ask     func(g *ground1) string
	want    string
	changed map[string]string // files that change before a reload
	then    string            // what is answered after that
	gone    []string          // paths that are not there after the stop
	group   bool              // its control group stays, as there is no parent to remove it
	all     bool              // under each supervisor
}

const zoneText = `$TTL 60
@ IN SOA ns.example.test. host.example.test. 1 60 60 60 60
@ IN NS ns.example.test.
ns IN A 127.0.0.1
www IN A 192.0.2.%s
`

func zoneWith(last string, serial string) string {
	return strings.Replace(fmt.Sprintf(zoneText, last), "test. 1 60", "test. "+serial+" 60", 1)
}

func digUnit(g *ground1) string {
	out, err := g.tried("dig", "+short", "+tries=1", "+time=1", "@127.0.0.1", "www.example.test", "A")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// page is the body of an HTTP answer.
func page(port int, what string) string {
	_, body, _ := strings.Cut(say("tcp", "127.0.0.1:"+itoa(port), "GET "+what+" HTTP/1.0\r\nHost: box\r\n\r\n", 0), "\r\n\r\n")
	return strings.TrimSpace(body)
}

// holding is the word if the text holds it, else the text.
func holding(text, word string) string {
	if strings.Contains(text, word) {
		return word
	}
	return text
}

func fileText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

// udp sends a datagram, and is the answer.
func udp(port int, packet []byte) []byte {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // an answer may come from another port
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
		return nil
	}
	if _, err := conn.WriteTo(packet, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
		return nil
	}
	b := make([]byte, 2048)
	n, _, err := conn.ReadFrom(b)
	if err != nil {
		return nil
	}
	return b[:n]
}

// certificate is a key and what it signs of itself, in one file.
func certificate() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err.Error()
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"box"}}
	cert, err := x509.CreateCertificate(rand.Reader, x, x, &key.PublicKey, key)
	if err != nil {
		return err.Error()
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err.Error()
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

const systemBus = "/run/dbus/system_bus_socket"

var unitDaemons = []unitDaemon{
	// Type=simple with ExecReload= and ExecStop=, which are rndc's.
	{
		unit: "named", pkg: "bind9", program: "/usr/sbin/named", users: []string{"bind"}, all: true,
		files: map[string]string{
			"/etc/bind/named.conf": `options { directory "/var/cache/bind"; listen-on { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; };
zone "example.test" { type primary; file "/etc/bind/db.example.test"; };
`,
			"/etc/bind/db.example.test": zoneWith("80", "1"),
			"/etc/bind/rndc.key":        "key \"rndc-key\" { algorithm hmac-sha256; secret \"c2VjcmV0IG9mIHRoZSB0ZXN0cw==\"; };\n",
			"/etc/default/named":        "OPTIONS=\"-u bind\"\n",
		},
		prepare: "mkdir -p /var/cache/bind; chown bind: /var/cache/bind; rm -f /var/cache/bind/*; install -d -o bind /run/named",
		ask:     digUnit, want: "192.0.2.80",
		changed: map[string]string{"/etc/bind/db.example.test": zoneWith("81", "2")}, then: "192.0.2.81",
	},
	// Type=notify, with commands before and after, all of which may fail.
	{
		unit: "unbound", pkg: "unbound", program: "/usr/sbin/unbound", users: []string{"unbound"}, all: true,
		ready: true,
		files: map[string]string{
			"/etc/unbound/unbound.conf": unboundConf("80"),
			"/etc/default/unbound":      "ROOT_TRUST_ANCHOR_UPDATE=false\n",
		},
		ask: digUnit, want: "192.0.2.80",
		changed: map[string]string{"/etc/unbound/unbound.conf": unboundConf("81")}, then: "192.0.2.81",
	},
	// Type=forking with PIDFile=, KillMode=mixed, and ExecStop= that calls start-stop-daemon.
	{
		unit: "nginx", pkg: "nginx", program: "/usr/sbin/nginx", users: []string{"www-data"}, all: true,
		ready: true,
		files: map[string]string{
			"/etc/nginx/nginx.conf": nginxConf("first"), "/srv/first/page": "first", "/srv/second/page": "second",
		},
		ask: func(*ground1) string { return page(80, "/page") }, want: "first",
		changed: map[string]string{"/etc/nginx/nginx.conf": nginxConf("second")}, then: "second",
		gone: []string{"/run/nginx.pid"},
	},
	// Type=notify in all of the sandbox.
	{
		unit: "redis-server", pkg: "redis-server", program: "/usr/bin/redis-server", users: []string{"redis"}, all: true,
		ready:   true,
		files:   map[string]string{"/etc/redis/redis.conf": "bind 127.0.0.1\nport 6379\ndir /var/lib/redis\nlogfile /var/log/redis/log\nsave 3600 1000\n"},
		prepare: "mkdir -p /var/lib/redis /var/log/redis; chown redis: /var/lib/redis /var/log/redis",
		ask: func(*ground1) string {
			return say("tcp", "127.0.0.1:6379", "SET key value\r\nGET key\r\nSAVE\r\nQUIT\r\n", 0)
		},
		want: "+OK\r\n$5\r\nvalue\r\n+OK\r\n+OK\r\n",
		gone: []string{"/run/redis"},
	},
	// The same as an instance of a template.
	{
		unit: "redis-server@test", pkg: "redis-server", program: "/usr/bin/redis-server", users: []string{"redis"},
		ready:   true,
		files:   map[string]string{"/etc/redis/redis-test.conf": "bind 127.0.0.1\nport 6380\ndir /var/lib/redis\nsave \"\"\n"},
		prepare: "mkdir -p /var/lib/redis /var/log/redis; chown redis: /var/lib/redis /var/log/redis",
		ask:     func(*ground1) string { return say("tcp", "127.0.0.1:6380", "PING\r\nQUIT\r\n", 0) },
		want:    "+PONG\r\n+OK\r\n",
		gone:    []string{"/run/redis-test"},
	},
	// Type=forking with "!" before the command, DevicePolicy=, four kinds of directories.
	{
		unit: "chrony", pkg: "chrony", program: "/usr/sbin/chronyd", users: []string{"_chrony"},
		ready: true,
		files: map[string]string{
			"/etc/chrony/chrony.conf": "local stratum 5\nallow 127.0.0.1\ndriftfile /var/lib/chrony/drift\nlogdir /var/log/chrony\n",
			"/etc/default/chrony":     "DAEMON_OPTS=\"-x -F 1\"\n", // the machine's clock is not to be set
		},
		ask: func(*ground1) string {
			answer := udp(123, append([]byte{0x23}, make([]byte, 47)...))
			if len(answer) < 2 {
				return "nothing"
			}
			return fmt.Sprintf("mode %d, stratum %d", answer[0]&7, answer[1])
		},
		want: "mode 4, stratum 5",
	},
	// Type=notify with two commands to reload.
	{
		unit: "ssh", pkg: "openssh-server", program: "/usr/sbin/sshd", users: []string{"sshd"},
		ready:   true,
		files:   map[string]string{"/etc/ssh/sshd_config": "DebianBanner no\nVersionAddendum first\n"},
		prepare: "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key <<-end\n\ty\n\tend\n",
		ask: func(*ground1) string {
			_, text, _ := strings.Cut(strings.TrimSpace(say("tcp", "127.0.0.1:22", "", 1)), " ")
			return text
		},
		want:    "first",
		changed: map[string]string{"/etc/ssh/sshd_config": "DebianBanner no\nVersionAddendum second\n"}, then: "second",
		gone: []string{"/run/sshd"},
	},
	// Type=simple with KillMode=process and IgnoreSIGPIPE=no.
	{
		unit: "cron", pkg: "cron", program: "/usr/sbin/cron",
		self:  true,
		files: map[string]string{"/etc/cron.d/test": "@reboot root echo ran >/run/cron-ran\n"},
		ask:   func(*ground1) string { return fileText("/run/cron-ran") }, want: "ran",
	},
	{
		unit: "rsyslog", pkg: "rsyslog", program: "/usr/sbin/rsyslogd", syslog: true,
		ready: true, self: true,
		files: map[string]string{"/etc/rsyslog.conf": "module(load=\"imuxsock\")\n*.* /var/log/test.log\n"},
		ask: func(*ground1) string {
			if conn, err := net.Dial("unixgram", "/dev/log"); err == nil {
				_, _ = conn.Write([]byte("<13>Nov 27 10:00:00 test: a line"))
				_ = conn.Close()
			}
			return holding(fileText("/var/log/test.log"), "a line")
		},
		want: "a line",
	},
	// Type=notify with a socket unit.
	{
		unit: "dbus", pkg: "dbus", program: "/usr/bin/dbus-daemon", users: []string{"messagebus"}, options: []string{"--socket"},
		ready: true,
		ask: func(*ground1) string {
			first, _, _ := strings.Cut(say("unix", systemBus, "\x00AUTH EXTERNAL 30\r\n", 1), " ")
			return first
		},
		want: "OK",
	},
	// Type=dbus.
	{
		unit: "avahi-daemon", pkg: "avahi-daemon", program: "/usr/sbin/avahi-daemon", users: []string{"avahi", "messagebus"},
		prepare: "mkdir /run/dbus",
		hide:    []string{"/usr/share/dbus-1/system-services"}, // nobody else is to start it
		helper:  []string{"dbus-daemon", "--system", "--nofork", "--nopidfile"},
		ask: func(g *ground1) string {
			out, err := g.tried("dbus-send", "--system", "--print-reply=literal", "--dest=org.freedesktop.Avahi", "/", "org.freedesktop.Avahi.Server.GetHostName")
			if err != nil {
				return out
			}
			return strings.TrimSpace(out)
		},
		want: "box",
	},
	{
		unit: "memcached", pkg: "memcached", program: "/usr/bin/memcached", users: []string{"memcache"},
		self:  true,
		files: map[string]string{"/etc/memcached.conf": "-u memcache\n-l 127.0.0.1\n-p 11211\n"},
		ask: func(*ground1) string {
			return say("tcp", "127.0.0.1:11211", "set k 0 0 5\r\nvalue\r\nget k\r\nquit\r\n", 0)
		},
		want: "STORED\r\nVALUE k 0 5\r\nvalue\r\nEND\r\n",
	},
	// Type=notify of a process that executes itself anew, KillMode=mixed, a bind mount.
	{
		unit: "haproxy", pkg: "haproxy", program: "/usr/sbin/haproxy", users: []string{"haproxy"},
		ready:   true,
		files:   map[string]string{"/etc/haproxy/haproxy.cfg": haproxyConf("first")},
		prepare: "mkdir -p /var/lib/haproxy/dev; touch /var/lib/haproxy/dev/log",
		ask:     func(*ground1) string { return page(8000, "/") }, want: "first",
		changed: map[string]string{"/etc/haproxy/haproxy.cfg": haproxyConf("second")}, then: "second",
	},
	{
		unit: "lighttpd", pkg: "lighttpd", program: "/usr/sbin/lighttpd", users: []string{"www-data"},
		ended: "any", // it sometimes takes a stop behind a graceful restart for a failure
		self:  true, do: true,
		files: map[string]string{
			"/etc/lighttpd/lighttpd.conf": lighttpdConf("first"), "/srv/first/page": "first", "/srv/second/page": "second",
		},
		ask: func(*ground1) string { return page(8001, "/page") }, want: "first",
		changed: map[string]string{"/etc/lighttpd/lighttpd.conf": lighttpdConf("second")}, then: "second",
	},
	// Type=forking by scripts that write the PIDFile=.
	{
		unit: "dnsmasq", pkg: "dnsmasq", program: "/usr/sbin/dnsmasq", users: []string{"dnsmasq"},
		ready: true,
		files: map[string]string{
			"/etc/dnsmasq.conf": "listen-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\naddn-hosts=/etc/test.hosts\n",
			"/etc/test.hosts":   "192.0.2.80 www.example.test\n",
		},
		ask: digUnit, want: "192.0.2.80",
		changed: map[string]string{"/etc/test.hosts": "192.0.2.81 www.example.test\n"}, then: "192.0.2.81",
	},
	// Type=notify with a socket unit of five addresses.
	{
		unit: "rpcbind", pkg: "rpcbind", program: "/usr/sbin/rpcbind", users: []string{"_rpc"}, options: []string{"--socket"},
		ready: true, self: true,
		prepare: "install -d -o _rpc /run/rpcbind",
		ask: func(*ground1) string {
			call := make([]byte, 40)
			for i, v := range []uint32{7, 0, 2, 100000, 2, 0} {
				binary.BigEndian.PutUint32(call[4*i:], v)
			}
			return hex.EncodeToString(udp(111, call))
		},
		want: "00000007" + "00000001" + strings.Repeat("00000000", 4),
	},
	// A template with Type=notify.
	{
		unit: "openvpn-server@test", pkg: "openvpn", program: "/usr/sbin/openvpn",
		group: true,
		ready: true, self: true,
		files: map[string]string{
			"/etc/openvpn/server/test.conf": "dev null\nproto udp\nlocal 127.0.0.1\nport 1194\nsecret key\ncipher AES-256-CBC\nmanagement 127.0.0.1 7505\n",
			"/etc/openvpn/server/key": "-----BEGIN OpenVPN Static key V1-----\n" +
				strings.Repeat("0123456789abcdef0123456789abcdef\n", 16) + "-----END OpenVPN Static key V1-----\n",
		},
		prepare: "mkdir -p /run/openvpn-server",
		ask: func(*ground1) string {
			return holding(say("tcp", "127.0.0.1:7505", "quit\r\n", 1), "OpenVPN Management Interface")
		},
		want: "OpenVPN Management Interface",
	},
	{
		unit: "lldpd", pkg: "lldpd", program: "/usr/sbin/lldpd", users: []string{"_lldpd"},
		ready:   true,
		prepare: "mkdir -p /run/lldpd",
		ask: func(g *ground1) string {
			out, _ := g.tried("lldpcli", "show", "configuration")
			return holding(out, "Transmit delay: 30")
		},
		want: "Transmit delay: 30",
	},
	{
		unit: "vsftpd", pkg: "vsftpd", program: "/usr/sbin/vsftpd", users: []string{"ftp"},
		self: true, ended: "-1 15",
		files:   map[string]string{"/etc/vsftpd.conf": "listen=YES\nftpd_banner=first\n"},
		ask:     func(*ground1) string { return strings.TrimSpace(say("tcp", "127.0.0.1:21", "", 1)) },
		want:    "220 first",
		changed: map[string]string{"/etc/vsftpd.conf": "listen=YES\nftpd_banner=second\n"}, then: "220 second",
	},
	{
		unit: "stunnel@test", pkg: "stunnel4", program: "/usr/bin/stunnel4",
		self: true,
		files: map[string]string{
			"/etc/stunnel/test.conf": "foreground = yes\n[test]\naccept = 127.0.0.1:4433\ncert = /etc/stunnel/cert\nexec = /bin/echo\nexecArgs = echo first\n",
			"/etc/stunnel/cert":      certificate(),
		},
		ask: func(*ground1) string {
			conn, err := tls.Dial("tcp", "127.0.0.1:4433", &tls.Config{InsecureSkipVerify: true}) // it is the test's own
			if err != nil {
				return err.Error()
			}
			defer func() { _ = conn.Close() }()
			return strings.TrimSpace(sayTo(conn, "\n", 1))
		},
		want: "first",
	},
	// Type=notify after four commands.
	{
		unit: "mosquitto", pkg: "mosquitto", program: "/usr/sbin/mosquitto", users: []string{"mosquitto"},
		ready: true, self: true,
		files: map[string]string{"/etc/mosquitto/mosquitto.conf": "listener 1883 127.0.0.1\nallow_anonymous true\n"},
		ask: func(*ground1) string {
			connect := "\x10\x0d\x00\x04MQTT\x04\x02\x00\x05\x00\x01a"
			return fmt.Sprintf("% x", say("tcp", "127.0.0.1:1883", connect+"\xe0\x00", 0))
		},
		want:    "20 02 00 00",
		changed: map[string]string{"/etc/mosquitto/mosquitto.conf": "listener 1883 127.0.0.1\nallow_anonymous false\n"}, then: "20 02 00 05",
	},
	// Type=forking without PIDFile=: the main process is guessed.
	{
		unit: "ngircd", pkg: "ngircd", program: "/usr/sbin/ngircd", users: []string{"irc"},
		ready: true,
		files: map[string]string{"/etc/ngircd/ngircd.conf": ngircdConf("first")},
		ask: func(*ground1) string {
			for l := range strings.Lines(say("tcp", "127.0.0.1:6667", "NICK a\r\nUSER a 0 * :a\r\nQUIT\r\n", 0)) {
				if _, text, found := strings.Cut(l, " 372 a :- "); found {
					return strings.TrimSpace(text)
				}
			}
			return ""
		},
		want:    "first",
		changed: map[string]string{"/etc/ngircd/ngircd.conf": ngircdConf("second")}, then: "second",
		gone: []string{"/run/ngircd"},
	},
	{
		unit: "tinyproxy", pkg: "tinyproxy", program: "/usr/bin/tinyproxy", users: []string{"tinyproxy"},
		files: map[string]string{"/etc/tinyproxy/tinyproxy.conf": "User tinyproxy\nGroup tinyproxy\nListen 127.0.0.1\nPort 8888\nTimeout 60\nStatHost \"stat.test\"\n"},
		ask: func(*ground1) string {
			return holding(say("tcp", "127.0.0.1:8888", "GET http://stat.test/ HTTP/1.0\r\n\r\n", 0), "Number of requests")
		},
		want: "Number of requests",
	},
	// Type=forking that is ended by TERM as a matter of course.
	{
		unit: "privoxy", pkg: "privoxy", program: "/usr/sbin/privoxy", users: []string{"privoxy"},
		ready:   true,
		files:   map[string]string{"/etc/privoxy/config": "listen-address 127.0.0.1:8118\nlogdir /var/log/privoxy\nlogfile logfile\n"},
		prepare: "mkdir -p /var/log/privoxy; chown privoxy: /var/log/privoxy",
		ask: func(*ground1) string {
			return holding(say("tcp", "127.0.0.1:8118", "GET http://config.privoxy.org/show-status HTTP/1.0\r\n\r\n", 0), "Privoxy")
		},
		want: "Privoxy",
		gone: []string{"/run/privoxy.pid"},
	},
	// Type=notify, ProtectSystem=strict, "+" before kill.
	{
		unit: "nsd", pkg: "nsd", program: "/usr/sbin/nsd", users: []string{"nsd"},
		ready: true,
		files: map[string]string{
			"/etc/nsd/nsd.conf": "server:\n  ip-address: 127.0.0.1\n  zonesdir: /etc/nsd\n  pidfile: \"\"\n  logfile: /var/log/nsd.log\nremote-control:\n  control-enable: no\nzone:\n  name: example.test\n  zonefile: zone\n",
			"/etc/nsd/zone":     zoneWith("80", "1"),
		},
		prepare: "mkdir -p /var/lib/nsd; chown nsd: /var/lib/nsd",
		ask:     digUnit, want: "192.0.2.80",
		changed: map[string]string{"/etc/nsd/zone": zoneWith("81", "2")}, then: "192.0.2.81",
		gone: []string{"/run/nsd"},
	},
	// AmbientCapabilities=, and a file of variables that must be there.
	{
		unit: "knot", pkg: "knot", program: "/usr/sbin/knotd", users: []string{"knot"},
		ready: true,
		files: map[string]string{
			"/etc/knot/knot.conf":            "server:\n    listen: 127.0.0.1@53\ndatabase:\n    storage: /var/lib/knot\nzone:\n  - domain: example.test\n    storage: /var/lib/knot\n    file: zone\n",
			"/var/lib/knot/zone":             zoneWith("80", "1"),
			"/etc/default/knot":              "KNOTD_ARGS=\"\"\n",
			"/etc/tmpfiles.d/knot-test.conf": "",
		},
		prepare: "chown -R knot: /var/lib/knot",
		ask:     digUnit, want: "192.0.2.80",
		changed: map[string]string{"/var/lib/knot/zone": zoneWith("81", "2")}, then: "192.0.2.81",
		gone: []string{"/run/knot"},
	},
	// PermissionsStartOnly=, KillSignal=SIGINT, NotifyAccess=all, and old names.
	{
		unit: "tor@default", pkg: "tor", program: "/usr/bin/tor", users: []string{"debian-tor"},
		ready:   true,
		files:   map[string]string{"/etc/tor/torrc": "ClientOnly 1\n"},
		prepare: "mkdir -p /var/lib/tor /var/log/tor; chown debian-tor: /var/lib/tor /var/log/tor; chmod 2700 /var/lib/tor",
		ask: func(*ground1) string {
			return holding(say("unix", "/run/tor/control", "PROTOCOLINFO 1\r\nQUIT\r\n", 0), "250-PROTOCOLINFO 1")
		},
		want: "250-PROTOCOLINFO 1",
	},
	// It goes to the background where there is no NOTIFY_SOCKET, which a parent gives it.
	{
		unit: "inetd", pkg: "openbsd-inetd", program: "/usr/sbin/inetd",
		ready: true, options: []string{"--parent=always"},
		files: map[string]string{
			"/etc/inetd.conf": "127.0.0.1:finger stream tcp nowait nobody /bin/echo echo first\n",
			"/etc/services":   "finger 79/tcp\n", "/etc/protocols": "tcp 6 TCP\n",
		},
		ask:     func(*ground1) string { return strings.TrimSpace(say("tcp", "127.0.0.1:79", "", 1)) },
		want:    "first",
		changed: map[string]string{"/etc/inetd.conf": "127.0.0.1:finger stream tcp nowait nobody /bin/echo echo second\n"}, then: "second",
	},
	{
		unit: "rsync", pkg: "rsync", program: "/usr/bin/rsync",
		group: true,
		files: map[string]string{"/etc/rsyncd.conf": "[module]\npath = /srv\n"},
		ask: func(g *ground1) string {
			out, _ := g.tried("rsync", "rsync://127.0.0.1/")
			return strings.TrimSpace(out)
		},
		want: "module", self: true,
	},
	{
		unit: "beanstalkd", pkg: "beanstalkd", program: "/usr/bin/beanstalkd", users: []string{"beanstalkd"},
		files: map[string]string{"/etc/default/beanstalkd": "BEANSTALKD_LISTEN_ADDR=127.0.0.1\nBEANSTALKD_LISTEN_PORT=11300\nBEANSTALKD_EXTRA=\"-z 65535\"\n"},
		ask:   func(*ground1) string { return say("tcp", "127.0.0.1:11300", "list-tubes\r\nquit\r\n", 0) },
		want:  "OK 14\r\n---\n- default\n\r\n", self: true, ended: "-1 15",
	},
	{
		unit: "uuidd", pkg: "uuid-runtime", program: "/usr/sbin/uuidd", users: []string{"uuidd"}, options: []string{"--socket"},
		self:    true,
		prepare: "mkdir -p /var/lib/libuuid; chown uuidd: /var/lib/libuuid",
		ask: func(*ground1) string {
			answer := say("unix", "/run/uuidd/request", "\x00", 0)
			if len(answer) < 5 {
				return answer
			}
			return strings.TrimRight(answer[4:], "0123456789\x00\n") + "a number"
		},
		want: "a number",
	},
	{
		unit: "atd", pkg: "at", program: "/usr/sbin/atd",
		self:    true,
		prepare: "mkdir -p /var/spool/cron/atjobs /var/spool/cron/atspool; chmod 1770 /var/spool/cron/at*; touch /var/spool/cron/atjobs/.SEQ; chown -R daemon: /var/spool/cron/at*; mkdir -p /run/systemd",
		ask: func(g *ground1) string {
			if !exists("/run/at-asked") && exists("/run/atd.pid") {
				g.put("/run/at-asked", "")
				g.sh("echo 'echo ran >/run/at-ran' | at now")
			}
			return fileText("/run/at-ran")
		},
		want: "ran",
	},
	// Type=forking whose command is a script of a shell, with backquotes.
	{
		unit: "oidentd", pkg: "oidentd", program: "/usr/sbin/oidentd", users: []string{"oident"},
		ready: true,
		files: map[string]string{"/etc/default/oidentd": "OIDENT_OPTIONS=\"\"\nOIDENT_BEHIND_PROXY=\"no\"\n"},
		ask:   func(*ground1) string { return strings.TrimSpace(say("tcp", "127.0.0.1:113", "1,2\r\n", 1)) },
		want:  "1,2:ERROR:NO-USER",
	},
	// DynamicUser= with a socket as its input.
	{
		unit: "atftpd", pkg: "atftpd", program: "/usr/sbin/atftpd", options: []string{"--socket"},
		files: map[string]string{
			"/etc/default/atftpd": "OPTIONS=\"--tftpd-timeout 300 --retry-timeout 5 --no-multicast --maxthread 10 --verbose=5 /srv/tftp\"\n",
			"/srv/tftp/hello":     "hello",
			"/etc/services":       "tftp 69/udp\n", "/etc/protocols": "udp 17 UDP\n",
		},
		ask:  func(*ground1) string { return string(udp(69, []byte("\x00\x01hello\x00octet\x00"))) },
		want: "\x00\x03\x00\x01hello",
	},
	// Oneshots.
	{
		unit: "anacron", pkg: "anacron", program: "/usr/sbin/anacron", once: true,
		files: map[string]string{
			"/etc/anacrontab":      "SHELL=/bin/sh\nPATH=/usr/bin:/bin\n1 0 test echo ran >/run/anacron-ran\n",
			"/etc/default/anacron": "ANACRON_ARGS=-s\n",
		},
		prepare: "mkdir -p /var/spool/anacron",
		ask:     func(*ground1) string { return fileText("/run/anacron-ran") }, want: "ran",
	},
	{
		unit: "logrotate", pkg: "logrotate", program: "/usr/sbin/logrotate", once: true,
		group: true,
		files: map[string]string{"/etc/logrotate.conf": "/var/log/test.log {\n size 1\n rotate 2\n}\n", "/var/log/test.log": "a line\n"},
		ask:   func(*ground1) string { return fileText("/var/log/test.log.1") }, want: "a line",
	},
	// Three commands, the first with "+".
	{
		unit: "man-db", pkg: "man-db", program: "/usr/bin/mandb", users: []string{"man"}, once: true,
		hide:    []string{"/usr/share/man", "/var/cache/man"},
		prepare: "mkdir /usr/share/man/man1; echo '.TH TEST 1\n.SH NAME\ntest \\- of a page' | gzip >/usr/share/man/man1/test.1.gz",
		ask: func(g *ground1) string {
			return strings.TrimSpace(g.sh("stat -c %U /var/cache/man /var/cache/man/index.db"))
		}, want: "man\nman",
	},
	{
		unit: "dpkg-db-backup", pkg: "dpkg", program: "/usr/libexec/dpkg/dpkg-db-backup", once: true,
		hide: []string{"/var/backups"},
		ask: func(*ground1) string {
			return strings.Join(slices.DeleteFunc([]string{"dpkg.status.0", "alternatives.tar.0"}, func(f string) bool { return exists("/var/backups/" + f) }), " ")
		},
		want: "",
	},
	// RemainAfterExit=, and a credential that there is not.
	{
		unit: "systemd-sysctl", pkg: "systemd", program: "/usr/lib/systemd/systemd-sysctl",
		hide:  []string{"/usr/lib/sysctl.d", "/etc/sysctl.d"},
		files: map[string]string{"/etc/sysctl.d/test.conf": "net.ipv4.ip_default_ttl = 77\n"},
		ask:   func(*ground1) string { return fileText("/proc/sys/net/ipv4/ip_default_ttl") }, want: "77",
	},
	{
		unit: "systemd-tmpfiles-setup", pkg: "systemd", program: "/usr/bin/systemd-tmpfiles",
		hide:  []string{"/usr/lib/tmpfiles.d", "/etc/tmpfiles.d"},
		files: map[string]string{"/etc/tmpfiles.d/test.conf": "d /run/made 0750 root daemon -\n"},
		ask: func(g *ground1) string {
			out, _ := g.tried("stat", "-c", "%a %G", "/run/made")
			return strings.TrimSpace(out)
		},
		want: "750 daemon",
	},
}

func unboundConf(last string) string {
	return `server:
	interface: 127.0.0.1
	directory: "/etc/unbound"
	chroot: ""
	use-syslog: no
	local-zone: "example.test." static
	local-data: "www.example.test. A 192.0.2.` + last + `"
`
}

func nginxConf(dir string) string {
	return "user www-data;\npid /run/nginx.pid;\nevents { }\nhttp { access_log off; server { listen 127.0.0.1:80; location / { root /srv/" + dir + "; } } }\n"
}

func haproxyConf(text string) string {
	return `global
	user haproxy
	group haproxy
	log /dev/log local0
	chroot /var/lib/haproxy
defaults
	mode http
	log global
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend f
	bind 127.0.0.1:8000
	http-request return status 200 content-type text/plain string "` + text + `"
`
}

func lighttpdConf(dir string) string {
	return "server.document-root = \"/srv/" + dir + "\"\nserver.bind = \"127.0.0.1\"\nserver.port = 8001\nserver.username = \"www-data\"\nserver.pid-file = \"/run/lighttpd.pid\"\n"
}

func ngircdConf(motd string) string {
	return "[Global]\nName = irc.example.test\nListen = 127.0.0.1\nMotdPhrase = " + motd + "\nPidFile = /run/ngircd/ngircd.pid\n[Options]\nPAM = no\nIdent = no\nDNS = no\n"
}

// unitSupervisors are those under which a daemon is started, by its place in the table.
func unitSupervisors(i int, d *unitDaemon) []string {
	all := []string{"runsv", "s6-supervise", "start-stop-daemon", "supervise-daemon"}
	switch {
	case d.all:
		return all
	case d.once:
		return all[i%3 : i%3+1]
	}
	return all[i%4 : i%4+1]
}

// TestUnitsOfDebian starts daemons by the units that Debian ships, under supervisors. Each is asked by
// a client, told to read its configuration again, and stopped.
func TestUnitsOfDebian(t *testing.T) {
	requireRoot(t)
	slots := make(chan struct{}, 4)
	for i := range unitDaemons {
		d := &unitDaemons[i]
		for _, s := range unitSupervisors(i, d) {
			t.Run(d.unit+"/"+s, func(t *testing.T) {
				t.Parallel()
				needsDaemon(t, d.unit, s)
				slots <- struct{}{}
				defer func() { <-slots }()
				onGround(t, "daemon", d.unit, s)
			})
		}
	}
}

// lay makes what the daemon needs.
func (d *unitDaemon) lay(g *ground1) {
	for _, dir := range d.hide {
		g.must(os.MkdirAll(dir, 0o755))
		g.must(unix.Mount("ground", dir, "tmpfs", 0, "mode=755"))
	}
	passwd, group := "", ""
	for i, name := range append([]string{"nobody", "daemon"}, d.users...) {
		if !strings.Contains("\n"+fileText("/etc/passwd"), "\n"+name+":") {
			passwd += fmt.Sprintf("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", name, 700+i, 700+i)
		}
		if !strings.Contains("\n"+fileText("/etc/group"), "\n"+name+":") {
			group += fmt.Sprintf("%s:x:%d:\n", name, 700+i)
		}
	}
	g.put("/etc/passwd", fileText("/etc/passwd")+"\n"+passwd)
	g.put("/etc/group", fileText("/etc/group")+"\n"+group)
	for path, text := range d.files {
		g.put(path, text)
	}
	if d.prepare != "" {
		g.sh(d.prepare)
	}
	if !d.syslog {
		g.syslog()
	}
}

func unitDaemonOf(g *ground1, unit string) *unitDaemon {
	i := slices.IndexFunc(unitDaemons, func(d unitDaemon) bool { return d.unit == unit })
	if i < 0 {
		g.fatal("no daemon %q", unit)
	}
	return &unitDaemons[i]
}

// answers waits for an answer of the daemon.
func (d *unitDaemon) answers(g *ground1, want string) {
	got := ""
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if got = d.ask(g); got == want {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	ps, _ := g.tried("ps", "axfo", "pid,ppid,user,args")
	g.fatal("%s answers %q, want %q\n%s\n%s", d.unit, got, want, g.logs(), ps)
}

// stops stops the daemon, which must end as it should.
func (d *unitDaemon) stops(g *ground1, s *supervisor) {
	status, want := s.stop(g), d.ended
	if want == "" {
		want = "0 0"
	}
	if status != "" && status != want && want != "any" {
		g.problem("it ended with %s, want %s\n%s", status, want, g.logs())
	}
}

// daemonAct starts a daemon under a supervisor, asks it, and stops it.
func daemonAct(g *ground1, args []string) {
	d, s := unitDaemonOf(g, args[0]), supervisors[args[1]]
	d.lay(g)
	g.group = d.group
	words := slices.Concat([]string{"--unit=" + d.unit}, d.options, poor())
	if d.once {
		if status := s.once(g, words); status != "" && status != "0 0" {
			g.problem("status %s\n%s", status, g.logs())
		}
		d.answers(g, d.want)
		return
	}
	if d.helper != nil {
		cmd := g.background(d.helper...)
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		g.within("the helper", func() bool { return exists(systemBus) })
	}
	self := d.self
	if args[1] == "s6-supervise" && d.ready {
		words = append(words, "--ready-fd=3")
		self = false
	}
	s.start(g, words)
	d.answers(g, d.want)

	pid := s.pid(g)
	isMain(g, pid, self)
	if d.changed != nil {
		for path, text := range d.changed {
			g.put(path, text)
		}
		if self && d.do {
			g.sh(groundHardrun + " --do=reload --unit=" + d.unit + " --pid=" + itoa(pid))
		} else {
			s.reload(g)
		}
		d.answers(g, d.then)
		if again := s.pid(g); again != pid {
			g.problem("another process after the reload: %d, not %d", again, pid)
		}
	}
	d.stops(g, s)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		g.problem("process %d after the stop: %v", pid, err)
	}
	for _, path := range d.gone {
		if exists(path) {
			g.problem("%s is there after the stop", path)
		}
	}
	if left, _ := filepath.Glob("/run/hardrun/notify/*"); len(left) > 0 { // the pattern is a good one
		g.problem("left: %q", left)
	}
}

// poor are options for a container that lacks CAP_SYS_RESOURCE.
func poor() []string {
	if b, err := strconv.ParseUint(status1("CapEff"), 16, 64); err == nil && b&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		return []string{"--waive=LimitNOFILE", "--waive=OOMScoreAdjust"}
	}
	return nil
}

// status1 is a line of the own /proc/self/status.
func status1(name string) string {
	for l := range strings.Lines(fileText("/proc/self/status")) {
		if v, ok := strings.CutPrefix(l, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// isMain holds that the supervisor's process is the one that it should know.
func isMain(g *ground1, pid int, self bool) {
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		g.fatal("the process of the supervisor: %v", err)
	}
	if self == (exe == groundHardrun) {
		g.problem("process %d of the supervisor is %s", pid, exe)
	}
}

// TestUnitsOfDebianInAProfile starts daemons with --drop-in=@network-service, which must let them work,
// and give the unit 2.5 points at most.
func TestUnitsOfDebianInAProfile(t *testing.T) {
	requireRoot(t)
	for _, unit := range []string{"named", "unbound", "nginx"} {
		t.Run(unit, func(t *testing.T) {
			t.Parallel()
			needsDaemon(t, unit, "runsv", "/usr/bin/systemd-analyze")
			onGround(t, "profile", unit)
		})
	}
}

// needsDaemon skips where something is missing.
func needsDaemon(t *testing.T, unit, supervisor string, programs ...string) {
	t.Helper()
	d := &unitDaemons[slices.IndexFunc(unitDaemons, func(d unitDaemon) bool { return d.unit == unit })]
	programs = append(programs, d.program, supervisors[supervisor].needs, "/usr/bin/dig")
	for _, path := range programs {
		if !installed(t, path) {
			t.Skip("needs " + path + ", for " + d.pkg + " under " + supervisor + " (make setup SETUP=test, as root)")
		}
	}
}

const networkService = "--drop-in=@network-service"

func profileAct(g *ground1, args []string) {
	d, s := unitDaemonOf(g, args[0]), supervisors["runsv"]
	d.lay(g)
	s.start(g, slices.Concat([]string{"--unit=" + d.unit, networkService}, poor()))
	d.answers(g, d.want)
	pid := s.pid(g)
	confinedByProfile(g, pid)
	for path, text := range d.changed {
		g.put(path, text)
	}
	s.reload(g)
	d.answers(g, d.then)
	d.stops(g, s)

	settings, err := g.tried(groundHardrun, "plan", "--settings", "--unit="+d.unit, networkService)
	if err != nil {
		g.fatal("plan --settings: %v\n%s", err, settings)
	}
	unit := "[Service]\n"
	for l := range strings.Lines(settings) {
		l, _, _ = strings.Cut(l, "  # ")
		unit += strings.TrimSpace(l) + "\n"
	}
	file := "/srv/scored/" + d.unit + ".service"
	g.put(file, unit)
	out, err := g.tried("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=25", file)
	if err != nil || !strings.Contains(out, "Overall exposure level for "+d.unit+".service: ") {
		g.problem("systemd-analyze: %v\n%s", err, out)
	}
}

// confinedByProfile holds that each process of the service but a parent is confined.
func confinedByProfile(g *ground1, parent int) {
	found := 0
	all, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/status") // the pattern is a good one
	for _, path := range all {
		task := fileText(path)
		exe, _ := os.Readlink(strings.Join(strings.Split(path, "/")[:3], "/") + "/exe")
		if strings.HasPrefix(exe, "/usr/sbin/") {
			found++
			if !strings.Contains(task, "NoNewPrivs:\t1\n") || !strings.Contains(task, "Seccomp:\t2\n") {
				g.problem("%s, %s, is not confined:\n%s", path, exe, task)
			}
		}
	}
	if found == 0 {
		g.problem("no process of the service, whose parent is %d", parent)
	}
}

// TestUnitsOfDebianMistaken is what a tired administrator does.
func TestUnitsOfDebianMistaken(t *testing.T) {
	requireRoot(t)
	for _, unit := range []string{"nginx", "redis-server", "dnsmasq", "vsftpd"} { // named would share its port with another
		t.Run("twice/"+unit, func(t *testing.T) {
			t.Parallel()
			needsDaemon(t, unit, "runsv")
			onGround(t, "twice", unit)
		})
	}
	for name, x := range unitMistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needsDaemon(t, x.needs, "runsv")
			onGround(t, "mistake", name)
		})
	}
}

// unitMistakes are starts that are refused.
var unitMistakes = map[string]struct {
	needs   string // a daemon that is to be there
	prepare string
	words   []string
	status  int
	says    []string
}{
	"a letter too many":       {"nginx", "", []string{"--unit=nginxx"}, 78, []string{"nginxx.service", "did you mean nginx"}},
	"letters interchanged":    {"redis-server", "", []string{"--unit=redis-sevrer"}, 78, []string{"redis-sevrer.service", "did you mean redis-server"}},
	"half a suffix":           {"nginx", "", []string{"--unit=nginx.servic"}, 78, []string{"nginx.servic"}},
	"no name":                 {"nginx", "", []string{"--unit="}, 64, []string{"--unit"}},
	"the daemon for the unit": {"ssh", "", []string{"--unit=sshd-server"}, 78, []string{"sshd-server.service"}},
	"a target":                {"nginx", "", []string{"--unit=multi-user.target"}, 78, []string{"multi-user.target"}},
	"a socket":                {"dbus", "", []string{"--unit=dbus.socket"}, 64, []string{"dbus.socket", "--unit dbus --socket"}},
	"a template":              {"redis-server@test", "", []string{"--unit=redis-server@"}, 78, []string{"redis-server@"}},
	"an unknown profile":      {"nginx", "", []string{"--unit=nginx", "--drop-in=@networkservice"}, 64, []string{"@networkservice", "@network-service"}},
	"a file that is not":      {"nginx", "", []string{"--unit=./nginx.service"}, 78, []string{"nginx.service"}},
	"masked":                  {"nginx", "ln -s /dev/null /etc/systemd/system/nginx.service", []string{"--unit=nginx"}, 78, []string{"nginx.service", "masked"}},
	"masked by nothing":       {"nginx", ": >/etc/systemd/system/nginx.service", []string{"--unit=nginx"}, 78, []string{"nginx.service", "masked"}},
	"a drop-in with a typing error": {
		"nginx", "mkdir -p /etc/systemd/system/nginx.service.d; printf '[Service]\nPrivateTmpp=yes\n' >/etc/systemd/system/nginx.service.d/a.conf",
		[]string{"--unit=nginx"},
		78,
		[]string{"PrivateTmpp", "a.conf:2", "PrivateTmp"},
	},
	"nothing to reload":      {"nginx", "", []string{"--unit=nginx", "--do=reload"}, 64, []string{"/run/nginx.pid"}},
	"a process that is gone": {"nginx", "", []string{"--unit=nginx", "--do=stop", "--pid=4000000"}, 1, []string{"4000000"}},
	"a stale PID file":       {"nginx", "echo 4000000 >/run/nginx.pid", []string{"--unit=nginx", "--do=stop"}, 1, []string{"4000000"}},
}

func mistakeAct(g *ground1, args []string) {
	x := unitMistakes[args[0]]
	if x.prepare != "" {
		g.sh("mkdir -p /etc/systemd/system; " + x.prepare)
	}
	out, err := g.tried(append([]string{groundHardrun}, x.words...)...)
	status := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		status = ended.ExitCode()
	}
	if status != x.status {
		g.problem("%q: status %d, want %d\n%s", x.words, status, x.status, out)
	}
	for _, word := range x.says {
		if !strings.Contains(out, word) {
			g.problem("%q does not say %q:\n%s", x.words, word, out)
		}
	}
}

// twiceAct starts a service a second time while it runs: the second start must fail, and
// neither harm the first nor take away what belongs to it.
func twiceAct(g *ground1, args []string) {
	d, s := unitDaemonOf(g, args[0]), supervisors["runsv"]
	d.lay(g)
	words := slices.Concat([]string{"--unit=" + d.unit}, d.options, poor())
	s.start(g, words)
	d.answers(g, d.want)
	look := func() map[string]string {
		found := map[string]string{}
		_ = filepath.WalkDir("/run", func(path string, e fs.DirEntry, err error) error {
			if err == nil && path != groundLog && path != groundSyslog && path != "/run/hardrun" && !strings.HasPrefix(path, "/run/hardrun/") {
				found[path] = e.Type().String()
				if e.Type().IsRegular() {
					found[path] += fileText(path)
				}
			}
			return nil
		})
		return found
	}
	was := look()
	out, err := g.tried(append([]string{groundHardrun}, words...)...)
	if err == nil {
		g.problem("a second start succeeds: %s", out)
	}
	now := look()
	for path, text := range was {
		if now[path] != text {
			g.problem("%s was %q before a second start, and then %q", path, text, now[path])
		}
	}
	for path, text := range now {
		if _, known := was[path]; !known {
			g.problem("%s, %q, is there after a second start", path, text)
		}
	}
	d.answers(g, d.want)
	if d.changed != nil {
		for path, text := range d.changed {
			g.put(path, text)
		}
		s.reload(g)
		d.answers(g, d.then)
	}
	d.stops(g, s)
}
