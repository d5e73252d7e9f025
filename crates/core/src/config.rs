//! `config.json`: the one file that a fork changes.

use crate::id::{Community, Registry, Wallet};
use serde_json::Value;

/// The most endpoints, relays or ICE servers that are read.
const MAX_LIST: usize = 16;

/// What each of `relays` is expected to be.
pub const RELAY: &str = "a multiaddress such as /dns4/HOST/tcp/443/wss/p2p/PEERID";

/// What `config.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Shown until the chain gives the community's own name.
    pub name: String,
    /// Which community of which registry.
    pub community: Community,
    /// JSON-RPC endpoints of the registry's chain, `http:` or `https:`.
    pub rpc: Vec<String>,
    /// Relays, as multiaddresses that end in `/p2p/PEERID`.
    pub relays: Vec<String>,
    /// Each the URLs of one ICE server (`stun:`). There are no credentials here.
    pub ice: Vec<Vec<String>>,
    /// The accent colour, `#rrggbb`.
    pub accent: Option<String>,
}

/// What is wrong with `config.json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON at all.
    #[error("config.json is not JSON: {0}")]
    NotJson(String),
    /// A key is missing, or has a value that cannot be.
    #[error("config.json: \"{key}\" is {found}, but {expected} is needed")]
    Key {
        /// Its path, such as `chain.rpc[0]`.
        key: String,
        /// The value found, shortened, or "missing".
        found: String,
        /// What is expected.
        expected: &'static str,
    },
}

impl Config {
    /// Reads the text of `config.json`. Keys that are not known are left alone, so that files of
    /// newer versions can be read.
    ///
    /// # Errors
    /// The first [`ConfigError`], in the order of the keys in the documentation.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let json: Value =
            serde_json::from_str(text).map_err(|error| ConfigError::NotJson(error.to_string()))?;
        let root = Key { path: String::new(), value: Some(&json) };
        root.get("version").read("the number 1", |value| (value.as_u64()? == 1).then_some(()))?;
        let name = root.get("name").read("a name of 1 to 64 bytes", |value| {
            value.as_str().filter(|name| (1..=64).contains(&name.len())).map(str::to_owned)
        })?;
        let id = root
            .get("community")
            .read("the community's number as text, such as \"1\"", |value| {
                value.as_str()?.parse::<u64>().ok().filter(|id| *id > 0)
            })?;
        let chain = root.get("chain");
        let chain_id = chain
            .get("id")
            .read("a chain id, such as 42161", |value| value.as_u64().filter(|id| *id > 0))?;
        let contract = chain
            .get("communities")
            .read("the address of a Communities contract, 0x and 40 digits", |value| {
                Wallet::parse(value.as_str()?)
            })?;
        let rpc = chain.get("rpc").list("a list of 1 to 16 endpoints", 1, |endpoint| {
            endpoint.read("an http: or https: URL", |value| {
                let url = value.as_str()?;
                let http = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
                http.is_some_and(|rest| !rest.is_empty()).then(|| url.to_owned())
            })
        })?;
        let relays = root.get("relays").list("a list of 1 to 16 relays", 1, |relay| {
            relay.read(RELAY, |value| {
                let addr = value.as_str()?;
                (addr.starts_with('/') && addr.contains("/p2p/")).then(|| addr.to_owned())
            })
        })?;
        let ice = root.get("ice").list("a list of at most 16 ICE servers", 0, |server| {
            server.get("urls").list("a list of 1 to 16 URLs", 1, |url| {
                url.read("a stun: URL", |value| {
                    value.as_str().filter(|url| url.starts_with("stun:")).map(str::to_owned)
                })
            })
        })?;
        let accent = root.get("theme").get("accent");
        let accent = match accent.value {
            None => None,
            Some(_) => Some(accent.read("a colour such as \"#4f46e5\"", |value| {
                let digits = value.as_str()?.strip_prefix('#')?;
                (digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
                    .then(|| format!("#{digits}"))
            })?),
        };
        let registry = Registry { chain: chain_id, contract };
        Ok(Self { name, community: Community { registry, id }, rpc, relays, ice, accent })
    }
}

/// A place in the file, which may be empty.
struct Key<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Key<'a> {
    fn get(&self, name: &str) -> Key<'a> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let value = self.value.and_then(|value| value.get(name));
        Key { path: format!("{}{dot}{name}", self.path), value }
    }

    fn read<T>(
        &self,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.value.and_then(read).ok_or_else(|| self.wrong(expected))
    }

    fn list<T>(
        &self,
        expected: &'static str,
        least: usize,
        read: impl Fn(Key<'a>) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let fits = |list: &&Vec<Value>| (least..=MAX_LIST).contains(&list.len());
        let list = self.read(expected, |value| value.as_array().filter(fits))?;
        let entry =
            |(index, value)| Key { path: format!("{}[{index}]", self.path), value: Some(value) };
        list.iter().enumerate().map(entry).map(read).collect()
    }

    fn wrong(&self, expected: &'static str) -> ConfigError {
        let found = self.value.map_or_else(
            || "missing".to_owned(),
            |value| {
                let text = value.to_string();
                let mut short: String = text.chars().take(60).collect();
                if short.len() < text.len() {
                    short.push('…');
                }
                short
            },
        );
        ConfigError::Key { key: self.path.clone(), found, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "version": 1,
            "name": "Demo community",
            "community": "1",
            "chain": {
                "id": 31337,
                "communities": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
                "rpc": ["http://127.0.0.1:8545"]
            },
            "relays": ["/ip4/127.0.0.1/tcp/9090/ws/p2p/12D3KooW"],
            "ice": [{ "urls": ["stun:127.0.0.1:3478"] }],
            "theme": { "accent": "#4f46e5" }
        })
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = Config::parse(&good().to_string()).unwrap();
        assert_eq!((config.community.id, config.community.registry.chain), (1, 31337));
        assert_eq!(config.ice, [["stun:127.0.0.1:3478"]]);
        assert_eq!(config.accent.as_deref(), Some("#4f46e5"));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_expected() {
        let cases = [
            ("/version", json!(2), "version"),
            ("/name", json!(""), "name"),
            ("/community", json!(1), "community"),
            ("/chain/id", json!("one"), "chain.id"),
            ("/chain/communities", json!("0x12"), "chain.communities"),
            ("/chain/rpc", json!([]), "chain.rpc"),
            ("/chain/rpc/0", json!("ftp://x"), "chain.rpc[0]"),
            ("/relays/0", json!("127.0.0.1"), "relays[0]"),
            ("/ice/0/urls/0", json!("turn:x"), "ice[0].urls[0]"),
            ("/theme/accent", json!("red"), "theme.accent"),
        ];
        for (pointer, value, key) in cases {
            let mut config = good();
            *config.pointer_mut(pointer).unwrap() = value.clone();
            match Config::parse(&config.to_string()) {
                Err(ConfigError::Key { key: named, found, .. }) => {
                    assert_eq!((named.as_str(), found), (key, value.to_string()));
                }
                other => panic!("{pointer}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_missing_key_is_named() {
        for key in ["version", "name", "community", "chain", "relays", "ice"] {
            let mut config = good();
            config.as_object_mut().unwrap().remove(key);
            let error = Config::parse(&config.to_string()).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("missing"), "{error}");
        }
        assert!(matches!(Config::parse("<html>"), Err(ConfigError::NotJson(_))));
    }
}
