package policy

import (
	"strconv"

	"github.com/hardrun/hardrun/process"
)

// socketTable is systemd.socket(5): what stands in [Socket].
var socketTable = [...]Directive{
	{
		Name: "ListenStream", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "ADDRESS",
		Doc:   "Open a stream socket at this address and pass it to the daemon.",
		Notes: "A path, @NAME, a port, an IPv4 or [IPv6] address with a port, or vsock:CID:PORT. Lines of all kinds add up in their order, an empty one resets all of them.",
		Value: &Value{List: true, field: listenField(ListenStream)},
	},
	{
		Name: "ListenDatagram", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "ADDRESS",
		Doc:   "Open a datagram socket at this address and pass it to the daemon.",
		Notes: "As ListenStream=.",
		Value: &Value{List: true, field: listenField(ListenDatagram)},
	},
	{
		Name: "ListenSequentialPacket", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "ADDRESS",
		Doc:   "Open a socket for sequential packets at this address and pass it to the daemon.",
		Notes: "As ListenStream=.",
		Value: &Value{List: true, field: listenField(ListenSequentialPacket)},
	},
	{
		Name: "ListenFIFO", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "PATH",
		Doc:   "Open a FIFO and pass it to the daemon.",
		Value: &Value{List: true, field: listenField(ListenFIFO)},
	},
	{
		Name: "ListenSpecial", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "PATH",
		Doc:   "Open a special file and pass it to the daemon.",
		Value: &Value{List: true, field: listenField(ListenSpecial)},
	},
	{
		Name: "ListenNetlink", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "FAMILY [GROUP]",
		Doc:   "Open a netlink socket and pass it to the daemon.",
		Value: &Value{List: true, field: listenField(ListenNetlink)},
	},
	{
		Name: "ListenMessageQueue", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "/NAME",
		Doc:   "Open a POSIX message queue and pass it to the daemon.",
		Value: &Value{List: true, field: listenField(ListenMessageQueue)},
	},
	{
		Name: "ListenUSBFunction", Section: "Socket", Man: manSocket, NoOption: true, Arg: "PATH",
		Doc:     "Open the endpoints of a USB gadget and pass them to the daemon.",
		Support: Impossible, Why: "needs a manager that writes the descriptors of the gadget and waits for the host",
	},
	{
		Name: "SocketProtocol", Section: "Socket", Man: manSocket, NoOption: true, Arg: "udplite|sctp|mptcp",
		Doc:   "Choose another protocol than TCP and UDP.",
		Value: &Value{Words: []string{"udplite", "sctp", "mptcp"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.Protocol }, parseSocketProtocol, itself}},
	},
	{
		Name: "BindIPv6Only", Section: "Socket", Man: manSocket, NoOption: true, Arg: "default|both|ipv6-only", Default: "default",
		Doc:   "Choose whether a socket of IPv6 takes IPv4, too.",
		Value: &Value{Words: []string{"default", "both", "ipv6-only"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.BindIPv6Only }, parseBindIPv6Only, itself}},
	},
	{
		Name: "Backlog", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT", Default: "4294967295",
		Doc:   "Limit the connections that wait to be accepted.",
		Value: &Value{field: &scalar[uint32]{func(p *Policy) *Opt[uint32] { return &p.Socket.Backlog }, parseUint32, uint32Text}},
	},
	{
		Name: "BindToDevice", Section: "Socket", Man: manSocket, NoOption: true, Arg: "INTERFACE",
		Doc:   "Take traffic of this interface alone.",
		Class: ClassShield,
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.BindToDevice }, ParseInterface, itself}},
	},
	{
		Name: "SocketUser", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "USER",
		Doc:   "Make this user the owner of the socket's file.",
		Class: ClassIdentity,
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.User }, ParseUserName, itself}},
	},
	{
		Name: "SocketGroup", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "GROUP",
		Doc:   "Make this group the owner of the socket's file.",
		Class: ClassIdentity,
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.Group }, ParseUserName, itself}},
	},
	{
		Name: "SocketMode", Section: "Socket", Man: manSocket, NoOption: true, Arg: "MODE", Default: "0666",
		Doc:   "Give the socket's file this access mode.",
		Value: &Value{field: &scalar[uint32]{func(p *Policy) *Opt[uint32] { return &p.Socket.Mode }, ParseMode, modeText}},
	},
	{
		Name: "DirectoryMode", Section: "Socket", Man: manSocket, NoOption: true, Arg: "MODE", Default: "0755",
		Doc:   "Give the directories that are made for the socket's file this access mode.",
		Value: &Value{field: &scalar[uint32]{func(p *Policy) *Opt[uint32] { return &p.Socket.DirectoryMode }, ParseMode, modeText}},
	},
	{
		Name: "Accept", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no", Neutral: []string{"no"},
		Doc:     "Start the service anew for each connection.",
		Support: Impossible, Why: "needs a manager that accepts the connections: tcpserver or inetd can run hardrun for each",
	},
	{
		Name: "Writable", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Open ListenSpecial= for writing, too.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.Writable })},
	},
	{
		Name: "FlushPending", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:     "Throw away what has come in when the service has ended.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "MaxConnections", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT", Default: "64",
		Doc:     "Limit the connections of Accept=yes.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "MaxConnectionsPerSource", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT", Default: "0",
		Doc:     "Limit the connections of Accept=yes from one address.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "KeepAlive", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Ask idle peers of TCP whether they are there.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.KeepAlive })},
	},
	{
		Name: "KeepAliveTimeSec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "TIME",
		Doc:   "Ask an idle peer after this time.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.KeepAliveTimeSec }, parseSec, process.FormatTimespan}},
	},
	{
		Name: "KeepAliveIntervalSec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "TIME",
		Doc:   "Ask an idle peer again after this time.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.KeepAliveIntervalSec }, parseSec, process.FormatTimespan}},
	},
	{
		Name: "KeepAliveProbes", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT",
		Doc:   "Give an idle peer up after so many questions.",
		Value: &Value{field: &scalar[uint32]{func(p *Policy) *Opt[uint32] { return &p.Socket.KeepAliveProbes }, parseUint32, uint32Text}},
	},
	{
		Name: "NoDelay", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Send small packets of TCP at once.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.NoDelay })},
	},
	{
		Name: "Priority", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NUMBER",
		Doc:   "Give what is sent this priority.",
		Value: &Value{field: &scalar[int]{func(p *Policy) *Opt[int] { return &p.Socket.Priority }, parsePriority, strconv.Itoa}},
	},
	{
		Name: "DeferAcceptSec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "TIME",
		Doc:   "Let a connection of TCP wait for its first data so long.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.DeferAcceptSec }, parseSec, process.FormatTimespan}},
	},
	{
		Name: "ReceiveBuffer", Section: "Socket", Man: manSocket, NoOption: true, Arg: "SIZE",
		Doc:   "Set the size of the buffer for what comes in.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.ReceiveBuffer }, parseBuffer, uintText}},
	},
	{
		Name: "SendBuffer", Section: "Socket", Man: manSocket, NoOption: true, Arg: "SIZE",
		Doc:   "Set the size of the buffer for what goes out.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.SendBuffer }, parseBuffer, uintText}},
	},
	{
		Name: "IPTOS", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NUMBER|WORD",
		Doc:   "Set the type of service of IP packets.",
		Value: &Value{Words: []string{"low-delay", "throughput", "reliability", "low-cost"}, field: &scalar[int]{func(p *Policy) *Opt[int] { return &p.Socket.IPTOS }, parseIPTOS, strconv.Itoa}},
	},
	{
		Name: "IPTTL", Section: "Socket", Man: manSocket, NoOption: true, Arg: "1..255",
		Doc:   "Set how many routers IP packets may pass.",
		Value: &Value{field: &scalar[int]{func(p *Policy) *Opt[int] { return &p.Socket.IPTTL }, parseIPTTL, strconv.Itoa}},
	},
	{
		Name: "Mark", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NUMBER",
		Doc:   "Mark packets for the firewall.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.Mark }, parseMark, uintText}},
	},
	{
		Name: "ReusePort", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Let several sockets listen at one port.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.ReusePort })},
	},
	{
		Name: "SmackLabel", Section: "Socket", Man: manSocket, NoOption: true, Arg: "LABEL",
		Doc:     "Give the socket's file this SMACK label.",
		Class:   ClassDrop,
		Support: NotYet, Why: "not yet applied: needs labels of SMACK on files",
	},
	{
		Name: "SmackLabelIPIn", Section: "Socket", Man: manSocket, NoOption: true, Arg: "LABEL",
		Doc:     "Give what comes in this SMACK label.",
		Class:   ClassDrop,
		Support: NotYet, Why: "not yet applied: needs labels of SMACK on sockets",
	},
	{
		Name: "SmackLabelIPOut", Section: "Socket", Man: manSocket, NoOption: true, Arg: "LABEL",
		Doc:     "Give what goes out this SMACK label.",
		Class:   ClassDrop,
		Support: NotYet, Why: "not yet applied: needs labels of SMACK on sockets",
	},
	{
		Name: "SELinuxContextFromNet", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:     "Run a service of Accept=yes under the SELinux context of its peer.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "PipeSize", Section: "Socket", Man: manSocket, NoOption: true, Arg: "SIZE",
		Doc:   "Set the size of the buffer of a FIFO.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.PipeSize }, parseBuffer, uintText}},
	},
	{
		Name: "MessageQueueMaxMessages", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT",
		Doc:   "Limit the messages of a queue that is made.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.MessageQueueMaxMessages }, parseQueue, uintText}},
	},
	{
		Name: "MessageQueueMessageSize", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BYTES",
		Doc:   "Limit the size of a message of a queue that is made.",
		Value: &Value{field: &scalar[uint64]{func(p *Policy) *Opt[uint64] { return &p.Socket.MessageQueueMessageSize }, parseQueue, uintText}},
	},
	{
		Name: "FreeBind", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Take an address that the machine does not have yet.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.FreeBind })},
	},
	{
		Name: "Transparent", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Take an address that is not the machine's.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.Transparent })},
	},
	{
		Name: "Broadcast", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Let datagrams go to a broadcast address.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.Broadcast })},
	},
	{
		Name: "PassCredentials", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Pass on who has sent a message.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.PassCredentials })},
	},
	{
		Name: "PassPIDFD", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Pass on a descriptor of the process that has sent a message.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.PassPIDFD })},
	},
	{
		Name: "PassSecurity", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Pass on the security context of who has sent a message.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.PassSecurity })},
	},
	{
		Name: "PassPacketInfo", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:   "Pass on where a packet has come in.",
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.PassPacketInfo })},
	},
	{
		Name: "AcceptFileDescriptors", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "yes",
		Doc:   "Let messages of Unix sockets carry descriptors.",
		Class: ClassShield,
		Value: &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.PassFD })},
	},
	{
		Name: "Timestamping", Section: "Socket", Man: manSocket, NoOption: true, Arg: "off|us|ns", Default: "off",
		Doc:   "Pass on when a packet has come in.",
		Value: &Value{Words: []string{"off", "us", "ns"}, field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.Timestamping }, parseTimestamping, itself}},
	},
	{
		Name: "TCPCongestion", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NAME",
		Doc:   "Choose how TCP controls congestion.",
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.TCPCongestion }, parseKernelName, itself}},
	},
	{
		Name: "ExecStopPre", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COMMAND",
		Doc:     "Run this command before the socket is closed.",
		Support: Manager, Why: whySocket,
	},
	{
		Name: "RemoveOnStop", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:    "Remove the socket's file when the service has ended.",
		Parent: "the file is removed when the daemon has ended",
		Value:  &Value{Bool: true, field: boolean(func(p *Policy) *Opt[bool] { return &p.Socket.RemoveOnStop })},
	},
	{
		Name: "Symlinks", Section: "Socket", Man: manSocket, Specifiers: InWords, NoOption: true, Arg: "PATH...",
		Doc:   "Make these symbolic links to the socket's file.",
		Value: &Value{List: true, field: &list[string]{items: func(p *Policy) *List[string] { return &p.Socket.Symlinks }, parse: parsePaths, text: QuoteWord}},
	},
	{
		Name: "FileDescriptorName", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "NAME",
		Doc:   "Give the descriptors this name in LISTEN_FDNAMES.",
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.FileDescriptorName }, parseFDName, itself}},
	},
	{
		Name: "Service", Section: "Socket", Man: manSocket, Specifiers: WholeValue, NoOption: true, Arg: "UNIT",
		Doc:   "Name the service that gets the sockets.",
		Value: &Value{field: &scalar[string]{func(p *Policy) *Opt[string] { return &p.Socket.Service }, parseServiceName, itself}},
	},
	{
		Name: "TriggerLimitIntervalSec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "TIME", Default: "2s",
		Doc:     "Count starts by the socket over this time for their limit.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "TriggerLimitBurst", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT",
		Doc:     "Stop listening beyond this number of starts within the interval.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "PollLimitIntervalSec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "TIME", Default: "2s",
		Doc:     "Count events of the socket over this time for their limit.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "PollLimitBurst", Section: "Socket", Man: manSocket, NoOption: true, Arg: "COUNT",
		Doc:     "Wait beyond this number of events within the interval.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "DeferTrigger", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL|patient", Default: "no",
		Doc:     "Wait with the start while another unit is in its way.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "DeferTriggerMaxSec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "TIME", Default: "infinity",
		Doc:     "Wait at most this long with the start.",
		Support: Manager, Why: whyManager,
	},
	{
		Name: "PassFileDescriptorsToExec", Section: "Socket", Man: manSocket, NoOption: true, Arg: "BOOL", Default: "no",
		Doc:     "Pass the sockets to the commands of the socket unit.",
		Support: Manager, Why: whySocket,
	},
	{
		Name: "XAttrEntryPoint", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NAME=VALUE",
		Doc:     "Set an extended attribute on the socket's file.",
		Support: Manager, Why: whyXAttr,
	},
	{
		Name: "XAttrListen", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NAME=VALUE",
		Doc:     "Set an extended attribute on a socket that listens.",
		Support: Manager, Why: whyXAttr,
	},
	{
		Name: "XAttrAccept", Section: "Socket", Man: manSocket, NoOption: true, Arg: "NAME=VALUE",
		Doc:     "Set an extended attribute on a socket of a connection.",
		Support: Manager, Why: whyXAttr,
	},
}
