# Builds the Windows packages; sourced by ../build.

windows_target=${AFTERGLOW_WINDOWS_TARGET:-x86_64-pc-windows-gnu}

# Prints the folder with the program for Windows. If the standard library for Windows is not installed, builds it from
# AFTERGLOW_RUST_SRC: the folder of the compiler's source, of the same version, that contains library/.
windows_programs() {
  local build=(cargo build --release --locked -p desktop --target "$windows_target")
  if [ -n "${AFTERGLOW_WINDOWS_BIN:-}" ]; then
    echo "$AFTERGLOW_WINDOWS_BIN"
    return
  fi
  if [ -d "$(rustc --print sysroot)/lib/rustlib/$windows_target/lib" ]; then
    (cd "$root" && "${build[@]}" >&2)
  elif [ -n "${AFTERGLOW_RUST_SRC:-}" ]; then
    (cd "$root" && RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT="$AFTERGLOW_RUST_SRC/library" \
      "${build[@]}" -Zbuild-std=std,panic_unwind >&2)
  else
    fail "the standard library for $windows_target is missing; install it with \`rustup target add $windows_target\`"
  fi
  echo "$target/$windows_target/release"
}

windows_files() {
  local into=$1 bin others
  bin=$(windows_programs)
  others=$(notices "$windows_target")
  fresh "$into"
  install -m644 "$others" "$into/THIRD-PARTY.txt"
  install -m644 "$bin/afterglow.exe" "$root/assets/icon/afterglow.ico" "$into"
  install -m644 "$root/LICENSE-MIT" "$into/LICENSE-MIT.txt"
  install -m644 "$root/LICENSE-APACHE" "$into/LICENSE-APACHE.txt"
}

build_nsis() {
  need makensis
  windows_files "$work/windows"
  makensis -V2 -NOCD "-DVERSION=$version" "-DAUTHORS=$authors" "-DSUMMARY=$summary" "-DFILES=$work/windows" \
    "-DOUT=$packages/Afterglow-$version-setup.exe" "$here/windows/afterglow.nsi" >&2
}

build_msi() {
  need wixl
  windows_files "$work/windows"
  fill "$here/windows/afterglow.wxs" >"$work/afterglow.wxs"
  (cd "$work/windows" && wixl -a x64 -D "FILES=$work/windows" -o "$packages/Afterglow-$version-x64.msi" "$work/afterglow.wxs" >&2)
}
