#!/bin/sh
# Makes a token for the route user-api: token.sh [key] [secret] [seconds it is valid]
# Without arguments it is one of mobile-app, with the placeholders of this configuration, valid for an hour.
#   curl -H "Authorization: Bearer $(./token.sh)" http://localhost:8000/api/v1/users
set -eu
key=${1:-mobile-app-key}
secret=${2:-change-me-mobile-app-secret-0123456789}
seconds=${3:-3600}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

header=$(printf '{"alg":"HS256","typ":"JWT","kid":"%s"}' "$key" | base64url)
claims=$(printf '{"exp":%d}' "$(($(date +%s) + seconds))" | base64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -hmac "$secret" -binary | base64url)
printf '%s.%s.%s\n' "$header" "$claims" "$signature"
