package ns

import (
	"slices"
	"strconv"
	"strings"
)

// known are libraries which read files that no table names, by the start of
// their name.
var known = [...]struct{ library, topic, text string }{
	{"libcrypto.so", "openssl", "openssl.cnf, certificates, engines and providers of OpenSSL (/etc/ssl, ossl-modules, engines-3)"},
	{"libgnutls.so", "gnutls", "certificates, priorities and PKCS#11 modules of GnuTLS (/etc/ssl/certs, /etc/gnutls)"},
	{"libnss3.so", "mozilla-nss", "modules and certificates of Mozilla NSS (libsoftokn3, libfreebl3, libnssckbi)"},
	{"libkrb5.so", "kerberos", "krb5.conf, keytabs and plugins of Kerberos"},
	{"libpam.so", "pam", "/etc/pam.d and the modules of PAM"},
	{"libsasl2.so", "sasl", "the mechanisms of SASL (/usr/lib/sasl2)"},
	{"libperl.so", "perl", "Perl's own modules (@INC)"},
	{"libpython", "python", "Python's own modules (sys.path)"},
	{"libmagic.so", "magic", "the magic.mgc of libmagic"},
}

// notes says what the closure cannot know, from what its objects import.
func (c *closer) notes() []Note {
	notes := slices.Clone(c.extra)
	add := func(topic, text string) { notes = append(notes, Note{Topic: topic, Text: text}) }
	if who := c.importers(usesDlopen); who != "" {
		add("dlopen", "modules and plugins that are loaded at run time, by "+who)
	}
	if who := c.importers(usesNames); who != "" {
		add("names", "users, groups and hosts from other sources than files and DNS (NSS modules for LDAP, SSSD, mDNS), "+
			"and /etc/hosts, /etc/services, /etc/resolv.conf; asked for by "+who)
	}
	if who := c.importers(usesLocale); who != "" {
		add("locale", "locales other than C and C.UTF-8 (/usr/lib/locale, /usr/share/locale), for "+who)
	}
	if who := c.importers(usesIconv); who != "" {
		add("gconv", "character sets (gconv modules), for "+who)
	}
	if who := c.importers(usesTime); who != "" {
		add("time", "time zones other than /etc/localtime (/usr/share/zoneinfo), for "+who)
	}
	if who := c.importers(usesSyslog); who != "" {
		add("log", "a log socket, /dev/log or /var/run/log, for "+who)
	}
	for _, k := range known {
		if slices.ContainsFunc(c.objects, func(o *object) bool { return strings.HasPrefix(base(o.path), k.library) }) {
			add(k.topic, k.text)
		}
	}
	for _, s := range c.scripts {
		add("script", "modules that the interpreter of "+s+" loads, and programs it runs")
	}
	if static := c.static(); static != "" {
		add("static", static+" is statically linked; what it opens at run time is in no table")
	}
	add("config", "configuration, keys, data and state of "+c.command+", and programs it runs")
	return notes
}

func (c *closer) static() string {
	for _, o := range c.objects {
		if o.parent == nil && o.elf.interp == "" {
			return o.path
		}
	}
	return ""
}

// importers names the first objects that import one of the functions, without
// the C library itself.
func (c *closer) importers(u uses) string {
	const most = 4
	var who []string
	for _, o := range c.objects {
		name := base(o.path)
		if o.elf.uses&u != 0 && !slices.Contains(who, name) {
			who = append(who, name)
		}
	}
	if len(who) > most {
		return strings.Join(who[:most], ", ") + " and " + strconv.Itoa(len(who)-most) + " more"
	}
	return strings.Join(who, ", ")
}

func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }
