//! Hexadecimal encoding of bytes.

/// Encodes bytes as lowercase hexadecimal, with two digits per byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(super::hex(&[0x00, 0x0a, 0xf0, 0xff]), "000af0ff");
        assert_eq!(super::hex(&[]), "");
    }
}
