//! Amounts as people write them in documents.

/// `512M`, `8G`: the largest unit that divides `bytes`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
    for (bits, unit) in units {
        if bytes > 0 && bytes.trailing_zeros() >= bits {
            return format!("{}{unit}", bytes >> bits);
        }
    }
    bytes.to_string()
}

/// `2`, `0.5`: cores.
pub(super) fn cores(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_written() {
        assert_eq!(super::bytes(8 << 30), "8G");
        assert_eq!(super::bytes(1536 << 30), "1536G");
        assert_eq!(super::bytes(1000), "1000");
        assert_eq!(super::cores(500), "0.5");
        assert_eq!(super::cores(4000), "4");
        assert_eq!(super::cores(1250), "1.25");
    }
}
