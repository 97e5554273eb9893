package launcher

import (
	"os"
	"testing"
)

// The nodes are those of the machine, each with its CPUs; what cannot be read is
// an error, and not a machine without nodes.
func TestNodes(t *testing.T) {
	var env Env
	err := env.nodes()
	if _, missing := os.Stat("/sys/devices/system/node/online"); missing != nil {
		if err == nil {
			t.Error("no nodes can be read, and that is no error")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(env.Nodes) == 0 {
		t.Fatal("no nodes")
	}
	cpus := 0
	for _, n := range env.Nodes {
		cpus += n.CPUs.Count()
	}
	if cpus == 0 {
		t.Errorf("no CPUs in %+v", env.Nodes)
	}
}
