//go:build linux && !cgo

package main

import "github.com/hardrun/hardrun/launcher"

const canLaunch = false

const backend = "built without cgo: plan and directives work, launching does not"

func newThread() *launcher.Thread { return nil }

func unpin() {}

func guessWas(bool) int { return 0 }

func startAgain(*launcher.Thread, *launcher.Plan) int { return usage("start again: " + backend) }

func explains() int { return 0 }

func explain(int) int { return 0 }
