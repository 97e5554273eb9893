package ns

import (
	"path"
	"strconv"
)

// notes are the acts that are left to whoever starts the daemon.
func (spec *CageSpec) notes(p plan) []Note {
	var notes []Note
	add := func(topic, text string) { notes = append(notes, Note{Topic: topic, Text: text}) }
	dir := path.Clean(spec.Dir)
	if spec.GOOS == "linux" {
		add("dev", "dev is empty: /dev/null, /dev/urandom and /dev/log are to be bound (--bind=/dev/log), or syslogd opens "+
			dir+"/dev/log")
	} else {
		add("dev", "dev is empty: make null and urandom with mknod(8), and let syslogd open a log socket (syslogd -p "+
			dir+"/var/run/log)")
	}
	add("tmp", "no directory but the pid file's is writable by the daemon; tmp, data and state are to be made or bound")
	add("resolver", "etc/resolv.conf and etc/hosts are not copied, as they change with the network")
	if u := spec.User; u != nil {
		add("user", "only "+u.Name+" and its group "+u.Group+" have names inside; other groups it has are not known there")
		if _, ok := p[path.Clean(u.Home)]; !ok && u.Home != "" && u.Home != "/" {
			add("home", "its home directory "+u.Home+" is not made")
		}
		for _, e := range p.sorted() {
			if e.Kind == KindFile && u.UID != 0 && e.Mode&0o004 == 0 && e.Why != "the one user" {
				add("mode", e.Path+" has mode 0"+strconv.FormatUint(uint64(e.Mode), 8)+" and "+u.Name+" cannot read it")
			}
		}
		spec.mkdb(add, dir)
	}
	return notes
}

// mkdb is the command that turns master.passwd into the database which the C
// library of a BSD reads: pwd_mkdb(8), whose -d is the root on NetBSD and the
// directory of the files on the others.
func (spec *CageSpec) mkdb(add func(topic, text string), dir string) {
	file := dir + "/etc/master.passwd"
	switch spec.GOOS {
	case "netbsd":
		add("pwd_mkdb", "the user is known only after: pwd_mkdb -p -d "+dir+" "+file)
	case "freebsd", "openbsd", "dragonfly":
		add("pwd_mkdb", "the user is known only after: pwd_mkdb -p -d "+dir+"/etc "+file)
	}
}
