package policy

import (
	"math"
	"slices"
	"testing"

	"github.com/hardrun/hardrun/cgroup"
)

const rwm = cgroup.Read | cgroup.Write | cgroup.Mknod

// systemd.resource-control(5), DeviceAllow=.
func TestParseDeviceRule(t *testing.T) {
	for _, c := range []struct {
		in   string
		want DeviceRule
		text string
	}{
		{"/dev/null", DeviceRule{"/dev/null", rwm}, "/dev/null rwm"},
		{"/dev/sda5 r", DeviceRule{"/dev/sda5", cgroup.Read}, "/dev/sda5 r"},
		{"/dev/sda5 mr", DeviceRule{"/dev/sda5", cgroup.Read | cgroup.Mknod}, "/dev/sda5 rm"},
		{" /dev//char/./1:3/\twrm ", DeviceRule{"/dev/char/1:3", rwm}, "/dev/char/1:3 rwm"},
		{`"/dev/a b" w`, DeviceRule{"/dev/a b", cgroup.Write}, `"/dev/a b" w`},
		{"/run/systemd/inaccessible/chr rw", DeviceRule{"/run/systemd/inaccessible/chr", cgroup.Read | cgroup.Write}, "/run/systemd/inaccessible/chr rw"},
		{"char-pts rw", DeviceRule{"char-pts", cgroup.Read | cgroup.Write}, "char-pts rw"},
		{"char-*", DeviceRule{"char-*", rwm}, "char-* rwm"},
		{"char-cpu/* r", DeviceRule{"char-cpu/*", cgroup.Read}, "char-cpu/* r"},
		{"block-loop", DeviceRule{"block-loop", rwm}, "block-loop rwm"},
		{"/dev/block-x", DeviceRule{"/dev/block-x", rwm}, "/dev/block-x rwm"},
	} {
		got, err := ParseDeviceRule(c.in)
		if got != c.want || err != nil || deviceRuleText(got) != c.text {
			t.Errorf("%q: %+v (%s), %v, want %+v (%s)", c.in, got, deviceRuleText(got), err, c.want, c.text)
		}
	}
	const letters = "the access is of the letters r, w and m, each once, not "
	const place = "a device is a path below /dev, char-DRIVER or block-DRIVER, not "
	for _, c := range []struct{ in, err string }{
		{"", "no device is named"},
		{"/dev/null rwmx", letters + `"rwmx"`},
		{"/dev/null rr", letters + `"rr"`},
		{"/dev/null RW", letters + `"RW"`},
		{"/dev/null r,w", letters + `"r,w"`},
		{`/dev/null ""`, letters + `""`},
		{"/dev/null r w", `more than one device and its access: "w"`},
		{"/dev/null /dev/zero rw", `more than one device and its access: "rw"`},
		{"/dev/null /dev/zero", letters + `"/dev/zero"`},
		{`""`, "the path is empty"},
		{"null", `the path is not absolute: "null"`},
		{"dev/null", `the path is not absolute: "dev/null"`},
		{"/etc/passwd", place + `"/etc/passwd"`},
		{"/dev", place + `"/dev"`},
		{"/dev/", place + `"/dev/"`},
		{"/devices/null", place + `"/devices/null"`},
		{"/run/systemd/inaccessible", place + `"/run/systemd/inaccessible"`},
		{"/dev/../etc/passwd", `".." in the path "/dev/../etc/passwd"`},
		{"-/dev/null", `the path is not absolute: "-/dev/null"`},
		{"char-", `not a driver of /proc/devices: ""`},
		{"block- r", `not a driver of /proc/devices: ""`},
		{`"char-a\nb"`, `not a driver of /proc/devices: "a\nb"`},
		{"char", `the path is not absolute: "char"`},
		{"char:pts", `the path is not absolute: "char:pts"`},
		{`"/dev/null`, `the quote " is not closed`},
	} {
		if got, err := ParseDeviceRule(c.in); got != (DeviceRule{}) || err == nil || err.Error() != c.err {
			t.Errorf("%q: %+v, %v, want %s", c.in, got, err, c.err)
		}
	}
}

