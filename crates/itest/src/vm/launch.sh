# Becomes QEMU. Arguments: PID_FILE CONSOLE_FILE WORDS
pid_file=$1 log=$2
shift 2
# Our PID stays, and when we started is what tells it from a later process of the same PID.
read -r stat </proc/self/stat
start=$(echo "$stat" | cut -d ' ' -f 22)
echo "${stat%% *} $start" >"$pid_file"
exec "$@" </dev/null >>"$log" 2>&1
