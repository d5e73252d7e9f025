//! The worker of the page that has the rooms: a second module, which the first load does without.
//!
//! trunk would build it with the page's profile; it gets one of its own, because crypto that is
//! fast is larger, and the page is to be small and this fast.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::Profile;
use super::pack::{self, Packed, Packing};
use crate::{cache, process, stamp, tools};

/// The package and its program, which the files are named after.
const PACKAGE: &str = "chats-web";
pub(crate) const NAME: &str = "rooms";

/// What `index.html` has where the name of the worker's script belongs.
const PLACE: &str = "rooms.js";

/// Starts the module, which is beside the script. A promise that fails is nothing that a page hears
/// of; an exception is.
const START: &str = r#"
const start = async () => wasm_bindgen({ module_or_path: await MODULE });
start().catch((error) => setTimeout(() => { throw error; }));
"#;

/// A module with what loads it.
pub(super) struct Built {
    module: Vec<u8>,
    glue: String,
}

/// Builds the worker.
pub(super) fn build(profile: Profile) -> Result<Built> {
    let target = cache::target()?.join(tools::WASM);
    let (cargo_profile, built) = match profile {
        Profile::Debug => ("dev", target.join("debug")),
        Profile::Release => ("rooms", target.join("rooms")),
    };
    let mut cargo = tools::cargo()?;
    cargo.args(["build", "--quiet", "--locked", "--target", tools::WASM]);
    cargo.args(["--package", PACKAGE, "--bin", NAME, "--profile", cargo_profile]);
    process::run("building the worker", &mut cargo)?;

    let folder = cache::target()?.join("worker").join(tools::clone_name());
    let mut bindgen = tools::command("wasm-bindgen")?;
    bindgen.args(["--target", "no-modules", "--no-typescript", "--out-name", NAME, "--out-dir"]);
    bindgen.arg(&folder).arg(built.join(format!("{NAME}.wasm")));
    process::run("wasm-bindgen", &mut bindgen)?;
    let mut module = folder.join(format!("{NAME}_bg.wasm"));
    if matches!(profile, Profile::Release) {
        let small = folder.join("small.wasm");
        let mut optimize = tools::command("node_modules/.bin/wasm-opt")?;
        optimize.current_dir(tools::repository().join("e2e"));
        optimize.args(["-O2", "--low-memory-unused", "--output"]);
        optimize.arg(&small).arg(&module);
        process::run("wasm-opt", &mut optimize)?;
        module = small;
    }
    let glue = fs::read_to_string(folder.join(format!("{NAME}.js")))?;
    Ok(Built { module: fs::read(module)?, glue })
}

impl Built {
    /// Puts it into `dist` and gives the name of its script.
    pub(super) fn put(self, profile: Profile, dist: &Path) -> Result<String> {
        let Self { module, glue } = self;
        match profile {
            Profile::Debug => {
                let hash = stamp::of_bytes(&[&module, glue.as_bytes()].concat());
                let (wasm, script) =
                    (format!("{NAME}-{hash}_bg.wasm"), format!("{NAME}-{hash}.js"));
                fs::write(dist.join(&wasm), module)?;
                let start = START.replace("MODULE", &format!("\"./{wasm}\""));
                fs::write(dist.join(&script), glue + &start)?;
                Ok(script)
            }
            Profile::Release => {
                let Packed { script, .. } =
                    pack::pack(dist, NAME, (&module, glue), Packing::Gzip, "iife", |wasm| {
                        START.replace("MODULE", &unpacked(wasm))
                    })?;
                Ok(script)
            }
        }
    }
}

/// What unpacks a module while it is fetched.
fn unpacked(wasm: &str) -> String {
    format!(
        r#"fetch("./{wasm}").then(({{ body }}) => new Response(
  body.pipeThrough(new DecompressionStream("gzip")),
  {{ headers: {{ "content-type": "application/wasm" }} }},
))"#
    )
}

/// The page, naming the worker's script.
pub(super) fn named(html: &str, script: &str) -> Result<String> {
    if html.matches(PLACE).count() != 1 {
        bail!("index.html must name {PLACE} once, where the worker's script is to stand");
    }
    Ok(html.replace(PLACE, script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_workers_script() {
        let html = "<meta name=rooms-worker content=rooms.js>";
        assert_eq!(named(html, "rooms-1.js").unwrap(), html.replace("rooms.js", "rooms-1.js"));
    }

    #[test]
    fn a_page_that_has_no_place_for_it_is_refused() {
        assert!(named("<meta>", "rooms-1.js").is_err());
    }
}
