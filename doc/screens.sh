#!/bin/sh
# screens.sh DIR: makes the pictures of a terminal in doc/, of what the hardrun in DIR prints now. script(1) records
# it, and freeze draws it (go install github.com/charmbracelet/freeze@latest). As root, with bind9, nginx-light,
# redis-server and util-linux.
set -eu

# shot COMMAND: the prompt, and what the command prints at a terminal.
shot() {
	printf '\033[1m$ %s\033[m\n' "$1"
	script -qefc "stty cols 104 rows 500; $1" /dev/null </dev/null | tr -d '\r'
}

# some FIRST LAST: the first lines, and the last.
some() {
	awk -v first="$1" -v last="$2" '{ line[NR] = $0 }
		END { for (i = 1; i <= NR; i++) if (i <= first || i > NR - last) print line[i]; else if (i == first + 1) print "…" }'
}

# draw NAME: standard input as a picture. A reader's own font shows it: one that is embedded takes 350 KiB.
draw() {
	freeze --language ansi --font.size 13 --line-height 1.3 --background '#16181d' --padding 18 --border.radius 6 --output "$doc/$1.svg" >/dev/null
	perl -0pi -e 's/<style>.*?<\/style>//s; s/font-family="[^"]*"/font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace"/g' "$doc/$1.svg"
}

case ${2-} in
'') # begin with a small environment
	dir=$(cd "$1" && pwd)
	exec env -i PATH="$dir:$PATH" LANG=C.UTF-8 TERM=xterm-256color sh "$(cd "$(dirname "$0")" && pwd)/screens.sh" "$dir" all
	;;
inspect)
	hardrun --user=nobody --caps=net_bind_service --protect-system=strict --private-tmp --private-network --no-new-privs \
		--system-call-filter=@system-service -- sleep 60 &
	sleep 1
	shot "hardrun inspect $!" | some 26 1
	shot "hardrun inspect $! --against --user=nobody --caps=none --protect-system=strict --protect-home --private-tmp" || :
	kill $!
	exit
	;;
esac

doc=$(dirname "$0")
cd /
{
	shot 'hardrun security named nginx redis-server'
	shot 'hardrun security --drop-in=@network-service named nginx redis-server'
	shot 'hardrun security named' | some 16 1
} | draw security
# As in a container, with a process 1 that may be looked at.
unshare --pid --fork --kill-child --mount-proc sh "$0" "$1" inspect | draw inspect
shot 'hardrun plan --user=nobody --group=shadow --caps=net_bind_service --protect-system=strict --limit-nofile=512 --env=API_TOKEN=x -- /usr/bin/id' | draw plan
