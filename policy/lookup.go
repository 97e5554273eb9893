package policy

import (
	"strings"

	"github.com/hardrun/hardrun/nearest"
)

// alias is another name of a directive.
type alias struct {
	name string
	d    *Directive
}

// Lookup finds a directive by the name that stands in a unit file: systemd's
// own spelling or an old alias of it, or "X-Hardrun-Name" for one of hardrun's.
// Upper and lower case count, as in systemd. It is nil for an unknown name.
func Lookup(name string) *Directive {
	if own, ok := strings.CutPrefix(name, ownPrefix); ok {
		if d := byName(own); d != nil && d.Own {
			return d
		}
		return nil
	}
	if d := byName(name); d != nil {
		if d.Own {
			return nil
		}
		return d
	}
	return find(aliasIndex[:], name)
}

// ByOption finds a directive by a long option without its dashes: "umask", the
// further spelling "no-new-privs", or systemd's own "NoNewPrivileges". It is nil
// for an unknown word and for a directive that has no option. It allocates nothing.
func ByOption(opt string) *Directive {
	if d := find(optionIndex[:], opt); d != nil {
		return d
	}
	if d := Lookup(opt); d != nil && !d.NoOption && !d.Own {
		return d
	}
	return nil
}

// ByShort finds a directive by its one-letter option, and is nil for others.
func ByShort(letter byte) *Directive {
	if letter == 'u' {
		return ByOption("user")
	}
	return nil
}

// Nearest is the known name that was most likely meant, as ConfigName writes
// it: "NoNewPrivileges" for "NoNewPriviliges". It is empty when none is near.
func Nearest(name string) string {
	names := make([]string, 0, len(Directives)+len(aliasIndex))
	for _, d := range Directives {
		names = append(names, d.ConfigName())
	}
	for i := range aliasIndex {
		names = append(names, aliasIndex[i].name)
	}
	return nearest.Of(name, names)
}

// NearestOption is the option that was most likely meant, without dashes:
// "user" for "usr". It is empty when none is near.
func NearestOption(opt string) string {
	names := make([]string, 0, len(optionIndex))
	for i := range optionIndex {
		names = append(names, optionIndex[i].name)
	}
	return nearest.Of(opt, names)
}

// byName searches the sorted table.
func byName(name string) *Directive {
	low, high := 0, len(Directives)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if Directives[mid].Name < name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(Directives) && Directives[low].Name == name {
		return Directives[low]
	}
	return nil
}

// find searches a sorted index.
func find(index []alias, name string) *Directive {
	low, high := 0, len(index)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if index[mid].name < name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(index) && index[low].name == name {
		return index[low].d
	}
	return nil
}
