package policy

import (
	"slices"
	"testing"
)

// TestSpecifiers: systemd.unit(5), "SPECIFIERS": they are resolved after quotes and escapes,
// so that blanks, quotes and colons stay in their word.
func TestSpecifiers(t *testing.T) {
	p := Policy{Expand: expandTest}
	mustSet(t, &p, "Environment", `A=%i "B=%i" 'C='%e D=%e%% E=\x25i F=%q "G=%e"`, line(1))
	want := []string{"A=b c", "B=b c", "C=", "D=%", "E=%i", `F="\:`, "G="}
	var got []string
	for _, item := range p.Environment.Items {
		got = append(got, item.V)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Environment: %q, want %q", got, want)
	}
	mustSet(t, &p, "BindPaths", `/a%q:/b%q`, line(1))
	if b := p.Binds.Items[0].V; b.Source != `/a"\:` || b.Target != `/b"\:` {
		t.Errorf("BindPaths: %+v", b)
	}
	mustSet(t, &p, "ReadOnlyPaths", `%t/x "%t/a b"`, line(1))
	if r := p.ReadOnlyPaths.Items; r[0].V.Path != "/run/x" || r[1].V.Path != "/run/a b" {
		t.Errorf("ReadOnlyPaths: %+v", r)
	}
	mustSet(t, &p, "StateDirectory", `%i/x:%i`, line(1))
	if d := p.Directories[StateDirectory].Items[0].V; d.Name != "b c/x" || d.Links[0] != "b c" {
		t.Errorf("StateDirectory: %+v", d)
	}
	mustSet(t, &p, "StandardInputText", `%q\n%i`, line(1))
	if got := p.InputData.Items[0].V; got != "\"\\:\nb c\n" {
		t.Errorf("StandardInputText: %q", got)
	}
	mustSet(t, &p, "SetCredential", `a%%b:%i`, line(1))
	if c := p.Credentials.Items[0].V; c.ID != "a%b" || c.Data != "%i" {
		t.Errorf("SetCredential: %+v", c)
	}
	mustSet(t, &p, "ConditionPathExists", `!%t/%i`, line(1))
	if c := p.Conditions.Items[0].V; c.Value != "/run/b c" || !c.Negate {
		t.Errorf("ConditionPathExists: %+v", c)
	}
	mustSet(t, &p, "PIDFile", "%t/x.pid", line(1))
	if got := p.Service.PIDFile.V; got != "/run/x.pid" {
		t.Errorf("PIDFile: %q", got)
	}
	// A share is no specifier.
	mustSet(t, &p, "CPUQuota", "20%", line(1))
	// Nothing is no reset, and no user.
	before := p.User
	for _, c := range []struct{ name, value string }{
		{"User", "%e"}, {"RootDirectory", "%e"}, {"ReadOnlyPaths", "%e"}, {"ConditionHost", "%e"}, {"ExecStart", "%e"}, {"Environment", "A=%?"}, {"ReadWritePaths", "/a /%?"}, {"User", "%i"},
	} {
		if err := p.Set(c.name, c.value, line(2)); err == nil {
			t.Errorf("%s=%s is taken", c.name, c.value)
		}
	}
	if p.User != before {
		t.Errorf("User= was changed: %+v", p.User)
	}
	// On the command line there are none.
	mustSet(t, &p, "ReadWritePaths", "/%i", option("--read-write-paths"))
	if got := p.ReadWritePaths.Items[0].V.Path; got != "/%i" {
		t.Errorf("--read-write-paths=/%%i is %q", got)
	}
}

// TestSpecifierRows holds which values have specifiers: what systemd's parser gives to one of
// its functions with "printf" in the name. Booleans, numbers, times, lists of calls and of
// capabilities have none.
func TestSpecifierRows(t *testing.T) {
	for name, want := range map[string]Specifiers{
		"User": WholeValue, "Group": WholeValue, "SupplementaryGroups": InWords, "WorkingDirectory": WholeValue, "RootDirectory": WholeValue,
		"Environment": InWords, "EnvironmentFile": WholeValue, "PassEnvironment": InWords, "UnsetEnvironment": InWords, "StandardOutput": WholeValue,
		"ReadOnlyPaths": InWords, "BindReadOnlyPaths": InWords, "TemporaryFileSystem": InWords, "ExecStart": ByParser, "ExecStopPost": ByParser,
		"RuntimeDirectory": InWords, "LogsDirectory": InWords, "LoadCredential": WholeValue, "SetCredential": ByParser, "ImportCredential": WholeValue,
		"ConditionPathExists": WholeValue, "AssertHost": WholeValue, "PIDFile": WholeValue, "ListenStream": WholeValue, "Symlinks": InWords, "DeviceAllow": InWords,
		"NoNewPrivileges": NoSpecifiers, "Nice": NoSpecifiers, "TimeoutStopSec": NoSpecifiers, "CPUQuota": NoSpecifiers, "MemoryMax": NoSpecifiers, "SystemCallFilter": NoSpecifiers,
		"CapabilityBoundingSet": NoSpecifiers, "UMask": NoSpecifiers, "Type": NoSpecifiers, "KillSignal": NoSpecifiers, "RuntimeDirectoryMode": NoSpecifiers, "OpenFile": NoSpecifiers,
	} {
		if got := Lookup(name).Specifiers; got != want {
			t.Errorf("%s: specifiers %d, want %d", name, got, want)
		}
	}
	for _, d := range Directives {
		if d.Specifiers != NoSpecifiers && (d.Support != Applied || d.Value.Bool && d.Name != "ProtectHostname" && d.Name != "Socket") {
			t.Errorf("%s: specifiers %d", d.Name, d.Specifiers)
		}
	}
}
