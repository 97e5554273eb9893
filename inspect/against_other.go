//go:build !linux

package inspect

import (
	"errors"

	"github.com/hardrun/hardrun/process"
)

var errSight = errors.New("looking at a process needs Linux")

// sight is how a process sees the file system; there is none here.
type sight struct{ top place }

func (r *Reader) look(*Process) (*sight, error) { return nil, errSight }
func (s *sight) close()                         {}
func (s *sight) text(string) (string, error)    { return "", errSight }
func (s *sight) look(string) (place, error)     { return place{}, errSight }
func (s *sight) node(string) (place, error)     { return place{}, errSight }
func (s *sight) names(string) ([]string, error) { return nil, errSight }
func (s *sight) target(string) (place, error)   { return place{}, errSight }
func (s *sight) owner(string) (uint64, error)   { return 0, errSight }
func hostPlace(string) (place, error)           { return place{}, errSight }
func hostText(string) (string, error)           { return "", errSight }
func scheduling(int) (schedule, error)          { return schedule{}, errSight }
func affinity(int) (process.CPUSet, error)      { return nil, errSight }
func kernelDeniesWriteExecute() bool            { return false }

func (r *Reader) kernelSpaces() map[string]uint64 { return nil }
