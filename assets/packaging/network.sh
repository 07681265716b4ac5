# Verifies the packages on four hosts: a server, the computers of ann and bob, and a proxy. The hosts are network namespaces of this
# machine and share one chroot. Sourced by verify.

# The name of this run's namespaces.
network=afterglow-$$
hosts=()

# Starts two networks, on which hosts are put.
network_new() {
  local bridge
  host_new switch
  for bridge in lan office; do
    ip -n "$network-switch" link add "$bridge" type bridge
    ip -n "$network-switch" link set "$bridge" up
  done
}

# Deletes the hosts, and with them their networks.
network_end() {
  local name
  for name in "${hosts[@]}"; do ip netns del "$network-$name" 2>/dev/null || true; done
  hosts=()
}

host_new() {
  ip netns add "$network-$1"
  hosts+=("$1")
  ip -n "$network-$1" link set lo up
}

# Connects a host to a network with an address.
connect() {
  local host=$1 bridge=$2 address=$3
  ip -n "$network-$host" link add "$bridge" type veth peer name "$host-$bridge" netns "$network-switch"
  ip -n "$network-switch" link set "$host-$bridge" master "$bridge" up
  ip -n "$network-$host" address add "$address/24" dev "$bridge"
  ip -n "$network-$host" link set "$bridge" up
}

# Sets the array at, the start of a command that runs on a host, in the chroot.
at() { at=(nsenter --net="/run/netns/$network-$1" "${chrooted[@]}"); }

# Starts a person's desktop on the computer of their name with a connection file, and sets process and id, those of its window. Other
# arguments are variables of its environment.
desktop_up() {
  local person=$1 file=$2 home=/home/$1
  shift 2
  in_chroot install -d -o "$person" -g "$person" "$home"
  at "$person"
  "${at[@]}" HOME="$home" DISPLAY="$DISPLAY" "$@" \
    setpriv --reuid "$person" --regid "$person" --init-groups afterglow "$file" >"$work/$person.out" 2>&1 &
  process=$!
  started+=("$process")
  for _ in $(seq 300); do
    id=$(xdotool search --all --onlyvisible --pid "$process" --name Afterglow 2>/dev/null | head -n 1 || true)
    [ -z "$id" ] || break
    sleep 0.2
  done
  [ -n "$id" ] || fail "no window of $person opened: $(tail -n 5 "$work/$person.out")"
  sleep 2
}

# Presses keys in a window, or types a text.
press() { local id=$1; shift; xdotool windowactivate --sync "$id" key --delay 80 "$@"; sleep 0.5; }
type_text() { xdotool windowactivate --sync "$1" type --delay 50 "$2"; sleep 0.5; }

# Agrees to join the server, and signs in.
sign_in() {
  local id=$1 name=$2 password=$3
  press "$id" Tab Return
  sleep 3
  type_text "$id" "$name"
  press "$id" Tab
  type_text "$id" "$password"
  press "$id" Return
}

# Types a price into the first row of the watchlist in a window.
type_first_price() {
  press "$1" ctrl+Home Right Right
  type_text "$1" "$2"
  xdotool key Return
}

# Waits until a window's title begins with a text.
await_title() {
  for _ in $(seq 100); do
    [[ $(xdotool getwindowname "$1" 2>/dev/null) != "$2"* ]] || { sleep 1; return; }
    sleep 0.2
  done
  import -window root "$pictures/network-failed.png"
  fail "the window's title is \"$(xdotool getwindowname "$1")\" and not \"$2\""
}

# Runs a sub-command of the server where it runs.
on_server() { "${service[@]}" afterglow-server "$@" --data-dir /var/lib/afterglow; }

# Waits until the audit log has a text.
await_audit() {
  for _ in $(seq 50); do
    ! on_server audit | grep -qF "$1" || return 0
    sleep 0.2
  done
  import -window root "$pictures/network-failed.png"
  fail "the audit log has no $1: $(on_server audit)"
}

# Prints the price of the first row on the server.
first_price() {
  on_server export "$(on_server list | cut -f 1)" --format csv | python3 -c '
import csv, sys
print(float(next(csv.DictReader(sys.stdin))["Price"]))'
}

# Saves a picture, in which the window on the left has to glow.
assert_left_glows() {
  sleep 0.4
  import -window root "$pictures/$1.png"
  has_glow "$pictures/$1.png" 0 || fail "the row does not glow: $1.png"
}

