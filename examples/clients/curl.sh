#!/bin/sh
# Calls a host with curl; openssl signs. Prints status and body, and fails unless the status is 200.
#
#     export HMAC_AUTH_SECRET=…   # the one of the host
#     sh examples/clients/curl.sh http://127.0.0.1:8080/_functions/siteStats
#
# For trying a host: openssl takes the secret on its command line, where other users of the machine can see it.
set -eu
url=${1:-http://127.0.0.1:8080/_functions/siteStats}

# With a query, the list needs "@query" too, and the base its line: `"@query": ?month=11`.
case $url in
*[?#]*) echo "$url: this script signs no query: leave it out" >&2; exit 2 ;;
*://*/*) ;;
*) echo "$url: a URL with a path is needed, such as http://127.0.0.1:8080/" >&2; exit 2 ;;
esac
authority=${url#*://}
authority=${authority%%/*}
case $authority in
*@*) echo "a user in the URL is not signed: leave it out" >&2; exit 2 ;;
esac
path=/${url#*://*/}

mac() { openssl dgst -sha256 -hmac "$HMAC_AUTH_SECRET" -binary | openssl base64 -A; }

# Without a nonce, two equal requests in one second have one signature, and the second is refused as a replay.
now() { printf 'created=%s;nonce="%s"' "$(date +%s)" "$(openssl rand -hex 16)"; }

get() {
    input="(\"@method\" \"@authority\" \"@path\");$(now)"
    mac=$(printf '"@method": GET\n"@authority": %s\n"@path": %s\n"@signature-params": %s' "$authority" "$path" "$input" | mac)
    curl -sS -w '\n%{http_code}' -H "Signature-Input: sig1=$input" -H "Signature: sig1=:$mac:" "$url"
}

post() {
    json=$1
    digest="sha-256=:$(printf %s "$json" | openssl dgst -sha256 -binary | openssl base64 -A):"
    input="(\"@method\" \"@authority\" \"@path\" \"content-digest\" \"content-type\");$(now)"
    mac=$(printf '"@method": POST\n"@authority": %s\n"@path": %s\n"content-digest": %s\n"content-type": application/json\n"@signature-params": %s' \
        "$authority" "$path" "$digest" "$input" | mac)
    curl -sS -w '\n%{http_code}' -H "Signature-Input: sig1=$input" -H "Signature: sig1=:$mac:" \
        -H "Content-Digest: $digest" -H 'Content-Type: application/json' --data-raw "$json" "$url"
}

check() {
    answer=$("$@")
    status=$(printf '%s\n' "$answer" | tail -n 1)
    echo "$status $(printf '%s\n' "$answer" | sed '$d')"
    [ "$status" = 200 ]
}

check get
check post '{"month":11}'
