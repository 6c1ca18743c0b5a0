//! What to say of many measured values.

/// The value that a share `q` of all values does not exceed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index"
)]
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}

/// The median, and between which values half of them are.
pub(crate) fn median_and_spread(mut values: Vec<f64>) -> (f64, String) {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|q| quantile(&mut values, q));
    (median, format!("{median:.3} ({low:.3} to {high:.3})"))
}
