# What each test in the guest starts with. A test is a function test_NAME of
# tests/TOPIC.sh, run by busybox's sh -eux as root in the root control group, in
# /tmp/test. It passes where it ends with 0; see run.sh for what is undone after it.
# Beware: "! COMMAND", and COMMAND in a condition, never end a test. Use refuses.
# shellcheck shell=sh

cgroups=/sys/fs/cgroup

# Ends the test; the words are the reason.
fail() {
	echo "$*" >/run/why
	exit 1
}

# Fails unless both are the same.
equal() { # WHAT GOT WANT
	[ "$2" = "$3" ] || fail "$1: got '$2', want '$3'"
}

# Fails unless FILE has the word.
has_word() { # FILE WORD
	for word in $(tr ',' ' ' <"$1"); do
		[ "$word" != "$2" ] || return 0
	done
	fail "$1 has no $2: $(cat "$1")"
}

# Fails unless COMMAND ends with another status than 0 and says WORDS.
refuses() { # WORDS COMMAND...
	said=$1
	shift
	if output=$("$@" 2>&1); then
		fail "not refused: $*: $output"
	fi
	case $output in
	*"$said"*) ;;
	*) fail "$*: got '$output', want '$said'" ;;
	esac
}

# Enables the controllers for the children of the root control group.
controllers() { # CONTROLLER...
	for controller; do
		echo "+$controller" >"$cgroups/cgroup.subtree_control"
	done
}
