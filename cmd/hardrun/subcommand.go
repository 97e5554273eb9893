package main

import (
	"os"
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// command is a subcommand: its word, what it does, and the function, nil for a
// word that is reserved and not built yet.
type command struct {
	word, use, does string
	run             func(args []string) int
}

// commands are the subcommand words. They are reserved from the start, so that
// a launch line of today means the same tomorrow; the first argument alone can
// be one, and `hardrun -- plan` runs a program called plan.
func commands() []command {
	return []command{
		{"plan", "[--json] [--filter] [--settings] [--lint[=error]] [--allow-note=ID]... [--for=root|self] [OPTION]... COMMAND", "print the ordered steps of a launch, and why each is there", planCommand},
		{"security", "[--json[=systemd]] [--threshold=N] [--sort=KEY] UNIT... | OPTION... | --pid PID...", "score what a unit, options or a running process leave open", securityCommand},
		{"inspect", "[--json] [--mounts] PID... [--against UNIT] | --all | --tree", "show what running processes are confined by", inspectCommand},
		{"cage", "DIR [--user=U] -- COMMAND", "copy what a command needs into a root directory", func(a []string) int { return cageCommand(a, os.Stdout, os.Stderr) }},
		{"directives", "[NAME|@PROFILE]", "list every directive, explain one, or print a profile", directivesCommand},
		{"syscalls", "[@GROUP|NAME]", "list the groups of system calls, or tell of one, or of a call", syscallsCommand},
		{"completion", "bash|zsh|fish", "print a completion script", completionCommand},
		{"version", "", "print the version, the reference, and how it was built", versionCommand},
		{"help", "", "print this", func([]string) int { return help() }},
		{word: "learn"},
		{word: "convert"},
	}
}

func isSubcommand(word string) bool {
	for _, c := range commands() {
		if c.word == word {
			return true
		}
	}
	return false
}

// subcommand runs the one that args begins with.
func subcommand(args []string) int {
	for _, c := range commands() {
		switch {
		case c.word != args[0]:
		case c.run == nil:
			return usage(c.word + ": reserved for a subcommand that is not built yet (a program of that name: hardrun -- " + c.word + ")")
		case len(args) > 1 && (args[1] == "--help" || args[1] == "-h"):
			text := "hardrun " + strings.TrimSpace(c.word+" "+c.use) + "\n" + c.does + "\n"
			for _, o := range subcommandOptions() {
				if o[0] == c.word {
					text += o[1]
				}
			}
			return out(text)
		default:
			return c.run(args[1:])
		}
	}
	return usage("unknown subcommand " + args[0])
}

// subcommandOptions are what help says of the options that subcommands have of their own.
func subcommandOptions() [3][2]string {
	return [3][2]string{{"plan", planOptions}, {"security", securityOptions}, {"inspect", inspectOptions}}
}

const helpHead = `hardrun: systemd's sandbox for every machine and container that has no systemd

  hardrun [OPTION]... [--] COMMAND [ARG]...   confine, then exec COMMAND (same PID)
  hardrun --unit NAME|FILE [OPTION]...        the same from a unit file; options are stronger
  hardrun plan [OPTION]... COMMAND [ARG]...   print the ordered steps, do nothing

examples
  hardrun --user=bind --caps=net_bind_service --chroot=/srv/named -- named -f
  hardrun -u app --no-new-privs --limit-nofile=1024 -- /usr/bin/app
  hardrun -u app --caps=none --protect-system=strict --private-tmp --read-write-paths=/var/lib/app -- /usr/bin/app
  exec hardrun --unit redis-server            in a script of runit, s6 or OpenRC
  hardrun --unit nginx --drop-in=@network-service
  exec hardrun -u redis -- "$0" "$@"          in a container's entrypoint

subcommands
`

const helpTail = `
Every directive is an option (NoNewPrivileges= is --no-new-privileges) and a
property (-p NoNewPrivileges=yes); "hardrun directives NAME" tells more of one.
A step that fails names its directive and the system call, and the daemon is not
started; the exit status is then systemd's number for it (200 to 245), 64 for a
command line that cannot be meant, or 78 for such a unit.
`

// helpGroups is how a person looks for an option.
var helpGroups = [...]struct {
	title string
	names []string
}{
	{"who the daemon is", []string{"User", "Group", "SupplementaryGroups", "SetLoginEnvironment"}},
	{"what it may", []string{"Caps", "CapabilityBoundingSet", "AmbientCapabilities", "SecureBits", "NoNewPrivileges", "SystemCallFilter", "SystemCallErrorNumber", "SystemCallArchitectures", "SystemCallLog", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "SeccompBPF", "RestrictFileSystems", "DevicePolicy", "DeviceAllow", "ProtectClock", "SELinuxContext", "AppArmorProfile", "SmackProcessLabel", "KeyringMode"}},
	{"what it sees", []string{
		"ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths",
		"Bind", "RoBind", "Tmpfs", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "MinimalRoot", "Chroot", "RootDirectory", "MountAPIVFS", "BindLogSockets",
		"ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "PrivateBPF",
		"PrivateMounts", "MountFlags", "AllowLandlock", "WorkingDirectory", "ExecSearchPath",
	}},
	{"what it shares with the host", []string{
		"PrivateNetwork", "NetworkNamespacePath", "PrivateIPC", "IPCNamespacePath", "PrivatePIDs", "ProtectHostname", "PrivateUsers", "UserNamespacePath", "DelegateNamespaces",
	}},
	{"which network it reaches", []string{
		"IPAddressAllow", "IPAddressDeny", "SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces", "BindNetworkInterface",
		"IPIngressFilterPath", "IPEgressFilterPath", "BPFProgram",
	}},
	{"which control group it is in", []string{"CGroup", "Delegate", "DelegateSubgroup"}},
	{"what it is started with", []string{"Env", "Environment", "EnvironmentFile", "PassEnvironment", "UnsetEnvironment", "ClearEnv", "StandardInput", "StandardOutput", "StandardError", "StandardInputText", "StandardInputData", "KeepFD", "IgnoreSIGPIPE", "UMask", "KeepTTY", "TTYPath", "TTYReset", "TTYVHangup", "TTYVTDisallocate", "TTYRows", "TTYColumns"}},
	{"which unit it is", []string{"Unit", "UnitPath", "DropIn", "Unknown", "SkipStatus", "Do", "PID"}},
	{"what is made for it", []string{
		"DynamicUser", "RuntimeDirectory", "RuntimeDirectoryMode", "RuntimeDirectoryPreserve", "StateDirectory", "StateDirectoryMode", "CacheDirectory", "CacheDirectoryMode",
		"LogsDirectory", "LogsDirectoryMode", "ConfigurationDirectory", "ConfigurationDirectoryMode", "RemoveIPC",
		"Listen", "Socket", "OpenFile", "NonBlocking", "LoadCredential", "SetCredential", "ImportCredential",
	}},
	{"how it starts and stops", []string{
		"Type", "ExecCondition", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecReloadPost", "ExecStop", "ExecStopPost", "RemainAfterExit", "PIDFile", "NotifyAccess", "ReadyFD",
		"TimeoutSec", "TimeoutStartSec", "TimeoutStopSec", "TimeoutAbortSec", "TimeoutStartFailureMode", "TimeoutStopFailureMode", "RuntimeMaxSec", "RuntimeRandomizedExtraSec",
		"KillMode", "KillSignal", "FinalKillSignal", "WatchdogSignal", "ReloadSignal", "SendSIGHUP", "SendSIGKILL", "SuccessExitStatus", "Parent", "Init",
	}},
	{"limits and scheduling", nil}, // all others of systemd's
	{"hardrun itself", nil},        // all others of its own
}

func help() int {
	var b strings.Builder
	b.WriteString(helpHead)
	for _, c := range commands() {
		if c.run != nil {
			b.WriteString("  " + pad(c.word, 12) + c.does + "\n")
		}
	}
	for _, o := range subcommandOptions() {
		b.WriteString("\noptions of " + o[0] + "\n" + o[1])
	}
	named := func(name string) bool {
		for _, g := range helpGroups {
			if contains(g.names, name) {
				return true
			}
		}
		return false
	}
	for i, g := range helpGroups {
		b.WriteString("\n" + g.title + "\n")
		for _, name := range g.names {
			d := policy.Lookup(name)
			if d == nil {
				d = policy.Lookup("X-Hardrun-" + name)
			}
			if d != nil { // a test holds that all are there
				b.WriteString(optionLine(d))
			}
		}
		for _, d := range policy.Directives {
			if g.names == nil && d.Support == policy.Applied && !d.NoOption && !named(d.Name) && d.Own == (i == len(helpGroups)-1) {
				b.WriteString(optionLine(d))
			}
		}
	}
	b.WriteString(helpTail)
	return out(b.String())
}

// optionLine is a row of the table in help.
func optionLine(d *policy.Directive) string {
	left := "      --" + d.Option
	if d.Short != "" {
		left = "  -" + d.Short + ", --" + d.Option
	}
	switch {
	case d.Arg == "" || d.Arg == "BOOL":
	case boolean(d): // alone it means yes, and there are other words
		left += "[=" + d.Arg + "]"
	default:
		left += "=" + d.Arg
	}
	const column = 38
	if len(left) > column-2 {
		return left + "\n" + strings.Repeat(" ", column) + d.Doc + "\n"
	}
	return pad(left, column) + d.Doc + "\n"
}

// Version is set by the linker at a release.
var Version = ""

func versionCommand(args []string) int {
	if len(args) > 0 {
		return usage("version: takes no arguments")
	}
	v := Version
	if v == "" {
		v = "(devel)"
	}
	return out("hardrun " + v + "\nreference: systemd " + policy.Reference + "\nlaunch: " + backend + "\n")
}
