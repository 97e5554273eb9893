//go:build linux

package integration

import (
	"slices"
	"strings"
	"testing"
)

// A filter is loaded with CAP_SYS_ADMIN, and without no_new_privs, where hardrun is
// started by root: the daemon has then exactly what it has without a filter, and
// CAP_SYS_ADMIN nowhere. no_new_privs is implied where there is no other way to load
// it, and, as by systemd, where the filter forbids what gives up privileges.
func TestFilterPrivileges(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	const all = "~CAP_SYS_ADMIN"
	filter := "--system-call-filter=~@clock"
	for _, c := range []struct {
		name    string
		options []string
		filter  []string
		as      int // who starts hardrun; 0 for root
		nnp     int
	}{
		{"user", opt("--user=nobody"), opt(filter), 0, 0},
		{"user without capabilities", opt("--user=nobody", "--caps=none"), opt(filter), 0, 0},
		{"user with one", opt("--user=nobody", "--caps=net_bind_service"), opt(filter), 0, 0},
		{"user with a bounding set", opt("--user=nobody", "--capability-bounding-set="+all), opt(filter), 0, 0},
		{"user with ambient ones", opt("--user=nobody", "--capability-bounding-set="+all, "--ambient-capabilities=CAP_NET_RAW CAP_CHOWN"), opt(filter), 0, 0},
		{"root without capabilities", opt("--caps=none"), opt(filter), 0, 0},
		{"root with a bounding set", opt("--capability-bounding-set=" + all), opt(filter), 0, 0},
		{"user, written", opt("--user=nobody", "--caps=none", "--no-new-privileges=no"), opt(filter), 0, 0},
		{"user, every directive", opt("--user=nobody", "--caps=none"), opt("--restrict-namespaces", "--restrict-realtime", "--lock-personality", "--restrict-suidsgid", "--restrict-address-families=AF_UNIX", "--system-call-architectures=native", "--system-call-log=getppid"), 0, 0},
		{"user, allowed", opt("--user=nobody", "--caps=none"), opt("--system-call-filter=@system-service"), 0, 0},
		{"capset is forbidden", opt("--user=nobody", "--caps=none"), opt("--system-call-filter=~capset"), 0, 1},
		{"capget is forbidden", opt("--user=nobody", "--caps=none"), opt("--system-call-filter=~capget:EPERM"), 0, 1},
		{"capset is not allowed", opt("--user=nobody", "--caps=none"), opt("--system-call-filter=@system-service", "--system-call-filter=~capset"), 0, 1},
		{"capset is forbidden, over a no", opt("--user=nobody", "--caps=none", "--no-new-privileges=no"), opt("--system-call-filter=~capset"), 0, 1},
		{"capset is forbidden, and no user", opt("--caps=none"), opt("--system-call-filter=~capset"), 0, 0},
		{"a plain user", nil, opt(filter), attackerID, 1},
		{"a plain user, over a no", opt("--no-new-privileges=no"), opt("--restrict-realtime"), attackerID, 1},
		{"a plain user, the log", nil, opt("--system-call-log=getppid"), attackerID, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := func(options ...string) *state {
				argv := append(under(options...), probe)
				if c.as != 0 {
					argv = asUser(c.as, argv...)
				}
				return runs(t, argv...).state(t)
			}
			sets := func(s *state) []string { return []string{s.Inh, s.Prm, s.Eff, s.Bnd, s.Amb} }
			without, with := start(c.options...), start(append(slices.Clone(c.options), c.filter...)...)
			equals(t, "capabilities", sets(with), sets(without))
			equals(t, "ids", slices.Concat(with.UIDs, with.GIDs, with.Groups), slices.Concat(without.UIDs, without.GIDs, without.Groups))
			equal(t, "securebits", with.SecureBits, without.SecureBits)
			equal(t, "seccomp", with.Seccomp, 2)
			equal(t, "no_new_privs without the filter", without.NNP, 0)
			equal(t, "no_new_privs", with.NNP, c.nnp)
			if !strings.Contains(strings.Join(c.options, " "), "CAP") && !slices.Contains(c.options, "--caps=none") && !slices.Contains(c.options, "--caps=net_bind_service") {
				return // nothing was taken from the bounding set
			}
			for i, set := range sets(with) {
				if hasAdmin(t, set) {
					t.Errorf("CAP_SYS_ADMIN is in %s, the set %d", set, i)
				}
			}
		})
	}
	// What one can do with it, and without: the filter does not lend it to the daemon.
	for options, want := range map[string]string{"--user=nobody": "EPERM", "--user=nobody --caps=sys_admin": ""} {
		words := append(strings.Fields(options), "--restrict-realtime", "--", probe, "try", "sethostname", hostname(t))
		equal(t, options, run(t, words...).act(t).Errno, want)
	}
}

// hasAdmin tells whether CAP_SYS_ADMIN, 21, is in a set as /proc prints it.
func hasAdmin(t *testing.T, set string) bool {
	t.Helper()
	if len(set) != 16 {
		t.Fatalf("%q is no set of capabilities", set)
	}
	return strings.Contains("2367abef", set[10:11]) // bits 20 to 23
}

func hostname(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(read(t, "/proc/sys/kernel/hostname"))
}
