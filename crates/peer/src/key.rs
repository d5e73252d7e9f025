//! The key file: the 32-byte Ed25519 seed in 64 hexadecimal digits and a line end.

use chats_core::id::DeviceSecret;
use rand::{TryRngCore, rngs::OsRng};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The file cannot be read or made.
    #[error("key file {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    /// Others could have read it.
    #[error(
        "key file {path} has mode {mode:04o}, so others may know the key; run `chmod 600 {path}` if \
         none could, else remove the file to get a new key"
    )]
    Exposed { path: PathBuf, mode: u32 },
    /// It holds something else.
    #[error(
        "key file {path} is malformed: expected 64 hexadecimal digits (an Ed25519 seed); remove \
         the file to get a new key"
    )]
    Malformed { path: PathBuf },
    /// The system has no randomness.
    #[error("no random numbers for a new key: {0}")]
    Random(String),
}

/// A key that is kept nowhere.
pub(crate) fn fresh() -> Result<DeviceSecret, KeyError> {
    Ok(DeviceSecret::from_seed(&*random_seed()?))
}

/// Reads the key at `path`; if there is no such file, makes one, readable by the owner alone.
pub(crate) fn load_or_make(path: &Path) -> Result<DeviceSecret, KeyError> {
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) => Err(KeyError::Io { path: path.to_owned(), error }),
    }
}

fn read(path: &Path, file: File) -> Result<DeviceSecret, KeyError> {
    let fail = |error| KeyError::Io { path: path.to_owned(), error };
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    // One byte more than a key has, to notice longer files.
    let mut text = Zeroizing::new(Vec::with_capacity(66));
    file.take(66).read_to_end(&mut text).map_err(fail)?;
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    match parse(digits) {
        Some(seed) => Ok(DeviceSecret::from_seed(&seed)),
        None => Err(KeyError::Malformed { path: path.to_owned() }),
    }
}

fn parse(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut seed = Zeroizing::new([0; 32]);
    if pairs.len() != seed.len() || !rest.is_empty() {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|v| u8::try_from(v).ok());
    for (byte, [high, low]) in seed.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(seed)
}

/// Writes a new key beside `path` and links it there, so that a crash leaves no half-written
/// key, and of two starts at once one wins and both use its key.
fn make(path: &Path) -> Result<DeviceSecret, KeyError> {
    let fail = |error| KeyError::Io { path: path.to_owned(), error };
    let seed = random_seed()?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in seed.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text.push('\n');
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let draft = PathBuf::from(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        // Unlike a rename, a link never replaces a file that is there.
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Ok(()) => {
            removed.map_err(fail)?;
            Ok(DeviceSecret::from_seed(&seed))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path, File::open(path).map_err(fail)?)
        }
        Err(error) => Err(fail(error)),
    }
}

fn random_seed() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.try_fill_bytes(&mut *seed).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(seed)
}
