//! Names and passwords for the TURN server, as TURN REST makes them
//! (draft-uberti-behave-turn-rest-00).

use base64::{Engine, engine::general_purpose::STANDARD};
use chats_core::{
    id::{DeviceKey, Wallet},
    time::{Duration, Time},
    turn::MAX_LIFE,
};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::{cmp::Reverse, collections::BTreeMap};
use turn_server_proto::stun::types::attribute::Userhash;
use zeroize::Zeroizing;

/// What the server calls itself where clients are asked for names and passwords.
pub(super) const REALM: &str = "community-chats";
/// Devices that hold a credential at once.
const MAX_DEVICES: usize = 8192;
/// Of these of one wallet, which may certify as many devices as it likes.
const MAX_PER_WALLET: usize = 8;

/// Makes credentials and knows them again.
///
/// The secret is another at each start, since whatever was allocated is gone with the process.
pub(super) struct Credentials {
    secret: Zeroizing<[u8; 32]>,
    /// Who stands behind a device, for as long as its newest credential lasts.
    devices: BTreeMap<DeviceKey, Holder>,
    /// The newest name of each device as clients may say it instead (RFC 8489, section 14.4).
    hashes: BTreeMap<[u8; 32], DeviceKey>,
}

struct Holder {
    wallet: Wallet,
    /// The credential's end, whole seconds.
    expires: Time,
    name: String,
    hash: [u8; 32],
}

/// A credential that counts.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) device: DeviceKey,
    pub(super) wallet: Wallet,
    pub(super) expires: Time,
}

