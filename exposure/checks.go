package exposure

// The rows of the table that others than simple switches have, by their places in Checks.
const (
	checkPrivateNetwork = iota
	checkUser
	checkDeviceAllow
	checkIPAddressDeny
	checkKeyringMode
	checkNoNewPrivileges
	checkNotifyAccess
	checkPrivateDevices
	checkPrivateMounts
	checkPrivateTmp
	checkPrivateUsers
	checkProtectClock
	checkProtectControlGroups
	checkProtectHome
	checkProtectKernelLogs
	checkProtectKernelModules
	checkProtectKernelTunables
	checkProtectProc
	checkProtectSystem
	checkRestrictSUIDSGID
	checkArchitectures
	checkAmbient
	checkRestrictRealtime
	checkRoot
	checkGroups
	checkDelegate
	checkLockPersonality
	checkMemoryDenyWriteExecute
	checkRemoveIPC
	checkUMask
	checkProtectHostname
	checkProcSubset
	checkBounding // the first of the bounding set
	checkFamilies = checkBounding + 26
	checkOther    = checkFamilies + 4
	checkSpaces   = checkOther + 1
	checkFilter   = checkSpaces + 7
)

// Checks are the 81 checks. Identifiers, weights and ranges are systemd 262's; what a
// sentence says is what a service can do where the check finds it bad.
var Checks = [81]Check{
	{"PrivateNetwork=", "PrivateNetwork", 2500, 1, "it can talk to every network that the host is on", ""},
	{"User=/DynamicUser=", "UserOrDynamicUser", 2000, 10, "it runs as root, or under a shared account", ""},
	{"DeviceAllow=", "DeviceAllow", 1000, 10, "it may open any device node that it can reach", ""},
	{"IPAddressDeny=", "IPAddressDeny", 1000, 10, "it may exchange packets with any address", ""},
	{"KeyringMode=", "KeyringMode", 1000, 1, "it can reach kernel keys of somebody else", ""},
	{"NoNewPrivileges=", "NoNewPrivileges", 1000, 1, "set-user-ID programs give it privileges", ""},
	{"NotifyAccess=", "NotifyAccess", 1000, 1, "any of its children can speak for it to the manager", ""},
	{"PrivateDevices=", "PrivateDevices", 1000, 1, "it sees the host's disks and other hardware in /dev", ""},
	{"PrivateMounts=", "PrivateMounts", 1000, 1, "what it mounts appears in the host's tree", ""},
	{"PrivateTmp=", "PrivateTmp", 1000, 1, "it shares /tmp and /var/tmp with all others", ""},
	{"PrivateUsers=", "PrivateUsers", 1000, 1, "its user IDs are those of the host", ""},
	{"ProtectClock=", "ProtectClock", 1000, 1, "it can set the system clock", ""},
	{"ProtectControlGroups=", "ProtectControlGroups", 1000, 1, "it can change control groups of others", ""},
	{"ProtectHome=", "ProtectHome", 1000, 10, "it can look into home directories", ""},
	{"ProtectKernelLogs=", "ProtectKernelLogs", 1000, 1, "it can read and clear the log of the kernel", ""},
	{"ProtectKernelModules=", "ProtectKernelModules", 1000, 1, "it can load code into the kernel", ""},
	{"ProtectKernelTunables=", "ProtectKernelTunables", 1000, 1, "it can change settings of the kernel in /proc and /sys", ""},
	{"ProtectProc=", "ProtectProc", 1000, 3, "it sees the processes of other users in /proc", ""},
	{"ProtectSystem=", "ProtectSystem", 1000, 10, "it can overwrite programs and settings of the host", ""},
	{"RestrictSUIDSGID=", "RestrictSUIDSGID", 1000, 1, "it can leave set-user-ID files behind", ""},
	{"SystemCallArchitectures=", "SystemCallArchitectures", 1000, 10, "it can enter the kernel by another ABI", ""},
	{"AmbientCapabilities=", "AmbientCapabilities", 500, 1, "every program that it executes gets capabilities", ""},
	{"RestrictRealtime=", "RestrictRealtime", 500, 1, "it can starve others by real-time scheduling", ""},
	{"RootDirectory=/RootImage=", "RootDirectoryOrRootImage", 200, 1, "it has the root directory of the host", ""},
	{"SupplementaryGroups=", "SupplementaryGroups", 200, 1, "it reaches files of further groups", ""},
	{"Delegate=", "Delegate", 100, 1, "it manages control groups below its own", ""},
	{"LockPersonality=", "LockPersonality", 100, 1, "it can switch to another execution domain", ""},
	{"MemoryDenyWriteExecute=", "MemoryDenyWriteExecute", 100, 1, "it can write code into memory and run it", ""},
	{"RemoveIPC=", "RemoveIPC", 100, 1, "its IPC objects stay when it has stopped", ""},
	{"UMask=", "UMask", 100, 10, "files that it makes can be read or written by others", ""},
	{"ProtectHostname=", "ProtectHostname", 50, 1, "it can rename the host", ""},
	{"ProcSubset=", "ProcSubset", 10, 1, "it sees all of /proc, not processes alone", ""},
	{"CapabilityBoundingSet=~CAP_(CHOWN|FSETID|SETFCAP)", "CapabilityBoundingSet_CAP_CHOWN_FSETID_SETFCAP", 1000, 1, "it can give files other owners and capabilities", "CAP_CHOWN CAP_FSETID CAP_SETFCAP"},
	{"CapabilityBoundingSet=~CAP_(DAC_*|FOWNER|IPC_OWNER)", "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER", 1000, 1, "it passes over permissions of files and IPC objects", "CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_IPC_OWNER"},
	{"CapabilityBoundingSet=~CAP_AUDIT_*", "CapabilityBoundingSet_CAP_AUDIT", 500, 1, "it can read, write and switch off the audit log", "CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE"},
	{"CapabilityBoundingSet=~CAP_BLOCK_SUSPEND", "CapabilityBoundingSet_CAP_BLOCK_SUSPEND", 25, 1, "it can keep the machine from going to sleep", "CAP_BLOCK_SUSPEND"},
	{"CapabilityBoundingSet=~CAP_BPF", "CapabilityBoundingSet_CAP_BPF", 25, 1, "it can load BPF programs into the kernel", "CAP_BPF"},
	{"CapabilityBoundingSet=~CAP_IPC_LOCK", "CapabilityBoundingSet_CAP_IPC_LOCK", 50, 1, "it can pin any amount of memory", "CAP_IPC_LOCK"},
	{"CapabilityBoundingSet=~CAP_KILL", "CapabilityBoundingSet_CAP_KILL", 500, 1, "it can signal the processes of every user", "CAP_KILL"},
	{"CapabilityBoundingSet=~CAP_LEASE", "CapabilityBoundingSet_CAP_LEASE", 25, 1, "it can take leases on files of others", "CAP_LEASE"},
	{"CapabilityBoundingSet=~CAP_LINUX_IMMUTABLE", "CapabilityBoundingSet_CAP_LINUX_IMMUTABLE", 75, 1, "it can make files immutable or append-only", "CAP_LINUX_IMMUTABLE"},
	{"CapabilityBoundingSet=~CAP_MAC_*", "CapabilityBoundingSet_CAP_MAC", 100, 1, "it can override the policy of a security module", "CAP_MAC_ADMIN CAP_MAC_OVERRIDE"},
	{"CapabilityBoundingSet=~CAP_MKNOD", "CapabilityBoundingSet_CAP_MKNOD", 500, 1, "it can make device nodes", "CAP_MKNOD"},
	{"CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)", "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)", 500, 1, "it can take low ports and forge packets", "CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_RAW"},
	{"CapabilityBoundingSet=~CAP_NET_ADMIN", "CapabilityBoundingSet_CAP_NET_ADMIN", 1000, 1, "it can configure interfaces, routes and firewall", "CAP_NET_ADMIN"},
	{"CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)", "CapabilityBoundingSet_CAP_SET_UID_GID_PCAP", 1500, 1, "it can become any other user", "CAP_SETUID CAP_SETGID CAP_SETPCAP"},
	{"CapabilityBoundingSet=~CAP_SYSLOG", "CapabilityBoundingSet_CAP_SYSLOG", 500, 1, "it can see kernel addresses and the kernel's log", "CAP_SYSLOG"},
	{"CapabilityBoundingSet=~CAP_SYS_(NICE|RESOURCE)", "CapabilityBoundingSet_CAP_SYS_NICE_RESOURCE", 500, 1, "it can raise priorities and resource limits", "CAP_SYS_NICE CAP_SYS_RESOURCE"},
	{"CapabilityBoundingSet=~CAP_SYS_ADMIN", "CapabilityBoundingSet_CAP_SYS_ADMIN", 1500, 1, "it can administer nearly everything, as root can", "CAP_SYS_ADMIN"},
	{"CapabilityBoundingSet=~CAP_SYS_BOOT", "CapabilityBoundingSet_CAP_SYS_BOOT", 100, 1, "it can reboot the machine or load another kernel", "CAP_SYS_BOOT"},
	{"CapabilityBoundingSet=~CAP_SYS_CHROOT", "CapabilityBoundingSet_CAP_SYS_CHROOT", 50, 1, "it can change its root directory", "CAP_SYS_CHROOT"},
	{"CapabilityBoundingSet=~CAP_SYS_MODULE", "CapabilityBoundingSet_CAP_SYS_MODULE", 1000, 1, "it can load and unload kernel modules", "CAP_SYS_MODULE"},
	{"CapabilityBoundingSet=~CAP_SYS_PACCT", "CapabilityBoundingSet_CAP_SYS_PACCT", 25, 1, "it can switch process accounting on and off", "CAP_SYS_PACCT"},
	{"CapabilityBoundingSet=~CAP_SYS_PTRACE", "CapabilityBoundingSet_CAP_SYS_PTRACE", 1500, 1, "it can read and change the memory of any process", "CAP_SYS_PTRACE"},
	{"CapabilityBoundingSet=~CAP_SYS_RAWIO", "CapabilityBoundingSet_CAP_SYS_RAWIO", 1000, 1, "it can reach ports and memory of the hardware", "CAP_SYS_RAWIO"},
	{"CapabilityBoundingSet=~CAP_SYS_TIME", "CapabilityBoundingSet_CAP_SYS_TIME", 1000, 1, "it can set the time", "CAP_SYS_TIME"},
	{"CapabilityBoundingSet=~CAP_SYS_TTY_CONFIG", "CapabilityBoundingSet_CAP_SYS_TTY_CONFIG", 25, 1, "it can hang up and configure terminals", "CAP_SYS_TTY_CONFIG"},
	{"CapabilityBoundingSet=~CAP_WAKE_ALARM", "CapabilityBoundingSet_CAP_WAKE_ALARM", 25, 1, "it can wake the machine by a timer", "CAP_WAKE_ALARM"},
	{"RestrictAddressFamilies=~AF_(INET|INET6)", "RestrictAddressFamilies_AF_INET_INET6", 1500, 1, "it can open sockets of the Internet protocols", "AF_INET AF_INET6"},
	{"RestrictAddressFamilies=~AF_NETLINK", "RestrictAddressFamilies_AF_NETLINK", 200, 1, "it can talk to the kernel by netlink", "AF_NETLINK"},
	{"RestrictAddressFamilies=~AF_PACKET", "RestrictAddressFamilies_AF_PACKET", 1000, 1, "it can open sockets for raw packets", "AF_PACKET"},
	{"RestrictAddressFamilies=~AF_UNIX", "RestrictAddressFamilies_AF_UNIX", 25, 1, "it can open local sockets", "AF_UNIX"},
	{"RestrictAddressFamilies=~…", "RestrictAddressFamilies_OTHER", 1250, 1, "it can open sockets of rarely used protocols", ""},
	{"RestrictNamespaces=~cgroup", "RestrictNamespaces_cgroup", 500, 1, "it can make control group namespaces", "cgroup"},
	{"RestrictNamespaces=~ipc", "RestrictNamespaces_ipc", 500, 1, "it can make IPC namespaces", "ipc"},
	{"RestrictNamespaces=~mnt", "RestrictNamespaces_mnt", 500, 1, "it can make mount namespaces", "mnt"},
	{"RestrictNamespaces=~net", "RestrictNamespaces_net", 500, 1, "it can make network namespaces", "net"},
	{"RestrictNamespaces=~pid", "RestrictNamespaces_pid", 500, 1, "it can make PID namespaces", "pid"},
	{"RestrictNamespaces=~user", "RestrictNamespaces_user", 1500, 1, "it can make user namespaces, and be root in them", "user"},
	{"RestrictNamespaces=~uts", "RestrictNamespaces_uts", 100, 1, "it can make namespaces for host names", "uts"},
	{"SystemCallFilter=~@clock", "SystemCallFilter_clock", 1000, 10, "it may make the calls that set clocks", "@clock"},
	{"SystemCallFilter=~@cpu-emulation", "SystemCallFilter_cpu_emulation", 250, 10, "it may make the calls of CPU emulators", "@cpu-emulation"},
	{"SystemCallFilter=~@debug", "SystemCallFilter_debug", 1000, 10, "it may make the calls of debuggers", "@debug"},
	{"SystemCallFilter=~@module", "SystemCallFilter_module", 1000, 10, "it may make the calls that load kernel modules", "@module"},
	{"SystemCallFilter=~@mount", "SystemCallFilter_mount", 1000, 10, "it may make the calls that change mounts", "@mount"},
	{"SystemCallFilter=~@obsolete", "SystemCallFilter_obsolete", 250, 10, "it may make calls that nobody should need any more", "@obsolete"},
	{"SystemCallFilter=~@privileged", "SystemCallFilter_privileged", 700, 10, "it may make calls that only root needs", "@privileged"},
	{"SystemCallFilter=~@raw-io", "SystemCallFilter_raw_io", 1000, 10, "it may make the calls for raw input and output", "@raw-io"},
	{"SystemCallFilter=~@reboot", "SystemCallFilter_reboot", 1000, 10, "it may make the calls that reboot", "@reboot"},
	{"SystemCallFilter=~@resources", "SystemCallFilter_resources", 700, 10, "it may make the calls that change what others get", "@resources"},
	{"SystemCallFilter=~@swap", "SystemCallFilter_swap", 1000, 10, "it may make the calls that manage swap space", "@swap"},
}

// Index is the place of a check in Checks, by its ID or Field; -1 for none.
func Index(id string) int {
	for i := range Checks {
		if Checks[i].ID == id || Checks[i].Field == id {
			return i
		}
	}
	return -1
}

// Text is what a service can do where check i finds it bad: a sentence of at most 60
// characters without a period.
func Text(i int) string { return Checks[i].text }
