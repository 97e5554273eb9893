package seccomp_test

import (
	"fmt"

	"github.com/hardrun/hardrun/seccomp"
)

func ExampleFilter() {
	f := seccomp.New(seccomp.Machine("amd64"))
	f.RestrictNamespaces(f.Source(seccomp.Source{Directive: "RestrictNamespaces", Origin: "named.service:31"}), 0)
	prog, err := f.Program()
	if err != nil {
		panic(err)
	}
	unshare := seccomp.Data{NR: 272, Arch: seccomp.ArchX86_64, Args: [6]uint64{seccomp.NewUser}}
	action, err := prog.Eval(unshare)
	if err != nil {
		panic(err)
	}
	fmt.Println(action, "by", f.Sources[f.Decide(unshare).By])
	// Output: errno EPERM by RestrictNamespaces= named.service:31
}
