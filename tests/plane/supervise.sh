# The supervisor for planes without the pinned binary (KUBEBUILDER_ASSETS): same promise and same answers as its `supervise`
# role, orders as shell lines (`start ID LOG PROGRAM ARGS...`, `signal ID NAME`). Weaker in one point: a killed supervisor
# cannot take its children along. Called with the scratch folder as $1; started in a process group of its own.
dir=$1
# Quoted arguments in orders use $nl for a line break.
nl='
'
children=$dir/.children
mkdir -p "$children"
group=
command -v setsid >/dev/null 2>&1 && group=setsid

# A file per living child holds its process id; the subshell that waits for the child renames it at the end.
start() {
    id=$1 log=$2
    shift 2
    (
        $group "$@" </dev/null >>"$log" 2>&1 &
        pid=$!
        echo "$pid" >"$children/$id.new"
        mv "$children/$id.new" "$children/$id"
        printf '{"event":"started","id":%d,"pid":%d}\n' "$id" "$pid"
        wait "$pid"
        code=$?
        kill -s KILL -- "-$pid" 2>/dev/null
        mv "$children/$id" "$children/$id.done"
        if [ "$code" -gt 128 ]; then
            printf '{"event":"exited","id":%d,"code":-1,"signal":%d}\n' "$id" "$((code - 128))"
        else
            printf '{"event":"exited","id":%d,"code":%d}\n' "$id" "$code"
        fi
    ) </dev/null &
    # An end of input right now must already find the child.
    until [ -e "$children/$id" ] || [ -e "$children/$id.done" ]; do sleep 0.01; done
}

signal() {
    pid=$(cat "$children/$1" 2>/dev/null) || return 0
    # Before setsid ran there is no group yet.
    kill -s "$2" -- "-$pid" 2>/dev/null || kill -s "$2" "$pid" 2>/dev/null
}

living() {
    for child in "$children"/*; do
        case $child in
        *.done | */\*) ;;
        *) basename "$child" ;;
        esac
    done
}

finish() {
    trap '' TERM
    for name in TERM KILL; do
        for id in $(living); do signal "$id" "$name"; done
        tries=0
        while [ -n "$(living)" ] && [ "$tries" -lt 20 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
    done
    wait
    rm -rf -- "$dir"
    exit
}

trap finish TERM
while IFS= read -r line; do eval "$line"; done
finish
