//! Figures out of several rounds.

/// The middle one; between the two middle ones of an even count. `None` without any.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    let lower = if figures.len().is_multiple_of(2) { *figures.get(middle.checked_sub(1)?)? } else { upper };
    Some(f64::midpoint(lower, upper))
}

/// One figure as a share of another. `None` where that is nothing.
pub(crate) fn ratio(figure: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| figure / of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_care_for_outliers() {
        for (figures, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[1.0, 2.0], Some(1.5)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[1000.0, 1.0, 3.0, 2.0], Some(2.5)),
            (&[f64::NAN, 1.0], Some(1.0)),
        ] {
            assert_eq!(median(figures.iter().copied()), expected, "{figures:?}");
        }
    }

    #[test]
    fn nothing_is_no_measure() {
        assert_eq!(ratio(1.0, 4.0), Some(0.25));
        assert_eq!(ratio(1.0, 0.0), None);
    }
}
