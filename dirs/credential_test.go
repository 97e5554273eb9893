package dirs

import (
	"strings"
	"testing"
)

// Lines that are right, and what is wrong with others.
func TestCheckCredential(t *testing.T) {
	large := strings.Repeat("x", maxCredentials)
	for _, tt := range []struct {
		c    Credential
		want string
	}{
		{Credential{ID: "k"}, ""},
		{Credential{ID: "k", Path: "other"}, ""},
		{Credential{ID: "k", Path: "/a//b"}, ""},
		{Credential{ID: "a*b", Path: "/x"}, ""}, // a name as any other
		{Credential{ID: "*", Import: true}, ""},
		{Credential{ID: "a.*", Import: true, Rename: "b."}, ""},
		{Credential{ID: "k", Data: large[1:], Set: true}, ""},
		{Credential{ID: "k", Data: large, Set: true}, "SetCredential=k: credentials have 1048576 bytes at most, their names included"},
		{Credential{ID: ".", Path: "/x"}, `LoadCredential="." is not the name of a credential`},
		{Credential{ID: "..", Path: "/x"}, `LoadCredential=".." is not the name of a credential`},
		{Credential{ID: "a/b", Path: "/x"}, `LoadCredential="a/b" is not the name of a credential`},
		{Credential{ID: "", Set: true}, `SetCredential="" is not the name of a credential`},
		{Credential{ID: "", Import: true}, `ImportCredential="" is not the name of a credential`},
		{Credential{ID: "a*b", Import: true}, `ImportCredential="a*b" is not the name of a credential`},
		{Credential{ID: "a", Import: true, Rename: "."}, `ImportCredential=a: "." is not the name of a credential`},
		{Credential{ID: "k", Path: "a/b"}, `LoadCredential=k: "a/b" is neither an absolute path nor the name of a credential`},
		{Credential{ID: "k", Path: "/a/.."}, `LoadCredential=k: "/a/..": ".." is refused`},
		{Credential{ID: "k", Path: "/etc/credstore.encrypted"}, "LoadCredential=k: /etc/credstore.encrypted: encrypted credentials are not decrypted"},
	} {
		err := tt.c.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%.40v: %v, want %q", tt.c, err, tt.want)
		}
	}
}
