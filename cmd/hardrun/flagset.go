package main

import "flag"

// flagSet is what urfave/cli hands its flags.
type flagSet = flag.FlagSet
