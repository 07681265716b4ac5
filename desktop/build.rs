//! Embeds the icon, the version and the manifest into the Windows executable.

use std::{env, error::Error};

const ICON: &str = "../assets/icon/afterglow.ico";
const MANIFEST: &str = "../assets/packaging/windows/afterglow.exe.manifest";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ICON}");
    println!("cargo:rerun-if-changed={MANIFEST}");
    if env::var("CARGO_CFG_TARGET_OS")? == "windows" {
        let mut resource = winresource::WindowsResource::new();
        resource
            .set_icon(ICON)
            .set_manifest_file(MANIFEST)
            .set("ProductName", "Afterglow")
            .set("FileDescription", "Afterglow")
            .set("CompanyName", &env::var("CARGO_PKG_AUTHORS")?)
            .set("LegalCopyright", &env::var("CARGO_PKG_AUTHORS")?)
            .compile()?;
    }
    Ok(())
}
