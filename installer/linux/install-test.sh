#!/usr/bin/env bash
# Installs the .deb in a clean Debian under a real systemd, lets the service do its work, and treats
# it as the years do: stopped, killed, rebooted, upgraded, removed, installed again, purged. At the
# end WHOOP's stand-in must have every report, and none of them twice. The .rpm is installed, upgraded
# and removed there too, by Debian's rpm, which knows nothing of what it depends on.
#
#   install-test.sh OLD NEW REHEARSAL    (make install-test builds all three; OLD and NEW hold a .deb and an .rpm)
#
# Needs root and Debian's packages; fetches debootstrap and systemd-nspawn itself, and changes
# nothing else on this machine. ROOTS keeps the clean Debian between runs.
set -euo pipefail
old=$(realpath "$1") new=$(realpath "$2") rehearsal=$(realpath "$3")

leave() { # leave REASON: said, and with CI=true a failure
    echo "install-test: left out: $1"
    [ "${CI:-false}" != true ] || exit 1
    exit 0
}
[ "$(id -u)" = 0 ] || leave "it needs root"
command -v apt-get >/dev/null || leave "it needs Debian's or Ubuntu's packages"

roots=${ROOTS:-/var/tmp/limsbridge-roots}
work=$(mktemp -d /var/tmp/limsbridge-install.XXXXXX)
root=$work/root
machine=${work##*/}
machine=${machine//./-}
mkdir -p "$roots" "$root"
nspawn_pid='' leader='' rehearsal_pid=''

cleanup() {
    local status=$?
    [ $status = 0 ] || tail -n 20 "$work/console" 2>/dev/null || true
    if [ -n "$nspawn_pid" ]; then
        kill "$nspawn_pid" 2>/dev/null || true # nspawn lets the machine power off
        for _ in {1..50}; do kill -0 "$nspawn_pid" 2>/dev/null || break; sleep 0.2; done
        kill -9 "$nspawn_pid" 2>/dev/null || true
        wait "$nspawn_pid" 2>/dev/null || true
    fi
    [ -z "$rehearsal_pid" ] || kill "$rehearsal_pid" 2>/dev/null || true
    find /sys/fs/cgroup -depth -type d -path "*/$machine*" -exec rmdir {} + 2>/dev/null || true
    rm -rf "$work"
    exit $status
}
trap cleanup EXIT

say() { printf '%4d s  %s\n' $SECONDS "$*"; }
fail() {
    echo "install-test: FAILED: $*" >&2
    [ -z "$leader" ] || inside systemctl status --no-pager --lines 20 limsbridge >&2 || true
    exit 1
}
cd / # for what is started inside
inside() { nsenter -t "$leader" -a --root env --chdir=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
quietly() { # quietly COMMAND...: shows what it said only where it failed
    "$@" >"$work/said" 2>&1 || { cat "$work/said"; fail "$*"; }
}
until_true() { # until_true WHAT SECONDS COMMAND...
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "$what did not happen"
        sleep 0.2
    done
}

# --- a clean Debian -----------------------------------------------------------------------------
suite=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
tools() {
    local missing=()
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    [ -e $keyring ] || missing+=(debian-archive-keyring)
    if [ ${#missing[@]} -gt 0 ] || [ ! -x "$roots/nspawn/usr/bin/systemd-nspawn" ]; then apt-get update -qq; fi
    [ ${#missing[@]} = 0 ] || apt-get install -qq -y --no-install-recommends "${missing[@]}"
    # Beside the machine's own systemd, which must not be upgraded for a test.
    if [ ! -x "$roots/nspawn/usr/bin/systemd-nspawn" ]; then
        mkdir -p "$roots/debs"
        (cd "$roots/debs" && apt-get download -qq systemd-container libsystemd-shared 2>/dev/null)
        for deb in "$roots"/debs/*.deb; do dpkg -x "$deb" "$roots/nspawn"; done
    fi
}
quietly tools
libraries=$(dirname "$(find "$roots/nspawn" -name 'libsystemd-shared*.so' | head -1)")
if [ ! -e "$roots/$suite/.complete-rpm" ]; then
    say "a clean Debian $suite (kept in $roots)"
    rm -rf "${roots:?}/$suite"
    quietly debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,rpm --keyring=$keyring \
        $suite "$roots/$suite"
    touch "$roots/$suite/.complete-rpm"
fi
cp -a "$roots/$suite/." "$root/"
for kind in deb rpm; do
    cp "$old"/*.$kind "$root/root/old.$kind"
    cp "$new"/*.$kind "$root/root/new.$kind"
done
echo limsbridge-test >"$root/etc/hostname"

# A cgroup of its own, as systemd-nspawn begins there instead of asking a systemd of this machine.
boot() {
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        [ -e $hierarchy/cgroup.procs ] || continue
        mkdir -p "$hierarchy/$machine"
        echo $BASHPID >"$hierarchy/$machine/cgroup.procs"
    done
    LD_LIBRARY_PATH=$libraries exec "$roots/nspawn/usr/bin/systemd-nspawn" --boot --directory="$root" --machine="$machine" \
        --register=no --keep-unit --console=pipe </dev/null >"$work/console" 2>&1
}
start_machine() {
    boot &
    nspawn_pid=$!
}
start_machine
up() { # nspawn's child is the machine's first process
    leader=$(pgrep -P $nspawn_pid | head -1)
    [ -n "$leader" ] && [[ "$(inside systemctl is-system-running)" =~ ^(running|degraded)$ ]]
}
until_true "the machine's start" 60 up
say "systemd runs: $(inside systemctl --version | head -1)"

# --- what is asked of the service ---------------------------------------------------------------
told() { inside systemctl show -P "$1" limsbridge; }
active() { [ "$(told ActiveState)" = active ]; }
# shellcheck disable=SC2329 # called by until_true
saying() { [[ "$(told StatusText)" == "$1"* ]]; }
request() { # request METHOD PATH: to the API; prints what it answers
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf '%s %s HTTP/1.0\r\nContent-Length: 0\r\n\r\n' "$1" "$2" >&3
    cat <&3
    exec 3>&-
}
count() { request GET /_sandbox/counts | sed -nE "s/.*\"$1\":([0-9]+).*/\1/p"; } # count NAME: of its counters
reported() { [ "$(count reports)" = "$1" ]; }
nothing_twice() { # nothing_twice REPORTS
    reported "$1" || fail "$(count reports) reports arrived, not $1"
    [ "$(count duplicates)" = 0 ] && [ "$(count identical_bodies)" = 0 ] || fail "something arrived twice"
    quietly inside limsbridge ledger verify
}
ready() { until_true "\"ready\"" 60 saying "ready"; }

# --- installed ----------------------------------------------------------------------------------
quietly inside dpkg -i /root/old.deb
until_true "the start" 20 active
[ "$(inside systemctl is-enabled limsbridge)" = enabled ] || fail "not enabled"
saying "not ready" || fail "an unconfigured service says: $(told StatusText)"
[ "$(inside stat -c '%A %U %G' /etc/limsbridge)" = "drwxr-s--- root limsbridge" ] || fail "rights of /etc/limsbridge"
# The growing pause between restarts is of systemd 254.
said=$(inside systemd-analyze verify /usr/lib/systemd/system/limsbridge.service 2>&1 | grep -v "Unknown key.*'Restart\(Steps\|MaxDelaySec\)' in section") || true
[ -z "$said" ] || fail "the unit: $said"
inside systemd-analyze security --threshold=20 limsbridge.service >"$work/exposure" || fail "the unit is too open: $(tail -1 "$work/exposure")"
say "installed, enabled, started: $(told StatusText)"
say "$(tail -1 "$work/exposure")"

# --- at work --------------------------------------------------------------------------------------
quietly inside limsbridge init --lims generic --db sqlite
# Lab and API live outside of the machine, as they do, so that they outlast its reboots.
mkdir "$root/srv/lab"
"$rehearsal" -lab "$root/srv/lab/lab.db" -known-as /srv/lab/lab.db -config "$root/etc/limsbridge/limsbridge.yaml" \
    -listen 127.0.0.1:0 -requests 12 >"$work/rehearsal" 2>&1 &
rehearsal_pid=$!
until_true "the lab" 20 grep -q ^http "$work/rehearsal"
port=$(sed -nE 's/^http.*:([0-9]+)\/.*/\1/p' "$work/rehearsal")
request POST '/_rehearsal/slow?for=2s' >/dev/null
echo sandbox-secret | quietly inside limsbridge secret set whoop-client-secret
ready
say "configured: $(told StatusText)"
some() { [ "$(count reports)" -ge 2 ]; }
until_true "the first reports" 60 some

# Stopped in the middle of a call, which is finished.
quietly inside systemctl stop limsbridge
sent=$(count reports)
[ "$sent" -lt 12 ] || fail "the stop came too late to mean anything"
nothing_twice "$sent"
inside limsbridge ledger stats >"$work/stats"
! grep -qi 'in doubt *[1-9]' "$work/stats" || fail "a stop left a call in doubt: $(cat "$work/stats")"
say "stopped in the middle of a call: $sent of 12 reports, none in doubt"

# Killed between two calls' answers: what was under way is in doubt, and is never repeated.
inside systemctl start limsbridge
ready
more() { [ "$(count reports)" -gt "$sent" ]; }
until_true "more reports" 60 more
again() { [ "$(told MainPID)" != 0 ] && [ "$(told MainPID)" != "$pid" ] && active; }
pid=$(told MainPID)
inside bash -c 'kill -9 "$1"' - "$pid"
until_true "the restart" 40 again
request POST '/_rehearsal/slow?for=0s' >/dev/null
all() { [ "$(count reports)" -ge 12 ]; }
until_true "the other reports" 90 all
nothing_twice 12
say "killed: back by itself, 12 reports, none twice; restarts: $(told NRestarts)"

# --- rebooted -------------------------------------------------------------------------------------
inside systemctl reboot || true
status=0
wait $nspawn_pid || status=$?
[ $status = 133 ] || fail "the machine ended with $status" # nspawn's way of asking to be started again
start_machine
until_true "the reboot" 90 up
ready
nothing_twice 12
say "rebooted: $(told StatusText)"

# --- upgraded -------------------------------------------------------------------------------------
config=$(sha256sum <"$root/etc/limsbridge/limsbridge.yaml")
kept() {
    [ "$(sha256sum <"$root/etc/limsbridge/limsbridge.yaml")" = "$config" ] || fail "the configuration changed"
    [ -e "$root/var/lib/limsbridge/secrets/whoop-client-secret" ] || fail "the secret is gone"
}
first=$(inside limsbridge version)
pid=$(told MainPID)
quietly inside dpkg -i /root/new.deb
second=$(inside limsbridge version)
[ "$first" != "$second" ] || fail "both packages are of one version"
until_true "the restart with the new program" 30 again
ready
kept
nothing_twice 12
[ "$(inside systemctl is-enabled limsbridge)" = enabled ] || fail "not enabled after the upgrade"
say "upgraded: $first -> $second"

# A service that somebody stopped stays stopped.
quietly inside systemctl stop limsbridge
quietly inside dpkg -i /root/old.deb
! active || fail "an older version started a service that was stopped"
quietly inside dpkg -i /root/new.deb
! active || fail "an upgrade started a service that was stopped"
quietly inside systemctl start limsbridge
ready
say "gone back and forth while stopped: it stayed stopped"

# --- removed, installed again, purged -------------------------------------------------------------
pid=$(told MainPID)
quietly inside dpkg -r limsbridge
! inside test -e "/proc/$pid" || fail "it runs although it is removed"
kept
quietly inside dpkg -i /root/new.deb
until_true "the start" 30 active
ready
nothing_twice 12
say "removed and installed again: $(told StatusText)"

quietly inside dpkg -P limsbridge
for left in /etc/limsbridge /var/lib/limsbridge /var/log/limsbridge /usr/lib/systemd/system/limsbridge.service \
    /etc/systemd/system/multi-user.target.wants/limsbridge.service /etc/systemd/system/limsbridge.service; do
    [ ! -e "$root$left" ] && [ ! -L "$root$left" ] || fail "$left is left after a purge"
done
[ -z "$(inside systemctl list-units --all --plain --no-legend 'limsbridge*')" ] || fail "a unit is left after a purge"
say "purged: nothing is left"

# --- the .rpm -------------------------------------------------------------------------------------
quietly inside rpm --install --nodeps /root/old.rpm
until_true "the start of what the .rpm installed" 20 active
[ "$(inside systemctl is-enabled limsbridge)" = enabled ] || fail "not enabled by the .rpm"
saying "not ready" || fail "an unconfigured service says: $(told StatusText)"
[ "$(inside stat -c '%A %U %G' /etc/limsbridge)" = "drwxr-s--- root limsbridge" ] || fail "rights of /etc/limsbridge by the .rpm"
quietly inside limsbridge init --lims generic --db sqlite
config=$(sha256sum <"$root/etc/limsbridge/limsbridge.yaml")
ledger_kept() {
    [ "$(sha256sum <"$root/etc/limsbridge/limsbridge.yaml")" = "$config" ] && [ -e "$root/var/lib/limsbridge/ledger.db" ] || fail "configuration or ledger are gone"
}
pid=$(told MainPID)
quietly inside rpm --upgrade --nodeps /root/new.rpm
until_true "the restart with the new .rpm's program" 30 again
[ "$(inside limsbridge version)" = "$second" ] || fail "the .rpm's version is $(inside limsbridge version)"
[ "$(inside systemctl is-enabled limsbridge)" = enabled ] || fail "not enabled after the .rpm's upgrade"
ledger_kept
quietly inside systemctl stop limsbridge
quietly inside rpm --upgrade --oldpackage --nodeps /root/old.rpm
! active || fail "an older .rpm started a service that was stopped"
quietly inside systemctl start limsbridge
until_true "the start" 20 active
pid=$(told MainPID)
quietly inside rpm --erase limsbridge
! inside test -e "/proc/$pid" || fail "it runs although its .rpm is removed"
[ ! -e "$root/usr/lib/systemd/system/limsbridge.service" ] && [ ! -L "$root/etc/systemd/system/multi-user.target.wants/limsbridge.service" ] || fail "the unit is left"
ledger_kept
say ".rpm: installed, upgraded, gone back, removed; configuration and ledger are kept"
