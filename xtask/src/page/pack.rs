//! Making what trunk built small. Hosts that are only folders do not compress what they serve, so
//! the page brings its module compressed and unpacks it itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use base64::Engine;
use sha2::{Digest, Sha384};

use super::module;
use crate::{process, stamp, tools};

/// Blocks that deflate may begin anew. Zopfli's own choice, 15, is for files of one kind.
const BLOCKS: u16 = 40;

/// After these rounds zopfli finds next to nothing more.
const ROUNDS: u64 = 5;

/// As small as zstd gets.
const LEVEL: i32 = 22;

/// Shown where the module cannot be unpacked; the page itself says the same of other gaps.
const TOO_OLD: &str =
    "This browser is too old for Community Chats. Use a recent Chrome, Edge, Firefox or Safari.";

/// The files that a module and what wasm-bindgen wrote for it became.
pub(super) struct Packed {
    pub(super) wasm: String,
    pub(super) script: String,
}

/// Puts a compressed module in the place of that in `dist`, which trunk built for `package`, and
/// short JavaScript in the place of what wasm-bindgen wrote.
pub(super) fn page(dist: &Path, package: &str) -> Result<()> {
    let old_wasm = only(dist, package, "_bg.wasm")?;
    let old_script = old_wasm.replace("_bg.wasm", ".js");
    let index = dist.join("index.html");

    let unpack = unpacker(dist)?;
    let module = fs::read(dist.join(&old_wasm))?;
    let glue = fs::read_to_string(dist.join(&old_script))?;
    let Packed { wasm, script } =
        pack(dist, package, (&module, glue), Packing::Zstd, "esm", |_| String::new())?;

    let integrity = integrity(&fs::read(dist.join(&script))?);
    let html = fs::read_to_string(&index)?;
    let new = Loaded { wasm: &wasm, script: &script, integrity: &integrity, unpack: &unpack };
    fs::write(index, loading(&html, [&old_wasm, &old_script], &new)?)?;
    for old in [old_wasm, old_script] {
        fs::remove_file(dist.join(old))?;
    }
    Ok(())
}

/// Puts a module and its JavaScript into `dist`, both small. `ending` is added to the script, as it
/// is told the name of the module's file; `format` is esbuild's name for its kind of script.
pub(super) fn pack(
    dist: &Path,
    name: &str,
    (module, glue): (&[u8], String),
    packing: Packing,
    format: &str,
    ending: impl FnOnce(&str) -> String,
) -> Result<Packed> {
    let module = module::packed(module)?;
    let glue = renamed(glue, &module.names)?;
    // What was changed here must not be taken from a cache under its old name.
    let hash = stamp::of_bytes(&[&module.wasm, glue.as_bytes()].concat());
    let wasm = format!("{name}-{hash}.wasm.{}", packing.name());
    let script = format!("{name}-{hash}.js");
    fs::write(dist.join(&wasm), packing.pack(&module.wasm)?)?;
    fs::write(dist.join(&script), glue + &ending(&wasm))?;
    let mut esbuild = Command::new(tools::repository().join("e2e/node_modules/.bin/esbuild"));
    esbuild.current_dir(dist).args(["--log-level=warning", "--minify"]);
    esbuild.args(["--allow-overwrite", &format!("--format={format}")]);
    esbuild.args([&format!("--outfile={script}"), &script]);
    process::run("shortening JavaScript", &mut esbuild)?;
    Ok(Packed { wasm, script })
}

/// The name of the one file in `folder` that begins and ends so.
fn only(folder: &Path, begin: &str, end: &str) -> Result<String> {
    let names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.as_ref().is_ok_and(|it| it.starts_with(begin) && it.ends_with(end)))
        .collect::<Result<Vec<_>>>()?;
    match names.as_slice() {
        [name] => Ok(name.clone()),
        found => {
            bail!("{} of the files in {} end in {end}, not one", found.len(), folder.display())
        }
    }
}

/// What wasm-bindgen wrote, with other names for what the module imports. Each is the key of one
/// property there.
fn renamed(glue: String, names: &[(String, String)]) -> Result<String> {
    let mut glue = glue;
    for (old, new) in names {
        let (quoted, bare) = (format!("\"{old}\": "), format!(" {old}: "));
        let (key, new) = if glue.contains(&quoted) {
            (quoted, format!("\"{new}\": "))
        } else {
            (bare, format!(" {new}: "))
        };
        let found = glue.matches(&key).count();
        if found != 1 {
            bail!("the script of wasm-bindgen names {old} {found} times, not once");
        }
        glue = glue.replacen(&key, &new, 1);
    }
    Ok(glue)
}

/// Writes what unpacks the page's module into `dist`, and gives its name.
fn unpacker(dist: &Path) -> Result<String> {
    let modules = tools::repository().join("e2e/node_modules");
    let source = tools::repository().join("xtask/src/page/unpack.mjs");
    let mut esbuild = Command::new(modules.join(".bin/esbuild"));
    esbuild.env("NODE_PATH", &modules).args(["--bundle", "--minify", "--format=esm"]);
    esbuild.args(["--log-level=warning", "--legal-comments=none"]).arg(source);
    let script = process::output("bundling what unpacks the page", &mut esbuild)?;
    let name = format!("unpack-{}.js", stamp::of_bytes(script.as_bytes()));
    fs::write(dist.join(&name), script)?;
    Ok(name)
}

/// How a module is packed.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    /// Browsers unpack it themselves.
    Gzip,
    /// A tenth smaller; the page brings what unpacks it.
    Zstd,
}

