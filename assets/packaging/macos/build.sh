# Builds the macOS image; sourced by ../build. Requires a Mac with its linker, lipo, iconutil, codesign, hdiutil and notarytool.

build_dmg() {
  [ "$(uname -s)" = Darwin ] || fail "the macOS image can only be built on a Mac"
  need lipo iconutil codesign hdiutil rsvg-convert
  local app=$work/macos/Afterglow.app dmg=$packages/Afterglow-$version.dmg
  fresh "$work/macos"
  mkdir -p "$app/Contents/MacOS" "$app/Contents/Resources"
  mac_program "$app/Contents/MacOS/afterglow"
  mac_icon "$app/Contents/Resources/afterglow.icns"
  fill "$here/macos/Info.plist.in" >"$app/Contents/Info.plist"
  cp "$root"/LICENSE-* "$(notices aarch64-apple-darwin)" "$app/Contents/Resources"
  # Without an identity the app is signed ad hoc: other Macs warn before they start it.
  if [ -n "${APPLE_IDENTITY:-}" ]; then
    codesign --force --options runtime --timestamp --sign "$APPLE_IDENTITY" "$app"
  else
    codesign --force --sign - "$app"
  fi
  ln -s /Applications "$work/macos/Applications"
  rm -f "$dmg"
  hdiutil create -volname Afterglow -srcfolder "$work/macos" -ov -format UDZO "$dmg" >&2
  if [ -n "${APPLE_ID:-}" ]; then
    xcrun notarytool submit "$dmg" --apple-id "$APPLE_ID" --team-id "$APPLE_TEAM" --password "$APPLE_PASSWORD" --wait >&2
    xcrun stapler staple "$dmg" >&2
  fi
}

# Builds a universal binary.
mac_program() {
  local targets=(aarch64-apple-darwin x86_64-apple-darwin) one parts=()
  for one in "${targets[@]}"; do
    (cd "$root" && cargo build --release --locked -p desktop --target "$one" >&2)
    parts+=("$target/$one/release/afterglow")
  done
  lipo -create -output "$1" "${parts[@]}"
}

mac_icon() {
  local set=$work/macos.iconset size
  fresh "$set"
  for size in 16 32 128 256 512; do
    rsvg-convert -w "$size" -h "$size" "$root/assets/icon/afterglow.svg" -o "$set/icon_${size}x$size.png"
    rsvg-convert -w $((size * 2)) -h $((size * 2)) "$root/assets/icon/afterglow.svg" -o "$set/icon_${size}x$size@2x.png"
  done
  iconutil -c icns "$set" -o "$1"
}
