//go:build !linux

package launcher

import (
	"errors"

	"github.com/hardrun/hardrun/cgroup"
)

var errNoCGroups = errors.New("control groups are Linux only")

func interfaces(cgroup.Names) (*cgroup.Interfaces, error) { return nil, errNoCGroups }

func interfaceIndex(string) (uint32, error) { return 0, errNoCGroups }

func onAllowed(cgroup.FileSystems, ...string) error { return errNoCGroups }

func filesProgram(*cgroup.Filter, cgroup.FileSystems) ([]cgroup.Ins, error) { return nil, errNoCGroups }
