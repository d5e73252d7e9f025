//! Keys of rooms, sealed to devices: HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305, each used once.

use crate::control::{Grant, PrekeyPublic, Wrap, WrapPage};
use crate::epoch::{EpochId, EpochSecret, RoomTag};
use crate::id::{Community, DeviceKey, DeviceSecret, DeviceSignature};
use crate::time::Time;
use crate::wire;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{Infallible, TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Where random bytes come from: it fills what it is given.
pub type Random<'a> = dyn FnMut(&mut [u8]) + 'a;

/// The secret half of a prekey. Erased on drop, never printed.
#[derive(Clone)]
pub struct PrekeySecret(Zeroizing<[u8; 32]>);

impl PrekeySecret {
    /// The secret of these 32 random bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed at rest.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What others seal with.
    #[must_use]
    pub fn public(&self) -> PrekeyPublic {
        let public = self.key().map(|key| X25519HkdfSha256::sk_to_pk(&key).to_bytes());
        PrekeyPublic(public.map_or([0; 32], Into::into))
    }

    /// Always there: any 32 bytes are a key.
    fn key(&self) -> Option<<X25519HkdfSha256 as Kem>::PrivateKey> {
        Deserializable::from_bytes(self.0.as_slice()).ok()
    }
}

impl fmt::Debug for PrekeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrekeySecret(..)")
    }
}

/// Seals the secret of an epoch to devices that are in ascending order, 500 to a page. A device
/// whose prekey is no key (a point of low order) is left out.
#[must_use]
pub fn seal_pages(
    place: (Community, RoomTag, EpochId),
    time: Time,
    secret: &EpochSecret,
    devices: &[(DeviceKey, PrekeyPublic)],
    random: &mut Random<'_>,
) -> Vec<WrapPage> {
    let (.., epoch) = place;
    let mut pages: Vec<WrapPage> = Vec::new();
    for (device, prekey) in devices {
        let info = epoch_info(place, *device);
        let Some((encapsulated, sealed)) = seal(prekey, &info, secret.bytes(), random) else {
            continue;
        };
        // It is always 48 bytes; others would not open.
        let sealed = sealed.try_into().unwrap_or([0; 48]);
        let wrap = Wrap { device: *device, encapsulated, sealed };
        match pages.last_mut().filter(|page| page.wraps.len() < WrapPage::MAX_WRAPS) {
            Some(page) => page.wraps.push(wrap),
            None => pages.push(WrapPage { epoch, time, wraps: vec![wrap] }),
        }
    }
    pages
}

/// Opens what was sealed to a device with one of its prekeys; `None` if none of them fits. Whether
/// it is the epoch's secret is for the epoch's record to tell.
#[must_use]
pub fn open_wrap<'a>(
    place: (Community, RoomTag, EpochId),
    wrap: &Wrap,
    prekeys: impl IntoIterator<Item = &'a PrekeySecret>,
) -> Option<EpochSecret> {
    let info = epoch_info(place, wrap.device);
    let mut opened = open(prekeys, &info, &wrap.encapsulated, &wrap.sealed)?;
    let secret = opened.as_slice().try_into().ok().map(EpochSecret::new);
    opened.zeroize();
    secret
}

/// What a grant is about, besides the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantTo {
    /// Of which community.
    pub community: Community,
    /// Of which room.
    pub room_tag: RoomTag,
    /// Who asked.
    pub device: DeviceKey,
    /// Its newest prekey.
    pub prekey: PrekeyPublic,
}

/// Seals keys of a room, at most [`Grant::MAX_KEYS`] of them, to a device that asked for them.
/// `None` if its prekey is no key.
#[must_use]
pub fn seal_grant(
    to: GrantTo,
    keys: &[(EpochId, EpochSecret)],
    from: &DeviceSecret,
    time: Time,
    random: &mut Random<'_>,
) -> Option<Grant> {
    let keys = keys.get(..Grant::MAX_KEYS).unwrap_or(keys);
    let plain = Zeroizing::new(wire::encode(&keys));
    let info = grant_info(to.community, to.room_tag, to.device);
    let (encapsulated, sealed) = seal(&to.prekey, &info, &plain, random)?;
    let (community, room_tag) = (to.community, to.room_tag);
    let (to, from_device) = (to.device, from.device());
    let signature = DeviceSignature([0; 64]);
    let from_signed =
        Grant { community, room_tag, to, from: from_device, time, encapsulated, sealed, signature };
    Some(from_signed.sign(from))
}

/// Opens a grant with one of the prekeys of the device that it is to; `None` if none fits or what
/// is inside are no keys. Whether they are the right ones is for the epochs' records to tell.
#[must_use]
pub fn open_grant<'a>(
    grant: &Grant,
    prekeys: impl IntoIterator<Item = &'a PrekeySecret>,
) -> Option<Vec<(EpochId, EpochSecret)>> {
    let info = grant_info(grant.community, grant.room_tag, grant.to);
    read_keys(&Zeroizing::new(open(prekeys, &info, &grant.encapsulated, &grant.sealed)?))
}

/// Reads what was sealed in a grant; `None` if these are no keys, or too many.
#[must_use]
pub fn read_keys(plain: &[u8]) -> Option<Vec<(EpochId, EpochSecret)>> {
    let keys: Vec<(EpochId, EpochSecret)> = wire::decode("keys of a grant", plain).ok()?;
    (keys.len() <= Grant::MAX_KEYS).then_some(keys)
}

fn epoch_info((community, room, epoch): (Community, RoomTag, EpochId), to: DeviceKey) -> Vec<u8> {
    wire::encode(&("epoch/1", community, room, epoch, to))
}

fn grant_info(community: Community, room: RoomTag, to: DeviceKey) -> Vec<u8> {
    wire::encode(&("grant/1", community, room, to))
}

fn seal(
    to: &PrekeyPublic,
    info: &[u8],
    plain: &[u8],
    random: &mut Random<'_>,
) -> Option<([u8; 32], Vec<u8>)> {
    let to = Deserializable::from_bytes(&to.0).ok()?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &to, info, plain, &[], &mut Source(random))
    .ok()?;
    Some((encapsulated.to_bytes().into(), sealed))
}

fn open<'a>(
    prekeys: impl IntoIterator<Item = &'a PrekeySecret>,
    info: &[u8],
    encapsulated: &[u8; 32],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let encapsulated = Deserializable::from_bytes(encapsulated).ok()?;
    prekeys.into_iter().find_map(|prekey| {
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &prekey.key()?,
            &encapsulated,
            info,
            sealed,
            &[],
        )
        .ok()
    })
}

/// Random bytes of the caller, as the library asks for them.
struct Source<'a, 'b>(&'a mut Random<'b>);

impl TryRng for Source<'_, '_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(into);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_, '_> {}

#[cfg(test)]
mod tests;
