#!/usr/bin/env bash
# Installs the MSI in Wine, as far as Wine carries it: the service through the service control
# manager, at work, stopped in the middle of a call, upgraded with everything kept, uninstalled. At
# the end WHOOP's stand-in must have every report, and none of them twice.
#
#   wine-test.sh OLD.msi NEW.msi REHEARSAL    (make wine-test builds all three)
#
# The program is built with the tag wine, see installer/managed_wine_windows.go. What Wine does not
# show stands in installer/README.md, for a real Windows. Needs root and Debian's packages: Wine
# lives in a Debian of its own, kept in ROOTS (about 1.5 GB).
set -euo pipefail
old=$(realpath "$1") new=$(realpath "$2") rehearsal=$(realpath "$3")
[ "$(id -u)" = 0 ] || { echo "wine-test: left out: it needs root"; exit 1; }

roots=${ROOTS:-/var/tmp/limsbridge-roots}
work=$(mktemp -d /var/tmp/limsbridge-wine.XXXXXX)
mkdir -p "$roots" "$work/dev" "$work/proc"
jobs_to_end=()
cleanup() {
    local status=$?
    [ $status = 0 ] || { tail -c 3000 "$work"/*.log 2>/dev/null | tr -d '\000\r' || true; }
    # Nothing less ends unshare, and all of Wine with it.
    for job in "${jobs_to_end[@]}"; do kill -KILL "$job" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
    exit $status
}
trap cleanup EXIT
say() { printf '%4d s  %s\n' $SECONDS "$*"; }
fail() {
    echo "wine-test: FAILED: $*" >&2
    exit 1
}
until_true() { # until_true WHAT SECONDS COMMAND...
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "$what did not happen"
        sleep 0.5
    done
}

# --- a Debian with Wine ---------------------------------------------------------------------------
root=$roots/trixie-wine
if [ ! -e "$root/.complete" ]; then
    say "a Debian trixie with Wine (once, kept in $roots)"
    command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends debootstrap debian-archive-keyring; }
    rm -rf "$root"
    debootstrap --variant=minbase --include=ca-certificates trixie "$root" >"$work/debootstrap.log" 2>&1
    DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c 'apt-get update && apt-get install -y --no-install-recommends wine wine64' >"$work/apt.log" 2>&1
    touch "$root/.complete"
fi

# Everything of Wine runs in one process namespace, which ends with this test.
mkdir -p "$root/work"
# Wine makes access lists of modes: files are closed to others, as in the folders of a service on Windows.
cat >"$work/inside" <<'EOF'
umask 077
mount --rbind /dev "$1/dev" && mount --bind "$2" "$1/work" && mount -t proc proc "$1/proc"
exec chroot "$1" env -i PATH=/usr/bin:/bin HOME=/work WINEPREFIX=/work/prefix WINEDEBUG=-all LC_ALL=C.UTF-8 GODEBUG=$3 \
    bash -c 'sleep infinity | wine cmd'
EOF
# Its one command makes the prefix and keeps a user's process alive: without one, Wine ends its
# services. A wineboot before it would leave two service managers that do not know of each other.
# And Go preempts by suspending a thread, after which one may spin for ever in Wine.
go=asyncpreemptoff=1
unshare --mount --pid --fork --kill-child bash "$work/inside" "$root" "$work" "$go" >"$work/wineboot.log" 2>&1 &
jobs_to_end+=($!)
inner() { pgrep -P "${jobs_to_end[0]}" | head -1; }
wine() { # wine SECONDS COMMAND...
    local limit=$1
    shift
    nsenter -t "$(inner)" --mount --pid --root env -i --chdir=/work PATH=/usr/bin:/bin HOME=/work WINEPREFIX=/work/prefix WINEDEBUG=-all LC_ALL=C.UTF-8 GODEBUG=$go \
        timeout "$limit" wine "$@" 2>/dev/null | tr -d '\r'
    return "${PIPESTATUS[0]}"
}
drive=$work/prefix/drive_c
until_true "Wine's start" 300 test -e "$work/prefix/system.reg"
until_true "Wine's service manager" 120 wine 60 sc query eventlog
wine 60 reg add 'HKLM\System\CurrentControlSet\Control\Session Manager\Environment' /v GODEBUG /d "$go" /f >/dev/null # for services
say "Wine runs: $(wine 60 cmd /c ver | tail -1)"

program='C:\Program Files\limsbridge\limsbridge.exe'
folder="$drive/ProgramData/limsbridge"
limsbridge() { wine 90 "$program" "$@"; }
state() { wine 60 sc query limsbridge | sed -nE 's/.*STATE.* ([A-Z_]+).*/\1/p'; }
running() { [ "$(state)" = RUNNING ]; }
stopped() { [ "$(state)" = STOPPED ]; }
# Wine has no local sockets, so that `status` does not reach the service: its log says how it stands.
log() { cat "$folder"/log/*.jsonl; }
ready() { until_true "\"running\" in the log, version $1" 120 runs "$1"; }
runs() { log | grep '"msg":"running"' | grep -qF "\"version\":\"$1\""; }
unconfigured() { log | grep -q '"msg":"not ready.*there is no such file'; }
msi() { # msi LOG ARGUMENTS...
    local log=$1 status=0
    shift
    wine 300 msiexec "$@" /qn /l*v "Z:\\work\\$log.log" || status=$?
    [ $status = 0 ] || fail "msiexec $*: $status"
}
request() { # request METHOD PATH
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf '%s %s HTTP/1.0\r\nContent-Length: 0\r\n\r\n' "$1" "$2" >&3
    cat <&3
    exec 3>&-
}
count() { request GET /_sandbox/counts | sed -nE "s/.*\"$1\":([0-9]+).*/\1/p"; }
nothing_twice() {
    [ "$(count reports)" = "$1" ] || fail "$(count reports) reports arrived, not $1"
    [ "$(count duplicates)" = 0 ] && [ "$(count identical_bodies)" = 0 ] || fail "something arrived twice"
}

# --- installed ------------------------------------------------------------------------------------
cp "$old" "$work/old.msi"
# FAIL=1 makes its removal fail, once the service is stopped.
msibuild "$work/old.msi" \
    -q "INSERT INTO \`CustomAction\` (\`Action\`, \`Type\`, \`Source\`, \`Target\`) VALUES ('Fail', 3090, 'Program', 'no-such-command')" \
    -q "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Condition\`, \`Sequence\`) VALUES ('Fail', 'FAIL', 1860)"
cp "$new" "$work/new.msi"
msi install /i 'Z:\work\old.msi'
until_true "the start" 60 running
[ -d "$folder" ] || fail "there is no folder in ProgramData"
wine 60 reg query 'HKLM\System\CurrentControlSet\Control\Session Manager\Environment' /v PATH | grep -q 'limsbridge' || fail "not in the PATH"
say "installed, started by the service control manager; account: $(wine 60 reg query 'HKLM\System\CurrentControlSet\Services\limsbridge' /v ObjectName | sed -nE 's/.*REG_SZ *//p')"
until_true "\"not ready\" in the log" 30 unconfigured
say "unconfigured: it stays up, and says so in its log"

# --- at work, and stopped in the middle of a call --------------------------------------------------
limsbridge init --lims generic --db sqlite >"$work/init.log"
mkdir "$drive/lab"
"$rehearsal" -lab "$drive/lab/lab.db" -known-as 'C:\lab\lab.db' -config "$folder/limsbridge.yaml" -listen 127.0.0.1:0 -requests 12 >"$work/rehearsal.log" 2>&1 &
jobs_to_end+=($!)
until_true "the lab" 20 grep -q ^http "$work/rehearsal.log"
port=$(sed -nE 's/^http.*:([0-9]+)\/.*/\1/p' "$work/rehearsal.log")
request POST '/_rehearsal/slow?for=4s' >/dev/null
echo sandbox-secret | limsbridge secret set whoop-client-secret >/dev/null
! grep -q sandbox-secret "$folder/state/secrets/whoop-client-secret" || fail "the secret is stored in plain text"
# Others can read it, as Wine has it: everybody.
chmod 644 "$folder/state/secrets/whoop-client-secret"
! limsbridge secret list >"$work/list.log" || fail "a secret that others can read is taken"
grep -q 'MISSING: others can read .*whoop-client-secret (Everyone)' "$work/list.log" || fail "secret list: $(cat "$work/list.log")"
chmod 600 "$folder/state/secrets/whoop-client-secret"
limsbridge secret list >"$work/list.log" || fail "secret list: $(cat "$work/list.log")"
say "a secret that others can read is refused"
some() { [ "$(count reports)" -ge 2 ]; }
until_true "the first reports" 120 some
wine 120 net stop limsbridge >"$work/stop.log" || fail "net stop"
until_true "the stop" 60 stopped # Wine's net does not wait for it
sent=$(count reports)
[ "$sent" -lt 12 ] || fail "the stop came too late to mean anything"
nothing_twice "$sent"
limsbridge ledger verify >"$work/verify.log" || fail "the ledger"
limsbridge ledger stats >"$work/stats.log"
! grep -qi 'in doubt *[1-9]' "$work/stats.log" || fail "a stop left a call in doubt: $(cat "$work/stats.log")"
say "stopped in the middle of a call: $sent of 12 reports, none in doubt"

request POST '/_rehearsal/slow?for=0s' >/dev/null
wine 120 net start limsbridge >"$work/start.log" || fail "net start"
all() { [ "$(count reports)" -ge 12 ]; }
until_true "the other reports" 120 all
nothing_twice 12
say "started: 12 of 12 reports, none twice"

# --- an upgrade that fails ------------------------------------------------------------------------
# Wine removes the older version of an upgrade for good before it installs the newer one. So this is that removal
# alone, with a step that fails. Wine undoes it but for the product's entry, which the next installation brings.
removal_fails() {
    local status=0
    wine 300 msiexec /x 'Z:\work\old.msi' FAIL=1 'UPGRADINGPRODUCTCODE={9a1c0f5e-6a0d-4c4e-9d38-7b0f6c1f2b72}' /qn || status=$?
    [ $status != 0 ] || fail "a removal with a step that fails did not fail"
}
removal_fails
until_true "the start after a removal that failed" 60 running
msi again /i 'Z:\work\old.msi'
until_true "the start" 60 running
wine 120 net stop limsbridge >"$work/stop.log" || fail "net stop"
until_true "the stop" 60 stopped
removal_fails
stopped || fail "what was stopped before a removal that failed is $(state) after it"
msi again /i 'Z:\work\old.msi'
until_true "the start" 60 running
nothing_twice 12
say "an upgrade that fails starts the service again if it ran, and leaves it stopped if it did not"

# --- upgraded -------------------------------------------------------------------------------------
number() { head -1 <<<"$1" | cut -d' ' -f2; } # limsbridge 1.2.3 (...)
before=$(limsbridge version)
config=$(sha256sum <"$folder/limsbridge.yaml")
kept() {
    [ "$(sha256sum <"$folder/limsbridge.yaml")" = "$config" ] || fail "the configuration changed"
    [ -e "$folder/state/secrets/whoop-client-secret" ] || fail "the secret is gone"
}
msi upgrade /i 'Z:\work\new.msi'
after=$(limsbridge version)
[ "$before" != "$after" ] || fail "still $after"
until_true "the start after the upgrade" 60 running
ready "$(number "$after")"
kept
nothing_twice 12
installed=$(wine 60 reg query 'HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall' /s | grep -c 'DisplayName.*limsbridge' || true)
[ "$installed" = 1 ] || fail "$installed versions are installed after the upgrade"
say "upgraded: $before -> $after"
status=0
wine 120 msiexec /i 'Z:\work\old.msi' /qn || status=$?
[ $status != 0 ] || fail "an older version was installed over a newer one"
say "an older version is refused ($status)"

# --- uninstalled ----------------------------------------------------------------------------------
msi uninstall /x 'Z:\work\new.msi'
[ ! -e "$drive/Program Files/limsbridge/limsbridge.exe" ] || fail "the program is left"
! wine 60 sc query limsbridge >/dev/null || fail "the service is left"
! wine 60 reg query 'HKLM\System\CurrentControlSet\Control\Session Manager\Environment' /v PATH | grep -q limsbridge || fail "still in the PATH"
kept
say "uninstalled: configuration, ledger and secret stay"
