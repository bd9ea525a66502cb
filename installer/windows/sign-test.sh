#!/usr/bin/env bash
# Builds the MSI signed, with a certificate made on the spot, and verifies the signatures of the MSI
# and of the program in it; and that a changed file is found out.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=limsbridge test, not to be trusted" \
    -addext "extendedKeyUsage=codeSigning" -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
echo "typed once" >"$work/password"
openssl pkcs12 -export -inkey "$work/key.pem" -in "$work/cert.pem" -passout "file:$work/password" -out "$work/sign.p12"

SIGN=$work/sign.p12 SIGN_PASSWORD_FILE=$work/password ONLY=msi OUT=$work/out installer/build.sh >/dev/null
msi=$(echo "$work"/out/*.msi)
msiextract -C "$work/in" "$msi" >/dev/null
program=$(find "$work/in" -name limsbridge.exe)
verify() { osslsigncode verify -CAfile "$work/cert.pem" -in "$1" >"$work/said" 2>&1; }
for file in "$msi" "$program"; do
    verify "$file" || { cat "$work/said"; echo "sign-test: FAILED: the signature of ${file##*/}"; exit 1; }
done
printf x | dd of="$program" bs=1 seek=100000 conv=notrunc status=none
! verify "$program" || { echo "sign-test: FAILED: a changed program verifies"; exit 1; }
echo "the MSI and the program in it are signed and verify; a changed program does not"
