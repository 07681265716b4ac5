# Verifies the Windows packages under wine; sourced by ../verify.
#
# The wine of Debian 12 lacks bcryptprimitives.dll, which is part of Windows and which the standard library uses for random
# numbers. A stub is built for the tests; it is not part of a package.

wine_new() {
  # Start the display before wine's desktop, which stays on the display that it was started on.
  start_display
  export WINEPREFIX=$work/wine-$1 WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
  wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
  "$wine" wineboot --init >"$work/wineboot.log" 2>&1 || fail "wine does not start: $(tail -n 3 "$work/wineboot.log")"
  build_stub "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll"
}

build_stub() {
  [ ! -e "$1" ] || return 0
  cat >"$work/random.c" <<'C'
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return RtlGenRandom(data, (ULONG)length); }
C
  x86_64-w64-mingw32-gcc -shared -o "$1" "$work/random.c" -ladvapi32
}

in_wine() { "$wine" "$@" 2>>"$work/wine.log"; }

# Connects the installed program and a Linux desktop to one Linux server: an edit in each must glow in the other.
assert_glows_across() {
  local program=$1 server linux windows id other desk=$work/desk-$2
  "$bin/afterglow-server" serve --listen 127.0.0.1:0 --data-dir "$desk" >"$desk.out" 2>"$desk.log" &
  server=$!
  started+=("$server")
  for _ in $(seq 100); do grep -q listening "$desk.out" && break; sleep 0.1; done
  local base
  base=$(sed -n 's/^listening on //p' "$desk.out")
  "$bin/afterglow-server" import "$root/assets/data/companies.csv" --name Companies --data-dir "$desk" >"$desk.created"
  WINEPATH= in_wine "$program" --connect "$base" --token-file "Z:${desk//\//\\}\\local.token" >"$work/windows.out" 2>&1 &
  windows=$!
  started+=("$windows")
  id=$(window "Companies" "$2")
  xdotool windowsize --sync "$id" 780 700 windowmove "$id" 0 40
  "$bin/afterglow" --connect "$base" --token-file "$desk/local.token" --data-dir "$desk-linux" >"$work/linux.out" 2>&1 &
  linux=$!
  started+=("$linux")
  for _ in $(seq 100); do
    other=$(xdotool search --onlyvisible --name Companies | grep -v "^$id$" | head -n 1 || true)
    [ -z "$other" ] || break
    sleep 0.2
  done
  [ -n "$other" ] || fail "the Linux window does not open"
  sleep 2
  xdotool windowsize --sync "$other" 780 700 windowmove --sync "$other" 800 40
  sleep 1
  # Type on Windows; the row must glow on Linux.
  type_price "$id" 73 88
  sleep 0.4
  import -window root "$pictures/$2.png"
  "$bin/afterglow-server" export "$(cat "$desk.created")" --format csv --data-dir "$desk" >"$work/exported"
  grep -q '^MMM,.*,88,' "$work/exported" || fail "the value typed on Windows is not on the server: $(head -n 3 "$work/exported")"
  has_glow "$pictures/$2.png" 800 || fail "the row does not glow on Linux"
  sleep 3
  # Type on Linux; the row must glow on Windows.
  type_price "$other" 95 99
  sleep 0.4
  import -window root "$pictures/$2-back.png"
  has_glow "$pictures/$2-back.png" 0 || fail "the row does not glow on Windows"
  for window in "$other" "$id"; do xdotool windowactivate --sync "$window" key ctrl+q; done
  for _ in $(seq 100); do kill -0 "$windows" 2>/dev/null || break; sleep 0.1; done
  ! kill -0 "$windows" 2>/dev/null || fail "the program does not exit under wine"
  kill "$server"
}

# Clicks on the price of a row in a window, and types a new value.
type_price() {
  xdotool windowactivate --sync "$1" mousemove --window "$1" 428 "$2" click 1
  sleep 0.3
  xdotool type --delay 80 "$3"
  xdotool key Return
}

check_nsis() {
  local folder data
  wine_new nsis
  in_wine "$(package '*-setup.exe')" /S
  folder=$(echo "$WINEPREFIX"/drive_c/users/*/AppData/Local/Programs/Afterglow)
  [ -e "$folder/afterglow.exe" ] || fail "the installer did not install the program in $folder"
  in_wine reg query 'HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Afterglow' /v DisplayVersion | grep -q '0\.' ||
    fail "the uninstall entry is missing"
  in_wine reg query 'HKCU\Software\Classes\.afterglow' /ve | grep -q Afterglow.Connection || fail "the file type .afterglow is not registered"
  [ -n "$(find "$WINEPREFIX"/drive_c/users -name Afterglow.lnk)" ] || fail "the Start menu entry is missing"
  assert_glows_across "$folder/afterglow.exe" windows
  # Install over the existing version: an upgrade must keep the data.
  data=$(echo "$WINEPREFIX"/drive_c/users/*/AppData/Roaming/afterglow)
  [ -e "$data/data/version" ] || fail "the data folder $data is missing"
  in_wine "$(package '*-setup.exe')" /S
  [ -e "$data/data/version" ] && [ -e "$folder/afterglow.exe" ] || fail "the upgrade removed the data or the program"
  uninstall() {
    in_wine "$folder/uninstall.exe" /S "$@"
    # The uninstaller continues in the background, as a copy of itself.
    for _ in $(seq 100); do [ -e "$folder/afterglow.exe" ] || return 0; sleep 0.1; done
    fail "the uninstaller did not remove the program"
  }
  uninstall
  [ -e "$data/data/version" ] || fail "the uninstaller removed the data without being asked"
  ! in_wine reg query 'HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Afterglow' >/dev/null || fail "the uninstall entry was not removed"
  in_wine "$(package '*-setup.exe')" /S
  uninstall /DATA
  for _ in $(seq 50); do [ -e "$data" ] || break; sleep 0.1; done
  [ ! -e "$data" ] || fail "the uninstaller did not remove the data"
  "$wine" wineboot --shutdown >/dev/null 2>&1 || true
  say "nsis: installed, painted, an edit glowed both ways, upgraded, uninstalled"
}

check_msi() {
  local folder
  wine_new msi
  in_wine msiexec /i "$(package '*.msi')" /qn
  folder=$WINEPREFIX/drive_c/'Program Files'/Afterglow
  [ -e "$folder/afterglow.exe" ] || fail "the installer did not install the program in $folder"
  in_wine reg query 'HKLM\Software\Classes\.afterglow' /ve | grep -q Afterglow.Connection || fail "the file type .afterglow is not registered"
  [ -n "$(find "$WINEPREFIX/drive_c" -name Afterglow.lnk)" ] || fail "the Start menu entry is missing"
  assert_glows_across "$folder/afterglow.exe" windows-msi
  in_wine msiexec /x "$(package '*.msi')" /qn
  [ ! -e "$folder/afterglow.exe" ] || fail "uninstalling did not remove the program"
  "$wine" wineboot --shutdown >/dev/null 2>&1 || true
  say "msi: installed, painted, an edit glowed both ways, uninstalled"
}
