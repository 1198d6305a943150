# SPDX-License-Identifier: MIT
#
# Completion of cadre(1) for fish.  Options and commands are read from --help,
# so that they are those of the installed program.

function __cadre_commands
    cadre --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(\S.*)$' '$1\t$2'
end

function __cadre_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and echo $words[2]
end

# "--name<tab>help" for each option of the command being written.
function __cadre_options
    for line in (cadre (__cadre_command) --help 2>/dev/null | string match -r '^  (?:    )?-.*')
        set -l parts (string match -r '^ +(-.*?)(?:  +(\S.*))?$' -- $line)
        for word in (string split ' ' -- $parts[2])
            set word (string trim -r -c , -- $word)
            string match -q -- '-*' $word; and printf '%s\t%s\n' $word $parts[3]
        end
    end
end

function __cadre_pools
    for file in $XDG_RUNTIME_DIR/cadre/*.json /tmp/cadre-(id -u)/*.json
        string replace -r '.*/(.*)\.json$' '$1' -- $file
    end
end

function __cadre_after
    set -l words (commandline -opc)
    contains -- $words[-1] $argv
end

complete -c cadre -n 'test (count (commandline -opc)) -eq 1' -f -a '(__cadre_commands)'
complete -c cadre -n 'test (count (commandline -opc)) -eq 1' -f -a 'help --help --version'
complete -c cadre -n 'string match -q -- "-*" (commandline -ct); and __cadre_command >/dev/null' -f -a '(__cadre_options)'
complete -c cadre -n '__cadre_after -p --pool' -f -a '(__cadre_pools)'
complete -c cadre -n '__cadre_after --auth' -f -a 'peer none'
complete -c cadre -n '__cadre_after --launcher' -f -a 'local none'
complete -c cadre -n '__cadre_after --halt --halt-on-error' -f -a 'never now,fail=1 soon,fail=1 now,success=1 soon,success=1 now,done=1 soon,done=1'
complete -c cadre -n 'string match -q help -- (__cadre_command)' -f -a '(__cadre_commands)'
complete -c cadre -n 'string match -qr "^(run|map)$" -- (__cadre_command)' -a '(__fish_complete_command)'
