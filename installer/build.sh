#!/usr/bin/env bash
# Builds everything that is handed out, on Linux, into dist/ (or OUT): .deb, .rpm, .tar.gz, .msi,
# .zip, SHA256SUMS and the bill of materials. Two builds of a commit are byte-identical, in whatever
# folder; what is signed differs, as signatures carry a time.
#
#   VERSION=1.2.3           another version than git's
#   OUT=FOLDER              another folder than dist
#   SIGN=FILE               signs the Windows files with installer/sign.sh, see there
#   ONLY=linux|msi          nothing but .deb and .rpm, or the .msi, for tests
#   TAGS=…                  build tags of the Windows program, for tests
set -euo pipefail
cd "$(dirname "$0")/.."

nfpm=.tools/nfpm-$NFPM_VERSION
winres=.tools/go-winres-$WINRES_VERSION
tools=("$nfpm" "$winres" git go envsubst)
[ "${ONLY:-}" = linux ] || tools+=(wixl msibuild)
for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || {
        echo "there is no $tool: apt-get install wixl msitools gettext-base; make packages brings the others" >&2
        exit 1
    }
done

commit=$(git rev-parse --short=12 HEAD)
if [ -z "${VERSION:-}" ]; then
    if VERSION=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
        VERSION=${VERSION#v}
    else
        # Between two versions: the next one's name, and how far it is. Its order is that of the commits.
        base=$(sed -nE 's/^var version = "([0-9.]+)-dev"$/\1/p' cmd/limsbridge/version.go)
        VERSION=$base-dev.$(git rev-list --count HEAD)+$commit
    fi
    [ -z "$(git status --porcelain)" ] || VERSION=$VERSION.dirty
fi
number=${VERSION%%[-+]*} # what Windows Installer compares
[[ $number =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "$VERSION does not begin with three numbers" >&2; exit 1; }

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
FILE_VERSION=$number.$(($(git rev-list --count HEAD) % 65536))
PACKAGE_VERSION=${VERSION/-/\~} # dpkg and rpm: ~ comes before the version itself
out=$(realpath -m "${OUT:-dist}")
STAGE=$out/.stage
export VERSION SOURCE_DATE_EPOCH FILE_VERSION PACKAGE_VERSION STAGE
export CGO_ENABLED=0 GOFLAGS= TZ=UTC LC_ALL=C
umask 022
rm -rf "$out"
mkdir -p "$STAGE"

syso=cmd/limsbridge/rsrc_windows_amd64.syso # go build links what it finds under such a name
trap 'rm -rf "$STAGE" "$syso"' EXIT

say() { printf '%s\n' "- $*"; }
helper() { "$STAGE/helper" "$@"; }
program() { # program SYSTEM FILE
    GOOS=$1 GOARCH=amd64 go build -trimpath -buildvcs=true ${TAGS:+-tags "$TAGS"} -ldflags "-s -w -X main.version=$VERSION" -o "$2" ./cmd/limsbridge
}

want() { [ -z "${ONLY:-}" ] || [[ " $* " == *" $ONLY "* ]]; } # want KIND...: is one of them asked for?

say "limsbridge $VERSION of $(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)"
go build -o "$STAGE/helper" ./installer/packages
programs=()
if want linux; then
    program linux "$STAGE/limsbridge"
    programs+=("$STAGE/limsbridge")
fi
if want msi; then
    envsubst '$VERSION $FILE_VERSION' <installer/windows/winres.json >"$STAGE/winres.json"
    "$winres" make --in "$STAGE/winres.json" --arch amd64 --out cmd/limsbridge/rsrc
    program windows "$STAGE/limsbridge.exe"
    rm "$syso"
    [ -z "${SIGN:-}" ] || installer/sign.sh "$STAGE/limsbridge.exe"
    programs+=("$STAGE/limsbridge.exe")
fi
helper notices "${programs[@]}" >"$STAGE/NOTICES.txt"
cp installer/README.md CHANGELOG.md LICENSE installer/linux/sysusers.conf "$STAGE/"
papers=("$STAGE/README.md" "$STAGE/CHANGELOG.md" "$STAGE/LICENSE" "$STAGE/NOTICES.txt")
find "$STAGE" -type f -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

nfpm_package() { # nfpm_package KIND
    "$nfpm" package --config "$STAGE/nfpm.yaml" --packager "$1" --target "$out/limsbridge_${VERSION}_linux_amd64.$1" >"$STAGE/said" 2>&1 ||
        { cat "$STAGE/said" >&2; return 1; }
}
if want linux; then
    say "Linux"
    "$STAGE/limsbridge" service unit >"$STAGE/limsbridge.service"
    envsubst '$STAGE $PACKAGE_VERSION' <installer/linux/nfpm.yaml >"$STAGE/nfpm.yaml"
    touch -d "@$SOURCE_DATE_EPOCH" "$STAGE/limsbridge.service"
    nfpm_package deb
    nfpm_package rpm
fi
if want; then
    helper archive "$out/limsbridge_${VERSION}_linux_amd64.tar.gz" "limsbridge-$VERSION" "$STAGE/limsbridge" "${papers[@]}"
    helper archive "$out/limsbridge_${VERSION}_windows_amd64.zip" "limsbridge-$VERSION" "$STAGE/limsbridge.exe" "${papers[@]}"
fi

strict() { # strict COMMAND...: wixl and msibuild only warn of what they leave out
    local told
    told=$("$@" 2>&1) && [ -z "$told" ] || { printf '%s: %s\n' "$1" "$told" >&2; return 1; }
}
if want msi; then
    say "Windows"
    msi=$out/limsbridge_${VERSION}_windows_amd64.msi
    space=9a1c0f5e-6a0d-4c4e-9d38-7b0f6c1f2b71 # the upgrade code
    product=$(helper uuid $space "product $VERSION")
    package=$(helper uuid $space "package $VERSION $commit")
    strict env -C "$STAGE" wixl -a x64 -D "Version=$number" -D "Above=${number%.*}.$((${number##*.} + 1))" \
        -D "FullVersion=$VERSION" -D "ProductCode=$product" -o "$msi" "$PWD/installer/windows/limsbridge.wxs"
    statements=()
    while IFS= read -r line; do
        [[ -z $line || $line == '#'* ]] || statements+=(-q "$line")
    done <installer/windows/tables.sql
    # Its version makes Windows compare the program with an installed one by version, not by date.
    strict msibuild "$msi" "${statements[@]}" \
        -q "UPDATE \`File\` SET \`Version\` = '$FILE_VERSION', \`Language\` = '1033' WHERE \`File\` = 'Program'"
    helper msi "$msi" "$package"
    [ -z "${SIGN:-}" ] || installer/sign.sh "$msi"
fi
if want; then
    say "checksums and bill of materials"
    helper sbom "$VERSION" "${programs[@]}" >"$out/limsbridge_${VERSION}.cdx.json"
    helper sums "$out" >"$out/SHA256SUMS"
fi
rm -rf "$STAGE"
(cd "$out" && ls -l)
