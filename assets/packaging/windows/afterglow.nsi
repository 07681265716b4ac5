; The per-user installer, which needs no administrator rights. /S installs silently, /D=FOLDER selects the folder.
; The uninstaller keeps the data unless the user selects them; silently with /S /DATA.

Unicode true
!ifdef TARGET
Target ${TARGET}
!else
Target amd64-unicode
!endif
!include MUI2.nsh
!include FileFunc.nsh
!include Sections.nsh

; Notifies the shell that file associations changed.
!macro NotifyAssociations
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
!macroend

!define NAME "Afterglow"
!define CLASSES "Software\Classes"
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"

Name "${NAME}"
OutFile "${OUT}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
InstallDirRegKey HKCU "Software\${NAME}" "Folder"
SetCompressor /SOLID lzma
BrandingText "${NAME} ${VERSION}"
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "${NAME} ${VERSION} installer"
VIAddVersionKey "CompanyName" "${AUTHORS}"
VIAddVersionKey "LegalCopyright" "${AUTHORS}"

!define MUI_ICON "${FILES}/afterglow.ico"
!define MUI_UNICON "${FILES}/afterglow.ico"
!define MUI_FINISHPAGE_RUN "$INSTDIR\afterglow.exe"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_COMPONENTS
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

Section "${NAME}"
  SetOutPath "$INSTDIR"
  ; Open windows keep running the old program.
  Delete "$INSTDIR\afterglow.old.exe"
  Rename "$INSTDIR\afterglow.exe" "$INSTDIR\afterglow.old.exe"
  Delete "$INSTDIR\afterglow.old.exe"
  ClearErrors
  File "${FILES}/afterglow.exe"
  File "${FILES}/afterglow.ico"
  File "${FILES}/LICENSE-MIT.txt"
  File "${FILES}/LICENSE-APACHE.txt"
  File "${FILES}/THIRD-PARTY.txt"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortcut "$SMPROGRAMS\${NAME}.lnk" "$INSTDIR\afterglow.exe" "" "$INSTDIR\afterglow.ico"

  WriteRegStr HKCU "${CLASSES}\.afterglow" "" "Afterglow.Connection"
  WriteRegStr HKCU "${CLASSES}\Afterglow.Connection" "" "Afterglow connection"
  WriteRegStr HKCU "${CLASSES}\Afterglow.Connection\DefaultIcon" "" "$INSTDIR\afterglow.ico"
  WriteRegStr HKCU "${CLASSES}\Afterglow.Connection\shell\open\command" "" '"$INSTDIR\afterglow.exe" -- "%1"'
  WriteRegStr HKCU "${CLASSES}\afterglow" "" "URL:Afterglow"
  WriteRegStr HKCU "${CLASSES}\afterglow" "URL Protocol" ""
  WriteRegStr HKCU "${CLASSES}\afterglow\shell\open\command" "" '"$INSTDIR\afterglow.exe" -- "%1"'

  WriteRegStr HKCU "Software\${NAME}" "Folder" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\afterglow.ico"
  WriteRegStr HKCU "${UNINSTALL}" "Publisher" "${AUTHORS}"
  WriteRegStr HKCU "${UNINSTALL}" "Comments" "${SUMMARY}"
  WriteRegStr HKCU "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
  !insertmacro NotifyAssociations
  ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
  WriteRegDWORD HKCU "${UNINSTALL}" "EstimatedSize" $0
  IfErrors 0 +3
    SetErrorLevel 2
    Abort "Installing ${NAME} into $INSTDIR failed."
SectionEnd

Section "un.${NAME}" un_program
  SectionIn RO
  ; A running program cannot be deleted, and its data are in use.
  again:
  Delete "$INSTDIR\afterglow.old.exe"
  Delete "$INSTDIR\afterglow.exe"
  IfFileExists "$INSTDIR\afterglow.exe" open
  IfFileExists "$INSTDIR\afterglow.old.exe" open closed
  open:
    MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "${NAME} is running. Close its windows and try again." /SD IDCANCEL IDRETRY again
    SetErrorLevel 2
    Abort "${NAME} is running."
  closed:
  Delete "$INSTDIR\afterglow.ico"
  Delete "$INSTDIR\LICENSE-MIT.txt"
  Delete "$INSTDIR\LICENSE-APACHE.txt"
  Delete "$INSTDIR\THIRD-PARTY.txt"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}.lnk"
  DeleteRegKey HKCU "${CLASSES}\afterglow"
  DeleteRegKey HKCU "${CLASSES}\Afterglow.Connection"
  ReadRegStr $0 HKCU "${CLASSES}\.afterglow" ""
  StrCmp $0 "Afterglow.Connection" 0 +2
    DeleteRegKey HKCU "${CLASSES}\.afterglow"
  DeleteRegKey HKCU "Software\${NAME}"
  DeleteRegKey HKCU "${UNINSTALL}"
  !insertmacro NotifyAssociations
SectionEnd

Section /o "un.Watchlists and settings" un_data
  RMDir /r "$APPDATA\afterglow"
SectionEnd

Function un.onInit
  ${GetParameters} $0
  ClearErrors
  ${GetOptions} $0 "/DATA" $1
  IfErrors done
    !insertmacro SelectSection ${un_data}
  done:
FunctionEnd
