//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// viewCase is a directive that needs mounts or namespaces, how its state shows, and
// how the same is reached by hand.
//
// want is what the acts of the probe are answered: "ok", an errno, "=text" that was
// found, "~part" of it, "#number", "&bits" of a number, "other" than without the
// directive; "|" parts what is as good. hand is a script of sh for who has nothing but
// the tools of util-linux and iproute2: $U is empty, or makes a user namespace first.
type viewCase struct {
	name    string
	options string
	acts    []string
	want    []string
	hand    string
	command string // the daemon's path where it is not /srv/probe

	landlock []attempt // where --allow-landlock= can name it
}

const (
	byProbe   = "if [ -z \"$U\" ]; then /srv/probe try mount /mnt; else unshare $U /srv/probe try mount /mnt; fi" // without /proc as well
	byNet     = "unshare $U --net --mount --propagation=unchanged sh -euc 'ip link set lo up; mount -t sysfs s /mnt || mount -t sysfs -o ro,nosuid,nodev,noexec s /mnt'"
	byPids    = "unshare $U --mount --pid --fork --propagation=unchanged mount -t proc p /mnt"
	byUsers   = "unshare --user --map-root-user true"
	byCaps    = "unshare $U --mount --propagation=unchanged sh -euc 'mount -t tmpfs t /mnt; /srv/probe try bounding-drop %d'"
	byHost    = "unshare $U --uts sh -euc 'hostname box'"
	byCgroup  = "unshare $U --cgroup --mount --propagation=unchanged mount -t cgroup2 c /mnt"
	byApiRoot = "unshare $U --mount --propagation=unchanged sh -euc 'mount --rbind /srv/root /mnt; mount --rbind /proc /mnt/proc; mount --rbind /dev /mnt/dev; chroot /mnt /probe exit 0'"

	// byAll is what the twelve need together.
	byAll = "unshare $U --mount --net --pid --ipc --uts --fork --propagation=unchanged sh -euc '" +
		"ip link set lo up; hostname box; mount -t proc -o hidepid=invisible p /proc; mount -t sysfs s /mnt || mount -t sysfs -o ro,nosuid,nodev,noexec s /mnt; /srv/probe try bounding-drop 27'"

	// byMaps maps many ids from outside.
	byMaps = `[ -e /proc/self/ns/user ]; unshare --user sleep 60 & p=$!
until [ "$(readlink /proc/$p/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do kill -0 $p; done
r=0; echo "0 0 %d" >/proc/$p/uid_map && echo "0 0 %[1]d" >/proc/$p/gid_map || r=1
kill $p; exit $r`
)

// hidesOthers is an act that ends well where the processes of others are.
const hidesOthers = "run:/usr/bin/grep:-q:hidepid=invisible:/proc/self/mountinfo"

