//! As much of protobuf as two messages of two fields each need
//! (<https://protobuf.dev/programming-guides/encoding>).

use super::{Malformed, put_varint, varint};

/// The value of a field.
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a type that neither message has.
    Other,
}

/// The fields of a message: number and value, in the order of the bytes.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u64, Malformed> {
        let (number, size) = varint(self.0)?.ok_or(Malformed::Field)?;
        self.bytes(size)?;
        Ok(number)
    }

    fn bytes(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(size).ok_or(Malformed::Field)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.bytes(8).map(|_| Value::Other)?,
            2 => {
                let size = usize::try_from(self.number()?).map_err(|_| Malformed::Field)?;
                Value::Bytes(self.bytes(size)?)
            }
            5 => self.bytes(4).map(|_| Value::Other)?,
            _ => return Err(Malformed::Field),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    /// After an error comes the end.
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Appends a number below 128 as a field.
pub(super) fn put_number(field: u8, number: u8, to: &mut Vec<u8>) {
    to.extend([field << 3, number]);
}

/// Appends bytes as a field.
pub(super) fn put_bytes(field: u8, bytes: &[u8], to: &mut Vec<u8>) {
    to.push(field << 3 | 2);
    put_varint(bytes.len(), to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_ends_early_is_refused() {
        for bytes in [&[0x08][..], &[0x12, 5, 1], &[0x09, 1], &[0x0d, 1, 2, 3], &[0x0b], &[0x80]] {
            let fields: Vec<_> = Fields(bytes).collect();
            assert!(matches!(fields[..], [Err(Malformed::Field)]), "{bytes:?}");
        }
    }

    #[test]
    fn fields_of_other_types_are_passed_over() {
        let mut bytes = vec![0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4];
        put_number(1, 9, &mut bytes);
        let last = Fields(&bytes).last();
        assert!(matches!(last, Some(Ok((1, Value::Number(9))))));
    }
}
