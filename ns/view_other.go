//go:build !linux

package ns

type (
	viewState  struct{}
	layerState struct{}
	ruleState  struct{}
)
