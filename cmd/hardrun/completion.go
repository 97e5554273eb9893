package main

import (
	"strings"

	"github.com/hardrun/hardrun/policy"
)

// completionCommand prints a script for a shell, made from the table.
func completionCommand(args []string) int {
	if len(args) != 1 {
		return usage("completion: one shell is wanted: bash, zsh or fish")
	}
	switch args[0] {
	case "bash":
		return out(bashCompletion())
	case "zsh":
		return out(zshCompletion())
	case "fish":
		return out(fishCompletion())
	}
	return usage("completion: no script for " + args[0] + ": bash, zsh or fish")
}

// offered are the options to complete: those that are applied.
func offered(each func(d *policy.Directive, option string)) {
	for _, d := range policy.Directives {
		if d.Support != policy.Applied || d.NoOption {
			continue
		}
		each(d, d.Option)
		for _, o := range d.OptionAliases {
			each(d, o)
		}
	}
}

// valueWords are the words that a value can be, with those of a boolean; empty
// where it is anything else.
func valueWords(d *policy.Directive) string {
	switch {
	case d.Value != nil && len(d.Value.Words) > 0:
		return strings.Join(d.Value.Words, " ")
	case boolean(d):
		return "yes no"
	}
	return ""
}

func bashCompletion() string {
	var options, cases strings.Builder
	offered(func(d *policy.Directive, o string) {
		if boolean(d) {
			options.WriteString(" --" + o)
		}
		if !boolean(d) || d.Arg != "BOOL" {
			options.WriteString(" --" + o + "=")
		}
		if words := valueWords(d); words != "" {
			cases.WriteString("    --" + o + ") COMPREPLY=($(compgen -W '" + words + "' -- \"$value\")); return ;;\n")
		}
	})
	return `# bash completion for hardrun: source <(hardrun completion bash)
_hardrun() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} option= value= i
  if [ "$cur" = = ]; then option=$prev
  elif [ "$prev" = = ]; then option=${COMP_WORDS[COMP_CWORD-2]} value=$cur; fi
  case $option in
` + cases.String() + `    --user) COMPREPLY=($(compgen -u -- "$value")); return ;;
    --group|--supplementary-groups) COMPREPLY=($(compgen -g -- "$value")); return ;;
    --unit) COMPREPLY=($(compgen -f -W "$(ls /etc/systemd/system /run/systemd/system /usr/lib/systemd/system 2>/dev/null | sed -n 's/\.service$//p')" -- "$value")); return ;;
    --drop-in) COMPREPLY=($(compgen -f -W '` + profileWords() + `' -- "$value")); return ;;
    --?*) COMPREPLY=($(compgen -f -- "$value")); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --) COMPREPLY=($(compgen -c -- "$cur")); return ;;
    esac
  done
  case $cur in
    -*) COMPREPLY=($(compgen -W '` + strings.TrimSpace(options.String()) + `' -- "$cur"))
        [[ ${COMPREPLY-} == *= ]] && compopt -o nospace; return ;;
  esac
  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W '` + shellWords() + `' -c -- "$cur")); else COMPREPLY=($(compgen -c -f -- "$cur")); fi
}
complete -F _hardrun hardrun
`
}

// profileWords are the names of the profiles.
func profileWords() string {
	var words []string
	for i := range profiles {
		words = append(words, profiles[i].name)
	}
	return strings.Join(words, " ")
}

// shellWords are the subcommands that are built.
func shellWords() string {
	var words []string
	for _, c := range commands() {
		if c.run != nil {
			words = append(words, c.word)
		}
	}
	return strings.Join(words, " ")
}

func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef hardrun\n# zsh completion for hardrun: hardrun completion zsh > \"${fpath[1]}/_hardrun\"\n_arguments -S \\\n")
	offered(func(d *policy.Directive, o string) {
		doc := strings.NewReplacer("'", "", "[", "(", "]", ")", ":", "").Replace(d.Doc)
		spec := "  '--" + o
		switch {
		case boolean(d): // a value only by "=", or none
			spec += "=-[" + doc + "]::value:(" + valueWords(d) + ")'"
		case valueWords(d) != "":
			spec += "=[" + doc + "]:value:(" + valueWords(d) + ")'"
		case o == "user":
			spec += "=[" + doc + "]:user:_users'"
		default:
			spec += "=[" + doc + "]:value:_files'"
		}
		b.WriteString(spec + " \\\n")
	})
	b.WriteString("  '1: : _alternative \"words:subcommand:(" + shellWords() + ")\" \"commands:command:_command_names -e\"' \\\n  '*:: :_normal'\n")
	return b.String()
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for hardrun: hardrun completion fish | source\n")
	for _, w := range strings.Fields(shellWords()) {
		b.WriteString("complete -c hardrun -n '__fish_is_first_arg' -a " + w + "\n")
	}
	offered(func(d *policy.Directive, o string) {
		line := "complete -c hardrun -l " + o + " -d '" + strings.ReplaceAll(d.Doc, "'", "\\'") + "'"
		switch {
		case boolean(d): // a value only by "=", or none
			line += " -f -a '" + valueWords(d) + "'"
		case valueWords(d) != "":
			line += " -x -a '" + valueWords(d) + "'"
		default:
			line += " -r"
		}
		if d.Short != "" {
			line += " -s " + d.Short
		}
		b.WriteString(line + "\n")
	})
	return b.String()
}
