# Makes sure of python3, which the test commands are written in. To be sourced.
export PYTHONDONTWRITEBYTECODE=1
if ! command -v python3 >/dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo -n"
  { $sudo apt-get -q -y update && $sudo apt-get -q -y install --no-install-recommends python3; } >/dev/null 2>&1 ||
    { echo "python3 is missing and cannot be installed" >&2; exit 2; }
fi
