# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_bbctl_global_optspecs
    string join \n sim= color= h/help V/version
end

function __fish_bbctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_bbctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_bbctl_using_subcommand
    set -l cmd (__fish_bbctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c bbctl -n "__fish_bbctl_needs_command" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_needs_command" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_needs_command" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_needs_command" -s V -l version -d 'Print version'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "new" -d 'Make a repository that is valid as it stands'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "validate" -d 'Check a repository without a host: every finding of every file at once'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "schema" -d 'Print the JSON Schema of a document, or list the documents'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "template" -d 'Work on templates of machines, containers and extensions'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and not __fish_seen_subcommand_from system tenant help" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and not __fish_seen_subcommand_from system tenant help" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and not __fish_seen_subcommand_from system tenant help" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and not __fish_seen_subcommand_from system tenant help" -f -a "system" -d 'A system repository: the registry of tenants and the rules of the host'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and not __fish_seen_subcommand_from system tenant help" -f -a "tenant" -d 'A tenant repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and not __fish_seen_subcommand_from system tenant help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from system" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from system" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from system" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from tenant" -l template -d 'What the tenant runs' -r -f -a "container\t'A container that serves a page'
vm\t'A virtual machine'"
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from tenant" -l id -d 'The tenant\'s id; the name of the directory by default' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from tenant" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from tenant" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from tenant" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from help" -f -a "system" -d 'A system repository: the registry of tenants and the rules of the host'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from help" -f -a "tenant" -d 'A tenant repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand new; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -l kind -d 'What it is; `auto` looks at what is there' -r -f -a "auto\t'`system` if there is tenants/registry.json or .gitops/, else `tenant`'
system\t'The operator\'s repository'
tenant\t'A tenant\'s repository'"
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -l id -d 'The id that the registry has, or will have, for the tenant' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -l format -d 'How findings are printed' -r -f -a "text\t'For people: the text underlined, and what to write'
json\t'For programs'
github\t'Workflow commands of GitHub Actions'
sarif\t'SARIF 2.1.0'"
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and not __fish_seen_subcommand_from validate help" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and not __fish_seen_subcommand_from validate help" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and not __fish_seen_subcommand_from validate help" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and not __fish_seen_subcommand_from validate help" -f -a "validate" -d 'Check a template: its metadata, and the trees that its type must have'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and not __fish_seen_subcommand_from validate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and __fish_seen_subcommand_from validate" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and __fish_seen_subcommand_from validate" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and __fish_seen_subcommand_from validate" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and __fish_seen_subcommand_from help" -f -a "validate" -d 'Check a template: its metadata, and the trees that its type must have'
complete -c bbctl -n "__fish_bbctl_using_subcommand template; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand completions" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand completions" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate schema template completions help" -f -a "new" -d 'Make a repository that is valid as it stands'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate schema template completions help" -f -a "validate" -d 'Check a repository without a host: every finding of every file at once'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate schema template completions help" -f -a "schema" -d 'Print the JSON Schema of a document, or list the documents'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate schema template completions help" -f -a "template" -d 'Work on templates of machines, containers and extensions'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate schema template completions help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate schema template completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from new" -f -a "system" -d 'A system repository: the registry of tenants and the rules of the host'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from new" -f -a "tenant" -d 'A tenant repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from template" -f -a "validate" -d 'Check a template: its metadata, and the trees that its type must have'
