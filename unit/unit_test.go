package unit

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/hardrun/hardrun/policy"
)

// of is a unit with that text.
func of(t *testing.T, name, text string) *Unit {
	t.Helper()
	list, err := Parse(name, []byte(text))
	u := &Unit{Name: name, Path: "/srv/" + name, Assignments: list}
	if errs, ok := err.(Errors); ok {
		u.Problems = errs
	}
	return u
}

// texts are errors one by one, each with its hint in parentheses.
func texts(err error) []string {
	var out []string
	var errs Errors
	if err != nil && !errors.As(err, &errs) {
		errs = Errors{err}
	}
	for _, e := range errs {
		text := e.Error()
		var p *policy.Error
		var u *Error
		if errors.As(e, &p) && p.Hint != "" {
			text += " (" + p.Hint + ")"
		} else if errors.As(e, &u) && u.Hint != "" {
			text += " (" + u.Hint + ")"
		}
		out = append(out, text)
	}
	return out
}

func TestApply(t *testing.T) {
	var p policy.Policy
	text := `[Unit]
Description=A daemon
After=network.target
StartLimitBurst=3
[Service]
User=daemon
NoNewPrivileges=no
ReadOnlyDirectories=/usr
X-Ignored=yes
X-Hardrun-KeepTTY=yes
Restart=always
StartLimitBurst=4
NoNewPrivileges=yes
Nice=5
Nice=
[Install]
WantedBy=multi-user.target
[X-Other]
nonsense
`
	if err := of(t, "a.service", text).Apply(&p, nil); err != nil {
		t.Fatal(err)
	}
	if p.User.V != "daemon" || p.User.From.String() != "a.service:6" {
		t.Errorf("User=%q of %v", p.User.V, p.User.From)
	}
	// The last one counts, and the plan shows its line.
	if !p.NoNewPrivileges.V || p.NoNewPrivileges.From.Line != 13 {
		t.Errorf("NoNewPrivileges=%+v", p.NoNewPrivileges)
	}
	// An empty value resets, systemd.syntax(7).
	if p.Nice.Set || len(p.ReadOnlyPaths.Items) != 1 || !p.KeepTTY.V {
		t.Errorf("Nice=%+v ReadOnlyPaths=%+v KeepTTY=%+v", p.Nice, p.ReadOnlyPaths, p.KeepTTY)
	}
	var noted []string
	for _, a := range p.Noted {
		noted = append(noted, a.Directive.Name+"="+a.Value)
	}
	for _, want := range []string{"Description=A daemon", "After=network.target", "StartLimitBurst=3", "StartLimitBurst=4", "WantedBy=multi-user.target"} {
		if !strings.Contains(strings.Join(noted, "\n"), want) {
			t.Errorf("%s is not noted: %q", want, noted)
		}
	}
	if p.Expand == nil {
		t.Fatal("no specifiers")
	}
	if got, err := p.Expand("%n"); err != nil || got != "a.service" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestApplyErrors(t *testing.T) {
	tests := []struct {
		name, file, text string
		want             []string
		stay             int // how many of them remain with --unknown=warn
	}{
		{"misspelt", "a.service", "[Service]\nNoNewPriviliges=yes\n", []string{"a.service:2: NoNewPriviliges=: unknown directive (did you mean NoNewPrivileges=?)"}, 0},
		{"misspelt, ours", "a.service", "[Service]\nX-Hardrun-KeepTTTY=yes\n", []string{"a.service:2: X-Hardrun-KeepTTTY=: unknown directive (did you mean X-Hardrun-KeepTTY=?)"}, 0},
		{"a wrong value", "a.service", "[Service]\nNoNewPrivileges=maybe\n", []string{"a.service:2: NoNewPrivileges=: "}, 0},
		{"in the wrong section", "a.service", "[Unit]\nUser=daemon\n[Service]\nAfter=b.service\n[Install]\nNice=1\n", []string{
			"a.service:2: User=: it belongs to [Service], not to [Unit]",
			"a.service:4: After=: it belongs to [Unit], not to [Service]",
			"a.service:6: Nice=: it belongs to [Service], not to [Install]",
		}, 0},
		{"ours in the wrong section", "a.service", "[Unit]\nX-Hardrun-KeepTTY=yes\n", []string{"a.service:2: X-Hardrun-KeepTTY=: it belongs to [Service], not to [Unit]"}, 0},
		{"an unknown section, once", "a.service", "[Sevice]\nUser=daemon\nNice=1\n[Service]\n[Sevice]\nNice=2\n", []string{
			`a.service:1: unknown section "[Sevice]" (did you mean [Service]?)`,
			`a.service:5: unknown section "[Sevice]" (did you mean [Service]?)`,
		}, 0},
		{"another type's section", "a.service", "[Timer]\nOnCalendar=daily\n", []string{"a.service:1: a .service has no section [Timer]"}, 0},
		{"a socket's section", "a.service", "[Socket]\nListenStream=1\n", []string{"a.service:1: a .service has no section [Socket]"}, 0},
		{"a service's section", "a.socket", "[Service]\nNice=1\n", []string{"a.socket:1: a .socket has no section [Service]"}, 0},
		{"lines", "a.service", "Nice=1\n[Service]\nfoo\nNice=x\n", []string{
			`a.service:1: not in a section: "Nice=1"`,
			`a.service:3: neither a section nor an assignment, as "=" is missing: "foo"`,
			"a.service:4: Nice=: ",
		}, 0},
		// Without these lines the daemon would be another one, or see other files.
		{"identity", "a.service", "[Service]\nUser=a b\nGroup=-1\nRootDirectory=relative\nNice=x\n", []string{
			"a.service:2: User=: ", "a.service:3: Group=: ", "a.service:4: RootDirectory=: ", "a.service:5: Nice=: ",
		}, 3},
		// "Specifiers must be known and resolvable for the setting to be valid."
		{"commands of a socket", "a.socket", "[Socket]\nExecStartPre=/bin/true\nExecStartPre=\nPrivateNetwork=yes\nPrivateNetwork=no\nNetworkNamespacePath=/run/netns/x\nExecStopPost=/bin/true\n", []string{
			"a.socket:2: ExecStartPre=: commands of a socket are not run",
			"a.socket:4: PrivateNetwork=: a socket is opened in the network that hardrun is in",
			"a.socket:6: NetworkNamespacePath=: a socket is opened in the network that hardrun is in",
			"a.socket:7: ExecStopPost=: commands of a socket are not run",
		}, 4},
		{"of a service only", "a.socket", "[Socket]\nRestart=always\n", []string{"a.socket:2: Restart=: it belongs to [Service], not to [Socket]"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p policy.Policy
			got := texts(of(t, tt.file, tt.text).Apply(&p, nil))
			if len(got) != len(tt.want) {
				t.Fatalf("%q\nwant %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("%q, want %q", got[i], tt.want[i])
				}
			}
			var warned Errors
			p = policy.Policy{}
			left := texts(of(t, tt.file, tt.text).Apply(&p, func(err error) { warned = append(warned, err) }))
			if len(left) != tt.stay || len(warned)+len(left) != len(tt.want) {
				t.Errorf("warnings %q, errors %q", texts(warned), left)
			}
		})
	}
}

// TestWarn: --unknown=warn passes over lines, and takes the others.
func TestWarn(t *testing.T) {
	u := of(t, "a.service", "[Service]\nNice=1\nNice=x\nfoo\nBar=1\n[Foo]\na=b\n[Service]\nUMask=077\n")
	var p policy.Policy
	n := 0
	if err := u.Apply(&p, func(error) { n++ }); err != nil || n != 4 {
		t.Errorf("%d warnings, %v", n, err)
	}
	if p.Nice.V != 1 || p.UMask.V != 0o077 {
		t.Errorf("Nice=%+v UMask=%+v", p.Nice, p.UMask)
	}
}

// TestManyApplyErrors: the list is bounded.
func TestManyApplyErrors(t *testing.T) {
	var p policy.Policy
	err := of(t, "a.service", "[Service]\n"+strings.Repeat("Bogus=1\n", 1e5)).Apply(&p, nil)
	if errs, _ := err.(Errors); len(errs) != maxErrors+1 {
		t.Errorf("%d errors", len(errs))
	}
	if !errors.Is(err, policy.ErrUnknown) {
		t.Error(err)
	}
}

// TestSocket: what is about a socket's own commands is noted, and not the service's.
func TestSocket(t *testing.T) {
	var p policy.Policy
	if err := of(t, "a.socket", "[Unit]\nAfter=b.service\n[Socket]\nUser=nobody\nNoNewPrivileges=yes\nKillMode=none\nTimeoutSec=3\n[Install]\nWantedBy=sockets.target\n").Apply(&p, nil); err != nil {
		t.Fatal(err)
	}
	if p.User.Set || p.NoNewPrivileges.Set || p.KillMode.Set || len(p.Noted) != 6 {
		t.Errorf("%+v", p.Noted)
	}
}

func TestDependencies(t *testing.T) {
	u := of(t, "a@b.service", `[Unit]
Requires=postgresql.service  redis@%i.service
Requires=
RequiresOverridable=old.service
BindsTo="dev-disk\x2da.device" 'x.mount'
Wants=c-%p.target
Requisite=d.socket
After=e.service
Upholds=f.service
[Service]
Wants=g.service
[X-Unit]
Wants=h.service
`)
	list, err := u.Dependencies()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range list {
		got = append(got, d.From.String()+" "+d.Directive+"="+d.Unit)
	}
	// systemd.unit(5), Example 2: "Dependencies (After=, etc.) cannot be reset to an empty list".
	if want := []string{
		"a@b.service:2 Requires=postgresql.service",
		"a@b.service:2 Requires=redis@b.service",
		"a@b.service:4 Requires=old.service",
		`a@b.service:5 BindsTo=dev-disk\x2da.device`,
		"a@b.service:5 BindsTo=x.mount",
		"a@b.service:6 Wants=c-a.target",
		"a@b.service:7 Requisite=d.socket",
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	list, err = of(t, "a.service", "[Unit]\nWants=good.service bad %Z.service /x.service\n").Dependencies()
	if len(list) != 1 || len(texts(err)) != 3 {
		t.Errorf("%v, %q", list, texts(err))
	}
}
