//go:build !linux || !cgo

package main

import (
	"errors"

	"github.com/hardrun/hardrun/launcher"
	"github.com/hardrun/hardrun/policy"
)

// commandFD is of Linux: elsewhere no process runs one command of a service.
func commandFD() int { return 0 }

func told() ([]byte, error) { return nil, errors.ErrUnsupported }

// serve starts the main command of a unit that has nothing else. All else of a service is
// of Linux.
func serve(in *invocation, t *launcher.Thread) int {
	if errs := readyService(in); len(errs) > 0 {
		return badUnit(errs)
	}
	p := &in.policy
	list := p.Service.Commands[policy.ExecStart].Items
	if len(list) != 1 || isService(p) {
		return usage("a service with directories, a dynamic user, sockets, credentials, conditions, or more than one command is started on Linux only")
	}
	var given launcher.Given
	if in.named() {
		given.Unit = serviceName(in)
	}
	words := commandArgs(&list[0].V, &given)
	q := p.ForCommand(policy.ExecStart, 0)
	return confine(t, &q, words, &given, nil)
}
