#!/bin/sh
# Takes a lab down when the process that owns it closes this script's input, which also happens when that process is
# killed: there is one way down, and a crash goes it too. Mounts, cables, the bridge and all namespaces belong to
# processes of the lab's cgroup and go with them.
# In: LINK (the cable on this machine's side), CGROUP, CGROUPS (where cgroups are mounted), DIR, OWNER (what DIR/owner
# must say; empty when whatever is there shall go).

# Out of the session it was started in: what ends that must not end this before its work.
echo $$ > "$CGROUPS/cgroup.procs" 2> /dev/null
cat > /dev/null
# Somebody else may have cleared the place and taken it since.
[ -z "$OWNER" ] || [ "$(cat "$DIR/owner" 2> /dev/null)" = "$OWNER" ] || exit 0
ip link del "$LINK" 2> /dev/null
i=0
# Again until it is gone: a host that was just rebooting may have come in between.
while [ -d "$CGROUP" ] && [ $i -lt 500 ]; do
  echo 1 > "$CGROUP/cgroup.kill"
  grep -qs 'populated 1' "$CGROUP/cgroup.events" && sleep 0.01
  find "$CGROUP" -depth -type d -exec rmdir {} \; 2> /dev/null
  i=$((i + 1))
done
# Last: the directory is what holds the lab's place.
[ ! -e "$DIR/owner" ] || rm -rf --one-file-system "$DIR"
[ ! -d "$DIR" ] || rmdir "$DIR"
