#!/bin/sh
# Entry of the npm scripts: makes sure that everything a task needs is installed, then runs scripts/TASK.ts.
#
#   sh scripts/run.sh setup|test|quickstart|bench [ARGUMENTS]
#
# Works in a fresh clone: needs root on a Debian-like Linux with a recent Node and npm, installs the rest.
set -eu

cd "$(dirname "$0")/.."
task=$1
shift
# Where root's own programs are, which not every way of becoming root puts on the PATH.
PATH=$PATH:/usr/sbin:/sbin

# Programs and libraries that the engine, the labs and the tests call, and the Debian packages that bring them.
#   program, library or path    package
needed='
runc                      runc
conmon                    conmon
umoci                     umoci
libnftables.so.1          libnftables1
nft                       nftables
ip                        iproute2
busybox                   busybox
unshare                   util-linux
nsenter                   util-linux
tini-static               tini
ps                        procps
'
# What the tests alone need: clients that people use with Docker, a registry to pull from and push to, and the peer.
clients='
docker-compose                          docker-compose
docker-registry                         docker-registry
skopeo                                  skopeo
curl                                    curl
openssl                                 openssl
/usr/lib/python3/dist-packages/docker   python3-docker
'
# Debian's dockerd, which the tests run Seaway beside and the benchmark compares with.
peer='
dockerd                   docker.io
iptables                  iptables
'
log=$(mktemp "${TMPDIR:-/tmp}/seaway-setup-XXXXXX.log")
policy=
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

clean_up() {
  [ -z "$policy" ] || rm -f "$policy"
  rm -f "$log"
}

# fail SENTENCE: says what is needed and ends.
fail() {
  echo "seaway: $1" >&2
  exit 1
}

# step DESCRIPTION COMMAND...: one line with the time it took; what the command wrote is shown only if it fails.
step() {
  description=$1
  shift
  printf '%s ... ' "$description"
  started=$(date +%s)
  if "$@" > "$log" 2>&1 < /dev/null; then
    echo "done ($(($(date +%s) - started)) s)"
  else
    echo 'failed'
    tail -n 40 "$log" >&2
    return 1
  fi
}

present() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *.so.*) ldconfig -p | grep -qF "$1" ;;
    *) command -v "$1" > /dev/null 2>&1 ;;
  esac
}

# packages_for TABLE: the packages of a table whose program is missing, each once.
packages_for() {
  echo "$1" | while read -r what package; do
    [ -z "$what" ] || present "$what" || echo "$package"
  done | sort -u | tr '\n' ' '
}

# install_packages NAME...: installs Debian packages without starting what they bring.
install_packages() {
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    # invoke-rc.d(8): exit code 101 forbids to start services.
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
  fi
  step 'Reading the package lists' apt-get update || return 1
  step "Installing $*" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "$@" || return 1
  if [ -n "$policy" ]; then
    rm -f "$policy"
    policy=
  fi
}

check_machine() {
  [ "$(uname -s)" = Linux ] || fail "this needs Linux; here is $(uname -s)."
  case $(uname -m) in
    x86_64 | aarch64) ;;
    *) fail "this needs an x64 or arm64 machine; here is $(uname -m)." ;;
  esac
  [ "$(id -u)" = 0 ] || fail 'this needs root, to make network namespaces and start containers; try again with sudo.'
  unshare --net --mount --pid --fork true 2> /dev/null ||
    fail 'root may not make namespaces here (CAP_SYS_ADMIN is missing); this needs a machine or a privileged container.'
}

# ensure_packages TABLE
ensure_packages() {
  missing=$(packages_for "$1")
  if [ -n "$missing" ]; then
    command -v apt-get > /dev/null 2>&1 ||
      fail "this needs the Debian packages ${missing% }, and apt-get is not here to install them."
    # shellcheck disable=SC2086 # a list of words
    install_packages $missing || fail "the Debian packages ${missing% } are needed and could not be installed."
  fi
}

ensure_docker_client() {
  present docker && return
  if apt-cache show docker-cli > /dev/null 2>&1; then client=docker-cli; else client=docker.io; fi
  install_packages "$client" && present docker ||
    fail 'this needs the docker command line client (28 or newer is best) on the PATH.'
}

# The benchmark compares with Debian's dockerd if it can; without it the comparison is left out.
ensure_peer() {
  missing=$(packages_for "$peer")
  # shellcheck disable=SC2086 # a list of words
  [ -z "$missing" ] || install_packages $missing ||
    echo 'Debian'\''s dockerd could not be installed: the comparison with it is left out.'
}

ensure_dependencies() {
  if [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then
    return
  fi
  command -v npm > /dev/null 2>&1 || fail 'this needs npm, which comes with Node.js.'
  step 'Installing npm packages' npm ci ||
    fail 'the npm packages could not be installed.'
  # npm keeps the date of an unchanged file.
  touch node_modules/.package-lock.json
}

# The Node.js that runs everything: the one from npm, or the machine's own where it is new enough.
choose_node() {
  if [ -x node_modules/.bin/node ]; then
    PATH=$PWD/node_modules/.bin:$PATH
  fi
  major=$(node --version 2> /dev/null | sed 's/^v\([0-9]*\).*/\1/')
  [ "${major:-0}" -ge 25 ] || [ "${major:-0}" = 24 ] ||
    fail "this needs Node.js 24.12 or newer, which npm could not install for this machine; here is ${major:-no Node.js}."
  export PATH
}

check_machine
ensure_packages "$needed"
case $task in
  test | setup) ensure_packages "$clients$peer" ;;
esac
case $task in
  test | quickstart | setup) ensure_docker_client ;;
  bench) ensure_peer ;;
esac
ensure_dependencies
choose_node

if [ "$task" = setup ]; then
  echo "Ready: $(node --version | sed 's/^v/Node.js /'), $(runc --version | head -n 1), $(docker --version)"
  exit
fi
clean_up
trap - EXIT INT TERM HUP
exec node "scripts/$task.ts" "$@"
