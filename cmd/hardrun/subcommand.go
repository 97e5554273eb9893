package main

import (
	"os"
	"runtime/debug"
	"strings"

	"github.com/hardrun/hardrun/policy"
	"github.com/urfave/cli/v2"
)

// reserved are the subcommand words: the first argument alone can be one.
// `hardrun -- plan` runs a program called plan.
var reserved = [...]string{"plan", "security", "inspect", "cage", "directives", "syscalls", "completion", "version", "help", "learn", "convert"}

func isSubcommand(word string) bool {
	for _, w := range reserved {
		if w == word {
			return true
		}
	}
	return false
}

// subcommand runs one through urfave/cli: help and completion come from the
// table of directives.
func subcommand(args []string) int {
	code := 0
	app := application(&code)
	if app.Command(args[0]) == nil {
		return usage(args[0] + ": a subcommand of hardrun that is reserved, and not built yet")
	}
	if err := app.Run(append([]string{"hardrun"}, args...)); err != nil {
		return usage(args[0] + ": " + err.Error())
	}
	return code
}

func help() int {
	code := 0
	app := application(&code)
	if err := app.Run([]string{"hardrun", "help"}); err != nil {
		return usage(err.Error())
	}
	return code
}

const helpTemplate = `hardrun: systemd's sandbox for every machine and container that has no systemd

  hardrun [OPTION]... [--] COMMAND [ARG]...   confine, then exec COMMAND (same PID)
  hardrun plan [OPTION]... COMMAND [ARG]...   print the ordered steps, do nothing

examples
  hardrun --user=bind --caps=net_bind_service --chroot=/srv/named -- named -f
  hardrun -u app --no-new-privs --limit-nofile=1024 -- /usr/bin/app
  exec hardrun -u redis -- "$0" "$@"          in a container's entrypoint

subcommands{{range .VisibleCommands}}
  {{.Name | printf "%-14s"}}{{.Usage}}{{end}}

options (every directive is one: NoNewPrivileges= is --no-new-privileges, and
-p NoNewPrivileges=yes; "hardrun directives NAME" tells more){{range .VisibleFlags}}
  {{.}}{{end}}

A step that fails names its directive and the system call, and the daemon is not
started; the exit status is systemd's number for it (200 to 242), 64 for usage.
`

// tableFlag shows a row of the table in help; the launch line is parsed by hand.
type tableFlag struct{ d *policy.Directive }

func (f tableFlag) String() string {
	left := "    --" + f.d.Option
	if f.d.Short != "" {
		left = "-" + f.d.Short + ", --" + f.d.Option
	}
	if f.d.Arg != "" && !boolean(f.d) {
		left += "=" + f.d.Arg
	}
	if len(left) > 34 {
		return left + "\n" + strings.Repeat(" ", 36) + f.d.Doc
	}
	return pad(left, 34) + f.d.Doc
}

func (tableFlag) Apply(*flagSet) error { return nil }
func (f tableFlag) Names() []string    { return []string{f.d.Option} }
func (tableFlag) IsSet() bool          { return false }
func (tableFlag) IsVisible() bool      { return true }

func application(code *int) *cli.App {
	raw := func(name, use, args string, f func(args []string) int) *cli.Command {
		return &cli.Command{
			Name: name, Usage: use, ArgsUsage: args, SkipFlagParsing: true, HideHelp: true,
			Action: func(c *cli.Context) error { *code = f(c.Args().Slice()); return nil },
		}
	}
	app := &cli.App{
		Name: "hardrun", Usage: "systemd's sandbox without systemd", HideVersion: true, HideHelp: true,
		HideHelpCommand: true, CustomAppHelpTemplate: helpTemplate, Writer: os.Stdout, ErrWriter: os.Stderr,
	}
	app.Commands = []*cli.Command{
		raw("plan", "print the ordered steps of a launch, and why each is there", "[--json] [--for=root|self] [OPTION]... COMMAND", planCommand),
		raw("cage", "copy what a command needs into a root directory", "DIR [--user=U] -- COMMAND", func(a []string) int { return cageCommand(a, os.Stdout, os.Stderr) }),
		raw("directives", "list every directive, or explain one", "[NAME]", directivesCommand),
		raw("completion", "print a completion script", "bash|zsh|fish", completionCommand),
		raw("version", "print the version, the reference and how it was built", "", versionCommand),
		raw("help", "print this", "", func([]string) int {
			if err := cli.ShowAppHelp(cli.NewContext(app, nil, nil)); err != nil {
				return usage(err.Error())
			}
			return 0
		}),
	}
	for i := range policy.Directives {
		d := policy.Directives[i]
		if d.Support == policy.Applied && !d.NoOption {
			app.Flags = append(app.Flags, tableFlag{d})
		}
	}
	return app
}

// Version is set by the linker at a release.
var Version = ""

func versionCommand(args []string) int {
	if len(args) > 0 {
		return usage("version: takes no arguments")
	}
	v := Version
	if v == "" {
		v = "(devel)"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			v = info.Main.Version
		}
	}
	return out("hardrun " + v + "\nreference: systemd " + policy.Reference + "\nlaunch: " + backend + "\n")
}
