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
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "plan" -d 'Show what the next pass would change and restart, and why; change nothing'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "sync" -d 'Make a pass now: fetch, compile, apply'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "status" -d 'Show every tenant, or all that is known of one'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "drift" -d 'Show what differs from the current generations without a new commit, since when, by whom, and what puts it right'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "history" -d 'Show what happened to a tenant, and the generations that can be rolled back to'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "apply" -d 'Try a commit for a while: the generation before returns by itself, and after a restart of the host'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "confirm" -d 'Keep what is on trial'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "rollback" -d 'Make an older generation of a tenant current; its newer commit stays out until another one arrives'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "suspend" -d 'Have passes leave a tenant alone; what runs goes on'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "resume" -d 'Have passes care for a suspended tenant again'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "events" -d 'Show what happened on this host, oldest first'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "audit" -d 'Show what was done on this host and by whom, and prove that nothing of it was removed or edited'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "logs" -d 'Show the journal of a tenant or of one of its workloads'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "shell" -d 'Run a command in a workload, a shell by default; passes input, output and exit status'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "console" -d 'Join the terminal of a virtual machine, or of a container that boots; `^]` leaves'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "network" -d 'Look at tenants\' networks: what there is, and what would happen to a packet'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "explain" -d 'Say which line of which commit of which repository something on this host comes from'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "schema" -d 'Print the JSON Schema of a document, or list the documents'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "doctor" -d 'Check the host: what it has, what it keeps, and what to do where something is wrong'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "tenant" -d 'Change the registry of tenants: each change is a commit in the system repository'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "host" -d 'Work on the host itself'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "template" -d 'Work on templates of machines, containers and extensions'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c bbctl -n "__fish_bbctl_needs_command" -f -a "simulate" -d 'Do to the simulated host what others do to a real one'
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
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l repository -d 'Plan with the documents in this directory instead of the remote\'s' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l ref -l commit -d 'Plan with this branch, tag or commit; it is fetched and not deployed' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l no-fetch -d 'Take what was fetched before; ask no remote'
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l diff -d 'Show the files line by line'
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l exit-code -d 'Exit with 4 when something would change. It does so anyway; scripts may say it'
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l timeout -d 'Longest time to wait for one tenant, in seconds' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l no-fetch -d 'Take what was fetched before; ask no remote'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l allow-rewind -d 'Accept commits that do not descend from the deployed ones (a force push)'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l retry -d 'Try commits again that were refused, or rolled back from'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l repair -d 'Put right what differs from the current generation without a new commit'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l wait -d 'Wait until the tenants are Healthy, or it is decided that they are not'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand sync" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -l timeout -d 'Longest time to wait for one tenant, in seconds' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -l exit-code -d 'Exit with 4 unless everything is as it shall be'
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -l wait -d 'Wait first, until nothing is starting any more'
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand drift" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand drift" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand drift" -l exit-code -d 'Exit with 4 when anything differs'
complete -c bbctl -n "__fish_bbctl_using_subcommand drift" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand drift" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand history" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand history" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand history" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand history" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand apply" -l try -d 'How long, such as `30s`, `5min` or `1h`' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand apply" -l ref -l commit -d 'The branch, tag or commit; the tenant\'s own reference by default' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand apply" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand apply" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand apply" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand apply" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand confirm" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand confirm" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand confirm" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand rollback" -l to -d 'Number of the generation; the one before the current one by default' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand rollback" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand rollback" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand rollback" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand rollback" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand suspend" -l reason -d 'Why: `status` and `history` show it' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand suspend" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand suspend" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand suspend" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand resume" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand resume" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand resume" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand events" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand events" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand events" -s f -l follow -d 'Go on with what happens from now on'
complete -c bbctl -n "__fish_bbctl_using_subcommand events" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand events" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l since -d 'Only since this time (UTC): `2026-01-31`, `2026-01-31 23:59:59`, or so long ago: `90min`, `7d`' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l tenant -d 'Only what concerns this tenant' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l repository -d 'The trail in this clone or bare repository; this host\'s by default' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l key -d 'Public keys, one of which signed the first record: what `bbctl audit key` printed once; this host\'s by default' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l head -d 'A record that the trail had before, by its commit: a trail without it was cut off or written again' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l verify -d 'Verify the whole trail: signatures, order, and that nothing is missing'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -f -a "key" -d 'Print the public keys of this host\'s trail, oldest first, as an allowed signers file of ssh-keygen(1)'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -f -a "rotate-key" -d 'Make another key; the last record that the old one signs brings it in'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and not __fish_seen_subcommand_from key rotate-key help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from key" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from key" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from rotate-key" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from rotate-key" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from rotate-key" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "key" -d 'Print the public keys of this host\'s trail, oldest first, as an allowed signers file of ssh-keygen(1)'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "rotate-key" -d 'Make another key; the last record that the old one signs brings it in'
complete -c bbctl -n "__fish_bbctl_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -s n -l lines -d 'Only the last lines' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -l since -d 'Only since this time, as journalctl(1) takes it: `-1h`, `yesterday`' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -s f -l follow -d 'Go on with what comes from now on'
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -l inside -d 'The journal inside of a container that boots'
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -l json -d 'JSON for programs, one object per line'
complete -c bbctl -n "__fish_bbctl_using_subcommand logs" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand shell" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand shell" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand shell" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand console" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand console" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand console" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -f -a "show" -d 'Show networks, addresses, links, published ports, peerings, and rules with what they counted'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -f -a "trace" -d 'Say what would happen to the first packet of a connection, and which rule decides; none is sent'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -f -a "rotate-key" -d 'Give a WireGuard network another key; peers reach it again when they know the new public key'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and not __fish_seen_subcommand_from show trace rotate-key help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from show" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from show" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from show" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l from -d 'Who sends' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l to -d 'Who shall get it' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l protocol -d 'tcp, udp or icmp' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l port -d 'Port of who shall get it; tcp and udp need one' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l ipv6 -d 'Between names: by IPv6'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from trace" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from rotate-key" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from rotate-key" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from rotate-key" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from rotate-key" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show networks, addresses, links, published ports, peerings, and rules with what they counted'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from help" -f -a "trace" -d 'Say what would happen to the first packet of a connection, and which rule decides; none is sent'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from help" -f -a "rotate-key" -d 'Give a WireGuard network another key; peers reach it again when they know the new public key'
complete -c bbctl -n "__fish_bbctl_using_subcommand network; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand explain" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand explain" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand explain" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand explain" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand schema" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand doctor" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand doctor" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand doctor" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -f -a "add" -d 'Register a tenant'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -f -a "remove" -d 'Take a tenant out of the registry; its data is kept for the retention time'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -f -a "purge" -d 'Delete the data of a tenant that left the registry, before its time is over'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -f -a "list" -d 'List the tenants of the registry in force'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and not __fish_seen_subcommand_from add remove purge list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l repository -d 'Git URL of its repository; `embedded` is the same as --embedded' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l ref -d 'Branch, tag or commit; `main` by default' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l name -d 'Name for people' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l limits -d 'Ceilings: cpu, memory, storage, tasks, machines, containers, networks, addresses, connections, bandwidth' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l allow -d 'What it may use: `machines`, `containers`, `portable`, `users`, `hooks` (`no-hooks` forbids), `publish=tcp/8000-8099`, `networks=private`' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l checkout -d 'Commit in this clone of the system repository, and push nothing; by default the commit is pushed into the repository that the host keeps' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l embedded -d 'The host keeps its repository, which accepts pushes'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from remove" -l checkout -d 'Commit in this clone of the system repository, and push nothing; by default the commit is pushed into the repository that the host keeps' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from remove" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from remove" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from purge" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from purge" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from purge" -s y -l yes -d 'Do not ask'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from purge" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from list" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from list" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from list" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from help" -f -a "add" -d 'Register a tenant'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take a tenant out of the registry; its data is kept for the retention time'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from help" -f -a "purge" -d 'Delete the data of a tenant that left the registry, before its time is over'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the tenants of the registry in force'
complete -c bbctl -n "__fish_bbctl_using_subcommand tenant; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and not __fish_seen_subcommand_from init help" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and not __fish_seen_subcommand_from init help" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and not __fish_seen_subcommand_from init help" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and not __fish_seen_subcommand_from init help" -f -a "init" -d 'Make this host follow a system repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and not __fish_seen_subcommand_from init help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l system-repo -d 'URL of the system repository; without, the host keeps one itself, which accepts pushes' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l ref -d 'Branch, tag or commit to follow' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l verify -d 'Verify the signatures of its commits, whatever they say themselves: required, warn or off' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l signer -d 'Who may sign: a fingerprint (`SHA256:...`, or of an OpenPGP certificate), a principal or a key\'s name' -r
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -l json -d 'Print JSON for programs'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make this host follow a system repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand host; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
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
complete -c bbctl -n "__fish_bbctl_using_subcommand simulate" -l sim -d 'Work on a simulated host, whose files are below this directory' -r -F
complete -c bbctl -n "__fish_bbctl_using_subcommand simulate" -l color -d 'Colours; `NO_COLOR` turns them off too' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c bbctl -n "__fish_bbctl_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "new" -d 'Make a repository that is valid as it stands'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "validate" -d 'Check a repository without a host: every finding of every file at once'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "plan" -d 'Show what the next pass would change and restart, and why; change nothing'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "sync" -d 'Make a pass now: fetch, compile, apply'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "status" -d 'Show every tenant, or all that is known of one'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "drift" -d 'Show what differs from the current generations without a new commit, since when, by whom, and what puts it right'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "history" -d 'Show what happened to a tenant, and the generations that can be rolled back to'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "apply" -d 'Try a commit for a while: the generation before returns by itself, and after a restart of the host'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "confirm" -d 'Keep what is on trial'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "rollback" -d 'Make an older generation of a tenant current; its newer commit stays out until another one arrives'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "suspend" -d 'Have passes leave a tenant alone; what runs goes on'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "resume" -d 'Have passes care for a suspended tenant again'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "events" -d 'Show what happened on this host, oldest first'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "audit" -d 'Show what was done on this host and by whom, and prove that nothing of it was removed or edited'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "logs" -d 'Show the journal of a tenant or of one of its workloads'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "shell" -d 'Run a command in a workload, a shell by default; passes input, output and exit status'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "console" -d 'Join the terminal of a virtual machine, or of a container that boots; `^]` leaves'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "network" -d 'Look at tenants\' networks: what there is, and what would happen to a packet'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "explain" -d 'Say which line of which commit of which repository something on this host comes from'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "schema" -d 'Print the JSON Schema of a document, or list the documents'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "doctor" -d 'Check the host: what it has, what it keeps, and what to do where something is wrong'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "tenant" -d 'Change the registry of tenants: each change is a commit in the system repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "host" -d 'Work on the host itself'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "template" -d 'Work on templates of machines, containers and extensions'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "simulate" -d 'Do to the simulated host what others do to a real one'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and not __fish_seen_subcommand_from new validate plan sync status drift history apply confirm rollback suspend resume events audit logs shell console network explain schema doctor tenant host template completions simulate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from new" -f -a "system" -d 'A system repository: the registry of tenants and the rules of the host'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from new" -f -a "tenant" -d 'A tenant repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "key" -d 'Print the public keys of this host\'s trail, oldest first, as an allowed signers file of ssh-keygen(1)'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "rotate-key" -d 'Make another key; the last record that the old one signs brings it in'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from network" -f -a "show" -d 'Show networks, addresses, links, published ports, peerings, and rules with what they counted'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from network" -f -a "trace" -d 'Say what would happen to the first packet of a connection, and which rule decides; none is sent'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from network" -f -a "rotate-key" -d 'Give a WireGuard network another key; peers reach it again when they know the new public key'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from tenant" -f -a "add" -d 'Register a tenant'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from tenant" -f -a "remove" -d 'Take a tenant out of the registry; its data is kept for the retention time'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from tenant" -f -a "purge" -d 'Delete the data of a tenant that left the registry, before its time is over'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from tenant" -f -a "list" -d 'List the tenants of the registry in force'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from host" -f -a "init" -d 'Make this host follow a system repository'
complete -c bbctl -n "__fish_bbctl_using_subcommand help; and __fish_seen_subcommand_from template" -f -a "validate" -d 'Check a template: its metadata, and the trees that its type must have'