func viewCases() []viewCase {
	nsOther := func(kinds ...string) (acts, want []string) {
		for _, k := range kinds {
			acts, want = append(acts, "readlink /proc/self/ns/"+k), append(want, "other")
		}
		return acts, want
	}
	own := func(name, options, hand string, kinds ...string) viewCase {
		acts, want := nsOther(kinds...)
		return viewCase{name: name, options: options, acts: acts, want: want, hand: hand}
	}
	with := func(c viewCase, acts, want []string) viewCase {
		c.acts, c.want = slices.Concat(c.acts, acts), slices.Concat(c.want, want)
		return c
	}
	words := strings.Fields
	return []viewCase{
		{
			name: "ProtectSystem", options: "--protect-system=yes", acts: words("mount-flags:/usr"), want: words("&1"), hand: byProbe,
			landlock: []attempt{{"open /home/marker w", "", ""}},
		},
		{
			name: "ProtectSystem", options: "--protect-system=full", acts: words("mount-flags:/usr mount-flags:/etc open:/srv/data/file:w"), want: words("&1 &1 ok"), hand: byProbe,
			landlock: []attempt{{"open /srv/data/file w", "", ""}},
		},
		{
			name: "ProtectSystem", options: "--protect-system=strict", acts: words("open:/srv/data/file:w open:/home/marker:w"), want: words("EROFS ok"), hand: byProbe,
			landlock: []attempt{{"open /srv/data/file w", "EACCES", ""}, {"open /home/marker w", "", ""}},
		},
		{
			name: "ProtectHome", options: "--protect-home", acts: words("stat:/home/marker stat:/root/marker"), want: words("ENOENT|EACCES ENOENT|EACCES"), hand: byProbe,
			landlock: []attempt{{"open /home/marker r", "EACCES", ""}, {"list /home", "EACCES", ""}},
		},
		{
			name: "ProtectHome", options: "--protect-home=read-only", acts: words("open:/home/marker:w open:/home/marker:r"), want: words("EROFS ok"), hand: byProbe,
			landlock: []attempt{{"open /home/marker w", "EACCES", ""}, {"open /home/marker r", "", ""}},
		},
		{name: "ProtectHome", options: "--protect-home=tmpfs", acts: words("stat:/home/marker statfs:/home mount-flags:/home"), want: words("ENOENT #16914836 &1"), hand: byProbe},
		{name: "PrivateTmp", options: "--private-tmp", acts: words("stat:/tmp/marker create:/tmp/mine statfs:/var/tmp"), want: words("ENOENT ok #16914836|ENOENT"), hand: byProbe},
		{name: "PrivateDevices", options: "--private-devices", acts: words("mount-flags:/dev open:/dev/null:w device:/dev/zero"), want: words("&9 ok #1005"), hand: fmt.Sprintf(byCaps, 27)},
		{name: "ProtectKernelTunables", options: "--protect-kernel-tunables", acts: words("mount-flags:/proc/sys mount-flags:/sys"), want: words("&1 &1|ENOENT"), hand: byProbe},
		{name: "ProtectKernelModules", options: "--protect-kernel-modules", acts: words("raise:16"), want: words("EPERM"), hand: fmt.Sprintf(byCaps, 16)},
		{name: "ProtectKernelLogs", options: "--protect-kernel-logs", acts: words("raise:34"), want: words("EPERM"), hand: fmt.Sprintf(byCaps, 34)},
		{name: "ProtectControlGroups", options: "--protect-control-groups", acts: words("mount-flags:/sys/fs/cgroup"), want: words("&1|ENOENT"), hand: byProbe},
		with(own("ProtectControlGroups", "--protect-control-groups=private", byCgroup, "cgroup"), words("statfs:/sys/fs/cgroup"), words("#1667723888|ENOENT")),
		with(own("ProtectControlGroups", "--protect-control-groups=strict", byCgroup, "cgroup"), words("statfs:/sys/fs/cgroup mount-flags:/sys/fs/cgroup"), words("#1667723888|ENOENT &1|ENOENT")),
		{name: "ProtectProc", options: "--protect-proc=invisible", acts: words(hidesOthers), want: words("#0"), hand: "unshare $U --mount --propagation=unchanged mount -t proc -o hidepid=invisible p /mnt"},
		{name: "ProcSubset", options: "--proc-subset=pid", acts: words("stat:/proc/meminfo read:/proc/self/stat"), want: words("ENOENT ~probe"), hand: "unshare $U --mount --propagation=unchanged mount -t proc -o subset=pid p /mnt"},
		{name: "ProtectProc", options: "--private-pids --protect-proc=invisible --proc-subset=pid", acts: words("readlink:/proc/self stat:/proc/meminfo " + hidesOthers), want: words("=1 ENOENT #0"), hand: byPids},
		{name: "PrivateBPF", options: "--private-bpf", acts: words("statfs:/sys/fs/bpf"), want: words("#3405662737|ENOENT"), hand: "unshare $U --mount --propagation=unchanged mount -t bpf b /mnt"},
		{
			name: "ReadOnlyPaths", options: "--read-only-paths=/srv/data", acts: words("open:/srv/data/file:w open:/srv/other:w"), want: words("EROFS ok"), hand: byProbe,
			landlock: []attempt{{"open /srv/data/file w", "EACCES", ""}, {"open /srv/other w", "", ""}},
		},
		{
			name: "ReadWritePaths", options: "--read-write-paths=/srv/data", acts: words("open:/srv/data/file:w readlink:/proc/self/ns/mnt"), want: words("ok other"), hand: byProbe,
			landlock: []attempt{{"open /srv/data/file w", "", ""}},
		},
		{
			name: "InaccessiblePaths", options: "--inaccessible-paths=/srv/hidden", acts: words("open:/srv/hidden/file:r open:/srv/other:r"), want: words("ENOENT|EACCES ok"), hand: byProbe,
			landlock: []attempt{{"open /srv/hidden/file r", "EACCES", ""}, {"list /srv/hidden", "EACCES", ""}},
		},
		{
			name: "NoExecPaths", options: "--no-exec-paths=/srv/prog", acts: words("run:/srv/prog/probe:exit:0 run:/srv/prog/yes/probe:exit:0"), want: words("EACCES EACCES"), hand: byProbe,
			landlock: []attempt{{"run /srv/prog/probe exit 0", "EACCES", ""}, {"run /srv/probe exit 0", "", ""}},
		},
		{
			name: "ExecPaths", options: "--exec-paths=/srv/prog/yes", acts: words("run:/srv/prog/yes/probe:exit:0 readlink:/proc/self/ns/mnt"), want: words("ok other"), hand: byProbe,
			landlock: []attempt{{"run /srv/prog/yes/probe exit 0", "", ""}},
		},
		{name: "BindPaths", options: "--bind=/srv/data:/mnt", acts: words("open:/mnt/file:w"), want: words("ok"), hand: byProbe},
		{name: "BindReadOnlyPaths", options: "--ro-bind=/srv/data:/mnt", acts: words("open:/mnt/file:r open:/mnt/file:w"), want: words("ok EROFS"), hand: byProbe},
		{name: "BindPaths", options: "--bind=/srv/hidden:/srv/data/new/point", acts: words("open:/srv/data/new/point/file:r"), want: words("ok"), hand: byProbe},
		{name: "TemporaryFileSystem", options: "--tmpfs=/var", acts: words("stat:/var/marker statfs:/var"), want: words("ENOENT #16914836"), hand: byProbe},
		own("PrivateMounts", "--private-mounts", byProbe, "mnt"),
		own("MountFlags", "--mount-flags=private", byProbe, "mnt"),
		with(own("PrivateNetwork", "--private-network", byNet, "net"), words("interfaces loopback list:/sys/class/net"), words("=lo ok =lo|ENOENT")),
		with(own("PrivateIPC", "--private-ipc", "unshare $U --ipc --mount --propagation=unchanged mount -t mqueue q /mnt", "ipc"), words("statfs:/dev/mqueue"), words("#427819522|ENOENT")),
		with(own("PrivatePIDs", "--private-pids", byPids, "pid"), words("readlink:/proc/self"), words("=1")),
		own("PrivateUsers", "--private-users", byUsers, "user"),
		own("PrivateUsers", "--private-users=identity", fmt.Sprintf(byMaps, 65536), "user"),
		own("PrivateUsers", "--private-users=full", fmt.Sprintf(byMaps, 4294967295), "user"),
		with(own("ProtectHostname", "--protect-hostname=yes:box", byHost, "uts"), words("hostname sethostname:x"), words("=box EPERM")),
		with(own("ProtectHostname", "--protect-hostname=private:box", byHost, "uts"), words("hostname"), words("=box")),
		{name: "X-Hardrun-MinimalRoot", options: "--minimal-root", acts: words("stat:/home/marker stat:/srv/probe open:/dev/null:w mount-flags:/"), want: words("ENOENT ok ok &1"), hand: byProbe},
		{name: "RootDirectory", options: "--root-directory=/srv/root", acts: words("stat:/probe stat:/srv statfs:/proc statfs:/run"), want: words("ok ENOENT #40864 #16914836"), hand: byApiRoot, command: "/probe"},
		{
			name: "RootDirectory", options: "--chroot=/srv/root", acts: words("stat:/probe stat:/srv"), want: words("ok ENOENT"), command: "/probe",
			hand: "unshare $U chroot /srv/root /probe exit 0 || unshare $U --mount --propagation=unchanged sh -euc 'mount --bind /srv/root /mnt; cd /mnt; pivot_root . .; exec /probe exit 0'",
		},
		with(own(twelve, strings.Join(words(`--protect-system=strict --protect-home --private-tmp --private-devices --private-network --private-ipc --private-pids
			--protect-proc=invisible --protect-kernel-tunables --protect-hostname=yes:box --bind=/srv/data:/mnt --tmpfs=/var`), " "), byAll, "mnt", "net", "ipc", "uts"),
			words("stat:/home/marker open:/srv/data/file:w open:/mnt/file:w interfaces readlink:/proc/self stat:/var/marker stat:/tmp/marker hostname mount-flags:/dev mount-flags:/proc/sys "+hidesOthers),
			words("ENOENT|EACCES EROFS ok =lo =1 ENOENT ENOENT =box &9 &1 #0")),
	}
}

