# Sourced by the findings: a temporary folder, pinned packages in it, and one check with a bound on its time.
# Not a finding itself.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$(dirname "${BASH_SOURCE[0]}")/lib.mjs" "$work/"
echo '{"type": "module"}' > "$work/package.json"

# install_npm NAME@VERSION...
install_npm() {
  (cd "$work" && npm install --silent --no-audit --no-fund --ignore-scripts "$@")
}

# install_pypi NAME==VERSION...: checks find its interpreter as `python` in lib.mjs.
install_pypi() {
  [ -d "$work/venv" ] || python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# check: runs the module on standard input beside lib.mjs. It says what it saw, and "changed:" where that is new.
check() {
  cat > "$work/check.mjs"
  echo "node $(node --version)"
  (cd "$work" && timeout "${SECONDS_MAX:-60}" node --no-deprecation check.mjs) || {
    [ $? -ne 124 ] || echo "changed: not done within ${SECONDS_MAX:-60} s"
    exit 1
  }
}