impl Packing {
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn pack(self, content: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Gzip => gzip(content),
            Self::Zstd => {
                zstd::bulk::compress(content, LEVEL).context("the module cannot be packed")
            }
        }
    }
}

/// In gzip's format, as small as deflate gets.
fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let options = zopfli::Options {
        iteration_count: ROUNDS.try_into()?,
        maximum_block_splits: BLOCKS,
        ..Default::default()
    };
    let mut out = Vec::new();
    zopfli::compress(options, zopfli::Format::Gzip, content, &mut out)?;
    Ok(out)
}

/// As the `integrity` of a `link` has it.
fn integrity(content: &[u8]) -> String {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha384::digest(content));
    format!("sha384-{hash}")
}

/// What the page loads.
struct Loaded<'a> {
    wasm: &'a str,
    script: &'a str,
    /// Of the script.
    integrity: &'a str,
    /// The script that unpacks the module.
    unpack: &'a str,
}

/// The page with another loader than trunk's: all that named the `old` files is replaced.
fn loading(html: &str, old: [&String; 2], new: &Loaded<'_>) -> Result<String> {
    let Loaded { wasm, script, integrity, unpack } = new;
    let names_old = |part: &str| old.iter().any(|name| part.contains(name.as_str()));
    let html = without(html, "<link", ">", names_old)?;
    let html = without(&html, "<script", "</script>", names_old)?;
    if names_old(&html) {
        bail!("index.html still names {old:?}: trunk loads them in a new way");
    }
    let (head, body) = html.split_once("</head>").context("index.html has no </head>")?;
    Ok(format!(
        r#"{head}<link rel="modulepreload" href="./{script}" crossorigin="anonymous" integrity="{integrity}">
<link rel="modulepreload" href="./{unpack}" crossorigin="anonymous">
<link rel="preload" href="./{wasm}" as="fetch" crossorigin="anonymous">
<script type="module">
import init from "./{script}";
import {{ unpacked }} from "./{unpack}";
if (self.DecompressionStream) {{
  await init({{ module_or_path: await unpacked("./{wasm}") }});
}} else document.body.innerHTML = '<p role="alert">{TOO_OLD}</p>';
</script></head>{body}"#
    ))
}

/// `html` without each part from `begin` to `end` that is not `wanted` any more.
fn without(html: &str, begin: &str, end: &str, gone: impl Fn(&str) -> bool) -> Result<String> {
    let mut parts = html.split(begin);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part
            .split_once(end)
            .with_context(|| format!("a {begin} of index.html has no {end}"))?;
        if !gone(inner) {
            kept.extend([begin, inner, end]);
        }
        kept.push_str(rest);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_takes_the_place_of_all_that_named_the_old_files() {
        let old = ["a-1_bg.wasm".to_owned(), "a-1.js".to_owned()];
        let html = "<head><link rel=icon href=i.svg><script type=module>\
                    import init from './a-1.js';init('./a-1_bg.wasm')</script>\
                    <link rel=modulepreload href=./a-1.js><script>1</script>\
                    <link rel=preload href=./a-1_bg.wasm></head><body></body>";
        let new = Loaded {
            wasm: "a-2.wasm.zstd",
            script: "a-2.js",
            integrity: "sha384-x",
            unpack: "u-1.js",
        };
        let html = loading(html, old.each_ref(), &new).unwrap();
        let kept = "<head><link rel=icon href=i.svg><script>1</script><link rel=\"modulepreload\"";
        assert!(html.starts_with(kept), "{html}");
        assert!(html.ends_with("</script></head><body></body>"), "{html}");
        assert!(!html.contains("a-1"), "{html}");
        assert_eq!(html.matches("\"./a-2.wasm.zstd\"").count(), 2, "{html}");
    }

    #[test]
    fn names_are_changed_where_they_are_keys_and_must_be_there_once() {
        let glue = || "const x = { __wbg_a_1: function() {}, \"./b.js\": y };".to_owned();
        let names = |old: &[&str]| {
            old.iter().map(|old| ((*old).to_owned(), "q".to_owned())).collect::<Vec<_>>()
        };
        let changed = renamed(glue(), &names(&["__wbg_a_1", "./b.js"])).unwrap();
        assert_eq!(changed, "const x = { q: function() {}, \"q\": y };");
        let error = renamed(glue(), &names(&["__wbg_a"])).unwrap_err().to_string();
        assert!(error.contains("__wbg_a 0 times"), "{error}");
    }

    #[test]
    fn what_is_compressed_can_be_read_again_and_is_smaller_than_by_zlib() {
        use flate2::{Compression, read::GzDecoder, write::GzEncoder};
        use std::io::{Read, Write};
        let content = include_bytes!("pack.rs");
        let small = gzip(content).unwrap();
        let mut again = Vec::new();
        GzDecoder::new(small.as_slice()).read_to_end(&mut again).unwrap();
        assert_eq!(again, content);
        let mut usual = GzEncoder::new(Vec::new(), Compression::best());
        usual.write_all(content).unwrap();
        assert!(small.len() < usual.finish().unwrap().len());
    }

    #[test]
    fn what_is_packed_for_the_page_is_smaller_still_and_can_be_read_again() {
        // Long enough to be more than its own beginning.
        let content = include_bytes!("pack.rs").repeat(3);
        let small = Packing::Zstd.pack(&content).unwrap();
        assert!(small.len() < Packing::Gzip.pack(&content).unwrap().len());
        assert_eq!(zstd::bulk::decompress(&small, content.len()).unwrap(), content);
    }
}
