//! Medians and quantiles, by rank.

/// The value at rank `q` (0 to 1) of an ascending slice.
pub fn quantile<T: Copy>(ascending: &[T], q: f64) -> Option<T> {
    let last = ascending.len().checked_sub(1)?;
    // A slice index: small enough for f64, and `q` keeps it within the slice.
    let rank = (last as f64 * q).round() as usize;
    ascending.get(rank.min(last)).copied()
}

/// The middle value, or the mean of the two middle ones.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    if values.len() % 2 == 1 {
        Some(upper)
    } else {
        Some((values.get(half - 1)? + upper) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn quantiles() {
        let values: Vec<u32> = (0..=100).collect();
        assert_eq!(quantile(&values, 0.5), Some(50));
        assert_eq!(quantile(&values, 0.99), Some(99));
        assert_eq!(quantile::<u32>(&[], 0.5), None);
    }
}
