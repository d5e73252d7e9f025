//! Ids as text: Crockford's base32 in lower case, the bits from the first on, then zeros up to a
//! whole digit. Texts have the order of the ids.

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Writes an id.
pub(crate) fn write(id: &[u8]) -> String {
    let length = (id.len() * 8).div_ceil(5);
    let mut text = String::with_capacity(length);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in id.iter().chain([&0]) {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 && text.len() < length {
            bits -= 5;
            let digit = usize::try_from(held >> bits & 31).unwrap_or_default();
            text.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        }
        held &= (1 << bits) - 1;
    }
    text
}

/// Reads what [`write`] wrote, in exactly that form.
pub(crate) fn read<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    if text.len() != (LENGTH * 8).div_ceil(5) {
        return None;
    }
    let mut id = [0; LENGTH];
    let mut bytes = id.iter_mut();
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        held = held << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *bytes.next()? = u8::try_from(held >> bits).ok()?;
            held &= (1 << bits) - 1;
        }
    }
    // The bits that are left fill the last digit.
    (held == 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_as_known_digits() {
        assert_eq!(write(&[0; 32]), "0".repeat(52));
        assert_eq!(write(&[0xff; 32]), format!("{}g", "z".repeat(51)));
        assert_eq!(write(&[0xff; 16]), format!("{}w", "z".repeat(25)));
        let mut id = [0; 32];
        id[0] = 0b0101_0001;
        id[1] = 0b1000_0000;
        assert_eq!(write(&id), format!("a6{}", "0".repeat(50)));
    }

    #[test]
    fn other_texts_are_no_ids() {
        let right = write(&[7; 32]);
        assert_eq!(read(&right), Some([7; 32]));
        assert_eq!(read::<32>(&right[1..]), None);
        assert_eq!(read::<16>(&right), None);
        assert_eq!(read::<32>(&format!("{right}0")), None);
        assert_eq!(read::<32>(&right.to_uppercase()), None);
        for digit in ["i", "l", "o", "u", "-", " "] {
            assert_eq!(read::<32>(&format!("{digit}{}", &right[1..])), None, "{digit}");
        }
        assert_eq!(read::<32>(&format!("é{}", &right[2..])), None);
    }

    #[test]
    fn bits_behind_the_last_byte_are_refused() {
        assert_eq!(read::<32>(&format!("{}1", "0".repeat(51))), None);
        assert_eq!(read::<16>(&format!("{}1", "0".repeat(25))), None);
    }
}