// One device in each line; an empty one resets.
func TestDeviceLines(t *testing.T) {
	var p Policy
	mustSet(t, &p, "DeviceAllow", "/dev/null r", line(1))
	mustSet(t, &p, "DeviceAllow", "/dev/null w", line(2))
	want := []Item[DeviceRule]{{DeviceRule{"/dev/null", cgroup.Read}, line(1)}, {DeviceRule{"/dev/null", cgroup.Write}, line(2)}}
	if !slices.Equal(p.DeviceAllow.Items, want) {
		t.Errorf("two lines: %+v", p.DeviceAllow)
	}
	mustSet(t, &p, "DeviceAllow", "", line(3))
	if len(p.DeviceAllow.Items) != 0 || !p.DeviceAllow.Reset || p.DeviceAllow.From != line(3) {
		t.Errorf("after a reset: %+v", p.DeviceAllow)
	}
}

func FuzzParseDeviceRule(f *testing.F) {
	for _, s := range []string{"", "/dev/null", "/dev/null rwm", "char-* r", `"/dev/a b" w`, `"block-\x01"`, "/dev/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDeviceRule(s)
		if err != nil {
			if v != (DeviceRule{}) {
				t.Fatalf("%q: an error, and %+v", s, v)
			}
			return
		}
		if v.Access == 0 || v.Access&^rwm != 0 {
			t.Fatalf("%q: access %#x", s, v.Access)
		}
		if again, err := ParseDeviceRule(deviceRuleText(v)); err != nil || again != v {
			t.Fatalf("%q: %+v comes back as %+v, %v", s, v, again, err)
		}
	})
}

// systemd.resource-control(5), IOReadBandwidthMax=: base 1000.
func TestParseRate(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint64
		text string
	}{
		{"1", 1, "1"},
		{"999", 999, "999"},
		{"1000", 1000, "1K"},
		{"5M", 5_000_000, "5M"},
		{"5 M", 5_000_000, "5M"},
		{"1K", 1000, "1K"},
		{"7B", 7, "7"},
		{"2G", 2_000_000_000, "2G"},
		{"3T", 3_000_000_000_000, "3T"},
		{"4P", 4_000_000_000_000_000, "4P"},
		{"17E", 17_000_000_000_000_000_000, "17E"},
		{"1.5K", 1500, "1500"},
		{"0.5M", 500_000, "500K"},
		{"1.2345M", 1_234_500, "1234500"},
		{"1.000K", 1000, "1K"},
		{"1.0000K", 1000, "1K"},
		{"1.0", 1, "1"},
		{"18446744073709551614", math.MaxUint64 - 1, "18446744073709551614"},
		{"infinity", NoLimit, "infinity"},
	} {
		got, err := ParseRate(c.in)
		if got != c.want || err != nil || rateText(got) != c.text {
			t.Errorf("%q: %d (%s), %v, want %d (%s)", c.in, got, rateText(got), err, c.want, c.text)
		}
	}
	const form = "not a number with a suffix B, K, M, G, T, P or E: "
	for _, c := range []struct{ in, err string }{
		{"", form + `""`},
		{"M", form + `"M"`},
		{"-1", form + `"-1"`},
		{"+1", form + `"+1"`},
		{"1m", form + `"1m"`},
		{"1MB", form + `"1MB"`},
		{"1KiB", form + `"1KiB"`},
		{"1M 500K", form + `"1M 500K"`},
		{"1.M", form + `"1.M"`},
		{".5M", form + `".5M"`},
		{"1.5.5M", form + `"1.5.5M"`},
		{"1_000", form + `"1_000"`},
		{"0x10", form + `"0x10"`},
		{"10%", form + `"10%"`},
		{"Infinity", form + `"Infinity"`},
		{"010", `leading zero: "010"`},
		{"00.5K", `leading zero: "00.5K"`},
		{"1.5", `decimals of less than one: "1.5"`},
		{"1.2345K", `decimals of less than one: "1.2345K"`},
		{"19E", `number too large: "19E"`},
		{"18446744073709551615", `number too large: "18446744073709551615"`},
		{"18446744073709551616", `number too large: "18446744073709551616"`},
		{"0", "0 is no limit that anything could run with"},
		{"0.0K", "0 is no limit that anything could run with"},
	} {
		if got, err := ParseRate(c.in); got != 0 || err == nil || err.Error() != c.err {
			t.Errorf("%q: %d, %v, want %s", c.in, got, err, c.err)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"", "1", "5M", "1.5K", "infinity", "18.446744073709551615E", "0.0", "1 K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseRate(s)
		if (v == 0) != (err != nil) {
			t.Fatalf("%q: %d, %v", s, v, err)
		}
		if err != nil {
			return
		}
		if again, err := ParseRate(rateText(v)); err != nil || again != v {
			t.Fatalf("%q: %d comes back as %d, %v", s, v, again, err)
		}
	})
}

