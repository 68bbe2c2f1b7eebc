//! Where functions stand in the release: those that a start or a request runs side by side, before all others.
//!
//! The kernel maps a program's code sixteen pages at a time around each that is needed. Of its 18 MB a gateway runs 4,
//! which linkers leave scattered over all of it; `layout.txt` lists them, so that they are near to each other in memory, too.
//! A name that is no function's any more does no harm: `benches/layout.py` makes the list anew.

use std::{env, fs, path::Path};

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=layout.txt");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|known| known == value);
    // Other systems' linkers take no such script; nor do all that somebody may have chosen instead of the usual one.
    let chosen = env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || chosen {
        return Ok(());
    }
    let (folder, names) = (env::var("OUT_DIR").unwrap_or_default(), fs::read_to_string("layout.txt")?);
    let script = Path::new(&folder).join("layout.ld");
    fs::write(&script, self::script(&names))?;
    println!("cargo:rustc-link-arg-bin=towergate=-Wl,-T,{}", script.display());
    Ok(())
}

/// A part of a linker's script, beside its own: GNU's and LLVM's linker both take it. What is marked cold, or was counted
/// to be hot, has a section of another name.
fn script(names: &str) -> String {
    let names = names.lines().filter(|line| !line.starts_with('#'));
    let sections = names.map(|name| format!("*(.text.{name} .text.unlikely.{name} .text.hot.{name})\n"));
    format!("SECTIONS {{ .text.used : {{\n{}}} }} INSERT BEFORE .text;\n", sections.collect::<String>())
}
