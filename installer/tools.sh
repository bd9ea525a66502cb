#!/usr/bin/env bash
# Installs from Debian's or Ubuntu's packages what building and signing needs, where it is missing.
set -euo pipefail
missing=()
for pair in wixl:wixl msibuild:msitools msiextract:msitools envsubst:gettext-base osslsigncode:osslsigncode openssl:openssl; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ ${#missing[@]} = 0 ] && exit 0
[ "$(id -u)" = 0 ] || { echo "missing, and only root installs them: apt-get install ${missing[*]}" >&2; exit 1; }
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
