# shellcheck shell=bash
# One Isotherm server with one pool, for the scripts that check it.  Sourced after common.bash.
#
# The server is gone when the script ends.  Its process id and its exit status lie in files, so that
# a check that runs in a shell of its own can end the server and start it again.

pool=demo
isotherm=
server_folder=
server_log=

# find_isotherm [BINARY]: uses this binary, or builds one; installs what is missing for that, and the
# clients that the scripts use.
find_isotherm() {
    local tools=${BASH_SOURCE[0]%/*}
    isotherm=${1:-}
    if [ -n "$isotherm" ]; then
        "$tools/install-packages" --clients
    else
        "$tools/install-packages" --test
        isotherm=$("$tools/build")
    fi
    [ -x "$isotherm" ] || fail "there is no program '$isotherm'"
    isotherm=$(realpath "$isotherm")
}

# create_pool FOLDER FLASH DISK LANES: the sizes as the command line takes them; or for the disk the
# path of a block device, used whole.
create_pool() {
    local disk=$3
    [[ $disk == /* ]] || disk=$1/disk.img:$disk
    server_folder=$1
    server_log=$server_folder/server.log
    export ISOTHERM_HOME=$server_folder/home
    mkdir -p "$ISOTHERM_HOME"
    at_exit end_server
    "$isotherm" pool create "$pool" --dir "$server_folder/pool" \
        --flash "$server_folder/flash.img:$2" --disk "$disk" --lanes "$4" \
        >>"$server_log" || fail "the pool cannot be created; see $server_log"
}

# create_volume NAME SIZE
create_volume() {
    "$isotherm" volume create "$pool/$1" "$2" >>"$server_log" || fail "the volume $pool/$1 cannot be created"
}

# volume_uri NAME
volume_uri() {
    echo "nbd+unix:///$pool/$1?socket=$server_folder/nbd.sock"
}

server_pid() {
    cat "$server_folder/server.pid" 2>/dev/null || echo 0
}

has_server_ended() {
    [ -s "$server_folder/server.status" ]
}

is_serving() {
    has_server_ended || nbdinfo --list "nbd+unix:///?socket=$server_folder/nbd.sock" >/dev/null 2>&1
}

# Starts the server and returns when it answers a client.
start_server() {
    rm -f "$server_folder/server.pid" "$server_folder/server.status"
    {
        "$isotherm" serve "$pool" --socket "$server_folder/nbd.sock" &
        echo $! >"$server_folder/server.pid"
        status=0
        wait $! || status=$?
        echo "$status" >"$server_folder/server.status"
    } </dev/null >>"$server_log" 2>&1 &
    if ! wait_until 60 is_serving || has_server_ended; then
        tail -n 20 "$server_log" >&2
        fail "the server does not answer; its last output is above"
    fi
}

# Ends the server as a crash would; what it acknowledged must survive.
kill_server() {
    kill -KILL "$(server_pid)"
    wait_until 10 has_server_ended || fail "the server survives SIGKILL"
}

# Ends the server in good order; true when it exits with 0 within a minute.
stop_server() {
    kill -TERM "$(server_pid)"
    if ! wait_until 60 has_server_ended; then
        echo "the server does not end on SIGTERM" >&2
        kill_server
        return 1
    fi
    [ "$(cat "$server_folder/server.status")" = 0 ] || {
        echo "the server ends on SIGTERM with status $(cat "$server_folder/server.status")" >&2
        return 1
    }
}

end_server() {
    if ! has_server_ended && [ "$(server_pid)" != 0 ]; then
        end_process "$(server_pid)"
    fi
}