// systemd.resource-control(5), IODeviceWeight= to IODeviceLatencyTargetSec=.
func TestIODevices(t *testing.T) {
	for _, c := range []struct {
		parse func(string) ([]IODevice, error)
		in    string
		want  IODevice
	}{
		{parseDeviceWeight, "/dev/sda 1000", IODevice{"/dev/sda", 1000}},
		{parseDeviceWeight, "/srv//data/ 1", IODevice{"/srv/data", 1}},
		{parseDeviceRate, "/dev/disk/by-path/pci-0000:00:1f.2-scsi-0:0:0:0 5M", IODevice{"/dev/disk/by-path/pci-0000:00:1f.2-scsi-0:0:0:0", 5_000_000}},
		{parseDeviceRate, `"/srv/a b" infinity`, IODevice{"/srv/a b", NoLimit}},
		{parseDeviceLatency, "/dev/sda 25ms", IODevice{"/dev/sda", 25_000}},
		{parseDeviceLatency, "/dev/sda 1s 500us", IODevice{"/dev/sda", 1_000_500}},
		{parseDeviceLatency, "/dev/sda 2", IODevice{"/dev/sda", 2_000_000}},
	} {
		if got, err := c.parse(c.in); err != nil || !slices.Equal(got, []IODevice{c.want}) {
			t.Errorf("%q: %+v, %v, want %+v", c.in, got, err, c.want)
		}
	}
	for _, c := range []struct {
		parse   func(string) ([]IODevice, error)
		in, err string
	}{
		{parseDeviceWeight, "/dev/sda", `a path and a value are wanted, not "/dev/sda"`},
		{parseDeviceWeight, "1000", `a path and a value are wanted, not "1000"`},
		{parseDeviceWeight, "/dev/sda 0", "0 is outside of 1 to 10000"},
		{parseDeviceWeight, "/dev/sda 10001", "10001 is outside of 1 to 10000"},
		{parseDeviceWeight, "/dev/sda idle", `not a decimal number: "idle"`},
		{parseDeviceWeight, "/dev/sda 1 2", `not a decimal number: "1 2"`},
		{parseDeviceWeight, "sda 100", `the path is not absolute: "sda"`},
		{parseDeviceWeight, "1000 /dev/sda", `the path is not absolute: "1000"`},
		{parseDeviceRate, "/dev/../sda 1M", `".." in the path "/dev/../sda"`},
		{parseDeviceRate, "/dev/sda 0", "0 is no limit that anything could run with"},
		{parseDeviceRate, "/dev/sda 1M 500K", `not a number with a suffix B, K, M, G, T, P or E: "1M 500K"`},
		{parseDeviceRate, `"/dev/sda 1M`, `the quote " is not closed`},
		{parseDeviceLatency, "/dev/sda 0", `a latency to aim at is neither 0 nor infinity: "0"`},
		{parseDeviceLatency, "/dev/sda infinity", `a latency to aim at is neither 0 nor infinity: "infinity"`},
		{parseDeviceLatency, "/dev/sda 25xs", `unknown unit "xs" in time span "25xs"`},
	} {
		if got, err := c.parse(c.in); got != nil || err == nil || err.Error() != c.err {
			t.Errorf("%q: %+v, %v, want %s", c.in, got, err, c.err)
		}
	}
}

func FuzzParseIODevice(f *testing.F) {
	for _, s := range []string{"", "/dev/sda 1", "/dev/sda 5M", `"/a b" 25ms`, "/dev/sda infinity", "/a\xff 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i, c := range []struct {
			parse func(string) ([]IODevice, error)
			text  func(IODevice) string
		}{{parseDeviceWeight, deviceWeightText}, {parseDeviceRate, deviceRateText}, {parseDeviceLatency, deviceLatencyText}} {
			v, err := c.parse(s)
			if (err == nil) != (len(v) == 1) {
				t.Fatalf("%d: %q: %+v, %v", i, s, v, err)
			}
			if err != nil {
				continue
			}
			if again, err := c.parse(c.text(v[0])); err != nil || !slices.Equal(again, v) {
				t.Fatalf("%d: %q: %+v comes back as %+v, %v", i, s, v, again, err)
			}
		}
	})
}