check_network() {
  local process ann_process id ann bob at settings=$work/chroot/etc/afterglow/server.toml host
  chroot_new
  chroot_install "$(package 'afterglow_*-1_*.deb')" "$(package 'afterglow-server_*-1_*.deb')"
  in_chroot apt-get install -y -qq --no-install-recommends tinyproxy-bin >/dev/null 2>&1 || fail "tinyproxy cannot be installed"
  start_display
  in_chroot useradd ann
  in_chroot useradd bob
  printf '10.77.0.1 desk.example\n10.78.0.4 proxy.example\n' >>"$work/chroot/etc/hosts"
  network_new
  for host in desk ann bob proxy; do host_new "$host"; done
  connect desk lan 10.77.0.1
  connect ann lan 10.77.0.2
  connect bob lan 10.77.0.3

  # The server, as the README has it.
  in_chroot afterglow-server tls self-signed --name desk.example --out /etc/afterglow/tls >"$work/tls"
  sed -i 's/^listen = .*/listen = "[::]:7878"/' "$settings"
  service_new nsenter --net="/run/netns/$network-desk"
  pass_certificate
  server_up 'https://[::]:7878'
  printf 'harbour lamp forty\n' | on_server user add ann >/dev/null
  printf 'orchard pencil nine\n' | on_server user add bob >/dev/null
  sed -n 's/^\(server\|ca_fingerprint\) = /&/p' "$work/tls" >"$work/chroot/tmp/desk.afterglow"
  cp "$root/assets/data/companies.csv" "$work/chroot/tmp/companies.csv"

  # Ann creates a watchlist and lets bob view it.
  desktop_up ann /tmp/desk.afterglow
  ann=$id ann_process=$process
  xdotool windowsize --sync "$ann" 780 700 windowmove --sync "$ann" 0 40
  sign_in "$ann" ann 'harbour lamp forty'
  await_audit '"by":"ann","event":"signedIn"'
  press "$ann" alt+n Down Return
  type_text "$ann" /tmp/companies.csv
  press "$ann" Return
  await_title "$ann" companies
  press "$ann" ctrl+k
  type_text "$ann" share
  press "$ann" Return
  type_text "$ann" bob
  sleep 1
  press "$ann" Tab Return Up Return Tab Return
  await_audit '"role":"viewer"'
  press "$ann" Escape

  # Bob sees it. What he types is refused in words.
  desktop_up bob /tmp/desk.afterglow
  bob=$id
  xdotool windowsize --sync "$bob" 780 700 windowmove --sync "$bob" 800 40
  sign_in "$bob" bob 'orchard pencil nine'
  await_title "$bob" companies
  type_first_price "$bob" 88
  sleep 1
  import -window root "$pictures/network-viewer.png"
  [ "$(first_price)" = 71.72 ] || fail "a viewer has changed the price to $(first_price)"

  # Ann lets him edit it, and sees what he types.
  press "$ann" ctrl+k
  type_text "$ann" share
  press "$ann" Return
  press "$ann" Tab Tab Tab Tab Return
  press "$ann" Down Return
  await_audit '"role":"editor"'
  press "$ann" Escape
  type_first_price "$bob" 88
  assert_left_glows network-editor
  [ "$(first_price)" = 88.0 ] || fail "the price is $(first_price) on the server"
  close "$bob" "$process"

  # Bob is in another network, from which only a proxy leads to the server.
  ip -n "$network-bob" link del lan
  connect bob office 10.78.0.3
  connect proxy office 10.78.0.4
  connect proxy lan 10.77.0.4
  at bob
  ! "${at[@]}" timeout 3 bash -c '</dev/tcp/desk.example/7878' 2>/dev/null || fail "the server can be reached without the proxy"
  printf 'Port 8888\nAllow 10.78.0.3\nConnectPort 7878\n' >"$work/chroot/tmp/proxy.conf"
  at proxy
  "${at[@]}" tinyproxy -d -c /tmp/proxy.conf >"$work/proxy.out" 2>&1 &
  started+=($!)
  desktop_up bob /tmp/desk.afterglow HTTPS_PROXY=http://proxy.example:8888
  bob=$id
  xdotool windowsize --sync "$bob" 780 700 windowmove --sync "$bob" 800 40
  sleep 2
  # The server and the name are known; there is no password store that has kept the session.
  type_text "$bob" 'orchard pencil nine'
  press "$bob" Return
  await_audit '"address":"10.77.0.4"'
  sleep 1
  type_first_price "$bob" 89
  assert_left_glows network-proxy
  [ "$(first_price)" = 89.0 ] || fail "the price is $(first_price) on the server"
  grep -q desk.example "$work/proxy.out" || fail "the proxy was not used: $(cat "$work/proxy.out")"
  close "$bob" "$process"
  close "$ann" "$ann_process"
  server_down
  network_end
  release
  say "network: signed in on two hosts, shared, refused, edited, also through a proxy"
}