// twelve is the case of many directives, which all must be named where one is.
const twelve = "twelve of them"

var twelveNames = strings.Fields("ProtectSystem ProtectHome PrivateTmp PrivateDevices PrivateNetwork PrivateIPC PrivatePIDs ProtectProc ProtectKernelTunables ProtectHostname BindPaths TemporaryFileSystem")

// spoken is an act of a case as "probe ask" takes it: its words are parted by ":".
func spoken(acts []string) []string {
	out := make([]string, len(acts))
	for i, a := range acts {
		out[i] = strings.ReplaceAll(a, ":", " ")
	}
	return out
}

// answersOf are the answers of "probe ask", or nil where it has not told them all.
func answersOf(r result, acts int) []answer {
	var list []answer
	for l := range strings.Lines(r.stdout) {
		var a answer
		if err := json.Unmarshal([]byte(l), &a); err != nil {
			return nil
		}
		list = append(list, a)
	}
	if r.code != 0 || len(list) != acts {
		return nil
	}
	return list
}

// meets tells whether an answer is what is wanted.
func meets(want string, got answer, bare *answer) bool {
	for w := range strings.SplitSeq(want, "|") {
		ok := false
		switch {
		case w == "ok":
			ok = got.Errno == ""
		case w == "other":
			ok = got.Errno == "" && bare != nil && bare.Errno == "" && got.Act != bare.Act
		case w[0] == '=':
			ok = got.Errno == "" && got.Act == w[1:]
		case w[0] == '~':
			ok = got.Errno == "" && strings.Contains(got.Act, w[1:])
		case w[0] == '#':
			ok = got.Errno == "" && strconv.FormatInt(got.Value, 10) == w[1:]
		case w[0] == '&':
			n, err := strconv.ParseInt(w[1:], 10, 64)
			ok = err == nil && got.Errno == "" && got.Value&n == n
		default:
			ok = got.Errno == w
		}
		if ok {
			return true
		}
	}
	return false
}

// unmet are the acts that were answered otherwise.
func unmet(c *viewCase, got, bare []answer) []string {
	var list []string
	for i, w := range c.want {
		var b *answer
		if i < len(bare) {
			b = &bare[i]
		}
		if !meets(w, got[i], b) {
			list = append(list, fmt.Sprintf("%s: answered %d %q %.200q, want %s", c.acts[i], got[i].Value, got[i].Errno, got[i].Act, w))
		}
	}
	return list
}
