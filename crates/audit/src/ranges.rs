//! Sets of positions as ranges, the form in which events name them.

use std::collections::BTreeSet;

use serde_json::Value;

/// Pairs of the first and the last position of each range.
pub(crate) fn to_json(positions: &BTreeSet<i64>) -> Value {
    let mut ranges: Vec<[i64; 2]> = Vec::new();
    for &position in positions {
        match ranges.last_mut() {
            Some([_, last]) if last.checked_add(1) == Some(position) => *last = position,
            _ => ranges.push([position, position]),
        }
    }
    ranges.into_iter().map(|range| Value::from(range.to_vec())).collect()
}

/// Removes the positions in ranges from a set. What is not a range is ignored.
pub(crate) fn remove(ranges: &Value, positions: &mut BTreeSet<i64>) {
    for range in ranges.as_array().into_iter().flatten() {
        let Some([first, last]) = range.as_array().map(Vec::as_slice) else { continue };
        let (Some(first), Some(last)) = (first.as_i64(), last.as_i64()) else { continue };
        let next = |positions: &BTreeSet<i64>| positions.range(first..).next().copied();
        while let Some(position) = next(positions).filter(|&position| position <= last) {
            positions.remove(&position);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn ranges_name_each_position_and_no_other(
            named in proptest::collection::btree_set(-20_i64..20, 0..20),
            others in proptest::collection::btree_set(-20_i64..20, 0..20),
        ) {
            let mut left: BTreeSet<i64> = named.union(&others).copied().collect();

            remove(&to_json(&named), &mut left);

            let expected: BTreeSet<i64> = others.difference(&named).copied().collect();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn neighbors_share_a_range() {
        let positions = BTreeSet::from([1, 2, 3, 7, i64::MAX]);

        assert_eq!(to_json(&positions), json!([[1, 3], [7, 7], [i64::MAX, i64::MAX]]));
    }

    #[test]
    fn what_is_not_a_range_is_ignored() {
        let all = BTreeSet::from([1, 2, 3]);
        for ranges in [json!(null), json!([1]), json!([[3, 1]]), json!([[1]]), json!([["1", "3"]])]
        {
            let mut left = all.clone();
            remove(&ranges, &mut left);
            assert_eq!(left, all, "{ranges}");
        }
    }
}
