//! Factorials that fit no machine word.

/// Each limb holds nine decimal digits, so that the text needs no division.
const LIMB: u64 = 1_000_000_000;

/// Returns `n!` in decimal digits.
pub(super) fn factorial(n: u32) -> String {
    // The least significant limb comes first.
    let mut limbs = vec![1_u64];
    for factor in 2..=u64::from(n) {
        let mut carry = 0;
        for limb in &mut limbs {
            // Below 10^9 * 2^32 + 2^33, which fits.
            let product = *limb * factor + carry;
            *limb = product % LIMB;
            carry = product / LIMB;
        }
        while carry > 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
    }
    let mut limbs = limbs.iter().rev();
    let first = limbs.next().copied().unwrap_or_default();
    let rest: String = limbs.map(|limb| format!("{limb:09}")).collect();
    format!("{first}{rest}")
}

#[cfg(test)]
mod tests {
    use super::factorial;

    #[test]
    fn small_and_large_factorials() {
        for (n, expected) in [
            (0, "1"),
            (1, "1"),
            (10, "3628800"),
            (25, "15511210043330985984000000"),
        ] {
            assert_eq!(factorial(n), expected);
        }
        assert_eq!(factorial(1_000).len(), 2_568);
    }
}