impl Credentials {
    pub(super) fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self { secret, devices: BTreeMap::new(), hashes: BTreeMap::new() }
    }

    /// A credential for a device of `wallet`, from `now` on for an hour; `None` while too many
    /// have one. The newest devices of a wallet count; what an older one has is forgotten.
    pub(super) fn issue(&mut self, device: DeviceKey, wallet: Wallet, now: Time) -> Option<User> {
        self.forget_older(device, wallet);
        if self.devices.len() >= MAX_DEVICES {
            self.devices.retain(|_, holder| now < holder.expires);
            self.hashes.retain(|_, device| self.devices.contains_key(device));
        }
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&device) {
            return None;
        }
        let expires = Time::from_secs((now + MAX_LIFE).secs());
        let name = format!("{}:{device}", expires.secs());
        let hash = Userhash::compute(&name, REALM);
        let holder = Holder { wallet, expires, name: name.clone(), hash };
        if let Some(before) = self.devices.insert(device, holder) {
            self.hashes.remove(&before.hash);
        }
        self.hashes.insert(hash, device);
        Some(User { password: self.password(&name), name, device, wallet, expires })
    }

    /// When what `user` has allocated ends: with the newest credential of the device, since it was
    /// asked anew for that one whether it is a member's.
    pub(super) fn end(&self, user: &User) -> Time {
        let newest = self.devices.get(&user.device).filter(|newest| newest.wallet == user.wallet);
        newest.map_or(user.expires, |newest| newest.expires.max(user.expires))
    }

    /// Makes room for `device` among those of its wallet.
    fn forget_older(&mut self, device: DeviceKey, wallet: Wallet) {
        let others = self.devices.iter();
        let others = others.filter(|(other, one)| **other != device && one.wallet == wallet);
        if others.clone().count() < MAX_PER_WALLET {
            return;
        }
        let oldest = others.min_by_key(|(other, one)| (one.expires, Reverse(**other)));
        if let Some(gone) = oldest.map(|(other, _)| *other)
            && let Some(gone) = self.devices.remove(&gone)
        {
            self.hashes.remove(&gone.hash);
        }
    }

    /// Who is behind a name, unless it has expired or was not made here.
    pub(super) fn find(&self, name: &str, now: Time) -> Option<User> {
        let (expires, device) = name.split_once(':')?;
        let expires = Time::from_secs(expires.parse().ok()?);
        let device = DeviceKey::from_peer_id_bytes(&bs58::decode(device).into_vec().ok()?)?;
        // Not what the name says decides, but what was handed out: nobody else knows passwords,
        // and a name that was made up fails by its password.
        if now >= expires || expires > now + MAX_LIFE + Duration::from_secs(1) {
            return None;
        }
        let wallet = self.devices.get(&device)?.wallet;
        let (name, password) = (name.to_owned(), self.password(name));
        Some(User { name, password, device, wallet, expires })
    }

    /// The same for a name that is said by its hash; only a device's newest is known so.
    pub(super) fn find_hash(&self, hash: &[u8; 32], now: Time) -> Option<User> {
        let name = &self.devices.get(self.hashes.get(hash)?)?.name;
        self.find(name, now)
    }

    fn password(&self, name: &str) -> String {
        // A key of any length will do.
        let mac = Hmac::<Sha1>::new_from_slice(&*self.secret);
        mac.map(|mac| STANDARD.encode(mac.chain_update(name).finalize().into_bytes()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::fixtures::NOW;

    const WALLET: Wallet = Wallet([1; 20]);
    const HOUR: Duration = Duration::from_secs(3600);

    fn credentials() -> Credentials {
        Credentials::new(Zeroizing::new([7; 32]))
    }

    fn device(n: usize) -> DeviceKey {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_le_bytes());
        DeviceKey(key)
    }

    #[test]
    fn a_credential_counts_for_an_hour() {
        let mut credentials = credentials();
        let user = credentials.issue(device(1), WALLET, NOW).unwrap();
        let prefix = format!("{}:12D3Koo", NOW.secs() + 3600);
        assert!(user.name.starts_with(&prefix), "{}", user.name);
        let later = NOW + Duration::from_secs(3599);
        let found = credentials.find(&user.name, later).unwrap();
        assert_eq!((found.password, found.wallet), (user.password, WALLET));
        assert!(credentials.find(&user.name, NOW + HOUR).is_none());
    }

    #[test]
    fn what_was_allocated_ends_with_the_newest_credential_of_the_device_and_the_wallet() {
        let mut credentials = credentials();
        let user = credentials.issue(device(1), WALLET, NOW).unwrap();
        let find = |credentials: &Credentials| credentials.find(&user.name, NOW).unwrap();
        assert_eq!(credentials.end(&find(&credentials)), NOW + HOUR);
        let later = NOW + HOUR / 2;
        credentials.issue(device(2), WALLET, later).unwrap();
        assert_eq!(credentials.end(&find(&credentials)), NOW + HOUR, "another device");
        credentials.issue(device(1), WALLET, later).unwrap();
        assert_eq!(credentials.end(&find(&credentials)), later + HOUR);
        let user = find(&credentials);
        credentials.issue(device(1), Wallet([2; 20]), later + HOUR).unwrap();
        assert_eq!(credentials.end(&user), NOW + HOUR, "another wallet");
    }

    #[test]
    fn a_credential_is_the_hmac_that_turn_rest_prescribes() {
        // python3 -c 'import hmac,base64; print(base64.b64encode(hmac.new(b"\x07"*32,
        //   b"1767229200:x", "sha1").digest()).decode())'
        assert_eq!(credentials().password("1767229200:x"), "jmxyddBbdmACKA+5iQUeCtU46Po=");
    }

    #[test]
    fn the_newest_name_of_a_device_is_known_by_its_hash() {
        let mut credentials = credentials();
        let old = credentials.issue(device(1), WALLET, NOW).unwrap().name;
        let now = NOW + Duration::from_secs(60);
        let new = credentials.issue(device(1), WALLET, now).unwrap().name;
        let find = |name: &str| credentials.find_hash(&Userhash::compute(name, REALM), now);
        assert_eq!(find(&new).map(|user| user.name), Some(new));
        assert!(find(&old).is_none() && credentials.find(&old, now).is_some());
    }

    #[test]
    fn names_that_were_not_handed_out_are_unknown() {
        let mut credentials = credentials();
        let name = credentials.issue(device(1), WALLET, NOW).unwrap().name;
        let other = device(2).to_string();
        for made_up in [
            "",
            ":",
            "1767229200",
            &format!("{}:{other}", (NOW + HOUR).secs()),
            &format!("{name}x"),
            &format!("{}:{}", u64::MAX, device(1)),
            &format!("-1:{}", device(1)),
        ] {
            assert!(credentials.find(made_up, NOW).is_none(), "{made_up}");
        }
    }

    /// One of eight devices each.
    fn wallet(n: usize) -> Wallet {
        let mut wallet = [0; 20];
        wallet[..8].copy_from_slice(&(n / MAX_PER_WALLET).to_le_bytes());
        Wallet(wallet)
    }

    #[test]
    fn of_one_wallet_the_newest_eight_devices_count_and_take_no_places_of_others() {
        let mut credentials = credentials();
        let other = credentials.issue(device(1000), Wallet([2; 20]), NOW).unwrap().name;
        let at = |n: usize| NOW + Duration::from_secs(n as u64);
        let issue = |n| credentials.issue(device(n), WALLET, at(n)).unwrap().name;
        let names: Vec<_> = (0..20).map(issue).collect();
        let now = at(20);
        let found = |name: &String| credentials.find(name, now).is_some();
        assert!(!names[..12].iter().any(found) && names[12..].iter().all(found));
        assert!(found(&other));
        let hashed = |name: &String| credentials.find_hash(&Userhash::compute(name, REALM), now);
        assert!(hashed(&names[11]).is_none() && hashed(&names[12]).is_some());
        assert_eq!((credentials.devices.len(), credentials.hashes.len()), (9, 9));
        // One that has a place is no newcomer.
        credentials.issue(device(15), WALLET, now).unwrap();
        assert!(credentials.find(&names[12], now).is_some());
    }

    #[test]
    fn expired_holders_make_room_for_others() {
        let mut credentials = credentials();
        let mut issue = |n, now| credentials.issue(device(n), wallet(n), now).is_some();
        assert!((0..MAX_DEVICES).all(|n| issue(n, NOW)));
        assert!(!issue(MAX_DEVICES, NOW));
        assert!(issue(0, NOW));
        assert!(issue(MAX_DEVICES, NOW + HOUR));
        assert_eq!((credentials.devices.len(), credentials.hashes.len()), (1, 1));
    }
}
