#!/usr/bin/env bash
# The wheel in dist/ as a user has it, with nothing of this repository, and clients that read what `install` writes.
# Needs Node 22.19 or newer and npm. What it installs goes to CLIENTS_DIR, by default below the system's temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${CLIENTS_DIR:-${TMPDIR:-/tmp}/saasus-mcp-clients}
WORK=$(mktemp -d)
WHEEL=$(ls "$PWD"/dist/*.whl)
PYTHON=$PWD/.venv/bin/python
BIN=$CACHE/node_modules/.bin
SERVER=
trap '[ -z "$SERVER" ] || kill "$SERVER" 2> /dev/null; rm -rf "$WORK"' EXIT

say() { printf '\n== %s\n' "$*"; }
# A client with nothing of this user: no variables, and a home that is empty.
alone() { env -i PATH="$PATH" HOME="$WORK/home" LANG=C.UTF-8 SAASUS_MCP_STATE_DIR="$WORK/state" "$@"; }
# Clients give a server a few seconds, which a busy machine may not have: three tries.
connected() { for _ in 1 2 3; do "$@" 2>&1 | grep saasus | tee "$WORK/listed.txt" | grep -E '✔|✓' && return; done; cat "$WORK/listed.txt"; return 1; }
tools() { "$PYTHON" -c 'import json, sys; print(len(json.load(sys.stdin)["result"]["tools"]), "tools")'; }

say "Packages from npm"
mkdir -p "$CACHE" "$WORK/home"
npm install --silent --no-audit --no-fund --prefix "$CACHE" \
  @modelcontextprotocol/inspector@2.12.0 @anthropic-ai/mcpb@2.1.2 \
  @anthropic-ai/claude-code @google/gemini-cli @openai/codex

say "The wheel in an empty environment"
"$PYTHON" -m pip install --quiet uv
UV=$PWD/.venv/bin/uv
UVX=$PWD/.venv/bin/uvx
"$UV" venv --quiet "$WORK/venv"
"$UV" pip install --quiet --python "$WORK/venv/bin/python" "$WHEEL"
OURS=$WORK/venv/bin/saasus-mcp
(cd "$WORK" && alone "$OURS" --version && alone "$OURS" tools --sandbox | tail -n 1)

# What `install --print` says is what Inspector starts the server by.
inspect() { (cd "$WORK" && "$BIN/mcp-inspector" --cli --config "$1" --server saasus --format json -q "${@:2}"); }
"$UVX" --quiet --from "$WHEEL" saasus-mcp --version > /dev/null  # a client passes on no setting of uv's: fetched now, then offline
alone "$OURS" install --print --sandbox --command "$UVX --offline --from $WHEEL saasus-mcp" > "$WORK/uvx.json"
alone "$OURS" install --print --sandbox --command "$OURS" > "$WORK/full.json"
alone "$OURS" install --print --sandbox --command "$OURS" --surface compact > "$WORK/compact.json"

say "uvx, as clients start it"
inspect "$WORK/uvx.json" --method tools/list | tools

say "Inspector on stdio: strict schemas, a list and a call in both eras"
inspect "$WORK/full.json" --method tools/list --strict > "$WORK/tools.json" 2> "$WORK/strict.txt"
echo "strict: clean"; cat "$WORK/strict.txt"
for era in legacy modern; do
  for surface in full compact; do
    printf '%s %s: ' "$era" "$surface"
    inspect "$WORK/$surface.json" --protocol-era $era --method tools/list | tools
  done
  inspect "$WORK/full.json" --protocol-era $era --method tools/call --tool-name auth_get_tenants | grep -q tenants
  echo "$era: a call is answered"
done

say "Inspector over HTTP, both eras"
PORT=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
(cd "$WORK" && exec env HOME="$WORK/home" SAASUS_MCP_STATE_DIR="$WORK/state" "$OURS" serve --sandbox --transport http --port "$PORT") \
  2> "$WORK/http.log" &
SERVER=$!
for _ in $(seq 100); do curl --silent --fail "http://127.0.0.1:$PORT/healthz" > /dev/null && break || sleep 0.2; done
for era in legacy modern; do
  printf '%s: ' "$era"
  "$BIN/mcp-inspector" --cli --server-url "http://127.0.0.1:$PORT/mcp" --transport http --protocol-era $era --method tools/list \
    --format json -q | tools
  "$BIN/mcp-inspector" --cli --server-url "http://127.0.0.1:$PORT/mcp" --transport http --protocol-era $era --method tools/call \
    --tool-name auth_get_tenants --format json -q | grep -q tenants
  echo "$era: a call is answered"
done

say "What install writes, as the clients themselves read it"
alone "$OURS" install claude-code --sandbox --yes --command "$OURS" | sed -n 1p
alone "$OURS" install gemini --sandbox --yes --command "$OURS" | sed -n 1p
alone "$OURS" install codex --sandbox --yes --command "$OURS" | sed -n 1p
cd "$WORK"
connected alone "$BIN/claude" mcp list
connected alone GEMINI_CLI_TRUST_WORKSPACE=true "$BIN/gemini" mcp list
alone "$BIN/codex" mcp list 2> /dev/null | grep saasus
alone "$OURS" install claude-code --yes --url "http://127.0.0.1:$PORT/mcp" | sed -n 1p
connected alone "$BIN/claude" mcp list
cd - > /dev/null
alone "$OURS" doctor --sandbox | grep Clients

say "The bundle and the registry's entry"
"$BIN/mcpb" validate bundles/mcpb/manifest.json
"$BIN/mcpb" pack bundles/mcpb "$WORK/saasus-mcp.mcpb" | grep -E 'filename|size'

say "Security scan, offline"
"$UV" venv --quiet --allow-existing "$CACHE/scan"
"$UV" pip install --quiet --python "$CACHE/scan/bin/python" cisco-ai-mcp-scanner
"$PYTHON" -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["result"], open(sys.argv[2], "w"))' "$WORK/tools.json" "$WORK/scanned.json"
alone "$CACHE/scan/bin/mcp-scanner" --analyzers yara --format summary static --tools "$WORK/scanned.json" > "$WORK/scan.txt" 2> /dev/null
grep -E '^(Total|Safe|Unsafe)' "$WORK/scan.txt"
# The API names its fields id_token, access_token and refresh_token: taken for poisoning wherever they stand together.
! grep -E '\(tool\) - (LOW|MEDIUM|HIGH|CRITICAL)' "$WORK/scan.txt" | grep -v ' auth_create_auth_credentials '

say "Done"
