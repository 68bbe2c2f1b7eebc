#!/bin/sh
# The image's entry point: what Kong's does, without its shell templates.
#
# KONG_X_FILE, if KONG_X is not set, is the file with the value of KONG_X: how Docker and Kubernetes hand over secrets.
# `kong docker-start` (the default) serves in the foreground; every other command is run as it is.
set -eu

# The name of the variable that a file is for, if it is one of ours and not a setting that ends so.
for name in $(env | sed -n 's/^\(KONG_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    [ "$name" = KONG_RESOLVER_HOSTS ] && continue
    eval "value=\${$name:-} file=\${${name}_FILE:-}"
    if [ -n "$value" ]; then
        echo "entrypoint: both $name and ${name}_FILE are set: one says what the other does" >&2
        exit 1
    fi
    if [ ! -r "$file" ]; then
        echo "entrypoint: ${name}_FILE: cannot read $file" >&2
        exit 1
    fi
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
done

# A process in the background would end the container.
export KONG_NGINX_DAEMON=off

if [ "${1:-}" = kong ] && [ "${2:-}" = docker-start ]; then
    shift 2
    set -- kong start "$@"
fi

# In place of the shell, so that signals reach it.
exec "$@"
