#!/usr/bin/env bash
# Signs Windows files in place, programs and MSIs alike.
#
#   SIGN=FILE.p12 [SIGN_PASSWORD_FILE=FILE] [SIGN_TIME_SERVER=URL] sign.sh FILE...
#
# A time server's stamp keeps a signature good after the certificate has expired: leave it out in
# tests only. A key in a hardware token is used as osslsigncode's manual says, in this one place.
set -euo pipefail
for file in "$@"; do
    arguments=(-pkcs12 "$SIGN" -h sha256 -n limsbridge)
    [ -z "${SIGN_PASSWORD_FILE:-}" ] || arguments+=(-readpass "$SIGN_PASSWORD_FILE")
    [ -z "${SIGN_TIME_SERVER:-}" ] || arguments+=(-ts "$SIGN_TIME_SERVER")
    osslsigncode sign "${arguments[@]}" -in "$file" -out "$file.signed" >/dev/null
    mv "$file.signed" "$file"
done
