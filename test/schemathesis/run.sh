#!/usr/bin/env bash
# Runs schemathesis as a manager and as a customer at once, each against a shop of its own that has just been opened. Needs
# python3 with venv; SCHEMATHESIS_SECONDS is how long each goes on. Prints a line for each, and all that the tool says if
# it finds something.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
seconds=${SCHEMATHESIS_SECONDS:-30}

venv=$project/node_modules/.cache/schemathesis
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/installed.txt"
fi

# In a process of its own, which ends with its shop.
run_as() (
  user=$1
  folder=$(mktemp -d)
  shop=
  close_shop() {
    if [ -n "$shop" ]; then kill "$shop" 2>/dev/null && wait "$shop" || true; fi
    rm -rf "$folder"
  }
  trap close_shop EXIT

  ln -s "$project/package.json" "$project/node_modules" "$project/src" "$folder"
  (cd "$folder" && PORT=0 RATE_LIMIT_MAX=0 PAYMENT_TIMEOUT_MS=1000 exec npm start --silent >log 2>&1) &
  shop=$!
  for _ in $(seq 300); do
    address=$(sed -n 's/.*Server listening at \(http[^"]*\).*/\1/p' "$folder/log" 2>/dev/null | head -1) || true
    [ -z "$address" ] || break
    sleep 0.1
  done
  [ -n "$address" ] || { cat "$folder/log" >&2; exit 1; }

  # It leaves a cache where it runs. One worker: several crash Python 3.11's compiler now and then.
  if ! (cd "$folder" && SHOP_USER=$user SCHEMATHESIS_HOOKS=$here/hooks.py "$venv/bin/schemathesis" \
    --config-file "$here/schemathesis.toml" run "$address/docs/json" \
    --max-time "$seconds" --workers 1 --continue-on-failure >report 2>&1); then
    cat "$folder/report" >&2
    echo "schemathesis as a $user: FAILED" >&2
    exit 1
  fi
  cases=$(sed -n 's/^ *\([0-9]*\) generated.*/\1/p' "$folder/report")
  operations=$(sed -n 's/^ *Tested: \([0-9]*\).*/\1/p' "$folder/report")
  echo "schemathesis as a $user: $cases cases, $operations operations, $seconds s"
)

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
run_as manager &
manager=$!
run_as customer &
customer=$!
status=0
wait "$manager" || status=1
wait "$customer" || status=1
exit $status
