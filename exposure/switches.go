package exposure

import (
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// switches are the settings that have one of a few words. Those which are a check of their
// own have its place in Checks.
var switches = [switchCount]switchKind{
	checkPrivateNetwork:         {"PrivateNetwork", onOff, "yes"},
	checkKeyringMode:            {"KeyringMode", "private=0 inherit=1 shared=1", "private"},
	checkNoNewPrivileges:        {"NoNewPrivileges", onOff, "yes"},
	checkNotifyAccess:           {"NotifyAccess", "none=0 main=0 exec=0 all=1", "main"},
	checkPrivateDevices:         {"PrivateDevices", onOff, "yes"},
	checkPrivateMounts:          {"PrivateMounts", "unset=0 yes=0 no=1", "yes"},
	checkPrivateTmp:             {"PrivateTmp", "no=1 yes=0 disconnected=0", "yes"},
	checkPrivateUsers:           {"PrivateUsers", "no=1 yes=0 self=0 identity=0 full=0 managed=0", "yes"},
	checkProtectClock:           {"ProtectClock", onOff, "yes"},
	checkProtectControlGroups:   {"ProtectControlGroups", "no=1 yes=0 private=0 strict=0", "yes"},
	checkProtectHome:            {"ProtectHome", "no=10 yes=0 read-only=5 tmpfs=1", "yes"},
	checkProtectKernelLogs:      {"ProtectKernelLogs", onOff, "yes"},
	checkProtectKernelModules:   {"ProtectKernelModules", onOff, "yes"},
	checkProtectKernelTunables:  {"ProtectKernelTunables", onOff, "yes"},
	checkProtectProc:            {"ProtectProc", "default=3 noaccess=1 invisible=0 ptraceable=0", "invisible"},
	checkProtectSystem:          {"ProtectSystem", "no=10 yes=5 full=3 strict=0", "strict"},
	checkRestrictSUIDSGID:       {"RestrictSUIDSGID", onOff, "yes"},
	checkRestrictRealtime:       {"RestrictRealtime", onOff, "yes"},
	checkDelegate:               {"Delegate", "no=0 yes=1", "no"},
	checkLockPersonality:        {"LockPersonality", onOff, "yes"},
	checkMemoryDenyWriteExecute: {"MemoryDenyWriteExecute", onOff, "yes"},
	checkRemoveIPC:              {"RemoveIPC", onOff, "yes"},
	checkProtectHostname:        {"ProtectHostname", "no=1 yes=0 private=0", "yes"},
	checkProcSubset:             {"ProcSubset", "all=1 pid=0", "pid"},
	switchDefaultDependencies:   {"DefaultDependencies", "yes=0 no=0", ""},
	switchSuccessAction:         {"SuccessAction", "none=0 reboot=0 reboot-force=0 reboot-immediate=0 poweroff=0 poweroff-force=0 poweroff-immediate=0 exit=0 exit-force=0 kexec=0 kexec-force=0 halt=0 halt-force=0 halt-immediate=0 soft-reboot=0 soft-reboot-force=0", ""},
	switchDynamicUser:           {"DynamicUser", "no=0 yes=0", ""},
	switchDevicePolicy:          {"DevicePolicy", "auto=10 closed=0 strict=0", "closed"},
	switchType:                  {"Type", "unset=0 simple=0 exec=0 forking=0 oneshot=0 dbus=0 notify=0 notify-reload=0 idle=0", ""},
	switchExitType:              {"ExitType", "main=0 cgroup=0", ""},
	switchRestart:               {"Restart", "no=0 always=0 on-success=0 on-failure=0 on-abnormal=0 on-watchdog=0 on-abort=0", ""},
	switchRemainAfterExit:       {"RemainAfterExit", "no=0 yes=0", ""},
	switchKillMode:              {"KillMode", "control-group=0 mixed=0 process=0 none=0", ""},
}

// The places of those that are no check, but decide about others, or about whether the unit
// can be loaded.
const (
	switchDefaultDependencies = checkBounding + iota
	switchSuccessAction
	switchDynamicUser
	switchDevicePolicy
	switchType
	switchExitType
	switchRestart
	switchRemainAfterExit
	switchKillMode
	switchCount
)

// switchKind is what such a setting may say.
type switchKind struct {
	name  string
	words string // each with its badness; the first holds where nothing is said
	best  string
}

const onOff = "no=1 yes=0"

// switchByName finds one; -1 for no such.
func switchByName(name string) int {
	for i := range switches {
		if switches[i].name == name && name != "" {
			return i
		}
	}
	return -1
}

// initial is the word that holds where nothing is said.
func (k *switchKind) initial() string {
	word, _, _ := strings.Cut(k.words, "=")
	return word
}

// badness is that of a word; false for one that is none.
func (k *switchKind) badness(word string) (int, bool) {
	for entry := range strings.SplitSeq(k.words, " ") {
		if have, number, _ := strings.Cut(entry, "="); have == word {
			n := 0
			for i := range len(number) {
				n = 10*n + int(number[i]-'0')
			}
			return n, true
		}
	}
	return 0, false
}

// parse is the word that a value means: where "yes" is one, all writings of booleans are.
func (k *switchKind) parse(value string) (word string, ok bool) {
	if _, boolean := k.badness("no"); boolean && k.name != "Restart" {
		if v, err := policy.ParseBool(value); err == nil {
			return policy.FormatBool(v), true
		}
	}
	_, ok = k.badness(value)
	return value, ok && value != "unset"
}
