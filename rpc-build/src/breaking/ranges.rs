//! Ranges of numbers: reserved ones, and those for extensions.

use crate::lock::Range;

/// The parts of a range that none of the others covers.
pub(super) fn missing((first, last): Range, others: &[Range]) -> Vec<Range> {
    let mut others = others.to_vec();
    others.sort_unstable();
    let mut missing = Vec::new();
    // As `i64`, so that there is a number after the last one.
    let (mut next, last) = (i64::from(first), i64::from(last));
    for (from, to) in others {
        let (from, to) = (i64::from(from), i64::from(to));
        if next > last {
            break;
        }
        if from > next {
            missing.push((next, last.min(from - 1)));
        }
        next = next.max(to + 1);
    }
    if next <= last {
        missing.push((next, last));
    }
    let narrow = |number| i32::try_from(number).unwrap_or(i32::MAX);
    missing
        .into_iter()
        .filter(|(from, to)| from <= to)
        .map(|(from, to)| (narrow(from), narrow(to)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn parts_that_are_not_covered() {
        assert_eq!(missing((2, 5), &[]), [(2, 5)]);
        assert_eq!(missing((2, 5), &[(1, 9)]), []);
        assert_eq!(
            missing((2, 9), &[(8, 8), (4, 5), (2, 2)]),
            [(3, 3), (6, 7), (9, 9)]
        );
        assert_eq!(missing((2, 5), &[(7, 9)]), [(2, 5)]);
        assert_eq!(missing((2, 9), &[(1, 20), (3, 4)]), []);
        assert_eq!(
            missing((i32::MIN, i32::MAX), &[(0, i32::MAX)]),
            [(i32::MIN, -1)]
        );
    }
}
