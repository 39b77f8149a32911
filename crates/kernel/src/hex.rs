//! Bytes as hexadecimal digits.

/// Encodes bytes as lowercase hexadecimal, with two digits per byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// The bytes that pairs of hexadecimal digits stand for; `None` if the text is anything else.
#[must_use]
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex(&[0x00, 0x0a, 0xf0, 0xff]), "000af0ff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn digits_are_read_as_they_were_written() {
        let all: Vec<u8> = (0..=255).collect();

        assert_eq!(unhex(&hex(&all)), Some(all));
        assert_eq!(unhex("aF"), Some(vec![0xaf]));
        for bad in ["a", "abc", "+1", "0x", "é", " a"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
