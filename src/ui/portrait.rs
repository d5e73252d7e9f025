//! A face for an address: a flower whose petals and colours follow from its bytes, so that people
//! come to know each other's at a glance.

use chats_core::id::Wallet;
use leptos::prelude::*;
use std::fmt::Write;

/// The drawn portrait of a wallet, round, as large as its box.
#[component]
pub fn Portrait(
    /// Whose.
    wallet: Wallet,
) -> impl IntoView {
    view! {
        <svg
            class="portrait"
            viewBox="-50 -50 100 100"
            aria-hidden="true"
            focusable="false"
            inner_html=drawing(&wallet.0)
        ></svg>
    }
}

/// Endless bytes that depend on every byte of the address (FNV-1a, then xorshift).
struct Bytes(u64);

impl Bytes {
    fn new(address: &[u8; 20]) -> Self {
        Self(address.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// A number from `0` to `below - 1`.
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) % below.max(1)
    }
}

/// The shapes, as SVG within a square of 100 around the origin. Numbers only, so that it is safe
/// as markup.
fn drawing(address: &[u8; 20]) -> String {
    let mut bytes = Bytes::new(address);
    let hue = bytes.below(360);
    let second = hue + 60 + bytes.below(240);
    let third = hue + 150 + bytes.below(60);
    let turn = bytes.below(90);
    let petals = 3 + bytes.below(6);
    let outer = Ring {
        count: petals,
        turn,
        distance: 21 + bytes.below(9),
        width: 50 / petals + 3 + bytes.below(5),
        length: 11 + bytes.below(9),
        corner: bytes.below(3),
        colour: format!("oklch(0.76 0.12 {})", second % 360),
    };
    let inner = Ring {
        count: if bytes.below(2) == 0 { petals } else { 3 + bytes.below(4) },
        turn: turn + 180 / petals,
        distance: 11 + bytes.below(6),
        width: 4 + bytes.below(5),
        length: 5 + bytes.below(6),
        corner: bytes.below(3),
        colour: format!("oklch(0.92 0.07 {})", third % 360),
    };
    let mut svg = format!("<circle r=\"50\" fill=\"oklch(0.46 0.09 {hue})\"/>");
    outer.draw(&mut svg);
    inner.draw(&mut svg);
    let heart = 3 + bytes.below(6);
    // Writing to a string cannot fail.
    let _ = write!(svg, "<circle r=\"{heart}\" fill=\"oklch(0.46 0.09 {hue})\"/>");
    svg
}

/// Equal petals around the middle.
struct Ring {
    count: u64,
    /// Degrees by which the first is turned.
    turn: u64,
    /// From the origin to a petal's middle.
    distance: u64,
    /// Half a petal's extent across.
    width: u64,
    /// Half its extent outwards.
    length: u64,
    /// How round its corners are: 0 fully, 1 half, 2 hardly.
    corner: u64,
    colour: String,
}

impl Ring {
    fn draw(&self, svg: &mut String) {
        let Self { count, turn, distance, width, length, corner, colour } = self;
        let (x, y) = (-width.cast_signed(), -(distance + length).cast_signed());
        let (w, h) = (width * 2, length * 2);
        let (rx, ry) = (w >> (corner + 1), h >> (corner + 1));
        let _ = write!(svg, "<g fill=\"{colour}\">");
        for i in 0..*count {
            let angle = turn + i * 360 / count;
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{rx}\" ry=\"{ry}\" transform=\"rotate({angle})\"/>"
            );
        }
        svg.push_str("</g>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test]
    fn every_byte_of_an_address_changes_its_portrait() {
        let plain = drawing(&[7; 20]);
        for i in 0..20 {
            let mut address = [7; 20];
            address[i] ^= 1;
            assert_ne!(drawing(&address), plain, "byte {i}");
        }
        assert_eq!(drawing(&[7; 20]), plain);
    }
}
