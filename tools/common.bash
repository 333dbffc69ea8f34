# shellcheck shell=bash
# What the scripts of this folder share: messages, clean-up, processes.  Sourced, never run.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# True once the script has said why it fails.
has_said_why=false

# Ends the script with a message on standard error.
fail() {
    has_said_why=true
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Ends the script because of a wrong command line.
usage_error() {
    has_said_why=true
    printf "%s: error: %s; '%s --help' tells more\n" "${0##*/}" "$*" "$0" >&2
    exit 64
}

# Ends the script with the summary that automatic readers look for; 1 if anything failed.
end_with_summary() {
    has_said_why=true
    echo "$1 passed, $2 failed"
    [ "$2" -eq 0 ]
    exit
}

# Prints the comment that opens the script: that is its help.
print_help() {
    awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "needs root to run '$*', and there is no sudo; run it as root first"
    fi
}

# Clean-up: commands noted with `at_exit` run when the script ends, the last one first, each even
# when another fails.  Arguments of a noted command are kept as they are.
cleanup_commands=()

at_exit() {
    local quoted
    printf -v quoted '%q ' "$@"
    cleanup_commands+=("$quoted")
}

run_cleanup() {
    local status=$? index
    trap - EXIT ERR
    trap '' INT TERM HUP
    set +e
    if [ -n "$failed_line" ] && [[ $status != @(0|129|130|143) ]] && ! $has_said_why; then
        printf '%s: error: line %s ended with status %s\n' "${0##*/}" "$failed_line" "$status" >&2
    fi
    for ((index = ${#cleanup_commands[@]} - 1; index >= 0; index--)); do
        eval "${cleanup_commands[index]}"
    done
    exit "$status"
}
# The line of the last command that failed; empty when the script itself chose its status.
failed_line=
set -o errtrace
trap 'failed_line=$LINENO' ERR
trap run_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Makes a folder that is gone when the script ends, named by the variable `work`.
make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/isotherm-${0##*/}.XXXXXX")
    at_exit rm -rf -- "$work"
}

# Makes such a folder and lets all that the script starts keep its temporary files there: Swift's
# compiler and package manager leave theirs behind.
keep_temporary_files() {
    make_work_folder
    export TMPDIR=$work
}

is_running() {
    kill -0 "$1" 2>/dev/null
}

# wait_until SECONDS COMMAND...: true as soon as the command is, false when the time is over.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    while ! "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

has_ended() {
    ! is_running "$1"
}

# end_process PID: asks a process to end, after ten seconds makes it; returns when it is gone.
end_process() {
    is_running "$1" || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    wait_until 10 has_ended "$1" && return 0
    kill -KILL "$1" 2>/dev/null || return 0
    wait_until 10 has_ended "$1"
}

# True when nobody listens on this TCP port of the loopback address.
is_port_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Prints the first free port from the given one on.
first_free_port() {
    local port
    for ((port = $1; port < $1 + 100; port++)); do
        if is_port_free "$port"; then
            echo "$port"
            return
        fi
    done
    fail "no free TCP port between $1 and $((port - 1))"
}

# A number of bytes with its unit: 512 MiB.
in_mebibytes() {
    echo "$(($1 >> 20)) MiB"
}
